//! `make pktgen-demo`: tweed-pktgen between two pods, through two engines. What the tool prints is the report.
//!
//! Under a minute on two CPUs, which sender, receiver and both engines share there: trials are short, and the bound on the loss
//! is coarse, for a bound that the scheduler alone breaks would be searched for in vain.

use std::process::Command;
use std::time::Instant;

use crate::lab::{Cluster, Lab, LabError, Pod, Result, Size, binary};

/// CPUs from which on a receiver that never sleeps takes none from the engines.
const ROOMY: usize = 4;

/// A run of the tool.
struct Step {
    /// What a reader is going to see, and why it is asked for.
    story: &'static [&'static str],
    arguments: &'static str,
}

/// What is measured, in this order.
const STEPS: [Step; 2] = [
    Step {
        story: &[
            "1. How late, and is anything lost? 20,000 packets a second of 1,000 flows, mixed sizes, for 5 s.",
            "   Every packet bears a number and the time it was due, so loss, order and latency are counted and not estimated.",
        ],
        arguments: "latency --rate 20kpps --duration 5s --flows 1000 --size 64:7,594:4,1468:1",
    },
    Step {
        story: &[
            "2. How much? The search of RFC 2544 for the highest rate of 64-byte frames: halves the distance between what passed",
            "   and what failed. Half a second a trial and 1 % of loss, to be quick; `tweed-pktgen help ndr` has what it takes to",
            "   be exact.",
        ],
        arguments: "ndr --loss 1% --trial 500ms --settle 300ms --confirm 1s --confirmations 1 --resolution 5% --flows 1000 --size 64",
    },
];

/// Runs it; whether every run passed.
pub fn run() -> Result<bool> {
    let begin = Instant::now();
    let say = |text: &str| eprintln!("{:>5.1} s  {text}", begin.elapsed().as_secs_f64());
    let pktgen = binary("tweed-pktgen")?;

    say(
        "building two tweed nodes (control and engine) with a pod each, an underlay and an etcd, all in network namespaces",
    );
    let lab = Lab::new()?;
    let size = Size {
        tweed: 2,
        flannel: 0,
    };
    let cluster = Cluster::build(&lab, size)?;
    let [from, to] = &cluster.pods[..] else {
        return Err(LabError::Unexpected("a cluster of two has two pods".into()));
    };
    say(&format!(
        "the way: {} at {}, kernel, engine, VXLAN over the underlay, engine, kernel, {} at {}",
        from.name, from.ip, to.name, to.ip
    ));
    let mut good = true;
    let roomy = std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() >= ROOMY);
    if !roomy {
        say(
            "few CPUs: sender, receiver and both engines share them, and the numbers are theirs together",
        );
    }
    for step in &STEPS {
        for line in step.story {
            say(line);
        }
        let mut command = Command::new(&pktgen);
        command.args(step.arguments.split_whitespace());
        command.args(["--tx", &at(from), "--rx", &at(to)]);
        if roomy {
            command.arg("--busy");
        }
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
