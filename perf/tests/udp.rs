//! An underlay over plain UDP sockets: beside nodes that have another kind, on devices that have no XDP, and where AF_XDP
//! cannot be had.

mod common;

use common::{in_a_lab, pairs, ping_both_sizes, settle};
use contract::stats::{BoundMode, PortState, PortStatus, StatsReader};
use perf::lab::capture::Capture;
use perf::lab::traffic::{Bulk, UdpEcho};
use perf::lab::{Lab, LabError, NodeConfig, Place, Result, TweedNode, expect};

/// A tweed node over UDP, with this kind of uplink and so many workers.
fn over_udp(
    lab: &Lab,
    place: impl Into<Place>,
    overlay: &'static str,
    workers: u32,
) -> Result<TweedNode> {
    let mut node = lab.tweed_stopped(place)?;
    node.configure(&NodeConfig {
        mode: "udp",
        overlay,
        ..NodeConfig::eth0(workers)
    })?;
    node.start()?;
    Ok(node)
}

/// What became of the underlay port; it must be up.
fn underlay(node: &TweedNode) -> Result<PortStatus> {
    let unexpected = |error: String| LabError::Unexpected(error);
    let reader = StatsReader::open(&node.run_dir().join("stats"))
        .map_err(|error| unexpected(error.to_string()))?;
    let mut ports = reader.snapshot().ports.into_iter();
    let (_, status) = ports
        .find(|(number, _)| *number == 0)
        .ok_or_else(|| unexpected("no port 0".into()))?;
    expect(status.state == PortState::Up, || format!("{status:?}"))?;
    Ok(status)
}

/// SIGTERM; the engine's exit status says whether every frame is accounted for.
fn ends_well(mut node: TweedNode) -> Result<()> {
    node.check_running()?;
    for status in node.stop()? {
        expect(status.success(), || format!("a daemon ended with {status}"))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn pods_talk_through_udp_sockets_af_xdp_and_the_kernels_vxlan() {
    in_a_lab(|lab| {
        // Two workers share the port, on a NIC of one queue. With a TUN there is no XDP on this node at all.
        let t1 = over_udp(lab, 1, "tun", 2)?;
        let t2 = lab.tweed(2)?;
        let f3 = lab.flannel(3, "10.244.203.0/24")?;
        let (x, y, z) = (t1.pod()?, t2.pod()?, f3.pod()?);
        let pods = [&x, &y, &z];
        settle(lab, &pods)?;
        expect(underlay(&t1)?.mode == BoundMode::Udp, || {
            "not over UDP".into()
        })?;
        let link = t1.ns().run("ip link show")?;
        expect(!link.contains("xdp"), || format!("a program: {link}"))?;

        let bulk = Bulk::random(lab.directory(), 16 << 20)?;
        for (from, to) in [(&x, &y), (&y, &x), (&x, &z), (&z, &x)] {
            bulk.run(from, to, to.ip)?;
        }
        // Less of it while it is captured: over 75 MB tshark sometimes took more than half a minute instead of a few seconds.
        let wire = Capture::start(lab.underlay().switch(), t1.name(), "udp port 8472")?;
        pairs(&pods).try_for_each(|(from, to)| ping_both_sizes(from, to, 62))?;
        let bulk = Bulk::random(lab.directory(), 1 << 20)?;
        for (from, to) in [(&x, &y), (&y, &x), (&x, &z), (&z, &x)] {
            bulk.run(from, to, to.ip)?;
            for len in [1, 1422, 8192] {
                UdpEcho { len, count: 10 }.run(from, to, to.ip)?;
            }
        }
        wire.stop()?.expect_good_checksums(2000)?;
        ends_well(t1)
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn outer_fragments_arrive_at_a_udp_socket_and_leave_it() {
    in_a_lab(|lab| {
        lab.underlay().narrow(1400)?;
        let t1 = over_udp(lab, 1, "veth", 1)?;
        let f3 = lab.flannel(Place::far(3), "10.244.233.0/24")?;
        let (x, z) = (t1.pod()?, f3.pod()?);
        settle(lab, &[&x, &z])?;
        let wire = Capture::start(lab.underlay().switch(), t1.name(), "host 192.168.77.1")?;
        for (from, to) in [(&x, &z), (&z, &x)] {
            ping_both_sizes(from, to, 62)?;
            let (len, count) = (8192, 10);
            UdpEcho { len, count }.run(from, to, to.ip)?;
            Bulk::random(lab.directory(), 4 << 20)?.run(from, to, to.ip)?;
        }
        let fragments = wire
            .stop()?
            .select("ip.flags.mf==1 && ip.dst==192.168.77.1")?;
        expect(!fragments.is_empty(), || {
            "nothing was fragmented: the test tested nothing".into()
        })?;
        ends_well(t1)
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_bridge_carries_the_tunnel() {
    in_a_lab(|lab| {
        let mut t1 = lab.tweed_stopped(1)?;
        t1.ns().ip("link add br0 type bridge\n\
             link set br0 up\n\
             addr flush dev eth0\n\
             link set eth0 master br0\n\
             addr add 192.168.77.1/24 dev br0\n\
             route add default via 192.168.77.254")?;
        t1.configure(&NodeConfig {
            interface: "br0".into(),
            mode: "udp",
            ..NodeConfig::eth0(1)
        })?;
        t1.start()?;
        let f3 = lab.flannel(3, "10.244.203.0/24")?;
        let (x, z) = (t1.pod()?, f3.pod()?);
        settle(lab, &[&x, &z])?;
        let status = underlay(&t1)?;
        expect(
            (status.mode, &*status.name) == (BoundMode::Udp, "br0"),
            || format!("{status:?}"),
        )?;
        ping_both_sizes(&x, &z, 62)?;
        Bulk::random(lab.directory(), 1 << 20)?.run(&z, &x, x.ip)?;
        ends_well(t1)
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn where_af_xdp_cannot_be_had_auto_takes_udp_and_says_why() {
    in_a_lab(|lab| {
        let mut t1 = lab.tweed_stopped(1)?;
        // Too long for a chunk with the headroom before it, while the uplink's frames, 50 bytes shorter, still fit.
        t1.ns().ip("link set eth0 mtu 1740")?;
        t1.start()?;
        let f3 = lab.flannel(3, "10.244.203.0/24")?;
        let (x, z) = (t1.pod()?, f3.pod()?);
        settle(lab, &[&x, &z])?;
        let status = underlay(&t1)?;
        expect(
            status.mode == BoundMode::Udp && status.error.contains("MTU of 1740"),
            || format!("{status:?}"),
        )?;
        ends_well(t1)
    });
}
