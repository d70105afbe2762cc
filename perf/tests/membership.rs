//! Nodes join, move and leave while others talk; peers behind a gateway and behind a narrow path.

mod common;

use std::net::Ipv4Addr;

use common::{Trio, in_a_lab, lost_at_most, pairs, ping_both_sizes, settle};
use perf::lab::capture::Capture;
use perf::lab::traffic::{Bulk, Ping, PingStream, UdpEcho};
use perf::lab::{Place, expect, wait_until};

/// Probes that a stream goes on for after a change, so that what the change broke shows in it.
const AFTERMATH: usize = 100;

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_node_joins_moves_and_leaves_and_others_do_not_notice() {
    in_a_lab(|lab| {
        let Trio { x, y, z, .. } = &Trio::build(lab)?;
        let others = [PingStream::start(x, y.ip)?, PingStream::start(z, x.ip)?];

        let mut f4 = lab.flannel_unregistered(4, "10.244.204.0/24")?;
        let w = f4.pod()?;
        let stream = PingStream::start(x, w.ip)?;
        f4.register(&lab.etcd())?;
        lab.wait_reach(x, w.ip)?;
        stream.wait_more(AFTERMATH)?;
        // Ten milliseconds each: the route is there within a second of the lease.
        lost_at_most("f4 joins", &stream.stop()?, 100)?;

        let stream = PingStream::start(x, w.ip)?;
        f4.readdress(&lab.etcd(), 44)?;
        lab.wait_reach(x, w.ip)?;
        stream.wait_more(AFTERMATH)?;
        lost_at_most("f4 moves", &stream.stop()?, 100)?;

        f4.withdraw(&lab.etcd())?;
        wait_until("x to lose the way to w", 10, || {
            Ping {
                count: 1,
                ..Ping::default()
            }
            .run(x, w.ip)
            .is_ok_and(|report| report.received == 0)
        })?;
        for stream in others {
            lost_at_most("others", &stream.stop()?, 0)?;
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_tweed_node_joins_and_all_see_it() {
    in_a_lab(|lab| {
        let trio = Trio::build(lab)?;
        let t5 = lab.tweed(5)?;
        let v = t5.pod()?;
        let [x, y, z] = trio.pods();
        settle(lab, &[x, y, z, &v])?;
        pairs(&[x, y, z, &v]).try_for_each(|(from, to)| ping_both_sizes(from, to, 62))
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_tweed_node_that_is_readdressed_is_found_at_its_new_address() {
    in_a_lab(|lab| {
        let mut trio = Trio::build(lab)?;
        let subnet = trio.t2.subnet_env()?.subnet;
        // Its connection to etcd is dead from here on, and nobody tells it.
        trio.t2.ns().ip("addr del 192.168.77.2/24 dev eth0\n\
             addr add 192.168.77.22/24 dev eth0")?;
        let pods = trio.pods();
        settle(lab, &pods)?;
        pairs(&pods).try_for_each(|(from, to)| ping_both_sizes(from, to, 62))?;
        let lease = lab.etcd().lease(subnet)?;
        expect(lease.public_ip == Ipv4Addr::new(192, 168, 77, 22), || {
            format!("its lease says {}", lease.public_ip)
        })?;
        trio.t2.check_running()
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn peers_behind_a_gateway_are_peers() {
    in_a_lab(|lab| {
        let (t1, t2) = (lab.tweed(1)?, lab.tweed(Place::far(2))?);
        let f3 = lab.flannel(Place::far(3), "10.244.233.0/24")?;
        let (x, y, z) = (t1.pod()?, t2.pod()?, f3.pod()?);
        let pods = [&x, &y, &z];
        settle(lab, &pods)?;
        pairs(&pods).try_for_each(|(from, to)| ping_both_sizes(from, to, 62))
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn outer_fragments_from_a_narrow_path_are_delivered() {
    in_a_lab(|lab| {
        lab.underlay().narrow(1400)?;
        let t1 = lab.tweed(1)?;
        let t2 = lab.tweed(Place::far(2))?;
        let f3 = lab.flannel(Place::far(3), "10.244.233.0/24")?;
        let (x, y, z) = (t1.pod()?, t2.pod()?, f3.pod()?);
        settle(lab, &[&x, &y, &z])?;
        let wire = Capture::start(lab.underlay().switch(), t1.name(), "dst host 192.168.77.1")?;
        for (from, to) in [(&x, &z), (&z, &x), (&x, &y)] {
            ping_both_sizes(from, to, 62)?;
            UdpEcho {
                len: 8192,
                count: 10,
            }
            .run(from, to, to.ip)?;
        }
        Bulk::random(lab.directory(), 8 << 20)?.run(&z, &x, x.ip)?;
        let fragments = wire
            .stop()?
            .select("ip.flags.mf==1 && ip.src==192.168.78.3")?;
        expect(!fragments.is_empty(), || {
            "nothing was fragmented: the test tested nothing".into()
        })
    });
}
