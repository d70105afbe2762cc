//! The kernel and its parameters, the processors, the clock.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use contract::config::Config;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::super::facts::{Cpu, Device, Sysctl};
use super::tool;
use crate::netlink::sysctl;

/// A small file's text without its end of line.
pub(super) fn text(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_owned())
}

pub fn release() -> String {
    text("/proc/sys/kernel/osrelease").unwrap_or_default()
}

/// A socket that is bound to nothing is nobody's business.
pub fn no_af_xdp() -> Option<String> {
    let socket = socket_with(
        AddressFamily::XDP,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    );
    socket
        .err()
        .map(|errno| std::io::Error::from(errno).to_string())
}

pub fn sysctl(config: &Config, underlay: Option<&Device>) -> Sysctl {
    let rp_filter = |device: &str| sysctl::read("ipv4", device, "rp_filter").ok()?.parse().ok();
    let switch = |path| text(path).map(|value| value == "1");
    Sysctl {
        ip_forward: switch("/proc/sys/net/ipv4/ip_forward"),
        rp_filter_all: rp_filter("all"),
        rp_filter_uplink: rp_filter(&config.overlay.device),
        rp_filter_underlay: underlay.and_then(|device| rp_filter(&device.name)),
        bridge_nf: switch("/proc/sys/net/bridge/bridge-nf-call-iptables"),
    }
}

pub fn cpu() -> Cpu {
    let list = |name| text(Path::new("/sys/devices/system/cpu").join(name)).map(|text| cpus(&text));
    let online = list("online").unwrap_or_default();
    let governor = |cpu: &u32| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor");
        Some((*cpu, text(path)?))
    };
    Cpu {
        governors: online
            .iter()
            .filter_map(governor)
            .collect::<BTreeMap<_, _>>(),
        isolated: list("isolated").unwrap_or_default(),
        online,
    }
}

/// `0-3,8`: the kernel's list format. What is not understood is left out.
fn cpus(text: &str) -> Vec<u32> {
    let ranges = text.split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.trim().parse::<u32>().ok()?..=last.trim().parse().ok()?)
    });
    ranges.flatten().collect()
}

/// systemd knows of every time service that it runs. Without systemd nobody is asked.
pub fn clock() -> Option<bool> {
    if !Path::new("/run/systemd/system").exists() {
        return None;
    }
    match tool::run("timedatectl", &["show", "-p", "NTPSynchronized", "--value"])
        .ok()?
        .trim()
    {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors() {
        assert_eq!(cpus("0-2,8"), [0, 1, 2, 8]);
        assert_eq!(cpus("5"), [5]);
        assert_eq!(cpus(""), [0; 0]);
        assert_eq!(cpus("x,3-,1"), [1]);
    }

    #[test]
    fn this_machine_has_a_kernel_and_a_processor() {
        assert!(!release().is_empty());
        assert!(!cpu().online.is_empty());
    }
}
