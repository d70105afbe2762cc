//! `tweed-pktgen report` on saved runs, as a user has it: texts, exit codes, files. No root needed.
//!
//! tests/data holds files of schema 1: these must be readable as long as the schema's number is 1.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pktgen::report::{Report, SCHEMA, load};
use serde_json::Value;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn report(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tweed-pktgen"))
        .arg("report")
        .args(arguments)
        .current_dir(data(""))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// JSON is an interface: a field that is renamed, dropped or added must be noticed (and the schema's number thought
/// about).
#[test]
fn the_form_of_the_file_is_kept() {
    for name in ["tx.json", "rx.json", "latency.json", "ndr.json"] {
        let file: Value =
            serde_json::from_str(&std::fs::read_to_string(data(name)).unwrap()).unwrap();
        let reports = load(&data(name)).unwrap();
        assert_eq!(serde_json::to_value(&reports[0]).unwrap(), file, "{name}");
        assert_eq!(reports[0].schema, SCHEMA);
    }
    let latency: Report = load(&data("latency.json")).unwrap().remove(0);
    let received = latency.received.unwrap();
    assert_eq!(
        (
            received.received,
            received.lost,
            received.duplicates,
            received.reordered
        ),
        (2755, 245, 2, 1)
    );
    let distribution = received.streams[0].latency.clone().unwrap();
    assert_eq!(distribution.decode().unwrap().len(), distribution.count);
}

#[test]
fn one_run_is_a_table() {
    let output = report(&["latency.json"]);
    let shown = text(&output.stdout);
    for part in [
        "tweed-pktgen latency  run 815  2026-01-02T03:04:05.500Z  3.00 s",
        "machine  Example CPU @ 2.40GHz, 8 CPUs, 16.0 GiB, Linux 6.17.0",
        "tx       veth0@a (veth, 10.0 Gbit/s), AF_XDP copy, queue 0, CPU 1, MTU 1500",
        "FAILED: a loss of 8.2 % is beyond the 8 % allowed",
        "small  2,000     1,755   245  12.2 %    0          0          1  585 pps",
        "  - an example",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!shown.contains('\x1b') && !shown.contains("Comparison"));
    assert!(
        shown.lines().all(|line| line.chars().count() <= 100),
        "{shown}"
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "tweed-pktgen: loss beyond the bound in latency.json\n"
    );
}

/// The receiver alone saw a loss within its bound; the sender knows of the packets behind the last that came.
#[test]
fn ends_of_a_run_are_joined() {
    let alone = report(&["rx.json"]);
    assert_eq!(alone.status.code(), Some(0), "{}", text(&alone.stderr));
    assert!(text(&alone.stdout).contains("PASSED: a loss of 6.6 % is within the 8 % allowed"));
    for files in [["tx.json", "rx.json"], ["rx.json", "tx.json"]] {
        let joined = report(&files);
        let shown = text(&joined.stdout);
        assert!(
            shown.contains("FAILED: a loss of 8.2 % is beyond the 8 % allowed"),
            "{shown}"
        );
        assert!(shown.contains("small  2,000     1,755   245"), "{shown}");
        assert_eq!(joined.status.code(), Some(1));
    }
}

#[test]
fn joined_runs_are_json_that_can_be_loaded() {
    let output = report(&["rx.json", "ndr.json", "tx.json", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("joined.json");
    std::fs::write(&file, &output.stdout).unwrap();
    let runs = load(&file).unwrap();
    assert_eq!(
        runs.iter().map(|run| run.mode.as_str()).collect::<Vec<_>>(),
        ["tx + rx", "ndr"]
    );
    assert_eq!(runs[0].received.as_ref().unwrap().lost, 245);
    // The receiver began a quarter of a second earlier; its seconds fall on the sender's.
    assert_eq!(runs[0].timeline.len(), 3);
    assert!(
        runs[0]
            .timeline
            .iter()
            .all(|second| second.sent == 1000 && second.received == 920)
    );
}

#[test]
fn several_runs_are_compared_and_drawn() {
    let directory = tempfile::tempdir().unwrap();
    let svg = directory.path().join("runs.svg");
    let output = report(&["rx.json", "ndr.json", "--svg", svg.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    for part in [
        "== rx.json\n",
        "== ndr.json\n",
        "Comparison\n",
        "101,000 pps (51.7 Mbit/s layer 2, 67.9 Mbit/s wire)",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(
        shown.contains("trial 1: the sender reached only 150 kpps"),
        "{shown}"
    );
    let drawn = std::fs::read_to_string(svg).unwrap();
    for part in [
        "<svg",
        "Rate over time",
        "Latency by percentile",
        "Throughput search",
        "rx.json: stream 1",
        "</svg>",
    ] {
        assert!(drawn.contains(part), "{part}");
    }
}

#[test]
fn bad_files_are_named_with_the_place() {
    for (file, expected) in [
        ("nowhere.json", "nowhere.json: No such file or directory"),
        (
            "other-schema.json",
            "other-schema.json: schema 2 is another form of report; this tweed-pktgen reads schema 1",
        ),
        (
            "truncated.json",
            "truncated.json: not a saved run of tweed-pktgen (--save FILE, or what --json prints): EOF while parsing",
        ),
        (
            "../report.rs",
            "../report.rs: not a saved run of tweed-pktgen",
        ),
    ] {
        let output = report(&["tx.json", file]);
        let said = text(&output.stderr);
        assert!(
            said.starts_with(&format!("tweed-pktgen: {expected}")),
            "{said}"
        );
        assert_eq!(
            (output.status.code(), text(&output.stdout).as_str()),
            (Some(2), "")
        );
    }
    let output = report(&["tx.json", "--svg", "/nonexistent/plot.svg"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("--svg /nonexistent/plot.svg: No such file"));
}
