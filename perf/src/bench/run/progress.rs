//! What is being done, and how long it will take: on stderr, a line that renews itself on a terminal, otherwise a line for each
//! task of each round.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// What is known of one task.
struct Row {
    /// The id of its first measure.
    id: String,
    /// Looks that are still to come.
    left: u32,
    /// What one look took, or is expected to take.
    look: Duration,
    /// Whether that was measured.
    known: bool,
}

/// Progress of a run.
pub struct Progress {
    rows: Vec<Row>,
    rounds: u32,
    /// Round of the latest look.
    round: u32,
    begin: Instant,
    /// Round and task of the latest line.
    said: Option<(u32, usize)>,
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    Terminal,
    Lines,
}

impl Progress {
    /// Of so many rounds of tasks: the id of each, its looks in a round, and how long one may take.
    pub fn new(rounds: u32, tasks: Vec<(String, usize, Duration)>) -> Self {
        let row = |(id, each, look): (String, usize, Duration)| Row {
            id,
            left: each as u32 * rounds,
            look,
            known: false,
        };
        Progress {
            rows: tasks.into_iter().map(row).collect(),
            rounds,
            round: 0,
            begin: Instant::now(),
            said: None,
            output: match std::io::stderr().is_terminal() {
                true => Output::Terminal,
                false => Output::Lines,
            },
        }
    }

    /// A look begins.
    pub fn begin(&mut self, round: u32, task: usize, contender: &str, x: Option<f64>) {
        (self.round, self.begin) = (round, Instant::now());
        let head = format!("round {round} of {}, {}", self.rounds, self.rows[task].id);
        let left = minutes(self.left());
        match self.output {
            Output::Terminal => {
                let at = x.map(|x| format!(" at {x}")).unwrap_or_default();
                eprint!("\r\x1b[K{head}{at}: {contender}; {left} left");
            }
            Output::Lines if self.said != Some((round, task)) => eprintln!("{head}; {left} left"),
            Output::Lines => {}
        }
        self.said = Some((round, task));
    }

    /// The look has ended.
    pub fn end(&mut self, task: usize) {
        let took = self.begin.elapsed();
        let row = &mut self.rows[task];
        row.left = row.left.saturating_sub(1);
        // Contenders differ, so what is to come is like all of them together, and the latest are no more than a fifth of that.
        row.look = match row.known {
            true => row.look.mul_f64(0.8) + took.mul_f64(0.2),
            false => took,
        };
        row.known = true;
    }

    /// A contender will not be asked again at any of so many points.
    pub fn gone(&mut self, task: usize, points: usize) {
        let row = &mut self.rows[task];
        let rounds = self.rounds.saturating_sub(self.round);
        row.left = row.left.saturating_sub(rounds * points as u32);
    }

    /// Something went wrong; the run goes on.
    pub fn failed(&mut self, what: &str) {
        self.say(what);
    }

    /// A line that stays.
    pub fn say(&self, what: &str) {
        match self.output {
            Output::Terminal => eprintln!("\r\x1b[K{what}"),
            Output::Lines => eprintln!("{what}"),
        }
    }

    /// Takes the line away.
    pub fn finish(&self) {
        if self.output == Output::Terminal {
            eprint!("\r\x1b[K");
        }
    }

    /// Time that the looks to come will take.
    pub fn left(&self) -> Duration {
        self.rows.iter().map(|row| row.look * row.left).sum()
    }
}

/// Minutes and seconds, as far as they matter.
pub fn minutes(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) if minutes < 10 => format!("{minutes} min {seconds:02} s"),
        (minutes, _) => format!("{minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        let tasks = vec![
            ("a".to_owned(), 4, Duration::from_secs(10)),
            ("b".to_owned(), 1, Duration::from_secs(1)),
        ];
        Progress::new(5, tasks)
    }

    #[test]
    fn the_time_left_is_what_is_expected_until_it_is_known() {
        let mut progress = progress();
        assert_eq!(progress.left(), Duration::from_secs(205));
        progress.begin(1, 0, "tweed", None);
        progress.end(0);
        assert!(progress.left() < Duration::from_secs(20));
    }

    #[test]
    fn who_is_gone_takes_no_time() {
        let mut progress = progress();
        progress.begin(2, 0, "ovs", None);
        // Two points, in the three rounds to come.
        progress.gone(0, 2);
        assert_eq!(progress.left(), Duration::from_secs(145));
    }

    #[test]
    fn times_as_one_says_them() {
        let text = |seconds| minutes(Duration::from_secs(seconds));
        assert_eq!(text(7), "7 s");
        assert_eq!(text(65), "1 min 05 s");
        assert_eq!(text(2000), "33 min");
    }
}
