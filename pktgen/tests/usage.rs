//! The program as users meet it first: help, and flags that are wrong. Nothing here needs root.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tweed-pktgen");

fn run(line: &str) -> Output {
    Command::new(PROGRAM)
        .args(line.split_whitespace())
        .output()
        .expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// It ends with `code`, says each of `words` on stderr and nothing on stdout.
#[track_caller]
fn tells(output: &Output, code: i32, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(stdout(output), "");
    for word in words {
        assert!(stderr.contains(word), "nothing of {word:?} in {stderr}");
    }
}

#[test]
fn help_teaches() {
    let output = run("--help");
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    for word in [
        "Units:",
        "1Gbit-wire",
        "Examples:",
        "Exit codes:",
        "\n  0  done",
        "\n  1  more was lost",
        "\n  2  a flag",
        "\n  3  this",
    ] {
        assert!(text.contains(word), "nothing of {word:?} in {text}");
    }
}

#[test]
fn each_subcommand_has_groups_and_examples() {
    let traffic = [
        "Traffic:",
        "Packets (one stream",
        "Tunnel around them:",
        "Sending:",
        "Output:",
    ];
    for (command, headings) in [
        ("tx", &[&["Interface:"], &traffic[..]].concat()[..]),
        ("rx", &["Interface:", "Receiving:", "Run:", "Output:"]),
        (
            "latency",
            &[&["Interfaces:", "Receiving:", "Run:"], &traffic[..]].concat(),
        ),
        ("reflect", &["Interface:", "Receiving:", "Run:", "Output:"]),
        (
            "ndr",
            &[&["Interfaces:", "Receiving:", "Search:"], &traffic[..]].concat(),
        ),
        ("replay", &["Interface:", "Run:", "Output:"]),
        ("report", &["Arguments:", "Options:"]),
    ] {
        for help in ["--help", "-h"] {
            let output = run(&format!("{command} {help}"));
            assert_eq!(output.status.code(), Some(0), "{command}");
            let text = stdout(&output);
            for heading in headings.iter().chain(&["Examples:"]) {
                assert!(
                    text.contains(&format!("\n{heading}")),
                    "{command}: no {heading:?} in {text}"
                );
            }
            assert!(
                text.contains(&format!("\n  tweed-pktgen {command} ")),
                "{command}: no example in {text}"
            );
            let wide = text.lines().find(|line| line.chars().count() > 100);
            assert_eq!(wide, None, "{command}: wider than 100 columns");
        }
    }
}

#[test]
fn wrong_flags_are_named_and_end_with_2() {
    for (line, words) in [
        ("", &["Usage:"][..]),
        ("send", &["send", "Usage:"]),
        (
            "tx -i lo --dst 127.0.0.2 --no-such-flag",
            &["--no-such-flag"],
        ),
        (
            "tx -i lo --dst 127.0.0.2 --rate quick",
            &["--rate", "quick", "100kpps"],
        ),
        (
            "tx -i lo --dst 127.0.0.2 --size 20000",
            &["--size", "20000", "64 to 3524"],
        ),
        (
            "tx -i lo --dst nowhere",
            &["--dst", "nowhere", "10.0.0.0/24"],
        ),
        ("tx -i lo", &["--dst", "--profile"]),
        (
            "tx -i lo --profile /no/such/file",
            &["--profile", "/no/such/file"],
        ),
        (
            "tx -i lo --dst 127.0.0.2 --io pigeon",
            &["--io", "pigeon", "xdp-live"],
        ),
        ("rx -i this-name-is-too-long", &["--interface", "1 to 15"]),
        ("rx -i lo --workers 0", &["--workers", "1..=16"]),
        ("latency --tx lo --dst 127.0.0.2", &["--rx"]),
        (
            "latency --tx lo --rx lo --dst 127.0.0.2 --settle soon",
            &["--settle", "soon", "10s"],
        ),
        (
            "reflect -i lo --duration 0s",
            &["--duration", "1ns to 720h"],
        ),
        (
            "ndr --tx lo --rx lo --dst 127.0.0.2 --loss 0.001",
            &["--loss", "with the % sign"],
        ),
        ("replay -i lo", &["<FILE>"]),
        (
            "replay f.pcap -i lo --timing warp",
            &["--timing", "warp", "10x"],
        ),
        ("report", &["<FILE>"]),
    ] {
        tells(&run(line), 2, words);
    }
}

#[test]
fn arguments_that_are_no_text_do_not_panic() {
    let output = Command::new(PROGRAM)
        .arg("report")
        .arg(OsStr::from_bytes(b"\xff.json"))
        .output();
    tells(&output.expect("the program starts"), 2, &["not UTF-8"]);
}

#[test]
fn an_interface_that_is_not_there_ends_with_3() {
    tells(&run("tx -i nosuch0 --dst 127.0.0.2"), 3, &["nosuch0"]);
}
