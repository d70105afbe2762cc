//! The kernel's counters of one namespace, read once for all stations in it.

use std::collections::HashMap;

use serde_json::Value;

use crate::bench::Result;
use crate::lab::{LabError, Namespace};

/// What a namespace has counted since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    links: HashMap<String, Link>,
    /// By `Ip.OutDiscards`.
    snmp: HashMap<String, u64>,
}

/// A device's counters (rtnl_link_stats64), and what its driver tells of XDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Packets that came by it.
    pub rx: u64,
    /// Those that it or the queue behind it lost.
    pub rx_dropped: u64,
    /// Packets that left by it and that the other end took.
    pub tx: u64,
    /// Those that the other end had no room for.
    pub tx_dropped: u64,
    /// Those that could not be sent for other reasons: no carrier, no route for the tunnel.
    pub tx_errors: u64,
    /// Frames that its XDP program gave to a socket whose ring was full: part of `rx_dropped`.
    pub refused: u64,
}

impl Counters {
    /// Reads them all; of the veths named, as far as they are there, also what the driver tells.
    pub fn read(ns: &Namespace, veths: &[&str]) -> Result<Self> {
        let mut links = links(&ns.run("ip -s -j link show")?)?;
        for veth in veths {
            if let Some(link) = links.get_mut(*veth) {
                link.refused = refused(&ns.run(&format!("ethtool -S {veth}"))?);
            }
        }
        // Not /proc/net, which is that of the process: only this thread is inside.
        let path = "/proc/thread-self/net/snmp";
        let text = ns
            .inside(|| std::fs::read_to_string(path))?
            .map_err(LabError::io(format!("read {path} of {}", ns.name())))?;
        Ok(Counters {
            links,
            snmp: snmp(&text),
        })
    }

    /// A device; zeros when there is none of that name.
    pub fn link(&self, device: &str) -> Link {
        self.links.get(device).copied().unwrap_or_default()
    }

    /// Sum of the counters named, such as `Ip.OutDiscards` (RFC 4293 says what each means).
    pub fn stack(&self, names: &[&str]) -> u64 {
        names.iter().filter_map(|name| self.snmp.get(*name)).sum()
    }
}

fn links(json: &str) -> Result<HashMap<String, Link>> {
    let unknown = || LabError::parse("the devices of ip -s -j link", json);
    let all: Vec<Value> = serde_json::from_str(json).map_err(|_| unknown())?;
    let link = |value: &Value| {
        let stats = &value["stats64"];
        let count = |side: &str, name: &str| stats[side][name].as_u64();
        let link = Link {
            rx: count("rx", "packets")?,
            rx_dropped: count("rx", "dropped")?,
            tx: count("tx", "packets")?,
            tx_dropped: count("tx", "dropped")?,
            tx_errors: count("tx", "errors")?,
            refused: 0,
        };
        Some((value["ifname"].as_str()?.to_owned(), link))
    };
    all.iter()
        .map(|value| link(value).ok_or_else(unknown))
        .collect()
}

/// From `ethtool -S` of a veth: redirects that failed, over all queues (drivers/net/veth.c, `rx_drops`).
fn refused(told: &str) -> u64 {
    let drops = |line: &str| {
        let (name, count) = line.trim().split_once(": ")?;
        let queue = name.strip_prefix("rx_queue_")?.strip_suffix("_drops")?;
        // `rx_queue_0_drops`; `rx_queue_0_xdp_drops` are the program's own verdicts.
        queue.parse::<u32>().ok()?;
        count.parse::<u64>().ok()
    };
    told.lines().filter_map(drops).sum()
}

/// Pairs of lines: names, then values (proc_net(5)).
fn snmp(text: &str) -> HashMap<String, u64> {
    let lines: Vec<&str> = text.lines().collect();
    let mut counts = HashMap::new();
    for pair in lines.chunks_exact(2) {
        let (Some((protocol, names)), Some((_, values))) =
            (pair[0].split_once(": "), pair[1].split_once(": "))
        else {
            continue;
        };
        for (name, value) in names.split(' ').zip(values.split(' ')) {
            // MaxConn is -1.
            let value = value.parse().unwrap_or(0);
            counts.insert(format!("{protocol}.{name}"), value);
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_from_what_ip_prints() {
        let json = r#"[{"ifname":"eth0","stats64":{"rx":{"bytes":9,"packets":5,"errors":0,"dropped":1},
            "tx":{"bytes":9,"packets":4,"errors":2,"dropped":3}}}]"#;
        let eth0 = Link {
            rx: 5,
            rx_dropped: 1,
            tx: 4,
            tx_dropped: 3,
            tx_errors: 2,
            refused: 0,
        };
        assert_eq!(links(json).unwrap()["eth0"], eth0);
        assert!(links(r#"[{"ifname":"eth0"}]"#).is_err());
    }

    #[test]
    fn refused_redirects_of_all_queues_are_added() {
        let told = "NIC statistics:\n     peer_ifindex: 2\n     rx_queue_0_xdp_packets: 10\n     rx_queue_0_drops: 3\n     \
                    rx_queue_0_xdp_drops: 100\n     rx_queue_1_drops: 4\n";
        assert_eq!(refused(told), 7);
    }

    #[test]
    fn the_stack_is_asked_by_name() {
        let text = "Ip: Forwarding InReceives OutDiscards\nIp: 1 70 2\nUdp: InErrors RcvbufErrors\nUdp: 9 5\n";
        let counters = Counters {
            snmp: snmp(text),
            ..Counters::default()
        };
        assert_eq!(counters.stack(&["Ip.OutDiscards", "Udp.RcvbufErrors"]), 7);
        assert_eq!(counters.stack(&["Ip.Nonesuch"]), 0);
    }
}
