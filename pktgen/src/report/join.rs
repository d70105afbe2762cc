//! One run seen from both ends: the sender's report and the receiver's, joined by the run's number.
//!
//! A receiver alone does not know of losses behind the last packet that it saw, nor of streams of which nothing came;
//! with the sender's counts both are exact. Only a pair that fits is joined: one sender, one receiver, and no stream of
//! which more came than went.

use super::{Received, ReceivedStream, Report, Second, Sent, moment};
use crate::account::outcome::fraction;

/// Joins what belongs together, names included; the order stays that of the first of each pair.
pub fn join(reports: Vec<(String, Report)>) -> Vec<(String, Report)> {
    let mut joined: Vec<(String, Report)> = Vec::new();
    for (name, report) in reports {
        match joined.iter_mut().find(|(_, other)| belong(other, &report)) {
            Some((other_name, other)) => {
                *other_name = format!("{other_name} + {name}");
                *other = if other.sent.is_some() {
                    pair(other, &report)
                } else {
                    pair(&report, other)
                };
            }
            None => joined.push((name, report)),
        }
    }
    joined
}

/// Whether one sent what the other received.
fn belong(one: &Report, other: &Report) -> bool {
    let only_sent = |report: &Report| report.sent.is_some() && report.received.is_none();
    let only_received = |report: &Report| report.received.is_some() && report.sent.is_none();
    let ends = match (only_sent(one), only_received(one)) {
        (true, _) if only_received(other) => one.sent.as_ref().zip(other.received.as_ref()),
        (_, true) if only_sent(other) => other.sent.as_ref().zip(one.received.as_ref()),
        _ => None,
    };
    one.run.is_some()
        && one.run == other.run
        && ends.is_some_and(|(sent, received)| fits(sent, received))
}

/// More may come than the sender's kernel had finished with, but not more than was handed over.
fn fits(sent: &Sent, received: &Received) -> bool {
    received.received <= sent.frames + sent.unfinished
}

fn pair(sender: &Report, receiver: &Report) -> Report {
    let mut joined = sender.clone();
    joined.mode = format!("{} + {}", sender.mode, receiver.mode);
    joined
        .setup
        .ports
        .extend(receiver.setup.ports.iter().cloned());
    if sender.machine != receiver.machine {
        joined.notes.push(format!(
            "received on another machine: {}, kernel {}",
            receiver.machine.cpu, receiver.machine.kernel
        ));
    }
    joined.notes.extend(receiver.notes.iter().cloned());
    joined.clock.error_ns = sender.clock.error_ns.max(receiver.clock.error_ns);
    joined.received = match (&sender.sent, &receiver.received) {
        (Some(sent), Some(received)) => Some(exact(sent, received)),
        _ => None,
    };
    joined.passed = joined
        .received
        .as_ref()
        .and_then(Received::passed)
        .or(receiver.passed);
    joined.timeline = timeline(sender, receiver);
    joined
}

/// The receiver's counts, with what was lost recomputed from what was sent.
fn exact(sent: &Sent, received: &Received) -> Received {
    let mut exact = received.clone();
    let count = exact.streams.len().max(sent.streams.len());
    for index in exact.streams.len()..count {
        exact.streams.push(ReceivedStream {
            name: format!("stream {index}"),
            ..ReceivedStream::default()
        });
    }
    // Streams are numbered in the packets: the receiver's names are only guesses, the sender's are the profile's.
    for (stream, sent) in exact.streams.iter_mut().zip(&sent.streams) {
        stream.name = sent.name.clone();
        stream.lost = sent.frames.saturating_sub(stream.received);
    }
    exact.lost = exact.streams.iter().map(|stream| stream.lost).sum();
    exact.loss = fraction(exact.lost, sent.frames);
    exact
}

/// Both timelines in one, the receiver's seconds moved to the sender's that they overlap most.
fn timeline(sender: &Report, receiver: &Report) -> Vec<Second> {
    let later = match (
        moment::seconds(&receiver.started),
        moment::seconds(&sender.started),
    ) {
        (Some(receiver), Some(sender)) if (receiver - sender).abs() < 1e6 => receiver - sender,
        _ => 0.0,
    };
    let mut timeline = sender.timeline.clone();
    for second in &receiver.timeline {
        let at = second.at + later;
        let nearest = timeline
            .iter_mut()
            .find(|other| (other.at - at).abs() <= 0.5 && other.received == 0);
        let received = Second {
            at,
            sent: 0,
            sent_bytes: 0,
            ..second.clone()
        };
        match nearest {
            Some(other) => {
                *other = Second {
                    at: other.at,
                    sent: other.sent,
                    sent_bytes: other.sent_bytes,
                    ..received
                };
            }
            // Before the sender began and after it ended nothing of the run comes, or what was on its way.
            None if second.received != 0 => timeline.push(received),
            None => {}
        }
    }
    timeline.sort_by(|one, other| one.at.total_cmp(&other.at));
    timeline
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::SentStream;

    fn join(reports: Vec<Report>) -> Vec<Report> {
        let named = reports
            .into_iter()
            .map(|report| (String::new(), report))
            .collect();
        super::join(named)
            .into_iter()
            .map(|(_, report)| report)
            .collect()
    }

    fn sender(run: u16, frames: &[u64]) -> Report {
        let stream = |frames: &u64| SentStream {
            name: format!("s{frames}"),
            frames: *frames,
            bytes: 64 * frames,
        };
        Report {
            mode: "tx".into(),
            started: "2026-01-01T00:00:02.000Z".into(),
            run: Some(run),
            sent: Some(Sent {
                frames: frames.iter().sum(),
                streams: frames.iter().map(stream).collect(),
                ..Sent::default()
            }),
            timeline: vec![
                Second {
                    at: 1.0,
                    sent: 5,
                    ..Second::default()
                },
                Second {
                    at: 2.0,
                    sent: 6,
                    ..Second::default()
                },
            ],
            ..Report::default()
        }
    }

    fn receiver(run: u16, received: &[u64]) -> Report {
        let stream = |received: &u64| ReceivedStream {
            received: *received,
            ..ReceivedStream::default()
        };
        Report {
            mode: "rx".into(),
            started: "2026-01-01T00:00:01.000Z".into(),
            run: Some(run),
            received: Some(Received {
                received: received.iter().sum(),
                bound: Some(0.2),
                streams: received.iter().map(stream).collect(),
                ..Received::default()
            }),
            timeline: (1..=4)
                .map(|at| Second {
                    at: f64::from(at),
                    received: [0, 0, 4, 5, 1][at as usize],
                    ..Second::default()
                })
                .collect(),
            ..Report::default()
        }
    }

    #[test]
    fn loss_is_exact_to_the_tail() {
        for order in [[0, 1], [1, 0]] {
            // Of the third stream nothing came at all.
            let ends = [sender(7, &[100, 50, 10]), receiver(7, &[90, 50])];
            let joined = join(order.map(|end| ends[end].clone()).to_vec());
            assert_eq!(joined.len(), 1);
            let received = joined[0].received.as_ref().unwrap();
            assert_eq!(
                received.streams.iter().map(|s| s.lost).collect::<Vec<_>>(),
                [10, 0, 10]
            );
            assert_eq!((received.lost, received.loss), (20, 20.0 / 160.0));
            assert_eq!(received.streams[2].name, "s10");
            assert_eq!(joined[0].passed, Some(true));
            assert_eq!(joined[0].mode, "tx + rx");
        }
    }

    #[test]
    fn the_verdict_is_that_of_the_exact_loss() {
        let joined = join(vec![receiver(7, &[10]), sender(7, &[100])]);
        assert_eq!(joined[0].passed, Some(false));
    }

    #[test]
    fn only_what_fits_is_joined() {
        assert_eq!(join(vec![sender(7, &[100]), receiver(8, &[90])]).len(), 2);
        assert_eq!(join(vec![sender(7, &[100]), receiver(7, &[101])]).len(), 2);
        assert_eq!(join(vec![sender(7, &[100]), sender(7, &[100])]).len(), 2);
        // A second receiver of the same run stays by itself.
        assert_eq!(
            join(vec![
                sender(7, &[100]),
                receiver(7, &[90]),
                receiver(7, &[90])
            ])
            .len(),
            2
        );
        let nameless = |report| Report {
            run: None,
            ..report
        };
        assert_eq!(
            join(vec![nameless(sender(7, &[1])), nameless(receiver(7, &[1]))]).len(),
            2
        );
    }

    /// The receiver began a second before the sender: its second second is the sender's first.
    #[test]
    fn timelines_meet() {
        let joined = join(vec![sender(7, &[11]), receiver(7, &[10])]);
        let seconds: Vec<_> = joined[0]
            .timeline
            .iter()
            .map(|s| (s.at, s.sent, s.received))
            .collect();
        assert_eq!(seconds, [(1.0, 5, 4), (2.0, 6, 5), (3.0, 0, 1)]);
    }
}
