//! `make demo`: a cluster from nothing, traffic across it, and nothing left behind. It says what it does while it does it.
//!
//! The report on stdout is the result; the story goes to stderr, so that `--json` leaves clean JSON.

pub mod load;
mod report;

use std::time::Instant;

use crate::lab::traffic::{Iperf, Ping};
use crate::lab::{Cluster, Lab, Pod, Result, Size};
use crate::stats;

pub use report::Report;
use report::{EngineRow, IperfRow, PingRow};

/// Seconds of each TCP run; the demo has to stay under a minute.
const TCP_SECONDS: u32 = 2;

/// UDP rate, Mbit/s: modest, for this shows that datagrams arrive and not how many.
const UDP_MBITS: u32 = 100;

/// Runs it. The report tells failures; an error is a cluster that could not be built.
pub fn run(size: Size, json: bool) -> Result<Report> {
    let begin = Instant::now();
    let say = |text: &str| eprintln!("{:>5.1} s  {text}", begin.elapsed().as_secs_f64());

    say("building an underlay: a switch, a router and an etcd, each in a network namespace");
    let lab = Lab::new()?;
    say(&format!(
        "starting {} tweed nodes (control and engine) and {} flannel nodes (the kernel's vxlan), a pod on each",
        size.tweed, size.flannel
    ));
    let cluster = Cluster::build(&lab, size)?;
    for (node, pod) in cluster.nodes().zip(&cluster.pods) {
        say(&format!(
            "  {}: node {}, pod {} at {}, MTU {}",
            node.name(),
            node.address(),
            pod.name,
            pod.ip,
            pod.mtu
        ));
    }

    let mut report = Report::default();
    say("every pod pings every other: 56 bytes, then the full MTU with DF");
    for (from, to) in cluster.pairs() {
        for ping in [Ping::default(), Ping::full(to.mtu)] {
            report
                .pings
                .push(PingRow::new(from, to, ping.size, ping.run(from, to.ip)));
        }
    }
    for (from, to) in routes(&cluster) {
        say(&format!(
            "iperf3 from {} to {}: TCP, then UDP at {UDP_MBITS} Mbit/s",
            from.name, to.name
        ));
        for (kind, run) in [
            ("TCP", Iperf::tcp(TCP_SECONDS)),
            ("UDP", Iperf::udp(1, UDP_MBITS)),
        ] {
            report
                .iperf
                .push(IperfRow::new(from, to, kind, run.run(from, to, to.ip)));
        }
    }

    say("asking each engine what it counted (tweed-perf stats)");
    for node in &cluster.tweed {
        let counted = stats::totals(&node.run_dir());
        report.engines.push(EngineRow::new(node.name(), counted));
    }

    say("removing everything");
    drop(cluster);
    drop(lab);
    say("done");
    if json {
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(report)
}

/// One pair of pods for each kind of path: among ours, to flannel and back.
fn routes(cluster: &Cluster) -> Vec<(&Pod, &Pod)> {
    let (ours, theirs) = cluster.pods.split_at(cluster.tweed.len());
    let mut routes = Vec::new();
    if let [a, b, ..] = ours {
        routes.push((a, b));
    }
    if let ([a, ..], [b, ..]) = (ours, theirs) {
        routes.extend([(a, b), (b, a)]);
    }
    if let ([], [a, b, ..]) = (ours, theirs) {
        routes.push((a, b));
    }
    routes
}
