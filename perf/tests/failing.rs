//! What may die alone: control and the dataplane (for etcd see `outage.rs`). Losses are counted in probes of 10 ms.

mod common;

use common::{Trio, in_a_lab, lost_at_most, settle};
use perf::lab::capture::Capture;
use perf::lab::traffic::{Ping, PingStream};
use perf::lab::{Lab, Pod, Result, SubnetEnv, expect, wait_until};
use perf::stats::totals;

/// Probes that a stream goes on for, once a daemon is back at its work, so that what it broke shows.
const AFTERMATH: usize = 100;

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn control_dies_and_comes_back_unnoticed() {
    in_a_lab(|lab| {
        let mut trio = Trio::build(lab)?;
        let before = trio.t1.subnet_env()?;
        let held = format!("{} held", before.subnet);
        let to_tweed = PingStream::start(&trio.x, trio.y.ip)?;
        let from_flannel = PingStream::start(&trio.z, trio.x.ip)?;
        to_tweed.wait_more(20)?;
        from_flannel.wait_more(20)?;
        trio.t1.kill_control()?;
        to_tweed.wait_more(AFTERMATH)?;
        // The file is control's word at the end of a pass: there again, it has its lease and has published.
        std::fs::remove_file(trio.t1.run_dir().join("control.json")).expect("it was written");
        trio.t1.start_control()?;
        wait_until("control to hold its lease and publish", 30, || {
            let control = totals(&trio.t1.run_dir()).ok().and_then(|now| now.control);
            control.is_some_and(|control| {
                control.lease == held && control.generation > 0 && control.trouble.is_none()
            })
        })?;
        to_tweed.wait_more(AFTERMATH)?;
        from_flannel.wait_more(AFTERMATH)?;
        trio.t1.check_running()?;
        lost_at_most("tweed to tweed", &to_tweed.stop()?, 0)?;
        lost_at_most("flannel to tweed", &from_flannel.stop()?, 0)?;
        expect(trio.t1.subnet_env()? == before, || {
            "the subnet changed".into()
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_dataplane_dies_and_traffic_is_back_within_200_probes() {
    in_a_lab(|lab| {
        let mut trio = Trio::build(lab)?;
        let out = PingStream::start(&trio.x, trio.z.ip)?;
        let elsewhere = PingStream::start(&trio.y, trio.z.ip)?;
        out.wait_more(20)?;
        elsewhere.wait_more(20)?;
        trio.t1.kill_dataplane()?;
        trio.t1.start_dataplane()?;
        out.wait_more(AFTERMATH)?;
        elsewhere.wait_more(AFTERMATH)?;
        trio.t1.check_running()?;
        lost_at_most("through the restarted engine", &out.stop()?, 200)?;
        lost_at_most("past it", &elsewhere.stop()?, 0)
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_deleted_uplink_is_made_again_and_opened_again() {
    in_a_lab(|lab| {
        let mut trio = Trio::build(lab)?;
        for _ in 0..3 {
            trio.t1.ns().ip("link delete tweed0")?;
            lab.wait_reach(&trio.x, trio.z.ip)?;
            lab.wait_reach(&trio.z, trio.x.ip)?;
        }
        trio.t1.check_running()?;
        // Opening and closing devices at run time leaks no chunk: the engine checks at the end, and its exit code says so.
        for status in trio.t1.stop()? {
            expect(status.success(), || format!("a daemon ended with {status}"))?;
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_removed_tables_segment_is_made_again_unnoticed() {
    in_a_lab(|lab| {
        let mut trio = Trio::build(lab)?;
        let stream = PingStream::start(&trio.x, trio.z.ip)?;
        let path = trio.t1.tables_path();
        std::fs::remove_file(&path).expect("the segment is there");
        wait_until("a new segment", 30, || path.exists())?;
        stream.wait_more(AFTERMATH)?;
        lost_at_most("across the removal", &stream.stop()?, 0)?;
        // An engine that starts now finds it.
        trio.t1.kill_dataplane()?;
        trio.t1.start_dataplane()?;
        lab.wait_reach(&trio.x, trio.z.ip)?;
        trio.t1.check_running()
    });
}

/// A flannel node that was away for more than a day comes back and overwrites our lease without looking. Judged at the switch:
/// that no reply comes proves nothing, for peers send them to the node that has the subnet now.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_stolen_subnet_is_fenced() {
    in_a_lab(|lab| {
        let mut trio = Trio::build(lab)?;
        let subnet = trio.t1.subnet_env()?.subnet;
        let thief = lab.flannel_unregistered(4, &subnet.to_string())?;
        // It goes on sending, whatever happens.
        let old = PingStream::start(&trio.x, trio.z.ip)?;
        old.wait_more(20)?;
        thief.register(&lab.etcd())?;
        wait_until("t1 to hold another subnet", 30, || {
            trio.t1.subnet_env().is_ok_and(|env| env.subnet != subnet)
        })?;
        let env = trio.t1.subnet_env()?;
        let new = move_to(&trio, &env)?;
        settle(lab, &[&new, &trio.z])?;
        silent(lab, &trio, &new)?;
        // The node itself and its other pods are not in the overlay, and go on reaching them.
        Ping::default().all(&trio.t1, trio.x.ip)?;
        Ping::default().all(&new, trio.x.ip)?;

        trio.t1.kill_control()?;
        trio.t1.ns().ip("rule del pref 117")?;
        std::fs::remove_file(trio.t1.run_dir().join("control.json")).expect("it was written");
        trio.t1.start_control()?;
        wait_until("control to be back", 30, || {
            totals(&trio.t1.run_dir()).is_ok_and(|now| now.control.is_some())
        })?;
        wait_until("the fence to be back", 30, || {
            let rules = trio.t1.ns().run("ip rule");
            rules.is_ok_and(|rules| rules.contains("prohibit"))
        })?;
        silent(lab, &trio, &new)?;
        old.stop()?;

        // Those old pods go, and with them the bridge's address; the fence stays and is in nobody's way.
        let [a, b, c, _] = subnet.network().octets();
        (trio.t1.ns()).ip(&format!("addr del {a}.{b}.{c}.1/24 dev cni0"))?;
        let theirs = thief.pod_at(20)?;
        settle(lab, &[&new, &theirs, &trio.z])?;
        expect(
            lab.etcd().lease(subnet)?.public_ip == thief.address(),
            || "t1 overwrote the thief instead of yielding".into(),
        )
    });
}

/// A pod of t1's new subnet, made as a CNI plugin would that lets a bridge have several addresses.
fn move_to(trio: &Trio, env: &SubnetEnv) -> Result<Pod> {
    let length = env.subnet.prefix_len();
    (trio.t1.ns()).ip(&format!("addr add {}/{length} dev cni0", env.gateway))?;
    trio.t1.pod_at(11)
}

/// Nothing of the old pod's is on the wire, while the new pod's packets are.
fn silent(lab: &Lab, trio: &Trio, new: &Pod) -> Result<()> {
    let wire = Capture::start(lab.underlay().switch(), trio.t1.name(), "udp port 8472")?;
    Ping {
        count: 10,
        ..Ping::default()
    }
    .all(new, trio.z.ip)?;
    let wire = wire.stop()?;
    let seen = wire.select(&format!("ip.src=={}", new.ip))?.len();
    expect(seen >= 10, || format!("{seen} packets of the new pod"))?;
    let leaked = wire.select(&format!("ip.src=={}", trio.x.ip))?;
    expect(leaked.is_empty(), || {
        format!(
            "{} packets under a stolen address, such as {}",
            leaked.len(),
            leaked[0]
        )
    })
}
