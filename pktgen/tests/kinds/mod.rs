//! Streams of every kind, and their frames, for the tests of frames, the replay, the fuzzer's seeds and the benchmark.
#![allow(dead_code, reason = "each of its users needs a part")]

use std::net::Ipv4Addr;

use pktgen::frame::build::{Builder, Macs, body, len_of};
use pktgen::frame::signature::Lane;
use pktgen::profile::{Flows, Ip, Mac, Order, Payload, Size, Stream, Transport, Vxlan};

/// Number of the run of all frames here.
pub const RUN: u16 = 0x1357;

/// Lane of all frames here.
pub const LANE: Lane = Lane::new(5, 2);

/// VXLAN ports: flannel's and the RFC's. Tunnels here use the first.
pub const PORTS: [u16; 2] = [8472, 4789];

pub const MACS: Macs = Macs {
    src: Mac([2, 0, 0, 0, 0, 1]),
    dst: Mac([2, 0, 0, 0, 0, 2]),
};

/// What goes around a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tunnel {
    Plain,
    /// VXLAN, the outer UDP checksum zero.
    Unsummed,
    /// VXLAN with an outer UDP checksum.
    Summed,
}

/// One of the 18 kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub protocol: &'static str,
    pub v6: bool,
    pub tunnel: Tunnel,
}

/// All of them.
pub fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for tunnel in [Tunnel::Plain, Tunnel::Unsummed, Tunnel::Summed] {
        for v6 in [false, true] {
            for protocol in ["udp", "tcp", "icmp"] {
                kinds.push(Kind {
                    protocol,
                    v6,
                    tunnel,
                });
            }
        }
    }
    kinds
}

impl Kind {
    /// A stream of this kind, of many flows, in frames of the least size.
    pub fn stream(self) -> Stream {
        let (sport, dport) = (1024..=1055, 9..=10);
        let mut stream = Stream {
            name: format!("{self:?}"),
            weight: 1,
            src_mac: None,
            dst_mac: None,
            ip: if self.v6 {
                let at = |text: &str| text.parse().expect("an address");
                Ip::V6 {
                    src: at("fd00:77::1:0")..=at("fd00:77::1:3"),
                    dst: at("2001:db8::ffff:0")..=at("2001:db8::ffff:6"),
                }
            } else {
                Ip::V4 {
                    src: Ipv4Addr::new(10, 1, 0, 254)..=Ipv4Addr::new(10, 1, 1, 1),
                    dst: Ipv4Addr::new(172, 16, 0, 0)..=Ipv4Addr::new(172, 16, 0, 6),
                }
            },
            ttl: 64,
            tos: 0xb8,
            transport: match self.protocol {
                "udp" => Transport::Udp { sport, dport },
                "tcp" => Transport::Tcp { sport, dport },
                _ => Transport::Icmp { id: sport },
            },
            flows: Flows {
                count: 32 * 7 * 4,
                order: Order::RoundRobin,
            },
            size: Size::Fixed(0),
            vxlan: (self.tunnel != Tunnel::Plain).then(|| Vxlan {
                vni: 0x12_3456,
                src: Ipv4Addr::new(192, 168, 64, 2),
                dst: Ipv4Addr::new(192, 168, 64, 3),
                port: PORTS[0],
                inner_src_mac: Mac([0x0a, 0, 0, 0, 0, 1]),
                inner_dst_mac: Mac([0x0a, 0, 0, 0, 0, 2]),
                checksum: self.tunnel == Tunnel::Summed,
            }),
        };
        stream.size = Size::Fixed(len_of(&stream) as u16 + 4);
        stream
    }

    /// Bytes of outer headers.
    pub fn outer(self) -> usize {
        if self.tunnel == Tunnel::Plain { 0 } else { 50 }
    }
}

/// The builder of a stream, random payload.
pub fn builder(stream: &Stream) -> Builder {
    Builder::new(stream, MACS, RUN, LANE, Payload::Random, 1)
}

/// The first `count` frames of a stream.
pub fn frames(stream: &Stream, count: usize) -> Vec<Vec<u8>> {
    let mut builder = builder(stream);
    let mut buffer = body(Payload::Random, 1);
    (0..count)
        .map(|number| {
            let len = builder.write(&mut buffer, 1_000_000 + number as u64);
            buffer[..len].to_vec()
        })
        .collect()
}
