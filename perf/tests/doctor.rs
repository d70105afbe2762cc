//! `tweed-control status` and `doctor` on a node that is well, on one with things wrong on purpose, and after what the doctor says
//! to type was typed; and every command of docs/troubleshooting.md.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use common::in_a_lab;
use perf::lab::{ENDPOINT, LabError, Result, TweedNode, binary, expect, wait_until};
use serde_json::Value;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/troubleshooting.md");

/// Runs a line in a shell on the node, with our binaries in the PATH and the node's configuration in the environment.
fn shell(node: &TweedNode, line: &str) -> Result<Output> {
    let directory = binary("tweed-control")?
        .parent()
        .map(PathBuf::from)
        .unwrap_or_default();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command: Command = node.ns().command("sh");
    command
        .args(["-c", line])
        .env("PATH", format!("{}:{path}", directory.display()))
        .env("TWEED_CONFIG", node.config_path())
        .env("TWEED_RUN_DIR", node.run_dir())
        .env("ETCDCTL_API", "3")
        .env("ETCDCTL_ENDPOINTS", ENDPOINT);
    command
        .output()
        .map_err(LabError::io(format!("run {line}")))
}

/// Exit code and JSON of a command.
fn ask(node: &TweedNode, command: &str) -> Result<(i32, Value)> {
    let output = shell(node, &format!("tweed-control {command} --json"))?;
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    if json == Value::Null && !output.stdout.is_empty() {
        eprintln!("{}", String::from_utf8_lossy(&output.stdout));
    }
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Ok((output.status.code().unwrap_or(-1), json))
}

/// What the doctor finds about a subject, of one level.
fn findings(node: &TweedNode, subject: &str, level: &str) -> Result<Vec<Value>> {
    let (_, report) = ask(node, "doctor")?;
    let all = report["findings"].as_array().cloned().unwrap_or_default();
    expect(!all.is_empty(), || "the doctor found nothing at all".into())?;
    let wanted = |finding: &Value| finding["subject"] == subject && finding["level"] == level;
    Ok(all.into_iter().filter(wanted).collect())
}

/// There is such a finding; types what it says, and there is none any more.
fn mend(node: &TweedNode, subject: &str, level: &str) -> Result<()> {
    let found = findings(node, subject, level)?;
    let [finding] = found.as_slice() else {
        return Err(LabError::Unexpected(format!("{subject}: {found:?}")));
    };
    let remedy = finding["remedy"].as_str().unwrap_or_default();
    println!("{subject}: {} -> {remedy}", finding["seen"]);
    expect(!remedy.is_empty(), || finding.to_string())?;
    let typed = shell(node, remedy)?;
    expect(typed.status.success(), || format!("{remedy}: {typed:?}"))?;
    let left = findings(node, subject, level)?;
    expect(left.is_empty(), || {
        format!("{subject} after {remedy}: {left:?}")
    })
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn what_the_doctor_says_to_type_mends_it() {
    in_a_lab(|lab| {
        let mut node = lab.tweed_stopped(1)?;
        node.start_control()?;
        let path = node.subnet_env_path();
        wait_until("a lease", 30, || path.exists())?;

        // The port: another tunnel has it before the engine comes.
        node.ns().ip(
            "link add other type vxlan id 77 dev eth0 dstport 8472 nolearning\n\
             link set other up",
        )?;
        mend(&node, "tunnel-port", "error")?;
        node.start_dataplane()?;

        node.ns().sysctl("net/ipv4/ip_forward", "0")?;
        mend(&node, "ip-forward", "error")?;

        // Not iptables' chain, which control sees to itself.
        for line in [
            "nft add table inet site",
            "nft add chain inet site forward { type filter hook forward priority 0; policy drop; }",
        ] {
            node.ns().run(line)?;
        }
        mend(&node, "forward-policy", "error")?;

        let loose = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(node.tables_path(), loose)
            .map_err(LabError::io("loosen the tables"))?;
        mend(&node, "run-dir", "warn")?;
        node.check_running()
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn status_tells_the_well_from_the_degraded_and_a_dead_control_from_none() {
    in_a_lab(|lab| {
        let mut node = lab.tweed_stopped(1)?;
        let (code, _) = ask(&node, "status")?;
        expect(code == 3, || format!("before the first start: {code}"))?;

        node.start()?;
        let peer = lab.flannel(2, "10.244.202.0/24")?;
        let pod = node.pod()?;
        lab.wait_reach(&pod, peer.pod()?.ip)?;
        let mut last = Value::Null;
        let well = wait_until("status to say that all is well", 30, || {
            match ask(&node, "status") {
                Ok((code, report)) => {
                    last = report;
                    code == 0 && last["well"] == true && last["peers"][0]["state"] == "up"
                }
                Err(_) => false,
            }
        });
        well.inspect_err(|_| eprintln!("{last:#}"))?;
        println!(
            "{}",
            String::from_utf8_lossy(&shell(&node, "tweed-control status")?.stdout)
        );
        for (pointer, wanted) in [
            ("/lease/state", "held"),
            ("/peers/0/backend", "vxlan"),
            ("/peers/0/encapsulation", "vxlan"),
            ("/peers/0/next_hop", "192.168.77.2"),
            ("/peers/0/device", "eth0"),
            ("/engine/state", "running"),
            ("/source/at", ENDPOINT),
        ] {
            let found = last.pointer(pointer).and_then(Value::as_str);
            expect(found == Some(wanted), || {
                format!("{pointer} is {found:?} in {last:#}")
            })?;
        }
        let remaining = last["lease"]["remaining_s"].as_f64().unwrap_or_default();
        expect((80_000.0..=86_400.0).contains(&remaining), || {
            format!("{remaining} s left")
        })?;
        let routes = &last["routes"];
        expect(routes["expected"] == 2 && routes["programmed"] == 2, || {
            routes.to_string()
        })?;

        every_command_of_the_page(&node)?;

        node.kill_control()?;
        let (code, report) = ask(&node, "status")?;
        let said = report["problems"].to_string();
        expect(
            code == 1 && said.contains("tweed-control does not run"),
            || format!("{code}: {report:#}"),
        )?;
        expect(report["peers"][0]["state"] == "up", || {
            "its last word is not shown".into()
        })?;

        node.kill_dataplane()?;
        wait_until("the engine to be missed", 15, || {
            ask(&node, "status").is_ok_and(|(_, report)| report["engine"]["state"] == "gone")
        })
    });
}

/// Lines of the page's `sh` blocks: each can be typed, on a node that is well.
fn every_command_of_the_page(node: &TweedNode) -> Result<()> {
    let page = std::fs::read_to_string(PAGE).map_err(LabError::io(format!("read {PAGE}")))?;
    let mut commands = 0;
    for block in page.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for line in block.lines().filter(|line| !line.trim().is_empty()) {
            let output = shell(node, line)?;
            // 1 is a verdict, 124 is `timeout`'s; 2 is bad usage, 126 and 127 are the shell's.
            let code = output.status.code();
            expect(matches!(code, Some(0 | 1 | 124)), || {
                format!(
                    "{line}: {code:?}\n{}",
                    String::from_utf8_lossy(&output.stderr)
                )
            })?;
            commands += 1;
        }
    }
    expect(commands > 15, || format!("{commands} commands in {PAGE}"))
}
