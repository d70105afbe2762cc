//! What a packet costs the machine: CPU-seconds of all cores, kernel included, at a rate that all can carry.
//!
//! A sender that is to be on time spins until it is, and with it a core is busy whatever the network does: what the tools spend
//! outside of the kernel is no cost of the network's. What they spend inside is, for much of a packet's way is walked there.
//!
//! Only the middle of a run counts, for starting and ending the tool costs more than thousands of packets.

use std::thread::sleep;
use std::time::Duration;

use super::pktgen::{FLOWS, Load};
use super::usage::Usage;
use super::{Figures, Moment, Probe, measure};
use crate::bench::Result;
use crate::bench::model::{Better, Measure, Wire};
use crate::bench::pods::Network;
use crate::lab::{LabError, Namespace, wait_until};

/// Thousands of packets a second.
const KPPS: f64 = 40.0;
/// Before the first look: adaptive sleepers and schedulers have found their level by then.
const SETTLE: Duration = Duration::from_millis(150);
/// The sender goes on for so long after the last look.
const MARGIN: Duration = Duration::from_millis(250);
/// Longest wait for the first packets, seconds.
const PATIENCE: u64 = 10;
/// So many packets mean that the sender is at work, and that what is counted is not ARP.
const BEGUN: u64 = 500;

/// Cost by frame size.
pub struct Cost {
    /// Bytes of a frame, FCS included.
    pub sizes: Vec<u32>,
    /// Between the looks.
    pub time: Duration,
}

impl Probe for Cost {
    fn measures(&self) -> Vec<Measure> {
        let how = format!(
            "tweed-pktgen at {KPPS} kpps, {FLOWS} flows; all that both cores did for {:.1} s (/proc/stat: all but idle and iowait), \
             less what this machine does in that time without load and less what sender and receiver spend outside of the kernel \
             (most of it they wait, spinning), by packets that arrived. Their system calls are in it.",
            self.time.as_secs_f64()
        );
        let cost = measure(
            Wire::Plain,
            "cost",
            "Cost of a packet from pod to pod",
            "CPU s / M packets",
            Better::Less,
        );
        vec![cost.in_group("Cost", &how).along("Frame size", "B", false)]
    }

    fn points(&self) -> Vec<Option<f64>> {
        self.sizes.iter().map(|size| Some((*size).into())).collect()
    }

    fn time(&self) -> Duration {
        self.time + SETTLE + MARGIN
    }

    fn look(&self, network: &dyn Network, at: Moment) -> Result<Figures> {
        let pods = network.pods();
        let load = Load {
            kpps: Some(KPPS),
            size: at.x.unwrap_or(64.0) as u32,
            time: self.time(),
        };
        let before = sent(&pods[0].ns)?;
        let mut running = load.start(pods)?;
        wait_until("the sender's first packets", PATIENCE, || {
            running.check().is_err() || sent(&pods[0].ns).is_ok_and(|now| now > before + BEGUN)
        })?;
        sleep(SETTLE);
        let (first, earlier, waited) = (sent(&pods[0].ns)?, Usage::now()?, running.user_time()?);
        sleep(self.time);
        let (last, later, waiting) = (sent(&pods[0].ns)?, Usage::now()?, running.user_time()?);
        let report = running.finish()?;
        let spent = later.since(&earlier);
        let own = waiting - waited;
        let arrived = (last - first) as f64 * (1.0 - report.loss());
        let cost = per_million(spent.busy - own - at.idle * spent.seconds, arrived)?;
        let mut notes = report.remarks();
        if cost.is_none() {
            notes.push("no sample: the machine was as busy before".to_owned());
        }
        Ok(Figures {
            values: vec![cost],
            notes,
            flood: None,
        })
    }
}

/// `None`: no more was spent than without load, so the machine had other things to do.
fn per_million(seconds: f64, packets: f64) -> Result<Option<f64>> {
    match packets {
        packets if packets >= 1.0 => Ok((seconds > 0.0).then(|| seconds / packets * 1e6)),
        _ => Err(LabError::Unexpected("no packet arrived".to_owned())),
    }
}

/// Packets that a pod's `eth0` has sent.
fn sent(ns: &Namespace) -> Result<u64> {
    // Of the thread's own namespace, unlike /proc/net, which is the process's.
    let path = "/proc/thread-self/net/dev";
    let text = ns
        .inside(|| std::fs::read_to_string(path))?
        .map_err(LabError::io(format!("read {path}")))?;
    tx_packets(&text, "eth0").ok_or_else(|| LabError::parse("/proc/net/dev", &text))
}

/// The tenth number of a device's line (proc(5)).
fn tx_packets(text: &str, device: &str) -> Option<u64> {
    let of_device = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        (name.trim() == device).then(|| numbers.split_whitespace().nth(9)?.parse().ok())
    };
    text.lines().find_map(of_device)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_sent_stand_in_the_tenth_column() {
        let text = "Inter-|   Receive\n face |bytes\n    lo: 1 2 3 4 5 6 7 8 9 10 11\n  eth0: 10 11 12 13 14 15 16 17 18 19 20 21\n";
        assert_eq!(tx_packets(text, "eth0"), Some(19));
        assert_eq!(tx_packets(text, "eth1"), None);
    }

    #[test]
    fn a_cost_needs_packets_and_is_above_zero() {
        assert_eq!(per_million(0.5, 100_000.0).unwrap(), Some(5.0));
        assert_eq!(per_million(-0.1, 100_000.0).unwrap(), None);
        assert!(per_million(0.5, 0.0).is_err());
    }
}
