//! The uplink as a TUN: what the other tests hold of a veth pair, as far as the uplink can make a difference.

mod common;

use common::{Trio, at_once, in_a_lab, lost_at_most, pairs, ping_both_sizes, settle};
use contract::stats::{PortCounter, PortCounters};
use perf::lab::capture::Capture;
use perf::lab::traffic::{Bulk, Ping, PingStream, UdpEcho};
use perf::lab::{Lab, LabError, NodeConfig, Place, Result, TweedNode, expect, wait_until};
use perf::stats::totals;

/// A tweed node whose uplink is of this kind.
fn node(lab: &Lab, place: Place, overlay: &'static str) -> Result<TweedNode> {
    let mut node = lab.tweed_stopped(place)?;
    configure(&node, overlay)?;
    node.start()?;
    Ok(node)
}

fn configure(node: &TweedNode, overlay: &'static str) -> Result<()> {
    node.configure(&NodeConfig {
        overlay,
        ..NodeConfig::eth0(node.place().queues)
    })
}

/// The first node has two workers, so two queues of the TUN.
fn trio(lab: &Lab) -> Result<Trio> {
    let t1 = node(lab, Place::near(1).queues(2), "tun")?;
    let t2 = node(lab, Place::near(2), "tun")?;
    let f3 = lab.flannel(3, "10.244.203.0/24")?;
    let (x, y, z) = (t1.pod()?, t2.pod()?, f3.pod()?);
    settle(lab, &[&x, &y, &z])?;
    Ok(Trio {
        x,
        y,
        z,
        t1,
        t2,
        f3,
    })
}

/// What the engine says of the uplink: its mode, its queues, and what it counted.
fn uplink(node: &TweedNode) -> Result<(&'static str, u32, PortCounters)> {
    let report =
        totals(&node.run_dir()).map_err(|error| LabError::Unexpected(error.to_string()))?;
    let mut ports = report.ports.into_iter();
    ports
        .find(|port| port.name.starts_with("tweed0"))
        .map(|port| (port.mode, port.queues, port.counters))
        .ok_or_else(|| LabError::Unexpected("there is no uplink".into()))
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn what_crosses_a_pair_crosses_a_tun() {
    in_a_lab(|lab| {
        let trio = trio(lab)?;
        let Trio {
            x,
            y,
            z,
            t1,
            t2,
            f3,
        } = &trio;
        pairs(&trio.pods()).try_for_each(|(from, to)| ping_both_sizes(from, to, 62))?;
        // The hosts themselves: one router less.
        ping_both_sizes(t1, z, 63)?;
        ping_both_sizes(f3, x, 63)?;
        Ping::default().all(x, t2.overlay_address()?)?;
        Ping::default().all(z, t1.overlay_address()?)?;
        // Inner fragments, and packets that no coalescing may touch.
        for (from, to) in [(x, y), (x, z), (z, x)] {
            for len in [0, 1422, 8192] {
                UdpEcho { len, count: 10 }.run(from, to, to.ip)?;
            }
        }
        let dying = Ping {
            ttl: 1,
            ..Ping::default()
        };
        dying.run(x, y.ip)?.expect_expired()?;
        let (mode, queues, _) = uplink(t1)?;
        expect((mode, queues) == ("tun", 2), || {
            format!("{queues} queues of mode {mode}")
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn tcp_arrives_as_it_was_sent_in_few_packets_and_with_good_checksums() {
    in_a_lab(|lab| {
        let Trio { x, y, z, t1, .. } = &trio(lab)?;
        let wire = Capture::start(lab.underlay().switch(), t1.name(), "udp port 8472")?;
        let small = Bulk::random(lab.directory(), 2 << 20)?;
        for (from, to) in [(x, y), (x, z), (z, x)] {
            small.run(from, to, to.ip)?;
        }
        wire.stop()?.expect_good_checksums(3000)?;

        let bulk = Bulk::random(lab.directory(), 128 << 20)?;
        let (_, _, before) = uplink(t1)?;
        at_once([(x, y), (x, z), (z, x)], |(from, to)| {
            bulk.run(from, to, to.ip)
        })?;
        bulk.run(t1, z, z.ip)?;
        let (_, _, after) = uplink(t1)?;
        let grown = |counter| after.count(counter) - before.count(counter);
        let (frames, writes) = (grown(PortCounter::TxPackets), grown(PortCounter::Kicks));
        println!("{frames} frames were written in {writes} packets");
        expect(writes < frames, || {
            format!("nothing was coalesced: {frames} frames, {writes} writes")
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn daemons_and_the_device_may_go_and_come_back() {
    in_a_lab(|lab| {
        let mut trio = trio(lab)?;
        let elsewhere = PingStream::start(&trio.y, trio.z.ip)?;
        let out = PingStream::start(&trio.x, trio.z.ip)?;
        out.wait_more(20)?;
        trio.t1.kill_control()?;
        out.wait_more(50)?;
        trio.t1.start_control()?;
        out.wait_more(100)?;
        lost_at_most("without control", &out.stop()?, 0)?;

        let out = PingStream::start(&trio.x, trio.z.ip)?;
        out.wait_more(20)?;
        trio.t1.kill_dataplane()?;
        // The device stays, and so does what the kernel believes of it.
        trio.t1.ns().run("ip route get 10.244.203.10")?;
        trio.t1.start_dataplane()?;
        out.wait_more(50)?;
        lost_at_most("through the restarted engine", &out.stop()?, 200)?;

        trio.t1.ns().ip("link delete tweed0")?;
        lab.wait_reach(&trio.x, trio.z.ip)?;
        lab.wait_reach(&trio.z, trio.x.ip)?;
        lost_at_most("past all that", &elsewhere.stop()?, 0)?;
        trio.t1.check_running()?;
        // No chunk was lost: the engine checks at the end, and its exit code says so.
        for status in trio.t1.stop()? {
            expect(status.success(), || format!("a daemon ended with {status}"))?;
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_kind_of_uplink_is_changed_and_changed_back() {
    in_a_lab(|lab| {
        let mut t1 = lab.tweed(1)?;
        let f3 = lab.flannel(3, "10.244.203.0/24")?;
        let (x, z) = (t1.pod()?, f3.pod()?);
        settle(lab, &[&x, &z])?;
        for (overlay, mode) in [("tun", "tun"), ("veth", "copy")] {
            // Control alone: the engine goes where the tables say.
            t1.kill_control()?;
            configure(&t1, overlay)?;
            t1.start_control()?;
            wait_until(&format!("an uplink of mode {mode}"), 30, || {
                uplink(&t1).is_ok_and(|(now, ..)| now == mode)
            })?;
            lab.wait_reach(&x, z.ip)?;
            lab.wait_reach(&z, x.ip)?;
        }
        t1.check_running()?;
        for status in t1.stop()? {
            expect(status.success(), || format!("a daemon ended with {status}"))?;
        }
        Ok(())
    });
}
