//! What cannot work is refused in words, and what is mangled is survived.

mod common;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use common::{Trio, in_a_lab};
use perf::lab::{Lab, LabError, NodeConfig, Process, Result, TweedNode, expect, wait_until};
use rustix::fs::{SeekFrom, seek};

/// Waits until a daemon's log holds all `words`, whether it goes on trying or ends; it must not panic.
fn says(daemon: &Process, words: &[&str]) -> Result<()> {
    wait_until(&format!("the log to say {words:?}"), 15, || {
        let log = daemon.output();
        words.iter().all(|word| log.contains(word))
    })
    .and_then(|()| does_not_panic(daemon))
    .inspect_err(|_| eprintln!("it said:\n{}", daemon.output()))
}

fn does_not_panic(daemon: &Process) -> Result<()> {
    expect(!daemon.output().contains("panicked"), || daemon.output())
}

/// A node with its control running, so that a dataplane has tables to read.
fn with_control(lab: &Lab, host: u8) -> Result<TweedNode> {
    let mut node = lab.tweed_stopped(host)?;
    node.start_control()?;
    let path = node.subnet_env_path();
    wait_until("a lease", 30, || path.exists())?;
    Ok(node)
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_taken_port_is_named() {
    in_a_lab(|lab| {
        let node = with_control(lab, 1)?;
        node.ns().ip(
            "link add flannel.1 type vxlan id 1 dev eth0 dstport 8472 nolearning\n\
             link set flannel.1 up",
        )?;
        says(&node.daemon("tweed-dataplane")?, &["8472"])
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_missing_interface_is_named_by_both_daemons() {
    in_a_lab(|lab| {
        let node = lab.tweed_stopped(1)?;
        node.configure(&NodeConfig {
            interface: "eth7".into(),
            ..NodeConfig::eth0(1)
        })?;
        says(&node.daemon("tweed-control")?, &["eth7"])?;
        // The engine opens what the tables name; here the device is gone by the time it looks.
        let mut node = with_control(lab, 2)?;
        node.kill_control()?;
        node.ns()
            .ip("link set eth0 down\nlink set eth0 name eth7")?;
        says(&node.daemon("tweed-dataplane")?, &["no interface", "eth0"])
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_second_daemon_of_a_kind_is_refused() {
    in_a_lab(|lab| {
        let mut node = lab.tweed(1)?;
        says(&node.daemon("tweed-control")?, &["another"])?;
        says(&node.daemon("tweed-dataplane")?, &["another"])?;
        node.check_running()
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_public_ip_that_the_device_lacks_is_refused() {
    in_a_lab(|lab| {
        let node = lab.tweed_stopped(1)?;
        node.configure(&NodeConfig::eth0(1))?;
        let config = node.config_path();
        let text = std::fs::read_to_string(&config).expect("the configuration is there");
        let text = text.replacen("[underlay]", "[underlay]\npublic_ip = \"10.9.9.9\"", 1);
        std::fs::write(&config, text).expect("the configuration is ours");
        says(&node.daemon("tweed-control")?, &["10.9.9.9", "public_ip"])
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_queue_that_is_not_there_is_named() {
    in_a_lab(|lab| {
        let node = with_control(lab, 1)?;
        node.configure(&NodeConfig::eth0(2))?;
        says(&node.daemon("tweed-dataplane")?, &["eth0", "queue"])
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_bad_config_is_refused_by_key() {
    in_a_lab(|lab| {
        let node = lab.tweed_stopped(1)?;
        node.configure(&NodeConfig {
            idle: "nap",
            ..NodeConfig::eth0(1)
        })?;
        for name in ["tweed-control", "tweed-dataplane"] {
            let (status, said) = node.refusal(name)?;
            expect(!status.success() && said.contains("dataplane.idle"), || {
                format!("{name} ended with {status} and said {said}")
            })?;
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_daemon_without_privilege_says_so() {
    in_a_lab(|lab| {
        let node = with_control(lab, 1)?;
        let config = node.config_path();
        for name in ["tweed-dataplane", "tweed-control"] {
            let mut command: Command = node.ns().command("setpriv");
            command
                .args(["--inh-caps=-all", "--bounding-set=-all"])
                .arg(perf::lab::binary(name)?)
                .arg("--config")
                .arg(&config);
            let log = node.directory().join(format!("{name}-unprivileged.log"));
            says(&Process::start(name, command, &log)?, &["ermi"])?;
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_bad_lease_harms_nobody_else() {
    in_a_lab(|lab| {
        let trio = Trio::build(lab)?;
        // Keys that flanneld parses, values that it would not.
        for (subnet, value) in [
            ("10.244.177.0-24", "{"),
            ("10.244.178.0-24", r#"{"PublicIP":""}"#),
        ] {
            let key = format!("{}/subnets/{subnet}", perf::lab::lease::PREFIX);
            lab.etcd().put(&key, value)?;
        }
        let f4 = lab.flannel(4, "10.244.204.0/24")?;
        let w = f4.pod()?;
        common::settle(lab, &[&trio.x, &trio.y, &w])
    });
}

/// Writes garbage over every part of the file that is in use (it is sparse), but the first page, which holds the header:
/// at a stride that meets indices and rewrites of every kind.
fn mangle(path: &Path) -> std::io::Result<()> {
    let file = File::options().write(true).open(path)?;
    let mut at = 4096;
    // ENXIO: no data behind `at`.
    while let Ok(start) = seek(&file, SeekFrom::Data(at)) {
        let end = seek(&file, SeekFrom::Hole(start))?;
        for at in (start..end.saturating_sub(8)).step_by(1021) {
            let garbage = at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
            file.write_all_at(&garbage, at)?;
        }
        at = end;
    }
    Ok(())
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_mangled_tables_segment_is_survived_and_repaired() {
    in_a_lab(|lab| {
        let mut trio = Trio::build(lab)?;
        mangle(&trio.t1.tables_path()).map_err(LabError::io("mangle the tables"))?;
        // Traffic over garbage: lost or not, but the engine lives.
        for to in [trio.y.ip, trio.z.ip] {
            perf::lab::traffic::Ping::default().run(&trio.x, to)?;
        }
        trio.t1.check_running()?;
        trio.t1.kill_control()?;
        trio.t1.start_control()?;
        common::settle(lab, &trio.pods())?;
        trio.t1.check_running()
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_segment_of_another_abi_is_refused() {
    in_a_lab(|lab| {
        let mut node = with_control(lab, 1)?;
        node.kill_control()?;
        let failed = || LabError::io("overwrite the header of the tables");
        let file = File::options()
            .write(true)
            .open(node.tables_path())
            .map_err(failed())?;
        // Magic and ABI number stand first.
        file.write_all_at(&[0xff; 16], 0).map_err(failed())?;
        says(&node.daemon("tweed-dataplane")?, &["tables"])
    });
}
