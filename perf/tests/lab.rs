//! The lab itself, proved with kernel nodes only: what it says about tweed is worth what it says about flannel.

mod common;

use common::{in_a_lab, pairs, ping_both_sizes, settle};
use perf::lab::capture::Capture;
use perf::lab::traffic::{Bulk, Iperf, Ping, PingStream, Talk, UdpEcho};
use perf::lab::{Lab, Place, Result, expect, name, wait_until};

/// Two flannel nodes with a pod each, ready.
fn duo(lab: &Lab, test: impl FnOnce(&Lab, Duo<'_>) -> Result<()>) -> Result<()> {
    let (a, b) = (
        lab.flannel(1, "10.244.1.0/24")?,
        lab.flannel(2, "10.244.2.0/24")?,
    );
    let (x, y) = (a.pod()?, b.pod()?);
    settle(lab, &[&x, &y])?;
    test(
        lab,
        Duo {
            a: &a,
            b: &b,
            x: &x,
            y: &y,
        },
    )
}

struct Duo<'a> {
    a: &'a perf::lab::FlannelNode,
    b: &'a perf::lab::FlannelNode,
    x: &'a perf::lab::Pod,
    y: &'a perf::lab::Pod,
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn kernel_nodes_reach_each_other() {
    in_a_lab(|lab| {
        duo(lab, |_, Duo { a, b, x, y }| {
            for (from, to) in pairs(&[x, y]) {
                ping_both_sizes(from, to, 62)?;
            }
            // The host's own traffic leaves from `.0` and passes one router less.
            ping_both_sizes(a, y, 63)?;
            Ping::default().all(x, b.overlay_address()?)?;
            Ok(())
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn kernel_nodes_carry_tcp_and_udp_with_good_checksums() {
    in_a_lab(|lab| {
        duo(lab, |lab, Duo { b, x, y, .. }| {
            // GRO makes packets larger than the MTU whose checksum is partial, and rightly so; here frames are judged.
            b.ns().run("ethtool -K flannel.1 gro off")?;
            let wire = Capture::start(b, "eth0", "udp port 8472")?;
            let inside = Capture::start(y, "eth0", "")?;
            Bulk::random(lab.directory(), 4 << 20)?.run(x, y, y.ip)?;
            for len in [1, 1000, 8192] {
                UdpEcho { len, count: 10 }.run(x, y, y.ip)?;
            }
            Ping::full(x.mtu).all(x, y.ip)?;
            wire.stop()?.expect_good_checksums(1000)?;
            // What x sent is on y's side of the wire by now; what y sends there may still be partial.
            let inside = inside.stop()?;
            let bad = inside.select(&format!("ip.src=={} && tcp.checksum.status==0", x.ip))?;
            expect(bad.is_empty(), || {
                format!("{} bad at the receiver", bad.len())
            })
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_bad_checksum_is_seen() {
    in_a_lab(|lab| {
        duo(lab, |lab, Duo { x, y, .. }| {
            // On the sender's own veth checksums are partial: the check must call them bad.
            let capture = Capture::start(x, "eth0", "tcp")?;
            Bulk::random(lab.directory(), 1 << 16)?.run(x, y, y.ip)?;
            let verdict = capture.stop()?.expect_good_checksums(1);
            expect(verdict.is_err(), || {
                "partial checksums passed as good".into()
            })
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn iperf3_runs_and_is_read() {
    in_a_lab(|lab| {
        duo(lab, |_, Duo { x, y, .. }| {
            let tcp = Iperf::tcp(2).run(x, y, y.ip)?;
            let udp = Iperf::udp(1, 100).run(x, y, y.ip)?;
            println!("kernel to kernel: TCP {tcp}; UDP {udp}");
            expect(tcp.gbits > 0.0 && udp.gbits > 0.0, || {
                "nothing arrived".into()
            })
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn nodes_come_move_and_go() {
    in_a_lab(|lab| {
        duo(lab, |lab, Duo { x, y, .. }| {
            let others = PingStream::start(x, y.ip)?;
            let mut c = lab.flannel_unregistered(3, "10.244.3.0/24")?;
            let z = c.pod()?;
            let stream = PingStream::start(x, z.ip)?;
            c.register(&lab.etcd())?;
            lab.wait_reach(x, z.ip)?;
            c.readdress(&lab.etcd(), 33)?;
            lab.wait_reach(x, z.ip)?;
            c.withdraw(&lab.etcd())?;
            wait_until("the route to vanish", 10, || {
                Ping {
                    count: 1,
                    ..Ping::default()
                }
                .run(x, z.ip)
                .is_ok_and(|report| report.received == 0)
            })?;
            let report = stream.stop()?;
            println!("to the guest: {report}");
            expect(report.answered() > 0 && report.lost() > 0, || {
                format!("the stream did not notice the node's coming and going: {report}")
            })?;
            let others = others.stop()?;
            expect(others.lost() == 0, || format!("others noticed: {others}"))
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_narrow_path_fragments_outer_packets() {
    in_a_lab(|lab| {
        lab.underlay().narrow(1400)?;
        let a = lab.flannel(1, "10.244.1.0/24")?;
        let b = lab.flannel(Place::far(2), "10.244.2.0/24")?;
        let (x, y) = (a.pod()?, b.pod()?);
        settle(lab, &[&x, &y])?;
        let capture = Capture::start(
            &b,
            "eth0",
            "src host 192.168.77.1 and udp or ip[6:2] & 0x3fff != 0",
        )?;
        Ping::full(1450).all(&x, y.ip)?;
        let fragments = capture.stop()?.select("ip.flags.mf==1")?;
        expect(!fragments.is_empty(), || "nothing was fragmented".into())
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn etcd_forgets_nothing_while_it_is_away() {
    in_a_lab(|lab| {
        duo(lab, |lab, Duo { a, b, x, y }| {
            let talk = Talk::start(a, b, b.address())?;
            let before = lab.etcd().lease(b.subnet())?;
            lab.etcd().stop();
            Ping::default().all(x, y.ip)?;
            lab.etcd().start()?;
            expect(lab.etcd().lease(b.subnet())? == before, || {
                "the lease changed".into()
            })?;
            // The followers find their way back, too.
            let c = lab.flannel(3, "10.244.3.0/24")?;
            let z = c.pod()?;
            settle(lab, &[x, y, &z])?;
            expect(talk.stop()? > 0, || "nobody talked".into())
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn nothing_outlives_a_lab_even_when_a_test_panics() {
    let ours = || -> Vec<String> {
        let list = std::fs::read_dir("/run/netns").into_iter().flatten();
        list.flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|entry| name::owner(entry) == Some(std::process::id()))
            .collect()
    };
    let lab = std::panic::catch_unwind(|| {
        in_a_lab(|lab| {
            duo(lab, |_, _| {
                assert!(ours().len() >= 7);
                panic!("as planned")
            })
        })
    });
    assert!(lab.is_err());
    assert_eq!(ours(), Vec::<String>::new());
    let directory = name::base_directory().join(format!("tw-{}-0", std::process::id()));
    assert!(!directory.exists());
}
