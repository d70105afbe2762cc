//! Pods on tweed nodes and on a kernel flannel node talk, in all directions, with every checksum right.

mod common;

use common::{Trio, at_once, in_a_lab, pairs, ping_both_sizes};
use perf::lab::capture::Capture;
use perf::lab::traffic::{Bulk, Iperf, Ping, UdpEcho};
use perf::lab::{expect, tweed};

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn every_pod_pings_every_other() {
    in_a_lab(|lab| {
        let trio = Trio::build(lab)?;
        pairs(&trio.pods()).try_for_each(|(from, to)| ping_both_sizes(from, to, 62))
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn hosts_and_pods_reach_each_other_by_the_zero_address() {
    in_a_lab(|lab| {
        let Trio {
            x,
            y,
            z,
            t1,
            t2,
            f3,
        } = &Trio::build(lab)?;
        // A host's own packets pass one router less than a pod's.
        for pod in [y, z] {
            ping_both_sizes(t1, pod, 63)?;
        }
        ping_both_sizes(f3, x, 63)?;
        for zero in [t2.overlay_address()?, f3.overlay_address()?] {
            Ping::default().all(x, zero)?;
            Ping::default().all(t1, zero)?;
        }
        Ping::default().all(z, t1.overlay_address()?)?;
        Bulk::random(lab.directory(), 16 << 20)?.run(t1, z, z.ip)
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_gigabyte_arrives_as_it_was_sent() {
    in_a_lab(|lab| {
        let Trio { x, y, z, .. } = &Trio::build(lab)?;
        let bulk = Bulk::random(lab.directory(), 1 << 30)?;
        at_once([(x, y), (x, z), (z, x)], |(from, to)| {
            bulk.run(from, to, to.ip)
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn iperf3_runs_over_tcp_and_udp() {
    in_a_lab(|lab| {
        let Trio { x, y, z, .. } = &Trio::build(lab)?;
        // Each server is in a pod of its own, so all three pairs can talk at once.
        at_once([(x, y), (x, z), (z, x)], |(from, to)| {
            let tcp = Iperf::tcp(2).run(from, to, to.ip)?;
            let udp = Iperf::udp(1, 50).run(from, to, to.ip)?;
            println!("{} to {}: TCP {tcp}; UDP {udp}", from.name, to.name);
            expect(tcp.gbits > 0.0 && udp.gbits > 0.0, || {
                format!("nothing arrived from {} at {}", from.name, to.name)
            })
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn datagrams_of_all_sizes_come_back_as_they_were() {
    in_a_lab(|lab| {
        let trio = Trio::build(lab)?;
        for (from, to) in pairs(&trio.pods()) {
            for len in [0, 1, 1000, 1422, 8192] {
                UdpEcho { len, count: 20 }.run(from, to, to.ip)?;
            }
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn no_checksum_is_bad_on_the_wire_or_inside() {
    in_a_lab(|lab| {
        let Trio {
            x,
            y,
            z,
            t1,
            t2,
            f3,
        } = &Trio::build(lab)?;
        // At the switch, for frames that AF_XDP sends or takes pass no tap of the NIC itself.
        let wire = Capture::start(lab.underlay().switch(), t1.name(), "udp port 8472")?;
        let inside = Capture::start(t2, tweed::DEVICE, "")?;
        let bulk = Bulk::random(lab.directory(), 2 << 20)?;
        for (from, to) in [(x, y), (y, x), (x, z), (z, x), (y, z), (z, y)] {
            bulk.run(from, to, to.ip)?;
            for len in [1, 1000, 8192] {
                UdpEcho { len, count: 5 }.run(from, to, to.ip)?;
            }
            ping_both_sizes(from, to, 62)?;
        }
        Ping::default().all(t1, f3.overlay_address()?)?;
        wire.stop()?.expect_good_checksums(4000)?;
        inside.stop()?.expect_good_checksums(500)
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn packets_out_of_ttl_or_too_big_are_answered() {
    in_a_lab(|lab| {
        let Trio { x, y, .. } = &Trio::build(lab)?;
        let dying = Ping {
            ttl: 1,
            ..Ping::default()
        };
        dying.run(x, y.ip)?.expect_expired()?;
        // A pod with a larger MTU than the overlay: the router before the tunnel has to say so.
        x.ns.ip("link set eth0 mtu 1500")?;
        let big = Ping::full(1500).run(x, y.ip)?;
        expect(big.received == 0, || format!("{big}, though it cannot fit"))
    });
}
