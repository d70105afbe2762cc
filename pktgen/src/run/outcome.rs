//! What a run came to: the workers' counts, put together for the report.

use hdrhistogram::Histogram;

use super::lanes::SentLane;
use super::sender;
use super::session::{Collected, Run};
use crate::account::outcome::Ending;
use crate::account::{self, Account};
use crate::clock::Clock;
use crate::frame::WIRE_OVERHEAD;
use crate::frame::signature::Lane;
use crate::io::live::LiveCounts;
use crate::profile::Profile;
use crate::report::{self, Distribution, Pacing, Received, Second, Sent, SentStream};

/// What a sending worker did.
#[derive(Debug)]
pub struct SendingWork {
    /// By lane.
    pub lanes: Vec<SentLane>,
    /// See [`sender::Work::unfinished`].
    pub unfinished: u64,
    /// See [`sender::Work::ring_full`].
    pub ring_full: u64,
    /// Frames that the interface did not take.
    pub refused: u64,
    /// First and last departure, nanoseconds.
    pub span_ns: (u64, u64),
    /// How the schedule was kept: lag and gap; not known of what the kernel sends.
    pub pacing: Option<(Histogram<u64>, Histogram<u64>)>,
    /// Error of its clock, nanoseconds.
    pub clock_error_ns: u64,
}

impl SendingWork {
    /// Of a worker that wrote its frames itself.
    pub fn new(lanes: Vec<SentLane>, work: sender::Work) -> Self {
        SendingWork {
            lanes,
            unfinished: work.unfinished,
            ring_full: work.ring_full,
            refused: 0,
            span_ns: work.span_ns,
            pacing: Some((work.lag, work.gap)),
            clock_error_ns: work.clock_error_ns,
        }
    }

    /// Of a worker whose frames the kernel made.
    pub fn live(worker: u8, counts: &LiveCounts, span_ns: (u64, u64), clock_error_ns: u64) -> Self {
        let lane = |(stream, (frames, bytes)): (usize, &(u64, u64))| SentLane {
            lane: Lane::new(stream as u8, worker),
            frames: *frames,
            bytes: *bytes,
        };
        SendingWork {
            lanes: counts.streams.iter().enumerate().map(lane).collect(),
            unfinished: 0,
            ring_full: 0,
            refused: counts.refused,
            span_ns,
            pacing: None,
            clock_error_ns,
        }
    }
}

/// What the reader of latencies must know when the receiver was not `busy`.
const SLEPT: &str = "the receiver slept while nothing came: latencies include waking it (some 10 us); --busy avoids that, at the \
                     price of a core";

/// A run's results.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Length of the run, seconds: from the first departure (or, of a receiver alone, arrival) to the last.
    pub seconds: f64,
    /// Number of the run, if it is known.
    pub run: Option<u16>,
    /// What was sent.
    pub sent: Option<Sent>,
    /// What was received.
    pub received: Option<Received>,
    /// Second by second.
    pub timeline: Vec<Second>,
    /// Where times come from.
    pub clock: report::Clock,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Outcome {
    pub(super) fn new(
        profile: &Profile,
        run: &Run,
        collected: Collected,
        clock: &mut Clock,
    ) -> Self {
        let errors: Vec<u64> = (collected.sent.iter().map(|work| work.clock_error_ns))
            .chain(collected.received.iter().map(|work| work.clock_error_ns))
            .collect();
        let mut outcome = Outcome {
            run: run.number,
            timeline: collected.timeline,
            clock: clock.describe(errors),
            ..Outcome::default()
        };
        let refused: u64 = collected.sent.iter().map(|work| work.refused).sum();
        if refused > 0 {
            outcome.notes.push(format!(
                "{refused} frames were made and not taken by the sending interface (its tx_dropped): they count as lost below, and \
                 are no loss of the path; a lower --rate avoids them"
            ));
        }
        let sends = !collected.sent.is_empty();
        let lanes: Vec<SentLane> = (collected.sent.iter())
            .flat_map(|work| work.lanes.iter().copied())
            .collect();
        if sends {
            let sent = sent(profile, run, &collected.sent);
            outcome.seconds = sent.1;
            outcome.sent = Some(sent.0);
        }
        if !collected.received.is_empty() {
            let spans = collected.received.iter().filter_map(|work| work.span_ns);
            let span = spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            let seconds = span.map_or(0.0, |(first, last)| (last - first) as f64 / 1e9);
            if !sends {
                outcome.seconds = seconds;
            }
            let sleeps: u64 = collected.received.iter().map(|work| work.sleeps).sum();
            let account = Account::merged(collected.received.into_iter().map(|work| work.account));
            outcome.run = run.number.or(account.run);
            let names: Vec<String> = (profile.streams.iter())
                .map(|stream| stream.name.clone())
                .collect();
            let sent: Vec<(Lane, u64)> = lanes.iter().map(|l| (l.lane, l.frames)).collect();
            let ending = Ending {
                sent: sends.then_some(&sent[..]),
                names: &names,
                seconds,
                join: run.join,
                missed: collected.missed,
                bound: run.loss,
            };
            let received = account::outcome::received(&account, &ending);
            outcome
                .notes
                .extend(account::outcome::remarks(&account, &ending));
            if sleeps > 0 && received.received > 0 {
                outcome.notes.push(SLEPT.into());
            }
            outcome.received = Some(received);
        }
        outcome
    }
}

/// What was sent, and in how many seconds.
fn sent(profile: &Profile, run: &Run, works: &[SendingWork]) -> (Sent, f64) {
    let mut sent = Sent::default();
    for (index, stream) in profile.streams.iter().enumerate() {
        let lanes = (works.iter())
            .flat_map(|work| &work.lanes)
            .filter(|lane| lane.lane.stream() == index);
        let (frames, bytes) = lanes.fold((0, 0), |(frames, bytes), lane| {
            (frames + lane.frames, bytes + lane.bytes)
        });
        sent.streams.push(SentStream {
            name: stream.name.clone(),
            frames,
            bytes,
        });
    }
    sent.bytes = sent.streams.iter().map(|stream| stream.bytes).sum();
    sent.unfinished = works.iter().map(|work| work.unfinished).sum();
    sent.ring_full = works.iter().map(|work| work.ring_full).sum();
    let written: u64 = sent.streams.iter().map(|stream| stream.frames).sum();
    sent.frames = written.saturating_sub(sent.unfinished);

    let frames = |work: &SendingWork| work.lanes.iter().map(|lane| lane.frames).sum::<u64>();
    let busy = || works.iter().filter(|work| frames(work) > 0);
    let span = (busy().map(|work| work.span_ns)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let mut seconds = span.map_or(0.0, |(first, last)| (last - first) as f64 / 1e9);
    if let (Some(pps), Some(last)) = (run.pps, busy().max_by_key(|work| work.span_ns.1)) {
        // The last burst has its interval too: a hundred frames at a hundred a second are one second, not 0.99. One that is
        // not full has a part of it.
        let burst = u64::from(profile.burst.max(1));
        seconds += ((frames(last) - 1) % burst + 1) as f64 / pps;
    }
    if seconds > 0.0 {
        sent.pps = sent.frames as f64 / seconds;
        sent.bits_l2 = sent.bytes as f64 * 8.0 / seconds;
        sent.bits_wire = (sent.bytes + sent.frames * WIRE_OVERHEAD as u64) as f64 * 8.0 / seconds;
    }
    sent.pacing = run.pps.and_then(|pps| pacing(pps, sent.pps, works));
    (sent, seconds)
}

fn pacing(wanted_pps: f64, pps: f64, works: &[SendingWork]) -> Option<Pacing> {
    let mut kept = works.iter().filter_map(|work| work.pacing.as_ref());
    let (mut lag, mut gap) = kept.next()?.clone();
    for (other_lag, other_gap) in kept {
        // Histograms of equal bounds always add.
        let _ = lag.add(other_lag);
        let _ = gap.add(other_gap);
    }
    Some(Pacing {
        wanted_pps,
        error: pps / wanted_pps - 1.0,
        gap_stdev: gap.stdev(),
        lag: Distribution::of(&lag),
        gap: Distribution::of(&gap),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Schedule;
    use crate::profile::Stop;
    use crate::report::distribution::nanoseconds;
    use crate::run::lanes::tests_support;
    use crate::run::plan::Stamp;

    /// What a worker says that kept its schedule to the nanosecond.
    fn punctual(count: u64, pps: f64, burst: u16) -> SendingWork {
        let mut schedule = Schedule::new(1_000, pps, burst);
        let last = (0..count).map(|_| schedule.pop()).last();
        let lane = SentLane {
            lane: Lane::new(0, 0),
            frames: count,
            bytes: count * 64,
        };
        SendingWork {
            lanes: vec![lane],
            unfinished: 0,
            ring_full: 0,
            refused: 0,
            span_ns: (1_000, last.unwrap_or(1_000)),
            pacing: Some((nanoseconds(), nanoseconds())),
            clock_error_ns: 0,
        }
    }

    /// However many frames make up the last burst, or if there is only one: who kept the schedule had the rate.
    #[test]
    fn a_schedule_that_was_kept_has_no_error() {
        for (count, burst) in [(1, 1), (100, 1), (10, 64), (64, 64), (100, 64), (6_400, 64)] {
            let mut profile = tests_support::profile();
            profile.burst = burst;
            let run = Run {
                number: Some(1),
                pps: Some(1_000.0),
                stop: Stop::Count(count),
                stamp: Stamp::Intended,
                settle_ns: 0,
                idle_ns: None,
                join: false,
                loss: None,
            };
            let (sent, seconds) = sent(&profile, &run, &[punctual(count, 1_000.0, burst)]);
            assert!((seconds - count as f64 / 1_000.0).abs() < 1e-6, "{seconds}");
            let error = sent.pacing.unwrap().error;
            assert!(error.abs() < 1e-5, "{count} in bursts of {burst}: {error}");
        }
    }

    #[test]
    fn who_sent_nothing_has_no_rate() {
        let run = Run {
            number: Some(1),
            pps: Some(1_000.0),
            stop: Stop::Never,
            stamp: Stamp::Intended,
            settle_ns: 0,
            idle_ns: None,
            join: false,
            loss: None,
        };
        let (sent, seconds) = sent(&tests_support::profile(), &run, &[punctual(0, 1_000.0, 1)]);
        assert_eq!((sent.frames, sent.pps, seconds), (0, 0.0, 0.0));
    }
}
