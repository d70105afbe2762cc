//! The search against models of paths: a limit, noise, a slow sender, a path that always loses, one that never does.

use proptest::prelude::*;

use super::*;

/// Nobody stops it.
static GO: AtomicBool = AtomicBool::new(false);

/// What happens to frames: a sender that reaches at most `sender`, a path that forwards at most `limit`, and `noise`, the
/// loss that trial number `n` at a rate has anyway.
struct Path<F: Fn(usize, f64) -> f64> {
    sender: f64,
    limit: f64,
    noise: F,
}

impl<F: Fn(usize, f64) -> f64> Path<F> {
    fn search(&self, asked: Search) -> Ndr {
        let mut count = 0;
        search(asked, &GO, |wanted| {
            count += 1;
            Ok(self.trial(count, wanted, asked.loss))
        })
        .unwrap()
    }

    fn trial(&self, number: usize, wanted: Wanted, bound: f64) -> Trial {
        let sent_pps = wanted.pps.map_or(self.sender, |pps| pps.min(self.sender));
        let loss = (1.0 - self.limit / sent_pps).max((self.noise)(number, sent_pps));
        let loss = loss.clamp(0.0, 1.0);
        Trial {
            wanted_pps: wanted.pps.unwrap_or(sent_pps),
            sent_pps,
            loss,
            passed: loss <= bound,
            ..Trial::default()
        }
    }
}

fn quiet(_: usize, _: f64) -> f64 {
    0.0
}

fn asked(highest: Option<f64>) -> Search {
    Search {
        loss: 1e-5,
        resolution: 0.005,
        highest,
        confirmations: 3,
    }
}

/// Every report keeps these, whatever the path.
fn is_sound(ndr: &Ndr, search: Search) -> std::result::Result<(), TestCaseError> {
    prop_assert!(ndr.trials.len() <= MOST_TRIALS);
    prop_assert_eq!(ndr.confirmed.1, search.confirmations);
    prop_assert!(ndr.confirmed.0 <= ndr.confirmed.1);
    let Some(pps) = ndr.pps else {
        prop_assert_eq!(ndr.confirmed.0, 0);
        return Ok(());
    };
    prop_assert!(
        ndr.trials.iter().any(|t| t.passed && t.sent_pps == pps),
        "{pps} was never sent"
    );
    prop_assert!(ndr.failed_pps.is_none_or(|failed| pps < failed));
    let failed_at_or_below = ndr.trials.iter().filter(|t| {
        !t.passed && t.loss > search.loss && t.sent_pps <= pps && t.sent_pps >= KEPT * t.wanted_pps
    });
    prop_assert_eq!(
        failed_at_or_below.count(),
        0,
        "a rate at or below {} failed",
        pps
    );
    Ok(())
}

proptest! {
    /// Any limit is found, in few trials: the highest rate that passes is within the resolution.
    #[test]
    fn a_limit_is_found(
        limit in prop_oneof![1.5f64..1e3, 1e3f64..1e7],
        above in 1.02f64..1e4,
        resolution in 0.0005f64..0.05,
        loss in prop_oneof![Just(0.0), 1e-6f64..0.01],
        at_maximum: bool,
    ) {
        let path = Path { sender: limit * above, limit, noise: quiet };
        let search = Search { loss, resolution, ..asked((!at_maximum).then_some(limit * above)) };
        let ndr = path.search(search);
        is_sound(&ndr, search)?;
        let most = limit / (1.0 - loss);
        let found = ndr.pps.expect("a rate");
        prop_assert!(found <= most * 1.000_001 && most <= found * (1.0 + resolution) * 1.000_001, "{found} of {most}");
        prop_assert_eq!(ndr.confirmed, (3, 3));
        prop_assert!(ndr.failed_pps.is_some_and(|failed| failed >= most));
        prop_assert!(ndr.trials.len() <= 8, "{} trials", ndr.trials.len());
    }

    /// Nor must the path deliver at its limit when it is overloaded: one that collapses takes longer, that is all.
    #[test]
    fn a_path_that_collapses_is_found(limit in 100f64..1e6, above in 1.1f64..100.0, collapse in 0.0f64..1.0) {
        let path = Path {
            sender: f64::INFINITY,
            limit,
            noise: |_, pps| if pps > limit { 1.0 - collapse * limit / pps } else { 0.0 },
        };
        let search = asked(Some(limit * above));
        let ndr = path.search(search);
        is_sound(&ndr, search)?;
        let found = ndr.pps.expect("a rate");
        prop_assert!(found <= limit * 1.000_01 && limit <= found * 1.005_01, "{found} of {limit}");
        prop_assert!(ndr.trials.len() <= 35, "{} trials", ndr.trials.len());
    }

    /// A queue that hides a small overload for the length of a search trial is found out by the longer confirming ones.
    #[test]
    fn a_queue_does_not_hide_the_limit(limit in 1e3f64..1e6, queue in 0.0f64..0.1) {
        let path = Path { sender: f64::INFINITY, limit: f64::INFINITY, noise: quiet };
        let search = asked(Some(limit * 20.0));
        let ndr = super::search(search, &GO, |wanted| {
            let seconds = if wanted.confirming { 5.0 } else { 2.0 };
            let sent = wanted.pps.unwrap() * seconds;
            let loss = (1.0 - limit * (seconds + queue) / sent).max(0.0);
            let mut trial = path.trial(0, wanted, search.loss);
            (trial.loss, trial.passed) = (loss, loss <= search.loss);
            Ok(trial)
        }).unwrap();
        is_sound(&ndr, search)?;
        let (found, most) = (ndr.pps.expect("a rate"), limit * (5.0 + queue) / 5.0 * 1.000_011);
        prop_assert!(found <= most && most <= found * 1.04, "{found} of {most}");
        prop_assert_eq!(ndr.confirmed, (3, 3));
    }

    /// Loss that comes and goes: whatever is reported is below what ever failed, and the search ends.
    #[test]
    fn noise_ends_and_is_not_reported_as_throughput(limit in 10f64..1e6, seed: u64, often in 0.0f64..0.6) {
        let path = Path {
            sender: f64::INFINITY,
            limit,
            noise: |number, _| {
                let mut random = fastrand::Rng::with_seed(seed ^ (number as u64 * 0x9e37_79b9));
                if random.f64() < often { random.f64() * 0.01 } else { 0.0 }
            },
        };
        let search = asked(Some(limit * 3.0));
        let ndr = path.search(search);
        is_sound(&ndr, search)?;
        prop_assert!(ndr.pps.is_none_or(|pps| pps <= limit * 1.000_02));
        prop_assert!(ndr.confirmed == (3, 3) || ndr.pps.is_none() || ndr.trials.len() == MOST_TRIALS);
    }

    /// A sender that cannot reach the limit is the answer, and no rate is called failed.
    #[test]
    fn a_slow_sender_caps_the_search(sender in 10f64..1e6, asked_for in prop::option::of(1.05f64..100.0)) {
        let path = Path { sender, limit: f64::INFINITY, noise: quiet };
        let search = asked(asked_for.map(|times| sender * times));
        let ndr = path.search(search);
        is_sound(&ndr, search)?;
        let found = ndr.pps.expect("a rate");
        prop_assert!(found <= sender && found >= sender * 0.98, "{found} of {sender}");
        prop_assert_eq!(ndr.failed_pps, None);
        prop_assert_eq!(ndr.confirmed, (3, 3));
        if asked_for.is_some() {
            prop_assert!(!ndr.trials[0].passed);
            prop_assert!(ndr.trials[0].remark.as_ref().is_some_and(|r| r.contains("the sender reached only")));
        }
    }

    /// Its pace varies, too.
    #[test]
    fn an_unsteady_sender_still_has_a_rate(sender in 1e3f64..1e6, seed: u64) {
        let search = asked(None);
        let mut random = fastrand::Rng::with_seed(seed);
        let ndr = super::search(search, &GO, |wanted| {
            let able = sender * (0.95 + 0.05 * random.f64());
            let path = Path { sender: able, limit: f64::INFINITY, noise: quiet };
            Ok(path.trial(0, wanted, search.loss))
        }).unwrap();
        is_sound(&ndr, search)?;
        let found = ndr.pps.expect("a rate");
        prop_assert!(found >= sender * 0.85 && found <= sender, "{found} of {sender}");
    }
}

#[test]
fn a_path_that_always_loses_has_no_throughput() {
    for (loss, arrives) in [(1.0, "nothing"), (0.01, "nearly all")] {
        let path = Path {
            sender: 1e7,
            limit: f64::INFINITY,
            noise: |_, _| loss,
        };
        let ndr = path.search(asked(None));
        assert_eq!((ndr.pps, ndr.confirmed), (None, (0, 3)), "{arrives}");
        assert_eq!(ndr.failed_pps, Some(1.0), "{arrives}");
        assert!(ndr.trials.len() <= 20, "{arrives}: {}", ndr.trials.len());
    }
}

#[test]
fn a_path_that_never_loses_has_the_highest_rate() {
    let path = Path {
        sender: f64::INFINITY,
        limit: f64::INFINITY,
        noise: quiet,
    };
    let ndr = path.search(asked(Some(1e6)));
    assert_eq!(ndr.pps, Some(1e6));
    assert_eq!((ndr.failed_pps, ndr.confirmed), (None, (3, 3)));
    assert_eq!(ndr.trials.len(), 4);
}

#[test]
fn a_failed_confirmation_sends_the_search_below() {
    let path = Path {
        sender: f64::INFINITY,
        limit: f64::INFINITY,
        // The second confirming trial of the highest rate.
        noise: |number, _| if number == 3 { 0.5 } else { 0.0 },
    };
    let ndr = path.search(asked(Some(1e6)));
    let found = ndr.pps.unwrap();
    assert!((0.99e6..1e6).contains(&found), "{found}");
    assert_eq!((ndr.failed_pps, ndr.confirmed), (Some(1e6), (3, 3)));
}

#[test]
fn a_receiver_that_overran_fails_the_rate_without_loss() {
    let ndr = search(asked(Some(1e6)), &GO, |wanted| {
        let pps = wanted.pps.unwrap();
        Ok(Trial {
            wanted_pps: pps,
            sent_pps: pps,
            passed: pps < 7e5,
            remark: (pps >= 7e5).then(|| "the receiver overran".into()),
            ..Trial::default()
        })
    })
    .unwrap();
    let found = ndr.pps.unwrap();
    assert!((6.9e5..7e5).contains(&found), "{found}");
}

#[test]
fn a_sender_that_sends_nothing_ends_the_search() {
    for highest in [None, Some(1e6)] {
        let ndr = search(asked(highest), &GO, |_| Ok(Trial::default())).unwrap();
        assert_eq!(ndr.pps, None);
        assert!(ndr.trials.len() <= 2, "{}", ndr.trials.len());
    }
}

#[test]
fn an_error_of_a_trial_is_the_searchs() {
    let failure = search(asked(None), &GO, |_| {
        Err(crate::error::Failure::Environment("eth0 went away".into()))
    });
    assert_eq!(failure.unwrap_err().to_string(), "eth0 went away");
}

#[test]
fn an_interrupted_trial_counts_for_nothing() {
    let (stop, mut trials) = (AtomicBool::new(false), 0);
    let ndr = search(asked(Some(1e6)), &stop, |wanted| {
        trials += 1;
        stop.store(trials == 3, Ordering::Relaxed);
        let pps = wanted.pps.unwrap_or(1e6);
        Ok(Trial {
            wanted_pps: pps,
            sent_pps: pps,
            passed: pps < 5e5,
            loss: if pps < 5e5 { 0.0 } else { 0.5 },
            ..Trial::default()
        })
    })
    .unwrap();
    assert_eq!(ndr.trials.len(), 2);
}
