//! `tweed-pktgen latency` from pod 1 to pod 2: sender and receiver in one process, so that every packet is accounted for.
//!
//! Only what is used of its JSON (pktgen/src/report) is read: what measures and what it reports to share no code.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::bench::Result;
use crate::lab::{LabError, Pod, Process, binary};

/// Flows of every run: enough that a hash spreads them, few enough for any cache.
pub const FLOWS: u32 = 100;
/// Wait for the last packets.
const SETTLE_MS: u64 = 300;
/// Longest that a run may take beyond its own time, seconds.
const PATIENCE: u64 = 20;

/// How the tool's note begins that is true of every run here: a receiver that never sleeps would take a core from the nodes.
const SLEPT: &str = "the receiver slept";

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Thousands of frames a second; `None`: as fast as the sender can.
    pub kpps: Option<f64>,
    /// Bytes of a frame, FCS included.
    pub size: u32,
    /// For how long.
    pub time: Duration,
}

impl Load {
    /// Sends and receives; what became of it.
    pub fn run(&self, pods: [&Pod; 2]) -> Result<Report> {
        self.start(pods)?.finish()
    }

    /// Starts to send.
    pub fn start(&self, [from, to]: [&Pod; 2]) -> Result<Running> {
        let directory = from.ns.directory();
        let (report, log) = (
            directory.join("pktgen.json"),
            directory.join("pktgen-out.log"),
        );
        for file in [&report, &log] {
            let _ = std::fs::remove_file(file);
        }
        let mut command = std::process::Command::new(binary("tweed-pktgen")?);
        command
            .args(["latency", "--quiet", "--save"])
            .arg(&report)
            .args(["--tx", &at(from), "--rx", &at(to)])
            .args(["--dst", &to.ip.to_string()])
            .args(self.arguments());
        Ok(Running {
            process: Process::start("tweed-pktgen", command, &log)?,
            report,
            seconds: self.time.as_secs() + PATIENCE,
        })
    }

    fn arguments(&self) -> Vec<String> {
        let rate = match self.kpps {
            Some(kpps) => format!("{kpps}kpps"),
            None => "max".to_owned(),
        };
        [
            ("--rate", rate),
            ("--duration", format!("{}ms", self.time.as_millis())),
            ("--settle", format!("{SETTLE_MS}ms")),
            ("--size", self.size.to_string()),
            ("--flows", FLOWS.to_string()),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect()
    }
}

/// The pod's interface, as tweed-pktgen takes it.
fn at(pod: &Pod) -> String {
    format!("eth0@{}", pod.ns.name())
}

/// A sender at work.
pub struct Running {
    process: Process,
    report: PathBuf,
    seconds: u64,
}

impl Running {
    /// Waits for its end; what it reports.
    pub fn finish(mut self) -> Result<Report> {
        let status = self.process.wait(self.seconds)?;
        if !status.success() {
            return Err(LabError::Unexpected(format!(
                "tweed-pktgen ended with {status}: {}",
                self.process.output().trim()
            )));
        }
        let text = std::fs::read_to_string(&self.report)
            .map_err(LabError::io(format!("read {}", self.report.display())))?;
        Report::parse(&text)
    }
}

/// What is read of its report.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Report {
    /// What was sent.
    pub sent: Sent,
    /// What came.
    pub received: Received,
    /// What a reader should know before believing the numbers.
    pub notes: Vec<String>,
}

/// The sender's counts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Sent {
    /// Frames that the kernel has finished with.
    pub frames: u64,
    /// Handed over and not finished at the end.
    pub unfinished: u64,
    /// Frames a second; `None` of a run too short for a rate.
    pub pps: Option<f64>,
}

/// The receiver's counts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Received {
    /// First copies, intact.
    pub received: u64,
    /// Damaged.
    pub corrupted: u64,
    /// Lost between the kernel and the receiver, which was too slow.
    pub overrun: u64,
    /// Never seen, as a share of what was sent.
    pub loss: Option<f64>,
    /// Frames a second.
    pub pps: Option<f64>,
    streams: Vec<Stream>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Stream {
    latency: Option<Latency>,
}

/// Times on the way, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Latency {
    /// Median.
    pub p50: u64,
    /// 99 %.
    pub p99: u64,
    /// 99.9 %.
    pub p99_9: u64,
}

impl Report {
    /// Reads the JSON.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|_| LabError::parse("tweed-pktgen's report", text))
    }

    /// Of its only stream; an error when nothing came.
    pub fn latency(&self) -> Result<Latency> {
        let mut streams = self.received.streams.iter();
        (streams.find_map(|stream| stream.latency))
            .filter(|_| self.received.received > 0)
            .ok_or_else(|| LabError::Unexpected("no packet arrived".to_owned()))
    }

    /// Share of the packets that did not arrive.
    pub fn loss(&self) -> f64 {
        self.received.loss.unwrap_or(0.0)
    }

    /// What there is to say of the run: its losses, and the tool's own notes without their advice, which is to its users.
    pub fn remarks(&self) -> Vec<String> {
        let notes = (self.notes.iter())
            .filter(|note| !note.starts_with(SLEPT))
            .map(|note| note.split(": ").next().unwrap_or(note).to_owned());
        self.lossy().into_iter().chain(notes).collect()
    }

    /// A note when more than a hundredth was lost. In steps, so that a few rounds do not make as many notes.
    fn lossy(&self) -> Option<String> {
        let steps = [50.0, 20.0, 10.0, 5.0, 2.0, 1.0];
        let step = steps.into_iter().find(|step| self.loss() * 100.0 > *step)?;
        Some(format!("a round lost over {step} % of the packets"))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A report as the tool writes it, shortened to what is read and some of what is not.
    pub fn report(loss: f64) -> Report {
        let text = format!(
            r#"{{"schema":1,"mode":"latency","seconds":1.0,"sent":{{"frames":1000,"bytes":64000,"unfinished":2,"pps":1000.0}},
            "received":{{"frames":990,"received":980,"lost":20,"loss":{loss},"duplicates":0,"corrupted":3,"overrun":7,"pps":980.5,
            "streams":[{{"name":"s","latency":{{"count":980,"p50":11000,"p90":1,"p99":22000,"p99_9":33000}}}}]}},
            "notes":["the receiver slept while nothing came: x","the sender was late: --busy"]}}"#
        );
        Report::parse(&text).unwrap()
    }

    #[test]
    fn what_the_tool_is_told() {
        let load = Load {
            kpps: Some(2.5),
            size: 64,
            time: Duration::from_millis(1500),
        };
        assert_eq!(
            load.arguments().join(" "),
            "--rate 2.5kpps --duration 1500ms --settle 300ms --size 64 --flows 100"
        );
        let load = Load { kpps: None, ..load };
        assert!(load.arguments().contains(&"max".to_owned()));
    }

    #[test]
    fn what_the_tool_says() {
        let report = report(0.02);
        assert_eq!(report.latency().unwrap().p99_9, 33_000);
        assert_eq!((report.sent.frames, report.received.overrun), (1000, 7));
        assert!(Report::parse("{}").is_err());
        let remarks = report.remarks();
        assert_eq!(
            remarks,
            [
                "a round lost over 1 % of the packets",
                "the sender was late"
            ]
        );
    }

    #[test]
    fn a_loss_is_noted_in_steps() {
        assert_eq!(report(0.009).lossy(), None);
        assert!(report(0.03).lossy().unwrap().contains("over 2 %"));
        assert!(report(0.99).lossy().unwrap().contains("over 50 %"));
    }
}
