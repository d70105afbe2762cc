//! `tweed-perf trace` beside a running engine: what is told about a frame is what happened to it.

mod common;

use std::process::Command;

use common::{Trio, in_a_lab};
use perf::lab::traffic::Ping;
use perf::lab::{LabError, Process, Result, TweedNode, binary, expect, run, wait_until};
use rustix::process::Signal;
use serde_json::Value;

/// A trace of a node that goes on until it is stopped.
fn start(node: &TweedNode, words: &str) -> Result<Process> {
    let mut command = Command::new(binary("tweed-perf")?);
    command
        .arg("trace")
        .arg("--run-dir")
        .arg(node.run_dir())
        .args(words.split_whitespace());
    let log = node.directory().join("trace.log");
    // One file for all traces of a node would be one trace to those that read it.
    let _ = std::fs::remove_file(&log);
    let trace = Process::start("tweed-perf trace", command, &log)?;
    wait_until("the trace to have mapped the segment", 10, || {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", trace.pid()));
        maps.is_ok_and(|maps| maps.contains("/stats"))
    })?;
    Ok(trace)
}

/// Every event so far; a last line that is still being written is none.
fn events(trace: &Process) -> Vec<Value> {
    let output = trace.output();
    let lines = output
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines.collect()
}

fn of_kind(trace: &Process, kind: &str) -> Vec<Value> {
    let mut events = events(trace);
    events.retain(|event| event["event"] == kind);
    events
}

fn wait_for_events(trace: &Process, kind: &str, n: usize) -> Result<Vec<Value>> {
    wait_until(&format!("{n} events of kind {kind}"), 20, || {
        of_kind(trace, kind).len() >= n
    })
    .inspect_err(|_| eprintln!("the trace said:\n{}", trace.output()))?;
    Ok(of_kind(trace, kind))
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_ping_is_seen_on_its_way_out_and_back() {
    in_a_lab(|lab| {
        let trio = Trio::build(lab)?;
        let trace = start(&trio.t1, "--json --proto icmp")?;
        Ping {
            count: 3,
            ..Ping::default()
        }
        .all(&trio.x, trio.y.ip)?;
        // A quiet engine records a frame of each burst: three requests out, three replies in.
        let frames = wait_for_events(&trace, "frame", 6)?;
        let (x, y) = (trio.x.ip.to_string(), trio.y.ip.to_string());
        let address = trio.t2.address().to_string();
        for (n, frame) in frames.iter().enumerate() {
            let out = frame["inner"]["src"] == x.as_str();
            let (src, dst, info) = match out {
                true => (&x, &y, "echo request"),
                false => (&y, &x, "echo reply"),
            };
            let inner = &frame["inner"];
            expect(
                frame["verdict"] == "forwarded"
                    && frame["peer"]["public_ip"] == address.as_str()
                    && inner["src"] == src.as_str()
                    && inner["dst"] == dst.as_str()
                    && inner["info"]
                        .as_str()
                        .is_some_and(|text| text.starts_with(info))
                    && frame["port_in"] == if out { "tweed0x" } else { "eth0" }
                    && frame["port_out"] == if out { "eth0" } else { "tweed0x" }
                    && frame["outer"].is_null() != out,
                || format!("frame {n} is told as {frame}"),
            )?;
        }
        let (status, _) = trace.stop(Signal::INT, 10)?;
        expect(status.success(), || format!("it ended with {status}"))
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_loss_is_told_with_its_reason_and_opens_in_wireshark() {
    in_a_lab(|lab| {
        let trio = Trio::build(lab)?;
        let pcap = trio.t1.directory().join("trace.pcap");
        let words = format!("--json --verdict dropped --write {}", pcap.display());
        let trace = start(&trio.t1, &words)?;
        // VNI 7 from the flannel node's own address, as anybody on the underlay may send it.
        let script = format!(
            r"exec 3>/dev/udp/{}/8472; printf '\x08\0\0\0\0\0\x07\0%060d' 0 >&3",
            trio.t1.address()
        );
        trio.f3
            .ns()
            .command("bash")
            .args(["-c", &script])
            .status()
            .map_err(LabError::io("run bash"))?;
        // And a pod that asks for nobody's subnet.
        Ping {
            count: 1,
            ..Ping::default()
        }
        .run(&trio.x, "10.244.250.1".parse().expect("an address"))?;
        wait_until("both losses", 20, || {
            let reasons: Vec<Value> = of_kind(&trace, "frame")
                .iter()
                .map(|f| f["reason"].clone())
                .collect();
            reasons.contains(&"vni".into()) && reasons.contains(&"no-route".into())
        })
        .inspect_err(|_| eprintln!("the trace said:\n{}", trace.output()))?;
        let frames = of_kind(&trace, "frame");
        let foreign = frames
            .iter()
            .find(|frame| frame["reason"] == "vni")
            .cloned()
            .unwrap_or_default();
        expect(
            foreign["vni"] == 7
                && foreign["outer"]["src"] == trio.f3.address().to_string().as_str()
                && foreign["peer"]["public_ip"] == trio.f3.address().to_string().as_str()
                && foreign["port_out"].is_null(),
            || format!("the foreign datagram is told as {foreign}"),
        )?;
        let (status, said) = trace.stop(Signal::TERM, 10)?;
        expect(
            status.success() && said.contains(r#""event":"summary""#),
            || format!("it ended with {status} and said {said}"),
        )?;
        // Wireshark sees the same, inside and out.
        let mut tshark = Command::new("tshark");
        tshark.args([
            "-n",
            "-d",
            "udp.port==8472,vxlan",
            "-T",
            "fields",
            "-e",
            "vxlan.vni",
            "-e",
            "ip.dst",
            "-r",
        ]);
        let seen = run(tshark.arg(&pcap))?;
        expect(
            seen.lines().count() >= 2 && seen.contains('7') && seen.contains("10.244.250.1"),
            || format!("tshark sees {seen:?}"),
        )
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn it_waits_for_an_engine_that_was_killed_and_goes_on_with_the_next() {
    in_a_lab(|lab| {
        let mut trio = Trio::build(lab)?;
        let trace = start(&trio.t1, "--json --proto icmp")?;
        Ping {
            count: 1,
            ..Ping::default()
        }
        .all(&trio.x, trio.y.ip)?;
        wait_for_events(&trace, "frame", 2)?;
        trio.t1.kill_dataplane()?;
        let down = wait_for_events(&trace, "down", 1)?;
        expect(
            down[0]["since_ns"].as_u64().is_some_and(|ns| ns > 0),
            || format!("{down:?}"),
        )?;
        let before = of_kind(&trace, "frame").len();
        trio.t1.start_dataplane()?;
        lab.wait_reach(&trio.x, trio.y.ip)?;
        wait_for_events(&trace, "up", 1)?;
        wait_for_events(&trace, "frame", before + 2)?;
        let (status, _) = trace.stop(Signal::INT, 10)?;
        expect(status.success(), || format!("it ended with {status}"))
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn its_exit_code_says_whether_there_is_an_engine() {
    in_a_lab(|lab| {
        let mut node = lab.tweed(1)?;
        let code = |node: &TweedNode| -> Result<Option<i32>> {
            let mut command = Command::new(binary("tweed-perf")?);
            command
                .args(["trace", "--duration", "0.1", "--run-dir"])
                .arg(node.run_dir());
            let log = node.directory().join("codes.log");
            Ok(Process::start("tweed-perf trace", command, &log)?
                .wait(20)?
                .code())
        };
        expect(code(&node)? == Some(0), || "the engine runs".into())?;
        node.kill_dataplane()?;
        wait_until("the trace to notice that the engine is gone", 20, || {
            code(&node).is_ok_and(|code| code == Some(3))
        })?;
        std::fs::remove_file(node.run_dir().join("stats"))
            .map_err(LabError::io("remove the segment"))?;
        expect(code(&node)? == Some(3), || "there is no engine".into())
    });
}
