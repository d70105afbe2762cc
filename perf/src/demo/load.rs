//! `make pktgen-demo`: tweed-pktgen between two pods, through two engines. What the tool prints is the report.

use std::process::Command;
use std::time::Instant;

use crate::lab::{Cluster, Lab, LabError, Pod, Result, Size, binary};

/// What is measured, in this order.
const RUNS: [(&str, &str); 2] = [
    (
        "one-way latency: 20,000 packets a second of 1,000 flows, in the IMIX of sizes, for 5 s",
        "latency --rate 20kpps --duration 5s --flows 1000 --size imix --busy",
    ),
    (
        "throughput by RFC 2544: the highest rate of 64-byte frames with at most 0.1 % of loss, 1 s a trial",
        "ndr --loss 0.1% --trial 1s --confirm 2s --confirmations 1 --resolution 3% --flows 1000 --size 64",
    ),
];

/// Runs it; whether every run passed.
pub fn run() -> Result<bool> {
    let begin = Instant::now();
    let say = |text: &str| eprintln!("{:>5.1} s  {text}", begin.elapsed().as_secs_f64());
    let pktgen = binary("tweed-pktgen")?;

    say("building an underlay, an etcd, two tweed nodes (control and engine) with a pod each");
    let lab = Lab::new()?;
    let size = Size {
        tweed: 2,
        flannel: 0,
    };
    let cluster = Cluster::build(&lab, size)?;
    let [from, to] = &cluster.pods[..] else {
        return Err(LabError::Unexpected("a cluster of two has two pods".into()));
    };
    let mut good = true;
    for (what, arguments) in RUNS {
        say(&format!("{} to {}: {what}", from.name, to.name));
        let mut command = Command::new(&pktgen);
        command.args(arguments.split_whitespace());
        command.args(["--tx", &at(from), "--rx", &at(to)]);
        command.args(["--dst", &to.ip.to_string()]);
        say(&format!("  {}", line(&command)));
        let status = command.status().map_err(|source| LabError::Start {
            command: line(&command),
            source,
        })?;
        good &= status.success();
    }
    say("removing everything");
    drop(cluster);
    drop(lab);
    say("done");
    Ok(good)
}

/// The pod's interface, as tweed-pktgen takes it.
fn at(pod: &Pod) -> String {
    format!("eth0@{}", pod.ns.name())
}

fn line(command: &Command) -> String {
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy());
    let words: Vec<_> = std::iter::once("tweed-pktgen".into())
        .chain(arguments)
        .collect();
    words.join(" ")
}
