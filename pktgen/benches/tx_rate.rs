//! How much of a socket's rate is left when packets are made for it: `tweed-pktgen tx` beside `bare_tx.c`, which only
//! moves descriptors.
//!
//! Run it on an idle machine, as root (clang, cc, libxdp-dev and ethtool are needed):
//!
//! ```text
//! cargo bench -p tweed-pktgen --bench tx_rate [-- ROUNDS SECONDS]
//! ```
//!
//! Both send frames of 64 bytes from core 0, over a veth pair whose far end drops them in the driver (XDP_DROP), by
//! turns and in changing order, so that what else the machine does meets both alike. Each round's figures are shown,
//! then the medians and their ratio; the exit code is 1 when it is under 0.95. The kernel's own counter of frames sent
//! is compared with what each says of itself. Beside them run XDP live frames of 1,000 flows, which no socket is to be
//! compared with.

use std::path::Path;
use std::process::{Command, ExitCode};

use perf::lab::name::Prefix;
use perf::lab::{LabError, Namespace, Result, expect, run, sweep};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tweed-pktgen");
const BARE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/bare_tx.c");

/// Rounds and seconds of each run, if not told.
const ROUNDS: u64 = 5;
const SECONDS: u64 = 3;

/// The least ratio.
const BOUND: f64 = 0.95;

/// Address of the far end.
const MAC: &str = "02:00:00:00:00:0b";

const DROP: &str = r#"
#include <linux/bpf.h>
__attribute__((section("xdp"), used)) int drop(struct xdp_md *ctx) { return XDP_DROP; }
"#;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` starts benchmarks too, and without this flag.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let mut numbers = arguments
        .iter()
        .filter_map(|argument| argument.parse().ok());
    let rounds = numbers.next().unwrap_or(ROUNDS).max(1);
    let seconds = numbers.next().unwrap_or(SECONDS).max(1);
    match compare(rounds, seconds) {
        Ok(ratio) if ratio >= BOUND => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            eprintln!("tx_rate: {error}");
            ExitCode::from(3)
        }
    }
}

/// All rounds; the ratio of the medians.
fn compare(rounds: u64, seconds: u64) -> Result<f64> {
    let rig = Rig::build(seconds)?;
    let (mut bare, mut ours, mut live) = (Vec::new(), Vec::new(), Vec::new());
    println!("round  bare C, Mpps  tweed-pktgen tx, Mpps  --io xdp-live, Mpps");
    for round in 0..rounds {
        let (b, o) = if round % 2 == 0 {
            let b = rig.bare()?;
            (b, rig.ours()?)
        } else {
            let o = rig.ours()?;
            (rig.bare()?, o)
        };
        let l = rig.live()?;
        println!(
            "{:5}  {:12.3}  {:21.3}  {:19.3}",
            round + 1,
            b / 1e6,
            o / 1e6,
            l / 1e6
        );
        bare.push(b);
        ours.push(o);
        live.push(l);
    }
    let (b, o, l) = (median(bare), median(ours), median(live));
    println!(
        "median {:12.3}  {:21.3}  {:19.3}  ratio {:.3} (at least {BOUND})",
        b / 1e6,
        o / 1e6,
        l / 1e6,
        o / b
    );
    Ok(o / b)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Two namespaces, a veth pair, a program that drops at its far end.
struct Rig {
    seconds: u64,
    a: Namespace,
    _b: Namespace,
    files: tempfile::TempDir,
}

impl Rig {
    fn build(seconds: u64) -> Result<Self> {
        sweep::sweep_dead();
        let prefix = Prefix::unique();
        let files = tempfile::tempdir().map_err(LabError::io("make a directory"))?;
        let a = Namespace::create(&prefix, "a")?;
        let b = Namespace::create(&prefix, "b")?;
        a.ip(&format!(
            "link add a0 type veth peer name b0 address {MAC} netns {}\nlink set a0 up",
            b.name()
        ))?;
        let source = files.path().join("drop.c");
        std::fs::write(&source, DROP).map_err(LabError::io("write drop.c"))?;
        let object = files.path().join("drop.o");
        run(Command::new("clang")
            .args(["-target", "bpf", "-O2", "-c"])
            .arg(format!(
                "-I/usr/include/{}-linux-gnu",
                std::env::consts::ARCH
            ))
            .arg(&source)
            .arg("-o")
            .arg(&object))?;
        b.ip("link set b0 up")?;
        let object = object.display();
        b.ip(&format!("link set b0 xdpdrv obj {object} sec xdp"))?;
        run(Command::new("cc")
            .args(["-O3", "-march=native", "-o"])
            .arg(files.path().join("bare_tx"))
            .args([BARE, "-lxdp"]))?;
        Ok(Rig {
            seconds,
            a,
            _b: b,
            files,
        })
    }

    /// Frames a second of the C program.
    fn bare(&self) -> Result<f64> {
        let program = self.files.path().join("bare_tx");
        let mut command = on_core_0(&self.a, &program);
        // Without this, libxdp wants a BPF file system for the sake of programs beside its own.
        command.env("LIBXDP_SKIP_DISPATCHER", "1");
        command.args(["a0", &self.seconds.to_string(), MAC]);
        self.counted("bare_tx", || {
            let text = run(&mut command)?;
            let mut words = text.split_whitespace().map(str::parse::<f64>);
            let (Some(Ok(frames)), Some(Ok(ns))) = (words.next(), words.next()) else {
                return Err(LabError::parse("frames and nanoseconds", &text));
            };
            Ok((frames, frames / (ns / 1e9)))
        })
    }

    /// Frames a second of ours.
    fn ours(&self) -> Result<f64> {
        self.counted("tweed-pktgen", || self.tx("--io xdp --mode copy"))
    }

    /// Frames a second that the kernel makes for us. How a veth counts them is its own affair.
    fn live(&self) -> Result<f64> {
        Ok(self.tx("--io xdp-live --flows 1000")?.1)
    }

    /// Frames, and frames a second, of `tweed-pktgen tx`.
    fn tx(&self, how: &str) -> Result<(f64, f64)> {
        let flags = format!(
            "tx --interface a0@{} {how} --rate max --duration {}s --cores 0 --size 64 --src 198.18.0.1 \
             --dst 198.19.0.1 --dst-mac {MAC} --json",
            self.a.name(),
            self.seconds
        );
        let text = run(Command::new(PROGRAM).args(flags.split_whitespace()))?;
        let report: pktgen::report::Report =
            serde_json::from_str(&text).map_err(|_| LabError::parse("a report", &text))?;
        let sent = report.sent.unwrap_or_default();
        Ok((sent.frames as f64, sent.pps))
    }

    /// Runs one of them, which says how many frames it sent and how many a second. The kernel must have counted as
    /// many, but for what was under way at the end.
    fn counted(&self, name: &str, run: impl FnOnce() -> Result<(f64, f64)>) -> Result<f64> {
        // The kernel lets go of a queue some time after its socket is closed.
        std::thread::sleep(std::time::Duration::from_secs(1));
        let before = self.kernel()?;
        let (frames, pps) = run()?;
        let counted = self.kernel()? - before;
        expect(frames > 0.0 && (counted - frames).abs() <= 2048.0, || {
            format!("{name} says that it sent {frames} frames, the kernel counted {counted}")
        })?;
        Ok(pps)
    }

    /// Frames that left `a0`, with those that veth dropped for want of room.
    fn kernel(&self) -> Result<f64> {
        let directory = "/sys/class/net/a0/statistics";
        let text = self.a.run(&format!(
            "cat {directory}/tx_packets {directory}/tx_dropped"
        ))?;
        let numbers = text.split_whitespace().map(str::parse::<f64>);
        let sum: std::result::Result<f64, _> = numbers.sum();
        sum.map_err(|_| LabError::parse("counters", &text))
    }
}

/// A command inside a namespace, on core 0.
fn on_core_0(ns: &Namespace, program: &Path) -> Command {
    let mut command = ns.command("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}
