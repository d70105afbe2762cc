//! flannel's other backends: udp and ipip between tweed nodes, host-gw and DirectRouting beside nodes that the kernel routes for.
//! Each is asked for pings, full packets, TCP, where a TTL ends, and what becomes of packets from the wrong place.

mod common;

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use common::{in_a_lab, pairs, ping_both_sizes, settle};
use contract::stats::{DropReason, StatsReader};
use contract::wire::Sum;
use perf::lab::capture::Capture;
use perf::lab::traffic::{Bulk, Ping, PingReport, UdpEcho};
use perf::lab::{
    Lab, LabError, MTU, Namespace, Node, Place, Pod, Result, TweedNode, expect, lease, wait_until,
};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto};

/// Sets the cluster's backend; before any node starts.
fn configure(lab: &Lab, backend: &str) -> Result<()> {
    let config = format!(r#"{{"Network":"10.244.0.0/16","Backend":{backend}}}"#);
    lab.etcd()
        .put(&format!("{}/config", lease::PREFIX), &config)
}

/// What happens to a ping that starts with this TTL.
fn dies_at(from: &Pod, to: &Pod, ttl: u8) -> Result<PingReport> {
    let count = 2;
    let ping = Ping {
        ttl,
        count,
        ..Ping::default()
    };
    ping.run(from, to.ip)
}

fn expect_silence(report: &PingReport) -> Result<()> {
    let silent = report.received == 0 && report.errors.is_empty();
    expect(silent, || format!("not silent: {report}"))
}

/// Frames of the underlay that were lost for this reason, so far.
fn lost(node: &TweedNode, reason: DropReason) -> Result<u64> {
    let reader = StatsReader::open(&node.run_dir().join("stats"))
        .map_err(|error| LabError::Unexpected(error.to_string()))?;
    Ok(reader.snapshot().port(0).drops[reason as usize])
}

/// An IPv4 packet as a pod could send it; its payload is of no protocol.
fn packet(src: [u8; 4], dst: Ipv4Addr) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 1, 0, 0, 64, 253, 0, 0];
    packet.extend(src);
    packet.extend(dst.octets());
    let checksum = Sum::of(&packet).checksum();
    packet[10..12].copy_from_slice(&checksum);
    packet.extend([0x5a; 8]);
    packet
}

/// How a host sends a tunnel's packet.
type Forge = fn(&Namespace, Ipv4Addr, &[u8]) -> Result<()>;

fn by_udp(from: &Namespace, to: Ipv4Addr, packet: &[u8]) -> Result<()> {
    let send = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.send_to(packet, (to, 8285))
    };
    let sent = from.inside(send)?;
    sent.map(drop).map_err(LabError::io("send a datagram"))
}

fn by_ipip(from: &Namespace, to: Ipv4Addr, packet: &[u8]) -> Result<()> {
    let send = || {
        let (kind, flags) = (SocketType::RAW, SocketFlags::CLOEXEC);
        let socket =
            rustix::net::socket_with(AddressFamily::INET, kind, flags, Some(ipproto::IPIP))?;
        let to = SocketAddrV4::new(to, 0);
        rustix::net::sendto(&socket, packet, SendFlags::empty(), &to)
    };
    let sent = from.inside(send)?.map_err(std::io::Error::from);
    sent.map(drop).map_err(LabError::io("send a raw packet"))
}

/// Who is no node, and a node that speaks for another's pods: both are lost, by their names.
fn wrong_sources_are_lost(
    lab: &Lab,
    t1: &TweedNode,
    t2: &TweedNode,
    to: &Pod,
    forge: Forge,
) -> Result<()> {
    let stranger = lab.host(9)?;
    for (from, reason) in [
        (stranger.ns(), DropReason::OuterSource),
        (t2.ns(), DropReason::InnerSource),
    ] {
        let before = lost(t1, reason)?;
        forge(from, t1.address(), &packet([10, 244, 250, 9], to.ip))?;
        let mut counted = Ok(before);
        wait_until(&format!("a loss by {}", reason.name()), 10, || {
            counted = lost(t1, reason);
            !matches!(counted, Ok(count) if count == before)
        })?;
        expect(counted? == before + 1, || "more than one".into())?;
    }
    Ok(())
}

/// Two tweed nodes: everything crosses, and on the wire there is this and nothing else of the pods.
fn two_tweed_nodes(
    lab: &Lab,
    mtu: u16,
    ttl: u8,
    tunnel: &str,
    forge: Forge,
) -> Result<(TweedNode, TweedNode, Pod, Pod)> {
    let (t1, t2) = (lab.tweed(1)?, lab.tweed(2)?);
    let (x, y) = (t1.pod()?, t2.pod()?);
    expect(x.mtu == mtu, || format!("pods have an MTU of {}", x.mtu))?;
    settle(lab, &[&x, &y])?;
    let wire = Capture::start(lab.underlay().switch(), t1.name(), tunnel)?;
    let bare = Capture::start(lab.underlay().switch(), t1.name(), "net 10.244.0.0/16")?;
    pairs(&[&x, &y]).try_for_each(|(from, to)| ping_both_sizes(from, to, ttl))?;
    Ping::default().all(&x, t2.overlay_address()?)?;
    let bulk = Bulk::random(lab.directory(), 2 << 20)?;
    for (from, to) in [(&x, &y), (&y, &x)] {
        bulk.run(from, to, to.ip)?;
        // In fragments of the pod's own, too.
        for len in [1, 4000] {
            UdpEcho { len, count: 5 }.run(from, to, to.ip)?;
        }
    }
    wire.stop()?.expect_good_checksums(2000)?;
    let bare = bare.stop()?.select("ip")?;
    expect(bare.is_empty(), || format!("bare packets: {bare:?}"))?;

    x.ns.ip("link set eth0 mtu 1600")?;
    let big = Ping::full(mtu + 1).run(&x, y.ip)?;
    expect(big.received == 0, || format!("{big}, though it cannot fit"))?;
    dies_at(&x, &y, 1)?.expect_expired()?;
    wrong_sources_are_lost(lab, &t1, &t2, &x, forge)?;
    Ok((t1, t2, x, y))
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn ipip_carries_pods_traffic() {
    in_a_lab(|lab| {
        configure(lab, r#"{"Type":"ipip"}"#)?;
        let (_t1, _t2, x, y) = two_tweed_nodes(lab, 1480, 62, "ip proto 4", by_ipip)?;
        // The far node's kernel tells, and one hop more is enough.
        dies_at(&x, &y, 2)?.expect_expired()?;
        let reached = dies_at(&x, &y, 3)?;
        expect(reached.lost() == 0, || format!("{reached}"))
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn udp_carries_pods_traffic_and_takes_a_hop_at_each_end() {
    in_a_lab(|lab| {
        configure(lab, r#"{"Type":"udp"}"#)?;
        let (_t1, _t2, x, y) = two_tweed_nodes(lab, 1472, 60, "udp port 8285", by_udp)?;
        // At the proxies nobody tells; the far node's kernel does.
        expect_silence(&dies_at(&x, &y, 2)?)?;
        expect_silence(&dies_at(&x, &y, 3)?)?;
        dies_at(&x, &y, 4)?.expect_expired()?;
        let reached = dies_at(&x, &y, 5)?;
        expect(reached.lost() == 0, || format!("{reached}"))
    });
}

/// A node for which the kernel routes, as flanneld's host-gw has it, with a lease.
fn kernel_host_gw(lab: &Lab, host: u8, subnet: &str) -> Result<Node> {
    let node = lab.host(host)?;
    let net = subnet
        .parse()
        .map_err(|_| LabError::parse("a subnet", subnet))?;
    node.write_subnet_env(net, MTU)?;
    let value = format!(
        r#"{{"PublicIP":"{}","PublicIPv6":null,"BackendType":"host-gw"}}"#,
        node.address()
    );
    lab.etcd().put(&lease::key(net), &value)?;
    Ok(node)
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn host_gw_and_the_kernels_routes_carry_pods_traffic() {
    in_a_lab(|lab| {
        configure(lab, r#"{"Type":"host-gw"}"#)?;
        let h2 = kernel_host_gw(lab, 2, "10.244.202.0/24")?;
        let t1 = lab.tweed(1)?;
        let (x, y) = (t1.pod()?, h2.pod()?);
        expect(x.mtu == MTU, || format!("pods have an MTU of {}", x.mtu))?;
        h2.ns().ip(&format!(
            "route add {} via {}",
            t1.subnet_env()?.subnet,
            t1.address()
        ))?;
        settle(lab, &[&x, &y])?;
        let wire = Capture::start(lab.underlay().switch(), t1.name(), "net 10.244.0.0/16")?;
        exchange(lab, &x, &y)?;
        wire.stop()?.expect_good_checksums(2000)?;
        // Its first hop is the pod's gateway, its second the other node: nothing between them is a router.
        dies_at(&x, &y, 1)?.expect_expired()?;
        dies_at(&x, &y, 2)?.expect_expired()?;
        let reached = dies_at(&x, &y, 3)?;
        expect(reached.lost() == 0, || format!("{reached}"))?;
        // What the kernel forwards never was the engine's.
        expect(received(&t1)? == 0, || {
            "the engine took bare packets".into()
        })
    });
}

/// Pings of both sizes and a file, both ways.
fn exchange(lab: &Lab, x: &Pod, y: &Pod) -> Result<()> {
    pairs(&[x, y]).try_for_each(|(from, to)| ping_both_sizes(from, to, 62))?;
    let bulk = Bulk::random(lab.directory(), 2 << 20)?;
    bulk.run(x, y, y.ip)?;
    bulk.run(y, x, x.ip)
}

/// Frames that the engine has had from the underlay.
fn received(node: &TweedNode) -> Result<u64> {
    let reader = StatsReader::open(&node.run_dir().join("stats"))
        .map_err(|error| LabError::Unexpected(error.to_string()))?;
    let counters = reader.snapshot().port(0);
    Ok(counters.count(contract::stats::PortCounter::RxPackets))
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn with_direct_routing_peers_on_the_link_get_bare_packets_and_others_a_tunnel() {
    in_a_lab(|lab| {
        configure(lab, r#"{"Type":"vxlan","DirectRouting":true}"#)?;
        let f2 = lab.flannel(2, "10.244.202.0/24")?;
        let f3 = lab.flannel(Place::far(3), "10.244.203.0/24")?;
        let t1 = lab.tweed(1)?;
        let (x, y, z) = (t1.pod()?, f2.pod()?, f3.pod()?);
        expect(x.mtu == 1450, || format!("pods have an MTU of {}", x.mtu))?;
        settle(lab, &[&x, &y])?;
        settle(lab, &[&x, &z])?;
        // The node on the link may answer by its tunnel, and as flanneld makes it by a route.
        exchange(lab, &x, &y)?;
        f2.ns().ip(&format!(
            "route replace {} via {} dev eth0",
            t1.subnet_env()?.subnet,
            t1.address()
        ))?;
        let switch = lab.underlay().switch();
        let tunnel = Capture::start(switch, t1.name(), "udp port 8472")?;
        let bare = Capture::start(switch, t1.name(), "net 10.244.0.0/16")?;
        exchange(lab, &x, &y)?;
        let tunnelled = tunnel.stop()?.select("vxlan")?;
        expect(tunnelled.is_empty(), || format!("{tunnelled:?}"))?;
        bare.stop()?.expect_good_checksums(2000)?;

        let bare = Capture::start(switch, t1.name(), "net 10.244.0.0/16")?;
        exchange(lab, &x, &z)?;
        let bare = bare.stop()?.select("ip")?;
        expect(bare.is_empty(), || format!("bare packets: {bare:?}"))
    });
}
