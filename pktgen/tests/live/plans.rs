//! What is sent: one plan for each kind of packet, size, order and tunnel.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use pktgen::frame::build::Macs;
use pktgen::io::live::LivePlan;
use pktgen::profile::*;

/// Number of the run.
pub const RUN: u16 = 0x1234;
const WORKER: u8 = 3;
const SEED: u64 = 42;
/// Outer destination port.
pub const VXLAN_PORT: u16 = 8472;

fn macs() -> Macs {
    Macs {
        src: Mac([2, 0, 0, 0, 0, 1]),
        dst: Mac([2, 0, 0, 0, 0, 2]),
    }
}

pub fn v4() -> Ip {
    let address = |a, b, last| Ipv4Addr::new(10, a, b, last);
    Ip::V4 {
        src: address(1, 2, 250)..=address(1, 3, 9),
        dst: address(9, 0, 0)..=address(9, 0, 6),
    }
}

fn v6() -> Ip {
    let address = |low| Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 1, low);
    Ip::V6 {
        src: address(0xfff0)..=address(0xffff),
        dst: address(1)..=address(3),
    }
}

const SPORTS: RangeInclusive<u16> = 65_530..=65_535;
const DPORTS: RangeInclusive<u16> = 9..=99;

pub fn udp() -> Transport {
    Transport::Udp {
        sport: SPORTS,
        dport: DPORTS,
    }
}

fn tcp() -> Transport {
    Transport::Tcp {
        sport: SPORTS,
        dport: DPORTS,
    }
}

fn icmp() -> Transport {
    Transport::Icmp { id: 0..=9_999 }
}

fn vxlan(checksum: bool) -> Option<Vxlan> {
    Some(Vxlan {
        vni: 0xabcdef,
        src: Ipv4Addr::new(172, 16, 0, 1),
        dst: Ipv4Addr::new(172, 16, 0, 2),
        port: VXLAN_PORT,
        inner_src_mac: Mac([2, 1, 0, 0, 0, 1]),
        inner_dst_mac: Mac([2, 1, 0, 0, 0, 2]),
        checksum,
    })
}

pub fn stream(ip: Ip, transport: Transport, size: Size) -> Stream {
    Stream {
        name: "one".into(),
        weight: 1,
        src_mac: None,
        dst_mac: None,
        ip,
        ttl: 64,
        tos: 0xb8,
        transport,
        flows: Flows {
            count: 1_000,
            order: Order::RoundRobin,
        },
        size,
        vxlan: None,
    }
}

fn random(stream: Stream) -> Stream {
    let flows = Flows {
        order: Order::Random,
        ..stream.flows
    };
    Stream { flows, ..stream }
}

pub fn plan(streams: impl IntoIterator<Item = Stream>) -> LivePlan {
    LivePlan {
        streams: streams.into_iter().map(|stream| (stream, macs())).collect(),
        payload: Payload::Random,
        run: RUN,
        worker: WORKER,
        seed: SEED,
        // Slow enough for tcpdump on a busy machine.
        pps: Some(20_000.0),
        burst: 1,
        count: Some(1_100),
        intended: false,
    }
}

fn imix() -> Size {
    Size::Mix(vec![(64, 7), (594, 4), (1518, 1)])
}

/// One row is one plan.
pub fn plans() -> Vec<(&'static str, LivePlan)> {
    let fixed = Size::Fixed;
    let inside = |checksum, stream| Stream {
        vxlan: vxlan(checksum),
        ..stream
    };
    let weigh = |weight, stream| Stream { weight, ..stream };
    let burst = |burst, plan| LivePlan { burst, ..plan };
    let full = |plan| LivePlan {
        // As fast as it goes: few enough for tcpdump's buffer.
        pps: None,
        count: Some(100),
        ..plan
    };
    let payload = |payload, plan| LivePlan { payload, ..plan };
    vec![
        ("smallest", plan([stream(v4(), udp(), fixed(64))])),
        (
            "as fast as it goes",
            full(plan([stream(v4(), udp(), fixed(64))])),
        ),
        ("bursts", burst(8, plan([stream(v4(), udp(), fixed(64))]))),
        (
            "long bursts",
            burst(100, plan([stream(v4(), udp(), fixed(64))])),
        ),
        (
            "random flows",
            plan([random(stream(v4(), udp(), fixed(65)))]),
        ),
        (
            "TCP, IMIX",
            plan([stream(v4(), tcp(), Size::Mix(vec![(78, 3), (1517, 2)]))]),
        ),
        (
            "ICMP, a range",
            plan([stream(v4(), icmp(), Size::Range(64..=300))]),
        ),
        (
            "UDP over IPv6",
            plan([random(stream(v6(), udp(), Size::Range(84..=91)))]),
        ),
        ("TCP over IPv6", plan([stream(v6(), tcp(), fixed(1500))])),
        ("ICMPv6", plan([stream(v6(), icmp(), fixed(333))])),
        (
            "the longest",
            plan([stream(v4(), udp(), Size::Range(3_400..=3_412))]),
        ),
        (
            "a tunnel",
            plan([inside(false, stream(v4(), udp(), fixed(114)))]),
        ),
        (
            "a tunnel with checksum",
            plan([inside(
                true,
                random(stream(v4(), udp(), Size::Range(114..=120))),
            )]),
        ),
        (
            "TCP in a tunnel",
            plan([inside(true, stream(v4(), tcp(), fixed(201)))]),
        ),
        (
            "ICMP in a tunnel",
            plan([inside(true, stream(v4(), icmp(), fixed(200)))]),
        ),
        (
            "IPv6 in a tunnel",
            plan([inside(true, stream(v6(), udp(), imix_of(134)))]),
        ),
        (
            "ICMPv6 in a tunnel",
            plan([inside(true, stream(v6(), icmp(), fixed(135)))]),
        ),
        (
            "streams by weight, long heads beside short ones",
            payload(
                Payload::Increment,
                plan([
                    weigh(3, stream(v4(), udp(), Size::Range(64..=67))),
                    weigh(2, inside(true, stream(v6(), tcp(), fixed(146)))),
                    weigh(1, random(stream(v6(), icmp(), Size::Range(84..=200)))),
                    weigh(1, stream(v4(), udp(), imix())),
                ]),
            ),
        ),
    ]
}

fn imix_of(least: u16) -> Size {
    Size::Mix(vec![(least, 7), (594, 4), (1518, 1)])
}
