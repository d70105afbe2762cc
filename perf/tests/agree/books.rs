//! What the engine and the kernel of a node have counted, as flat lists of names and numbers that can be compared.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::stats::{DropReason, PortCounter, StatsReader};
use perf::lab::{LabError, Result, TweedNode, run, wait_for};
use perf::stats::totals;
use serde_json::Value;

use super::server;

/// Counts by name; what is zero is left out.
pub type Counts = BTreeMap<String, u64>;

/// Nothing changes for so long: the engine has committed its counters, and a serve that samples has sampled.
const QUIET: Duration = Duration::from_millis(300);

/// Port counters of work, not of packets: how often a full burst came and the kernel was called depends on the moment.
const OF_WORK: [PortCounter; 3] = [
    PortCounter::FullBursts,
    PortCounter::Kicks,
    PortCounter::KickRetries,
];

/// The devices beside the engine: the pods' side, and the wire's.
const DEVICES: [&str; 2] = ["tweed0", "eth0"];

/// A node's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// From the segment, and `/metrics` said the same.
    pub engine: Counts,
    /// `ip -s link`.
    pub kernel: Counts,
}

impl Books {
    fn read(node: &TweedNode) -> Result<Self> {
        let mut kernel = Counts::new();
        for device in DEVICES {
            let link = link(node, device)?;
            for way in ["rx", "tx"] {
                for (name, value) in link["stats64"][way].as_object().into_iter().flatten() {
                    put(
                        &mut kernel,
                        format!("{device} {way}_{name}"),
                        value.as_u64(),
                    );
                }
            }
        }
        Ok(Books {
            engine: engine(node)?,
            kernel,
        })
    }

    /// What was counted since.
    pub fn since(&self, earlier: &Books) -> Books {
        let grown = |now: &Counts, before: &Counts| {
            let keys = now.keys().chain(before.keys());
            let of = |counts: &Counts, key| counts.get(key).copied().unwrap_or(0);
            // One that shrank shows as a number that nobody expects.
            let grown = keys.map(|key| (key.clone(), of(now, key).wrapping_sub(of(before, key))));
            grown.filter(|(_, n)| *n > 0).collect()
        };
        Books {
            engine: grown(&self.engine, &earlier.engine),
            kernel: grown(&self.kernel, &earlier.kernel),
        }
    }
}

/// The books once nothing moves any more. `/metrics`, asked then, has to say the same as the segment, on every line.
pub fn wait_quiet(nodes: [&TweedNode; 2]) -> Result<[Books; 2]> {
    let read = || -> Result<[Books; 2]> {
        let [a, b] = nodes;
        Ok([Books::read(a)?, Books::read(b)?])
    };
    let mut failed = None;
    let books = wait_for("the counters to stand still", 20, || {
        let twice = || {
            let earlier = read()?;
            std::thread::sleep(QUIET);
            let now = read()?;
            Ok((now == earlier).then_some(now))
        };
        twice().unwrap_or_else(|error: LabError| {
            failed = Some(error);
            Some(Default::default())
        })
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    for (node, books) in nodes.iter().zip(&books) {
        let told = scraped(&server::ask(node, "metrics", &[])?);
        perf::lab::expect(told == books.engine, || {
            format!(
                "/metrics of {} says\n{told:#?}\nand the segment\n{:#?}",
                node.name(),
                books.engine
            )
        })?;
    }
    Ok(books)
}

/// The MAC of a device.
pub fn mac(node: &TweedNode, device: &str) -> Result<String> {
    let link = link(node, device)?;
    Ok(link["address"].as_str().unwrap_or_default().to_owned())
}

fn link(node: &TweedNode, device: &str) -> Result<Value> {
    let mut command = node.ns().command("ip");
    let text = run(command.args(["-s", "-j", "link", "show", "dev", device]))?;
    let links: Value = serde_json::from_str(&text)
        .map_err(|error| LabError::Unexpected(format!("{error}: {text}")))?;
    Ok(links[0].clone())
}

fn put(counts: &mut Counts, key: String, n: Option<u64>) {
    if let Some(n) = n.filter(|n| *n > 0) {
        *counts.entry(key).or_default() += n;
    }
}

/// The segment: ports by name, peers by address.
fn engine(node: &TweedNode) -> Result<Counts> {
    let unexpected = |error: &dyn std::fmt::Display| LabError::Unexpected(error.to_string());
    let reader =
        StatsReader::open(&node.run_dir().join("stats")).map_err(|error| unexpected(&error))?;
    let snapshot = reader.snapshot();
    let mut counts = Counts::new();
    for (index, status) in &snapshot.ports {
        let (port, name) = (snapshot.port(*index), &status.name);
        for counter in PortCounter::ALL {
            if !OF_WORK.contains(counter) {
                let key = format!("port {name} {}", counter.name());
                put(&mut counts, key, Some(port.count(*counter)));
            }
        }
        for reason in DropReason::ALL {
            let key = format!("port {name} dropped {}", reason.name());
            put(&mut counts, key, Some(port.drops[*reason as usize]));
        }
    }
    let report = totals(&node.run_dir()).map_err(|error| unexpected(&error))?;
    for peer in &report.peers {
        let (Some(slot), Some(address)) = (peer.slot, &peer.public_ip) else {
            continue;
        };
        let told = reader.peer(slot);
        for (name, n) in [
            ("tx_packets", told.tx_packets),
            ("tx_bytes", told.tx_bytes),
            ("rx_packets", told.rx_packets),
            ("rx_bytes", told.rx_bytes),
        ] {
            put(&mut counts, format!("peer {address} {name}"), Some(n));
        }
    }
    Ok(counts)
}

/// The same names from the text of `/metrics`: workers are summed.
fn scraped(text: &str) -> Counts {
    let mut counts = Counts::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, n)) = line.rsplit_once(' ') else {
            continue;
        };
        let (family, labels) = series.split_once('{').unwrap_or((series, ""));
        let label = |name: &str| {
            let (_, behind) = labels.split_once(&format!("{name}=\""))?;
            behind.split_once('"').map(|(value, _)| value)
        };
        let counter = match family {
            "tweed_port_receive_packets_total" | "tweed_peer_receive_packets_total" => "rx_packets",
            "tweed_port_receive_bytes_total" | "tweed_peer_receive_bytes_total" => "rx_bytes",
            "tweed_port_transmit_packets_total" | "tweed_peer_transmit_packets_total" => {
                "tx_packets"
            }
            "tweed_port_transmit_bytes_total" | "tweed_peer_transmit_bytes_total" => "tx_bytes",
            "tweed_port_forwarded_packets_total" => "forwarded",
            "tweed_port_originated_packets_total" => "originated",
            "tweed_port_suppressed_icmp_errors_total" => "icmp_suppressed",
            "tweed_port_dropped_packets_total" => "dropped",
            _ => continue,
        };
        let whose = match (label("port"), label("peer")) {
            (Some(port), _) => format!("port {port}"),
            (None, peer) => format!("peer {}", peer.unwrap_or_default()),
        };
        let reason = label("reason").map(|reason| format!(" {reason}"));
        let key = format!("{whose} {counter}{}", reason.unwrap_or_default());
        put(&mut counts, key, n.parse().ok());
    }
    counts
}
