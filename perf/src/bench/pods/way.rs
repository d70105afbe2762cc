//! Stations, written down in the order of the way.
//!
//! A packet that is lost between two ends of a veth may be counted twice: by the sender as a failed send, and by the
//! receiver's queue (net/core/dev.c, `enqueue_to_backlog`). It is listed once, at the sender.

use super::Station;
use super::counters::{Counters, Link};

/// Why the IP layer lets go of what it should forward.
const IP: &[&str] = &[
    "Ip.InHdrErrors",
    "Ip.InAddrErrors",
    "Ip.InDiscards",
    "Ip.OutDiscards",
    "Ip.OutNoRoutes",
    "Ip.FragFails",
];

/// Stations so far.
#[derive(Debug, Default)]
pub struct Way(Vec<Station>);

impl Way {
    /// A place of our own counting.
    pub fn station(&mut self, place: impl Into<String>, packets: u64, lost: Vec<(String, u64)>) {
        self.0.push(Station {
            place: place.into(),
            packets,
            lost,
        });
    }

    /// What left by a device.
    pub fn tx(&mut self, whose: &str, counters: &Counters, device: &str) {
        let link = counters.link(device);
        self.station(format!("{whose}: {device} out"), link.tx, failed(link));
    }

    /// What left by a device after the IP layer of its namespace forwarded it, or did not.
    pub fn routed(&mut self, whose: &str, counters: &Counters, device: &str) {
        let link = counters.link(device);
        let mut lost = vec![("discarded by IP".to_owned(), counters.stack(IP))];
        lost.extend(failed(link));
        self.station(format!("{whose}: {device} out"), link.tx, lost);
    }

    /// What came by a device that is no veth.
    pub fn rx(&mut self, whose: &str, counters: &Counters, device: &str) {
        let link = counters.link(device);
        let lost = vec![("rx dropped".to_owned(), link.rx_dropped)];
        self.station(format!("{whose}: {device} in"), link.rx, lost);
    }

    /// What came out of a veth whose other end is `sender`.
    pub fn crossed(&mut self, whose: &str, counters: &Counters, device: &str, sender: Link) {
        let link = counters.link(device);
        let counted = link.refused + sender.tx_dropped;
        let lost = vec![
            ("AF_XDP ring full".to_owned(), link.refused),
            (
                "rx dropped".to_owned(),
                link.rx_dropped.saturating_sub(counted),
            ),
        ];
        self.station(format!("{whose}: {device} in"), link.rx, lost);
    }

    /// What the processes of a namespace gave to their UDP sockets.
    pub fn socket_out(&mut self, whose: &str, counters: &Counters) {
        let lost = counters.stack(&["Udp.SndbufErrors"]);
        self.station(
            format!("{whose}: UDP socket out"),
            counters.stack(&["Udp.OutDatagrams"]),
            vec![("socket's send buffer full".to_owned(), lost)],
        );
    }

    /// What they read from them.
    pub fn socket_in(&mut self, whose: &str, counters: &Counters) {
        let full = counters.stack(&["Udp.RcvbufErrors"]);
        // The one counter contains the other (net/ipv4/udp.c).
        let other = counters.stack(&["Udp.InErrors"]).saturating_sub(full);
        self.station(
            format!("{whose}: UDP socket in"),
            counters.stack(&["Udp.InDatagrams"]),
            vec![
                ("socket's receive buffer full".to_owned(), full),
                ("refused by UDP".to_owned(), other),
            ],
        );
    }

    /// All of them.
    pub fn end(self) -> Vec<Station> {
        self.0
    }
}

fn failed(link: Link) -> Vec<(String, u64)> {
    vec![
        ("tx dropped".to_owned(), link.tx_dropped),
        ("tx errors".to_owned(), link.tx_errors),
    ]
}
