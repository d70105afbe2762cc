//! A ping every 10 ms in the background: what users notice while something else happens.
//!
//! Losses are counted in probes, so that a machine that stalls for a moment (and sends nothing meanwhile) does not look
//! like a network that lost something.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use rustix::process::Signal;

use super::ping::field;
use crate::lab::error::{LabError, Result};
use crate::lab::namespace::Namespace;
use crate::lab::process::Process;
use crate::lab::wait::wait_until;

/// Probes that may still be under way when the stream is stopped: 100 ms. Unanswered ones among them are not losses.
const UNDER_WAY: u32 = 10;

/// In each line about a reply.
const REPLY: &str = " bytes from ";

/// A running stream.
pub struct PingStream {
    ping: Process,
}

impl PingStream {
    /// Starts one. Its record is a file of the lab.
    pub fn start(from: &impl AsRef<Namespace>, to: Ipv4Addr) -> Result<Self> {
        let from = from.as_ref();
        let mut command = from.command("ping");
        command.args(["-n", "-i", "0.01", &to.to_string()]);
        let ping = Process::start(&format!("ping {to}"), command, &record(from, to))?;
        Ok(PingStream { ping })
    }

    /// Waits until so many more probes were answered: 10 ms each, and as long as it takes on a machine that stalls.
    pub fn wait_more(&self, probes: usize) -> Result<()> {
        let answered = || self.ping.output().matches(REPLY).count();
        let enough = answered() + probes;
        let what = format!("{probes} more probes to be answered");
        wait_until(&what, 30, || answered() >= enough)
    }

    /// Stops it and counts.
    pub fn stop(self) -> Result<StreamReport> {
        let (_, text) = self.ping.stop(Signal::INT, 10)?;
        StreamReport::parse(&text)
    }
}

/// A file name of its own for every stream of a lab.
fn record(from: &Namespace, to: Ipv4Addr) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("ping-{to}-{}.txt", NEXT.fetch_add(1, Ordering::Relaxed));
    from.directory().join(name)
}

/// What a stream saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamReport {
    /// Probes sent; their sequence numbers count from 1.
    pub sent: u32,
    /// The sequence numbers answered, ascending, each once.
    answered: Vec<u32>,
}

impl StreamReport {
    fn parse(text: &str) -> Result<Self> {
        let mut answered = text
            .lines()
            .filter(|line| line.contains(REPLY))
            .map(|line| {
                field(line, "icmp_seq=").ok_or_else(|| LabError::parse("a reply of ping", line))
            })
            .collect::<Result<Vec<u32>>>()?;
        answered.sort_unstable();
        answered.dedup();
        let sent = text
            .lines()
            .find_map(|line| line.split_once(" packets transmitted, ")?.0.parse().ok())
            .ok_or_else(|| LabError::parse("ping's summary", text))?;
        Ok(StreamReport { sent, answered })
    }

    /// Probes with a reply.
    pub fn answered(&self) -> u32 {
        self.answered.len() as u32
    }

    /// Probes without a reply, except the last ones if the stream was alive when it was stopped.
    pub fn lost(&self) -> u32 {
        let end = self
            .sent
            .saturating_sub(self.answered.last().copied().unwrap_or(0));
        let under_way = if end <= UNDER_WAY { end } else { 0 };
        self.sent.saturating_sub(self.answered() + under_way)
    }

    /// The longest run of probes without a reply between two replies.
    pub fn longest_gap(&self) -> u32 {
        let gaps = self.answered.windows(2).map(|pair| pair[1] - pair[0] - 1);
        gaps.max().unwrap_or(0)
    }
}

impl std::fmt::Display for StreamReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} probes, {} lost, longest gap {} probes",
            self.sent,
            self.lost(),
            self.longest_gap()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(sent: u32, answered: impl IntoIterator<Item = u32>) -> StreamReport {
        let mut text: String = answered
            .into_iter()
            .map(|n| format!("64 bytes from 10.0.0.1: icmp_seq={n} ttl=62 time=0.3 ms\n"))
            .collect();
        text += &format!("{sent} packets transmitted, 0 received, 0% packet loss, time 1ms\n");
        StreamReport::parse(&text).unwrap()
    }

    #[test]
    fn a_whole_stream_has_no_loss() {
        let report = stream(100, 1..=100);
        assert_eq!((report.lost(), report.longest_gap()), (0, 0));
    }

    #[test]
    fn the_last_probes_may_be_under_way() {
        assert_eq!(stream(100, 1..=98).lost(), 0);
    }

    #[test]
    fn a_stream_that_died_counts_its_whole_end() {
        assert_eq!(stream(100, 1..=60).lost(), 40);
    }

    #[test]
    fn a_gap_is_lost_and_measured() {
        let report = stream(100, (1..=20).chain(51..=100));
        assert_eq!((report.lost(), report.longest_gap()), (30, 30));
    }

    #[test]
    fn duplicates_do_not_hide_a_loss() {
        assert_eq!(
            stream(20, [1, 2, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12]).lost(),
            1
        );
    }
}
