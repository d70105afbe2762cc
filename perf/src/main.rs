//! `tweed-perf`: the lab, the demo, the statistics view, the dashboard, the trace and the benchmarks.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use perf::lab::{Cluster, Lab, Size, sweep};
use perf::{bench, demo, interrupt, serve, stats, top, trace};

/// Topologies, traffic and numbers for tweed.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build a cluster, send traffic across it, show what arrived, and remove it.
    Demo {
        #[command(flatten)]
        cluster: ClusterArgs,
        /// Print the report as JSON.
        #[arg(long, conflicts_with = "load")]
        json: bool,
        /// Load the way from pod to pod through two tweed nodes with tweed-pktgen: latency, then throughput.
        #[arg(long, conflicts_with_all = ["tweed", "flannel"])]
        load: bool,
    },
    /// Topologies to look around in.
    #[command(subcommand)]
    Lab(LabCommand),
    /// Measure how fast the engine is, beside others: two nodes with a pod each, then one core; and write a report.
    ///
    /// Needs root; contenders take turns, round after round. Ctrl-C ends it with what there is (exit code 130).
    Bench(BenchArgs),
    /// Show what the engine counts: workers, ports, drops by reason, peers.
    ///
    /// Exit code 3: there is no engine, or it is gone or silent.
    Stats(stats::Options),
    /// Serve what the engine counts: /metrics for Prometheus, a live page at /, probes at /healthz and /readyz.
    ///
    /// On loopback unless told otherwise. There need be no engine: it is waited for.
    Serve(serve::Options),
    /// Watch the engine at work: rates, busy workers, ports, losses, peers, and how they were in the last minutes.
    ///
    /// Exit code 3: there is no engine, or it was gone or silent at the end.
    Top(top::Options),
    /// Follow packets through the engine, live: each loss with its reason, and a sample of what is forwarded.
    ///
    /// Exit code 3: there is no engine, or it was gone or silent when the trace ended.
    Trace(trace::Options),
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
struct BenchArgs {
    #[command(subcommand)]
    command: Option<BenchCommand>,
    #[command(flatten)]
    options: bench::Options,
}

#[derive(Subcommand)]
enum BenchCommand {
    /// Frames a second through one core, veth to veth: the engine, a bare AF_XDP forwarder, the kernel's vxlan.
    ///
    /// Needs root and two CPUs, which it takes for itself with real-time priority: about three minutes with the defaults.
    Veth(bench::veth::Options),
    /// Show what changed between two runs, by their bench.json.
    Compare {
        /// The earlier.
        before: PathBuf,
        /// The later.
        after: PathBuf,
    },
}

#[derive(Subcommand)]
enum LabCommand {
    /// Build a cluster and keep it until Ctrl-C.
    Up(ClusterArgs),
    /// Remove what labs left that were killed.
    Sweep,
}

#[derive(Args)]
struct ClusterArgs {
    /// Nodes that run tweed.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=20))]
    tweed: u8,
    /// Nodes that run the kernel's vxlan, as flannel does.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=20))]
    flannel: u8,
}

impl From<ClusterArgs> for Size {
    fn from(args: ClusterArgs) -> Self {
        Size {
            tweed: args.tweed,
            flannel: args.flannel,
        }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tweed-perf: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Success or failure of what was asked for; an error is what kept us from finding out.
fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo {
            cluster,
            json,
            load,
        } => {
            interrupt::clean_up_when_interrupted().context("cannot catch signals")?;
            let good = match load {
                true => demo::load::run()?,
                false => demo::run(cluster.into(), json)?.good(),
            };
            Ok(if good {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::Lab(LabCommand::Up(cluster)) => up(cluster.into()),
        Command::Lab(LabCommand::Sweep) => {
            println!("{} namespaces removed", sweep::sweep_dead());
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench(BenchArgs {
            command: Some(BenchCommand::Veth(options)),
            ..
        }) => {
            interrupt::clean_up_when_interrupted().context("cannot catch signals")?;
            bench::veth::run(&options)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench(BenchArgs {
            command: Some(BenchCommand::Compare { before, after }),
            ..
        }) => {
            let (before, after) = (bench::load(&before)?, bench::load(&after)?);
            print!("{}", bench::compare::compare(&before, &after));
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench(BenchArgs { options, .. }) => {
            let stop = interrupt::stop_when_interrupted().context("cannot catch signals")?;
            Ok(match bench::run(&options, &stop)? {
                bench::End::Complete => ExitCode::SUCCESS,
                bench::End::Interrupted => ExitCode::from(interrupt::INTERRUPTED),
            })
        }
        Command::Stats(options) => Ok(stats::run(&options)),
        Command::Serve(options) => serve::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Top(options) => Ok(top::run(&options)),
        Command::Trace(options) => Ok(trace::run(&options)),
    }
}

/// Keeps a cluster and says how to look around in it.
fn up(size: Size) -> anyhow::Result<ExitCode> {
    interrupt::clean_up_when_interrupted().context("cannot catch signals")?;
    let lab = Lab::new()?;
    let cluster = Cluster::build(&lab, size)?;
    println!("node     underlay         pod              namespaces");
    for (node, pod) in cluster.nodes().zip(&cluster.pods) {
        println!(
            "{:8} {:16} {:16} {}  {}",
            node.name(),
            node.address().to_string(),
            pod.ip.to_string(),
            node.ns().name(),
            pod.ns.name()
        );
    }
    if let [from, .., to] = &cluster.pods[..] {
        println!(
            "\nA ping, pod to pod:    ip netns exec {} ping {}",
            from.ns.name(),
            to.ip
        );
    }
    if let Some(node) = cluster.nodes().next() {
        println!(
            "A shell on a node:     ip netns exec {} bash\n\
             The wire at its NIC:   ip netns exec {} tcpdump -ni {} udp port 8472",
            node.ns().name(),
            lab.underlay().switch().name(),
            node.name(),
        );
    }
    if let Some(node) = cluster.tweed.first() {
        println!(
            "What it counts:        tweed-perf stats --watch --run-dir {}",
            node.run_dir().display()
        );
    }
    println!(
        "The leases:            ip netns exec {}-etcd env ETCDCTL_API=3 etcdctl get --prefix /coreos.com/network\n\
         Logs and node.toml:    {}\n\nCtrl-C removes everything.",
        lab.name(),
        lab.directory().display()
    );
    interrupt::park()
}
