//! RFC 2544 throughput (section 26.1): the fastest rate of which a device loses no more than the bound, by a binary search
//! over trials.
//!
//! The first trial runs at the highest rate. If it loses, what arrived is the best guess of the limit: the search starts there,
//! moves away in steps that grow fourfold until one trial has passed and one has failed, and bisects between. A path that
//! delivers at its limit under overload is found in four or five trials instead of some fifteen; one that collapses under
//! overload costs a few more.
//!
//! Invariant: every rate reported was really sent, passed a search trial and each of its confirming trials, and lies below
//! every rate that failed. A sender that falls short of its rate cannot pass; that caps the search, and is no failure of the path.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Result;
use crate::report::{Ndr, Trial};

/// Trials at most, the confirming ones included. A search that never settles (a path that loses at random) ends here, with the
/// best rate it has and fewer confirmations than were asked for.
const MOST_TRIALS: usize = 60;

/// Part of the wanted rate that a sender must reach.
const KEPT: f64 = 0.98;

/// Part of what a sender reached that is asked of it next: it was at its end there, and would fall short again.
const EASE: f64 = 0.99;

/// Rates below this many frames a second are not tried.
const LOWEST_PPS: f64 = 1.0;

/// Largest step down, as a fraction: to an eighth.
const DEEPEST: f64 = 0.875;

/// What to search for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// Highest acceptable loss of a trial, as a fraction.
    pub loss: f64,
    /// The search ends when passed and failed rates are this close, as a fraction of the passed one.
    pub resolution: f64,
    /// Highest rate to try, frames a second; `None`: a first trial at maximum tells.
    pub highest: Option<f64>,
    /// How many confirming trials must pass at the rate reported.
    pub confirmations: u32,
}

/// A trial to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// Frames a second; `None`: as fast as it goes.
    pub pps: Option<f64>,
    /// Whether it confirms a rate (and takes longer), rather than searching.
    pub confirming: bool,
}

/// Searches until `stop` is set; `trial` runs one. A trial passes if `trial` says so and its sender reached 98 % of the rate. The rate reported is
/// the lowest that was really sent in the trials that passed at it; its bits are for the caller, who knows the frames.
///
/// # Errors
/// The first that `trial` returns.
pub fn search(
    search: Search,
    stop: &AtomicBool,
    mut trial: impl FnMut(Wanted) -> Result<Trial>,
) -> Result<Ndr> {
    let mut bracket = Bracket::new(search);
    let mut trials = Vec::new();
    let mut next = Some(Wanted {
        pps: search.highest,
        confirming: false,
    });
    while let Some(wanted) = next
        && trials.len() < MOST_TRIALS
    {
        let mut done = trial(wanted)?;
        if stop.load(Ordering::Relaxed) {
            // Cut short, it says nothing of its rate.
            break;
        }
        bracket.learn(wanted, &mut done);
        trials.push(done);
        next = bracket.next();
    }
    let best = bracket.passed.last();
    Ok(Ndr {
        pps: best.map(|best| best.sent_pps),
        loss: search.loss,
        failed_pps: bracket.failed,
        confirmed: (best.map_or(0, |best| best.confirmed), search.confirmations),
        trials,
        ..Ndr::default()
    })
}

/// What is known so far.
struct Bracket {
    search: Search,
    /// Rates that passed and lie below everything that failed, ascending.
    passed: Vec<Passed>,
    /// The lowest rate that the path failed at.
    failed: Option<f64>,
    /// What the sender reached when it fell short last.
    cap: Option<f64>,
    /// Where the limit is likely to be, until a trial has been there.
    guess: Option<f64>,
    /// Length of the next step away from the guess, as a fraction.
    reach: f64,
}

/// A rate that passed.
struct Passed {
    /// Rate asked for.
    pps: f64,
    /// The lowest rate sent in its trials.
    sent_pps: f64,
    /// Confirming trials that passed.
    confirmed: u32,
}

impl Bracket {
    fn new(search: Search) -> Self {
        // Finer than this, counting whole frames is coarser; coarser than a half, steps would pass each other.
        let resolution = search.resolution.clamp(1e-6, 0.5);
        Bracket {
            search: Search {
                resolution,
                ..search
            },
            passed: Vec::new(),
            failed: None,
            cap: None,
            guess: None,
            reach: resolution,
        }
    }

    /// Takes note of a trial, and says in it whether it counts as passed.
    fn learn(&mut self, wanted: Wanted, trial: &mut Trial) {
        let sent_pps = trial.sent_pps.max(0.0);
        let pps = wanted.pps.unwrap_or(sent_pps);
        let kept = sent_pps >= KEPT * pps && sent_pps > 0.0;
        trial.passed &= kept;
        if trial.passed {
            return self.pass(pps, sent_pps.min(pps), wanted.confirming);
        }
        if !kept && trial.remark.is_none() {
            trial.remark = Some(format!("the sender reached only {sent_pps:.0} pps"));
        }
        if !kept {
            self.cap = Some(self.cap.map_or(sent_pps, |cap| cap.min(sent_pps)));
            self.passed.retain(|passed| passed.pps <= sent_pps);
        }
        if kept || trial.loss > self.search.loss {
            self.fail(if kept { pps } else { sent_pps }, trial.loss);
        }
        if wanted.confirming {
            // What was found was nearly right: look around it in small steps again.
            self.reach = self.search.resolution;
        }
    }

    fn pass(&mut self, pps: f64, sent_pps: f64, confirming: bool) {
        match self.passed.iter_mut().find(|passed| passed.pps == pps) {
            Some(passed) => {
                passed.sent_pps = passed.sent_pps.min(sent_pps);
                passed.confirmed += u32::from(confirming);
            }
            None => self.passed.push(Passed {
                pps,
                sent_pps,
                confirmed: 0,
            }),
        }
        self.guess = None;
    }

    fn fail(&mut self, pps: f64, loss: f64) {
        // The first failure is the one that tells where the limit may be; from then on the bracket knows better.
        let limit = pps * (1.0 - loss) / (1.0 - self.search.loss.clamp(0.0, 0.99));
        let guess = limit * (1.0 - 0.4 * self.search.resolution);
        let first = self.failed.is_none() && self.passed.is_empty();
        self.guess = (first && guess > 0.0 && guess < pps).then_some(guess);
        self.failed = Some(self.failed.map_or(pps, |failed| failed.min(pps)));
        self.passed.retain(|passed| passed.pps < pps);
    }

    /// The next trial; `None` when there is nothing left to find out.
    fn next(&mut self) -> Option<Wanted> {
        let best = self.passed.last().map(|best| (best.pps, best.confirmed));
        if let Some((pps, confirmed)) = best
            && self.is_close(pps)
        {
            return (confirmed < self.search.confirmations).then_some(Wanted {
                pps: Some(pps),
                confirming: true,
            });
        }
        let lower = best.map(|(pps, _)| pps);
        Some(Wanted {
            pps: Some(self.pps_between(lower)?),
            confirming: false,
        })
    }

    /// Whether a better rate than `pps` would not be worth a trial, or there is none.
    fn is_close(&self, pps: f64) -> bool {
        let gap = pps * self.search.resolution;
        match (self.failed, self.cap) {
            (Some(failed), _) if failed - pps <= gap => true,
            (_, Some(cap)) => cap * EASE - pps <= gap,
            (Some(_), None) => false,
            // Nothing failed, and the highest rate passed.
            (None, None) => true,
        }
    }

    /// A rate above `lower` that is not known to fail.
    fn pps_between(&mut self, lower: Option<f64>) -> Option<f64> {
        let cap = self.cap.map(|cap| cap * EASE);
        let Some(upper) = self.failed else {
            return cap.filter(|cap| *cap >= LOWEST_PPS);
        };
        if let Some(guess) = self.guess.take() {
            return Some(guess.max(LOWEST_PPS.min(upper / 2.0)));
        }
        let reach = self.reach;
        self.reach = (reach * 4.0).min(1e9);
        let pps = match lower {
            Some(lower) => ((lower + upper) / 2.0).min(lower * (1.0 + 0.8 * reach)),
            None if upper <= LOWEST_PPS => return None,
            None => (upper * (1.0 - reach.min(DEEPEST))).max(LOWEST_PPS),
        };
        // A sender at its end is asked for what it can do, not for the middle.
        Some(cap.map_or(pps, |cap| cap.min(pps)))
    }
}

#[cfg(test)]
mod tests;
