//! The counter's process (perf/bench/count.c): drops and counts what arrives outside, on both sides of a rig.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::plan::{OVERLAY, UNDERLAY};
use super::rig::Rig;
use crate::bench::tools::Tools;
use crate::bench::{Result, cpu};
use crate::lab::LabError;

/// A running counter.
pub struct Counter {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Frames of one length up to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The moment, nanoseconds of CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// How many.
    pub frames: u64,
}

impl Count {
    /// Frames per second since an earlier count.
    pub fn rate_since(self, earlier: Count) -> f64 {
        let seconds = (self.at_ns - earlier.at_ns) as f64 / 1e9;
        (self.frames - earlier.frames) as f64 / seconds
    }
}

impl Counter {
    /// Attaches to both devices outside; returns once it counts.
    pub fn start(tools: &Tools, rig: &Rig) -> Result<Self> {
        let mut command = cpu::watching(&rig.outside, &tools.program("count"));
        command
            .arg(tools.object("count"))
            .args([OVERLAY.outside, UNDERLAY.outside])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let started = |source| LabError::Start {
            command: "count".to_owned(),
            source,
        };
        let mut child = command.spawn().map_err(started)?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(LabError::Unexpected("the counter has no pipes".to_owned()));
        };
        let mut counter = Counter {
            child,
            questions,
            answers: BufReader::new(answers),
        };
        counter.count(0)?;
        Ok(counter)
    }

    /// Frames of this length so far.
    pub fn count(&mut self, len: usize) -> Result<Count> {
        let io = |source| LabError::Io {
            action: "ask the counter, which says why on stderr".to_owned(),
            source,
        };
        writeln!(self.questions, "{len}").map_err(io)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(io)?;
        parse(&answer).ok_or_else(|| LabError::parse("a count", &answer))
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(answer: &str) -> Option<Count> {
    let (at_ns, frames) = answer.trim_end().split_once(' ')?;
    Some(Count {
        at_ns: at_ns.parse().ok()?,
        frames: frames.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_counts_make_a_rate() {
        let first = parse("1000000000 500\n").unwrap();
        let second = parse("3000000000 2500\n").unwrap();
        assert_eq!(second.rate_since(first), 1000.0);
    }

    #[test]
    fn an_answer_cut_short_is_none() {
        for answer in ["", "12", "12 ", "x 3"] {
            assert_eq!(parse(answer), None, "{answer}");
        }
    }
}
