//! What command lines mean: no interface is asked but the one in the closure here.

use std::net::IpAddr;

use clap::{CommandFactory, Parser};
use proptest::prelude::*;

use super::arguments::Typed;
use super::{help, plan};
use crate::error::{Failure, Result};
use crate::io::{Interface, Io, Mode, Take};
use crate::profile::{Ip, Rate, Size, Stop};
use crate::run::plan::{Command, LatencyPlan, Place, Stamp, Timing, TxIo, TxPlan};

/// The plan of a command line; what clap refuses is a usage failure here.
fn plan_of(line: &str) -> Result<Command> {
    let arguments: Vec<String> = line.split_whitespace().map(Into::into).collect();
    plan_from(arguments)
}

fn plan_from(arguments: Vec<String>) -> Result<Command> {
    let typed = Typed::try_parse_from(&arguments).map_err(|e| Failure::Usage(e.to_string()))?;
    let addresses = |_: &Interface| -> Result<Vec<IpAddr>> {
        Ok(["10.0.0.5", "fe80::5", "fd00::5"]
            .map(|a| a.parse().expect("an address"))
            .into())
    };
    plan::plan(typed.command, arguments, &addresses)
}

fn tx(flags: &str) -> TxPlan {
    match plan_of(&format!("tweed-pktgen tx -i a0 --dst 10.0.0.9 {flags}")) {
        Ok(Command::Tx(plan)) => plan,
        other => panic!("{flags}: {other:?}"),
    }
}

fn latency(flags: &str) -> LatencyPlan {
    match plan_of(&format!(
        "tweed-pktgen latency --tx a0 --rx b0@there --dst 10.0.0.9 {flags}"
    )) {
        Ok(Command::Latency(plan)) => plan,
        other => panic!("{flags}: {other:?}"),
    }
}

#[track_caller]
fn refused(line: &str, words: &[&str]) {
    match plan_of(&format!("tweed-pktgen {line}")) {
        Err(Failure::Usage(text)) => {
            for word in words {
                assert!(text.contains(word), "{line}: nothing of {word:?} in {text}");
            }
        }
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn clap_finds_the_definitions_sound() {
    Typed::command().debug_assert();
}

#[test]
fn every_example_of_the_help_is_a_command_line() {
    let texts = [
        help::TOP,
        help::TX,
        help::RX,
        help::LATENCY,
        help::REFLECT,
        help::NDR,
        help::REPLAY,
        help::REPORT,
    ];
    let mut examples = 0;
    for line in texts.iter().flat_map(|text| text.lines()) {
        assert!(line.chars().count() <= 100, "too wide: {line}");
        if !line.starts_with("  tweed-pktgen") {
            continue;
        }
        examples += 1;
        let configs = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/pktgen/imix.toml");
        plan_of(&line.replace("imix.toml", configs)).unwrap_or_else(|e| panic!("{line}: {e}"));
    }
    assert!(examples >= 20, "only {examples} examples");
}

#[test]
fn defaults_of_tx() {
    let plan = tx("");
    assert_eq!(
        (plan.profile.rate, plan.profile.stop),
        (Rate::Max, Stop::Never)
    );
    assert_eq!(plan.side.io, TxIo::Queue(Io::Xdp(Mode::Auto)));
    assert_eq!(
        plan.side.workers,
        [Place {
            queue: 0,
            core: None
        }]
    );
    assert_eq!((plan.stamp, plan.side.via), (Stamp::Intended, None));
    assert_eq!(plan.output.command[..2], ["tweed-pktgen", "tx"]);
    let Ip::V4 { src, .. } = &plan.profile.streams[0].ip else {
        panic!("{plan:?}")
    };
    assert_eq!(src.start().to_string(), "10.0.0.5");
    assert!(
        (0..20).any(|_| tx("").profile.seed != plan.profile.seed),
        "seeds are alike"
    );
}

#[test]
fn defaults_of_the_others() {
    let plan = latency("");
    assert_eq!(
        (plan.profile.rate, plan.profile.stop),
        (Rate::Pps(1e4), Stop::After(10_000_000_000))
    );
    assert_eq!(
        (plan.settle_ns, plan.loss, plan.rx.take),
        (1_000_000_000, None, Take::Ours)
    );
    assert_eq!(
        (plan.rx.vxlan_ports, plan.rx.busy),
        (vec![4789, 8472], false)
    );
    assert_eq!(latency("--count 5").profile.stop, Stop::Count(5));
    assert_eq!(latency("--duration forever").profile.stop, Stop::Never);
    let Ok(Command::Ndr(plan)) = plan_of("x ndr --tx a --rx b --dst 10.0.0.9") else {
        panic!()
    };
    assert_eq!(
        (plan.loss, plan.resolution, plan.confirmations),
        (0.000_01, 0.005, 3)
    );
    assert_eq!(
        (plan.trial_ns, plan.confirm_ns),
        (2_000_000_000, 5_000_000_000)
    );
    assert_eq!(plan.profile.rate, Rate::Max);
    let Ok(Command::Rx(plan)) = plan_of("x rx -i b0 --idle 2s --run 0x1f --join --loss 1%") else {
        panic!()
    };
    assert_eq!(
        (plan.stop_ns, plan.idle_ns, plan.run),
        (None, Some(2_000_000_000), Some(31))
    );
    assert_eq!((plan.join, plan.loss), (true, Some(0.01)));
    let Ok(Command::Replay(plan)) = plan_of("x replay f.pcap -i a0") else {
        panic!()
    };
    assert_eq!((plan.timing, plan.loops), (Timing::Captured(1.0), Some(1)));
    let Ok(Command::Replay(plan)) = plan_of("x replay f -i a0 --rate 5pps --loops forever") else {
        panic!()
    };
    assert_eq!(
        (plan.timing, plan.loops),
        (Timing::Rate(Rate::Pps(5.0)), None)
    );
}

#[test]
fn a_namespace_is_for_those_without_one() {
    let plan = latency("--netns here");
    assert_eq!(plan.tx.interface.netns.as_deref(), Some("here"));
    assert_eq!(plan.rx.interface.netns.as_deref(), Some("there"));
    assert_eq!(
        tx("--netns here").side.interface.netns.as_deref(),
        Some("here")
    );
}

#[test]
fn workers_have_queues_and_cores() {
    let at = |queue, core| Place { queue, core };
    assert_eq!(tx("--workers 2").side.workers, [at(0, None), at(1, None)]);
    assert_eq!(tx("--queues 3,1").side.workers, [at(3, None), at(1, None)]);
    assert_eq!(
        tx("--cores 1,0").side.workers,
        [at(0, Some(1)), at(1, Some(0))]
    );
    let plan = latency("--tx-workers 2 --tx-cores 0,1 --rx-queues 5 --tx-io xdp-live");
    assert_eq!(plan.tx.workers, [at(0, Some(0)), at(1, Some(1))]);
    assert_eq!(
        (plan.rx.workers, plan.tx.io),
        (vec![at(5, None)], TxIo::Live)
    );
}

#[test]
fn a_tunnel_is_looked_behind() {
    let tunnel =
        "--src 10.244.1.2 --vxlan 7 --vtep-dst 10.0.0.9 --vxlan-dport 5000 --vxlan-checksum";
    let plan = latency(tunnel);
    let vxlan = plan.profile.streams[0].vxlan.as_ref().expect("a tunnel");
    assert_eq!((vxlan.vni, vxlan.port, vxlan.checksum), (7, 5000, true));
    assert_eq!(vxlan.src.to_string(), "10.0.0.5");
    assert_eq!(plan.rx.vxlan_ports, [4789, 8472, 5000]);
}

#[test]
fn a_profile_is_read_and_flags_of_the_run_go_before_it() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/pktgen/udp-64.toml");
    let line = format!(
        "x tx -i a0 --profile {file} --rate 7pps --count 3 --seed 9 --burst 2 --payload zeros"
    );
    let Ok(Command::Tx(plan)) = plan_of(&line) else {
        panic!()
    };
    assert_eq!(
        (plan.profile.rate, plan.profile.stop),
        (Rate::Pps(7.0), Stop::Count(3))
    );
    assert_eq!((plan.profile.seed, plan.profile.burst), (9, 2));
    assert_eq!(plan.profile.payload.to_string(), "zeros");
    assert_eq!(plan.profile.streams[0].size, Size::Fixed(64));
    refused(
        &format!("tx -i a0 --profile {file} --size 64"),
        &["--size: not together with --profile", "--seed"],
    );
    refused(
        &format!("tx -i a0 --profile {file} --vxlan 1"),
        &["--vxlan: not together with --profile"],
    );
}

#[test]
fn a_profile_that_cannot_be_read_is_named() {
    let files = tempfile::tempdir().expect("a directory");
    let file = |name: &str, bytes: &[u8]| {
        let path = files.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path.display().to_string()
    };
    let bad = file("bad.toml", b"[[stream]]\ndst = '10.0.0.9'\nttl = 0\n");
    refused(
        &format!("tx -i a0 --profile {bad}"),
        &["bad.toml: stream[0].ttl: 0; a whole number, 1 to 255"],
    );
    let broken = file("broken.toml", b"[[stream]\n");
    refused(
        &format!("tx -i a0 --profile {broken}"),
        &["broken.toml: line 1: "],
    );
    let binary = file("binary.toml", &[0xff, 0xfe]);
    refused(
        &format!("tx -i a0 --profile {binary}"),
        &["binary.toml: ", "UTF-8"],
    );
    let large = file("large.toml", &[b'#'; 70_000]);
    refused(
        &format!("tx -i a0 --profile {large}"),
        &["large.toml: larger than 65536 bytes"],
    );
    refused("tx -i a0 --profile /dev/zero", &["/dev/zero: larger than"]);
    refused(
        "tx -i a0 --profile /no/such.toml",
        &["--profile /no/such.toml: No such file"],
    );
}

#[test]
fn what_excludes_each_other_is_refused() {
    for (line, words) in [
        ("tx -i a0", &["--dst: missing", "--profile FILE"][..]),
        ("tx --dst 10.0.0.9", &["--interface"]),
        ("latency --tx a0 --dst 10.0.0.9", &["--rx"]),
        (
            "tx -i a0 --dst 10.0.0.9 --rate quick",
            &["--rate: \"quick\" is not a rate"],
        ),
        (
            "tx -i a0 --dst 10.0.0.9 --size 20000",
            &["--size: 20000; a whole number, 64 to 3524"],
        ),
        (
            "tx -i a0 --dst 10.0.0.9 --count 5 --duration 1s",
            &["--count: 5; not together with --duration (1s)"],
        ),
        (
            "tx -i a0 --dst 10.0.0.9 --flows 70000",
            &["--flows: 70000; 1 to 64512", "widen --dst to 2 or more"],
        ),
        (
            "tx -i a0 --dst 10.0.0.9 --vtep-dst 10.0.0.1",
            &["--vtep-dst: only with --vxlan"],
        ),
        (
            "tx -i a0 --dst 10.0.0.9 --vxlan 1 --vtep-dst 10.0.0.1",
            &["--src: missing; a packet in a tunnel"],
        ),
        (
            "tx -i a0 --dst 10.0.0.9 --src 10.0.0.1 --vxlan 1",
            &["--vtep-dst: missing"],
        ),
        (
            "tx -i a0 --dst 10.0.0.9 --src 10.0.0.1 --vxlan 16777216",
            &["--vxlan: 16777216; ", "0 to 16777215"],
        ),
        (
            "tx -i a0 --dst 10.0.0.9 --io packet --mode copy",
            &["--mode: only with --io xdp"],
        ),
        (
            "tx -i a0 --dst 10.0.0.9 --io xdp-live --queues 0",
            &["--queues: only with --io xdp"],
        ),
        (
            "tx -i a0 --dst 10.0.0.9 --workers 3 --cores 0,1",
            &["--cores: a list of 2; one for each of the 3"],
        ),
        (
            "tx -i a0 --dst 10.0.0.9 --queues 1,1",
            &["--queues: 1 twice"],
        ),
        ("tx -i a0 --dst 10.0.0.9 --workers 17", &["--workers", "17"]),
        (
            "tx -i a0 --dst 10.0.0.9 --cores 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0",
            &["--workers: 17; 1 to 16"],
        ),
        (
            "tx -i a0 --dst 10.0.0.9 --via 10.0.0.1 --dst-mac 02:00:00:00:00:01",
            &["--via: not together with --dst-mac"],
        ),
        ("rx -i a0 --io xdp-live", &["--io", "xdp-live"]),
        (
            "rx -i a0 --vxlan-port 1,2,3,4,5",
            &["--vxlan-port: 1,2,3,4,5; at most 4"],
        ),
        ("rx -i a0 --loss 5", &["--loss", "0% to 100%"]),
        ("rx -i a0 --duration 0s", &["--duration", "1ns to 720h"]),
        ("rx -i a0 --run 65536", &["--run", "0 to 65535"]),
        (
            "ndr --tx a --rx b --dst 10.0.0.9 --duration 5s",
            &["--duration"],
        ),
        (
            "ndr --tx a --rx b --dst 10.0.0.9 --resolution 0%",
            &["--resolution", "0.01% to 50%"],
        ),
        (
            "ndr --tx a --rx b --dst 10.0.0.9 --tx-io packet --rx-io packet --mode copy",
            &["--mode: only with --tx-io xdp"],
        ),
        (
            "replay f -i a0 --timing 2x --rate max",
            &["--timing", "--rate"],
        ),
        (
            "replay f -i a0 --loops 0",
            &["--loops", "1 to 4294967295, or forever"],
        ),
        ("report", &["<FILE>"]),
    ] {
        refused(line, words);
    }
}

/// A wrong flag is told of before the machine is asked: without root, without the interface.
#[test]
fn flags_are_checked_before_the_interface() {
    let addresses =
        |_: &Interface| -> Result<Vec<IpAddr>> { Err(Failure::Environment("no a0".into())) };
    let ask = |line: &str| {
        let arguments: Vec<String> = line.split(' ').map(Into::into).collect();
        let typed = Typed::try_parse_from(&arguments).expect("known flags");
        plan::plan(typed.command, arguments, &addresses)
            .expect_err("no interface")
            .to_string()
    };
    assert!(ask("x tx -i a0 --dst 10.0.0.9 --ttl 0").starts_with("--ttl: 0; "));
    assert_eq!(ask("x tx -i a0 --dst 10.0.0.9"), "no a0");
}

/// An address of the wrong family stands for nothing.
#[test]
fn an_interface_without_an_address_of_the_family_is_told() {
    let addresses =
        |_: &Interface| -> Result<Vec<IpAddr>> { Ok(vec!["fd00::1".parse().expect("an address")]) };
    let arguments: Vec<String> = "x tx -i a0 --dst 10.0.0.9"
        .split(' ')
        .map(Into::into)
        .collect();
    let typed = Typed::try_parse_from(&arguments).expect("known flags");
    let failure = plan::plan(typed.command, arguments, &addresses).expect_err("no address");
    assert_eq!(
        failure.to_string(),
        "--src: missing; the sending interface has no IPv4 address that could stand for it"
    );
}

proptest! {
    #[test]
    fn no_argument_is_too_strange(command in 0usize..7, flag in 0usize..60, value: String, near in "[-0-9a-fx.:/,%@]{0,20}") {
        let commands = Typed::command();
        let command = commands.get_subcommands().nth(command).expect("a subcommand");
        let flags: Vec<&str> = command.get_arguments().filter_map(|argument| argument.get_long()).collect();
        let flag = flags[flag % flags.len()];
        for value in [value, near] {
            let base = "x {} -i a0 --tx a0 --rx b0 --dst 10.0.0.9 f.pcap";
            for base in [base, "x {} -i a0 --dst 10.0.0.9", "x {} --tx a0 --rx b0 --dst 10.0.0.9", "x {} f -i a0"] {
                let line = base.replace("{}", command.get_name());
                let mut arguments: Vec<String> = line.split(' ').map(Into::into).collect();
                arguments.extend([format!("--{flag}"), value.clone()]);
                let _ = plan_from(arguments);
            }
        }
    }
}
