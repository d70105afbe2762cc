//! The node's own traffic on the NIC that the engine uses: nobody logged in by ssh may notice the engine.

mod common;

use common::{in_a_lab, lost_at_most, settle};
use perf::lab::expect;
use perf::lab::traffic::{Ping, PingStream, Talk};

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn ssh_goes_on_while_the_engine_starts_runs_and_dies() {
    in_a_lab(|lab| {
        let operator = lab.host(9)?;
        let mut t1 = lab.tweed_stopped(1)?;
        let shell = Talk::start(&operator, &t1, t1.address())?;
        let ping = PingStream::start(&operator, t1.address())?;

        t1.start()?;
        let f3 = lab.flannel(3, "10.244.203.0/24")?;
        let (x, z) = (t1.pod()?, f3.pod()?);
        settle(lab, &[&x, &z])?;
        t1.kill_dataplane()?;
        t1.start_dataplane()?;
        settle(lab, &[&x, &z])?;
        t1.kill_dataplane()?;
        t1.kill_control()?;

        // ARP, too: the address is found anew with the engine dead.
        operator.ns().ip("neigh flush dev eth0")?;
        Ping::full(1500).all(&operator, t1.address())?;
        lost_at_most("pings to the node itself", &ping.stop()?, 0)?;
        let lines = shell.stop()?;
        expect(lines > 0, || "nothing was typed".into())
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_clean_stop_leaves_the_node_as_it_was() {
    in_a_lab(|lab| {
        let operator = lab.host(9)?;
        let mut t1 = lab.tweed(1)?;
        let shell = Talk::start(&operator, &t1, t1.address())?;
        for status in t1.stop()? {
            expect(status.success(), || format!("a daemon ended with {status}"))?;
        }
        let link = t1.ns().run("ip link show dev eth0")?;
        expect(!link.contains("xdp"), || {
            format!("XDP is still attached: {link}")
        })?;
        Ping::default().all(&operator, t1.address())?;
        shell.stop().map(drop)
    });
}
