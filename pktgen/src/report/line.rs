//! One line a second while a run goes on.
//!
//! Fits [`WIDTH`] columns: what matters least is left out first. Whoever prints it decides whether it overwrites the
//! one before.

use super::Second;
use super::grid::{Look, WIDTH, paint};
use super::units::{bits, count, ns, pps, whole_seconds};

/// What to say.
pub struct Progress {
    /// Seconds since the start, and in all if that is known.
    pub elapsed: f64,
    /// Whole length, seconds, if known.
    pub total: Option<f64>,
    /// Frames in all, if the run ends by count, and sent so far.
    pub count: Option<(u64, u64)>,
    /// The last second.
    pub last: Second,
    /// Lost so far, if something receives.
    pub lost: Option<u64>,
    /// Errors seen so far: duplicates, reordered, corrupted.
    pub faults: u64,
}

/// Cells of the progress bar.
const BAR: usize = 10;

/// The line, without an end.
pub fn render(progress: &Progress, coloured: bool) -> String {
    let last = &progress.last;
    let bad = |value: u64| if value == 0 { Look::Plain } else { Look::Red };
    // The number is the order in which parts are given up when the line is too long; 0 is never.
    let mut parts: Vec<(u8, Look, String)> = vec![(
        0,
        Look::Plain,
        format!("{:>4}", whole_seconds(progress.elapsed)),
    )];
    if let Some(done) = done(progress) {
        let cells = (done * BAR as f64) as usize;
        let bar = format!("[{}{}]", "#".repeat(cells), "-".repeat(BAR - cells));
        parts.push((2, Look::Faint, bar));
        parts.push((0, Look::Plain, format!("{:>3.0} %", (done * 100.0).floor())));
        if let Some(left) = left(progress, done) {
            parts.push((4, Look::Faint, format!("ETA {}", whole_seconds(left))));
        }
    }
    if last.sent != 0 || progress.lost.is_none() {
        parts.push((0, Look::Plain, format!("tx {}", pps(last.sent as f64))));
        parts.push((3, Look::Plain, bits(last.sent_bytes as f64 * 8.0)));
    }
    if let Some(lost) = progress.lost {
        parts.push((0, Look::Plain, format!("rx {}", pps(last.received as f64))));
        if last.sent == 0 {
            parts.push((3, Look::Plain, bits(last.received_bytes as f64 * 8.0)));
        }
        parts.push((0, bad(lost), format!("lost {}", count(lost))));
    }
    if progress.faults != 0 {
        parts.push((1, Look::Red, format!("faults {}", count(progress.faults))));
    }
    if let Some(p99) = last.p99 {
        parts.push((1, Look::Plain, format!("p99 {}", ns(p99 as f64))));
    }
    let width = |parts: &[(u8, Look, String)]| {
        parts
            .iter()
            .map(|part| part.2.chars().count() + 2)
            .sum::<usize>()
    };
    for given_up in [4, 3, 2, 1] {
        if width(&parts) > WIDTH + 2 {
            parts.retain(|part| part.0 != given_up);
        }
    }
    let parts: Vec<String> = parts
        .iter()
        .map(|(_, look, text)| paint(text, *look, coloured))
        .collect();
    parts.join("  ")
}

/// The part that is done, 0 to 1.
fn done(progress: &Progress) -> Option<f64> {
    let done = match (progress.count, progress.total) {
        (Some((all, sent)), _) => sent as f64 / all.max(1) as f64,
        (None, Some(total)) => progress.elapsed / total,
        (None, None) => return None,
    };
    (!done.is_nan()).then(|| done.clamp(0.0, 1.0))
}

/// Seconds left: as planned, or by the rate so far.
fn left(progress: &Progress, done: f64) -> Option<f64> {
    let left = match progress.total {
        Some(total) if progress.count.is_none() => total - progress.elapsed,
        _ => progress.elapsed / done - progress.elapsed,
    };
    (left.is_finite() && left >= 0.5).then_some(left)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn progress() -> Progress {
        Progress {
            elapsed: 4.0,
            total: Some(10.0),
            count: None,
            last: Second {
                at: 4.0,
                sent: 1_234_567,
                sent_bytes: 79_012_288,
                received: 1_234_000,
                received_bytes: 78_976_000,
                p50: Some(9_000),
                p99: Some(12_345),
                max: Some(100_000),
            },
            lost: Some(1_234),
            faults: 0,
        }
    }

    #[test]
    fn both_ends() {
        assert_eq!(
            render(&progress(), false),
            " 4 s  [####------]   40 %  ETA 6 s  tx 1.23 Mpps  632 Mbit/s  rx 1.23 Mpps  lost 1,234  p99 12.3 µs"
        );
    }

    #[test]
    fn a_sender_by_count_and_a_receiver_without_end() {
        let sender = Progress {
            total: None,
            count: Some((1_000_000, 500_000)),
            lost: None,
            last: Second {
                p99: None,
                ..progress().last
            },
            ..progress()
        };
        assert_eq!(
            render(&sender, false),
            " 4 s  [#####-----]   50 %  ETA 4 s  tx 1.23 Mpps  632 Mbit/s"
        );
        let receiver = Progress {
            total: None,
            faults: 3,
            last: Second {
                sent: 0,
                sent_bytes: 0,
                ..progress().last
            },
            ..progress()
        };
        assert_eq!(
            render(&receiver, false),
            " 4 s  rx 1.23 Mpps  632 Mbit/s  lost 1,234  faults 3  p99 12.3 µs"
        );
        assert!(render(&receiver, true).contains("\x1b[31mlost 1,234\x1b[0m"));
    }

    proptest! {
        #[test]
        fn it_fits(elapsed in 0.0f64..1e7, total: Option<f64>, count: Option<(u64, u64)>, sent: u64, bytes: u64, received: u64, p99: Option<u64>, lost: Option<u64>, faults: u64) {
            let last = Second { sent, sent_bytes: bytes, received, p99, ..Second::default() };
            let line = render(&Progress { elapsed, total, count, last, lost, faults }, false);
            prop_assert!(line.chars().count() <= WIDTH && !line.contains('\n'), "{}", line);
        }
    }
}
