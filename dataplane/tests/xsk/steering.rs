//! What is ours comes to the socket; all else reaches the kernel as if nothing were attached.

use std::net::{Ipv4Addr, Ipv6Addr};

use dataplane::xsk::{BindMode, Burst, Kind, Program, Vtep, Xsk};

use crate::frames::{ethernet, ipv4, ipv6, ipv6_with, tunnel, udp};
use crate::lab::{Lab, ip};
use crate::{eventually, queue0, receive, region};

const VTEP: Vtep = Vtep {
    ip4: Ipv4Addr::new(192, 0, 2, 10),
    ip6: Ipv6Addr::UNSPECIFIED,
    dport: 8472,
    protocol: 17,
    longest: 1514,
};

/// Frames by name, and whether they are ours under `VTEP` with its IPv6 address set.
fn cases() -> Vec<(&'static str, Vec<u8>, bool)> {
    let datagram = udp(8472, 100);
    let set = |at: usize, value: u8| move |header: &mut [u8]| header[at] = value;
    let odd_udp_len = |len: u16| {
        let mut datagram = datagram.clone();
        datagram[4..6].copy_from_slice(&len.to_be_bytes());
        ipv4(17, &datagram, |_| {})
    };
    let options = [&[1u8; 4][..], &datagram].concat();
    // Hop-by-hop options and a fragment header have the same first and last bytes here.
    let extended = [&[17u8, 0, 0, 1, 1, 2, 0, 0][..], &datagram].concat();
    let odd_udp_len6 = |len: u16| {
        let mut datagram = datagram.clone();
        datagram[4..6].copy_from_slice(&len.to_be_bytes());
        ipv6_with(1, 17, &datagram, |_| {})
    };
    vec![
        ("a tunnel datagram", tunnel(100), true),
        ("an empty tunnel datagram", tunnel(0), true),
        ("a full tunnel datagram", tunnel(1472), true),
        ("don't fragment", ipv4(17, &datagram, set(6, 0x40)), true),
        ("behind padding", [tunnel(0), vec![0; 18]].concat(), true),
        ("over IPv6", ipv6(1, 8472), true),
        (
            "over IPv6, of some class and label",
            ipv6_with(1, 17, &datagram, |h| {
                h[..4].copy_from_slice(&[0x6b, 0x8a, 1, 2])
            }),
            true,
        ),
        (
            "over IPv6, empty, behind padding",
            [ipv6_with(1, 17, &udp(8472, 0), |_| {}), vec![0; 6]].concat(),
            true,
        ),
        ("ARP", ethernet(0x0806, &[0; 46]), false),
        (
            "ICMP",
            ipv4(1, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0], |_| {}),
            false,
        ),
        ("TCP", ipv4(6, &[0; 40], |_| {}), false),
        ("another UDP port", ipv4(17, &udp(8473, 100), |_| {}), false),
        ("another address", ipv4(17, &datagram, set(19, 99)), false),
        (
            "the first fragment",
            ipv4(17, &datagram, set(6, 0x20)),
            false,
        ),
        ("the last fragment", ipv4(17, &datagram, set(7, 100)), false),
        ("IP options", ipv4(17, &options, set(0, 0x46)), false),
        (
            "IP version 6 in an IPv4 frame",
            ipv4(17, &datagram, set(0, 0x65)),
            false,
        ),
        (
            "an IP length beyond the frame",
            ipv4(17, &datagram, set(3, 200)),
            false,
        ),
        (
            "an IP length short of its header",
            ipv4(17, &datagram, |h| h[2..4].copy_from_slice(&[0, 19])),
            false,
        ),
        ("a UDP length beyond the packet", odd_udp_len(109), false),
        ("a UDP length short of its header", odd_udp_len(7), false),
        ("cut in the UDP header", tunnel(0)[..40].to_vec(), false),
        ("cut in the IP header", tunnel(0)[..30].to_vec(), false),
        ("no more than Ethernet", ethernet(0x0800, &[]), false),
        (
            "a VLAN",
            ethernet(0x8100, &[&[0, 5, 8, 0][..], &tunnel(100)[14..]].concat()),
            false,
        ),
        ("IPv6, another address", ipv6(2, 8472), false),
        ("IPv6, another port", ipv6(1, 8473), false),
        ("IPv6, options", ipv6_with(1, 0, &extended, |_| {}), false),
        (
            "IPv6, a fragment",
            ipv6_with(1, 44, &extended, |_| {}),
            false,
        ),
        ("IPv6, TCP", ipv6_with(1, 6, &datagram, |_| {}), false),
        (
            "IP version 4 in an IPv6 frame",
            ipv6_with(1, 17, &datagram, set(0, 0x45)),
            false,
        ),
        (
            "IPv6, a length beyond the frame",
            ipv6_with(1, 17, &datagram, set(5, 109)),
            false,
        ),
        (
            "IPv6, a UDP length beyond the packet",
            odd_udp_len6(109),
            false,
        ),
        (
            "IPv6, a UDP length short of its header",
            odd_udp_len6(7),
            false,
        ),
        (
            "IPv6, cut in the UDP header",
            ipv6(1, 8472)[..60].to_vec(),
            false,
        ),
        (
            "IPv6, cut in the IP header",
            ipv6(1, 8472)[..50].to_vec(),
            false,
        ),
        (
            "an ethertype nobody knows",
            ethernet(0x88b5, &[1; 60]),
            false,
        ),
    ]
}

fn steers(mode: BindMode) {
    let lab = Lab::new(1);
    let (umem, mut pool) = region();
    let (mut xsk, mut program) = lab.in_node(|| {
        let xsk = Xsk::open(&umem, &queue0("a0", mode)).unwrap();
        (xsk, Program::attach("a0", Kind::Underlay, mode).unwrap())
    });
    assert_eq!(program.is_generic(), mode == BindMode::Generic);
    program.set_socket(0, xsk.fd().unwrap()).unwrap();
    program
        .set_vtep(&Vtep {
            ip6: "2001:db8::1".parse().unwrap(),
            ..VTEP
        })
        .unwrap();
    // What the node's kernel answers must not make it ask for the peer's MAC address.
    ip(&format!(
        "-n {} neigh add 192.0.2.11 lladdr 02:00:00:00:01:01 dev a0",
        lab.node()
    ));
    let (wire, kernel) = (lab.wire("a1"), lab.kernel("a0"));
    xsk.refill(&mut pool);
    for (name, frame, ours) in cases() {
        wire.send(&frame);
        let (mut to_us, mut to_kernel) = (Vec::new(), Vec::new());
        let mut burst = Burst::new();
        eventually(name, || {
            xsk.receive(&mut burst);
            to_us.extend(burst.iter_mut().map(|frame| frame.bytes().to_vec()));
            burst.clear_into(&mut pool);
            to_kernel.extend(
                kernel
                    .received()
                    .into_iter()
                    .filter(|seen| !is_answer(seen)),
            );
            to_us.len() + to_kernel.len() > 0
        });
        // A veth hands a VLAN tag over beside the frame, and a packet socket does not show it.
        let expected = if name == "a VLAN" {
            [&frame[..12], &frame[16..]].concat()
        } else {
            frame
        };
        let (expected_us, expected_kernel) = if ours {
            (vec![expected], vec![])
        } else {
            (vec![], vec![expected])
        };
        assert_eq!((to_us, to_kernel), (expected_us, expected_kernel), "{name}");
    }
}

/// Frames that the node's kernel sends in answer (its own source MAC).
fn is_answer(frame: &[u8]) -> bool {
    frame[6..12] == [2, 0, 0, 0, 1, 0]
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_tunnel_is_ours_and_the_rest_is_the_kernels() {
    steers(BindMode::Copy);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn generic_xdp_steers_alike() {
    steers(BindMode::Generic);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_kernel_answers_pings_while_we_are_attached() {
    let lab = Lab::new(1);
    let (umem, mut pool) = region();
    let (mut xsk, mut program) = lab.in_node(|| {
        let xsk = Xsk::open(&umem, &queue0("a0", BindMode::Auto)).unwrap();
        (
            xsk,
            Program::attach("a0", Kind::Underlay, BindMode::Auto).unwrap(),
        )
    });
    program.set_socket(0, xsk.fd().unwrap()).unwrap();
    program.set_vtep(&VTEP).unwrap();
    xsk.refill(&mut pool);
    assert!(
        lab.run_in_peer("ping -c 3 -i 0.05 -W 2 192.0.2.10"),
        "ARP and ICMP pass"
    );
    let mut burst = Burst::new();
    assert_eq!(xsk.receive(&mut burst), 0);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_vtep_moves_at_run_time() {
    let lab = Lab::new(1);
    let (umem, mut pool) = region();
    let (mut xsk, mut program) = lab.in_node(|| {
        let xsk = Xsk::open(&umem, &queue0("a0", BindMode::Auto)).unwrap();
        (
            xsk,
            Program::attach("a0", Kind::Underlay, BindMode::Auto).unwrap(),
        )
    });
    program.set_socket(0, xsk.fd().unwrap()).unwrap();
    let (wire, kernel) = (lab.wire("a1"), lab.kernel("a0"));
    xsk.refill(&mut pool);
    let to_kernel = |frame: &[u8]| {
        wire.send(frame);
        eventually("to the kernel", || {
            kernel.received().iter().any(|seen| seen == frame)
        });
    };
    let elsewhere = ipv4(17, &udp(4789, 50), |_| {});
    // No VTEP is known yet: everything passes, also what is sent to 0.0.0.0 port 0.
    to_kernel(&tunnel(50));
    to_kernel(&ipv4(17, &udp(0, 50), |header| header[16..].fill(0)));
    program.set_vtep(&VTEP).unwrap();
    wire.send(&tunnel(51));
    assert_eq!(receive(&mut xsk, &mut pool, 1), [tunnel(51)]);
    to_kernel(&elsewhere);
    program
        .set_vtep(&Vtep {
            dport: 4789,
            ..VTEP
        })
        .unwrap();
    wire.send(&elsewhere);
    assert_eq!(receive(&mut xsk, &mut pool, 1), [elsewhere]);
    to_kernel(&tunnel(52));
    // IPv6 is off as long as no address is set.
    to_kernel(&ipv6(0, 4789));
    // What a chunk cannot take is not ours to lose.
    let longest = tunnel(52).len() as u16;
    program.set_vtep(&Vtep { longest, ..VTEP }).unwrap();
    to_kernel(&tunnel(53));
    wire.send(&tunnel(52));
    assert_eq!(receive(&mut xsk, &mut pool, 1), [tunnel(52)]);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn ip_in_ip_is_ours_where_that_is_the_tunnel() {
    let lab = Lab::new(1);
    let (umem, mut pool) = region();
    let (mut xsk, mut program) = lab.in_node(|| {
        let xsk = Xsk::open(&umem, &queue0("a0", BindMode::Auto)).unwrap();
        (
            xsk,
            Program::attach("a0", Kind::Underlay, BindMode::Auto).unwrap(),
        )
    });
    program.set_socket(0, xsk.fd().unwrap()).unwrap();
    let (wire, kernel) = (lab.wire("a1"), lab.kernel("a0"));
    xsk.refill(&mut pool);
    ip(&format!(
        "-n {} neigh add 192.0.2.11 lladdr 02:00:00:00:01:01 dev a0",
        lab.node()
    ));
    let to_kernel = |frame: &[u8]| {
        wire.send(frame);
        eventually("to the kernel", || {
            kernel.received().iter().any(|seen| seen == frame)
        });
    };
    let inner = ipv4(17, &udp(53, 10), |_| {})[14..].to_vec();
    let whole = ipv4(4, &inner, |_| {});
    program.set_vtep(&VTEP).unwrap();
    to_kernel(&whole);
    program
        .set_vtep(&Vtep {
            protocol: 4,
            ..VTEP
        })
        .unwrap();
    wire.send(&whole);
    assert_eq!(receive(&mut xsk, &mut pool, 1), [whole]);
    to_kernel(&tunnel(50));
    to_kernel(&ipv4(4, &inner, |header| header[6] = 0x20));
    to_kernel(&ipv4(4, &inner, |header| header[19] = 99));
    to_kernel(&ipv4(4, &inner[..19], |_| {}));
    to_kernel(&ipv6(1, 8472));
}
