//! The machine of a run, as /proc tells it. What cannot be read is left empty: no run fails for want of it.

use std::fs;

use serde::{Deserialize, Serialize};

/// Where it ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// `uname -r`.
    pub kernel: String,
    /// CPU model.
    pub cpu: String,
    /// CPUs online.
    pub cpus: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// Hypervisor, if the CPU tells.
    pub hypervisor: Option<String>,
}

/// This machine.
pub fn here() -> Machine {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let mut machine = from(&read("/proc/cpuinfo"), &read("/proc/meminfo"));
    // What uname(2) says, from where the kernel writes it too.
    machine.kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    if machine.hypervisor.is_some() {
        let product = read("/sys/class/dmi/id/sys_vendor").trim().to_owned();
        machine.hypervisor = Some(if product.is_empty() {
            "yes".into()
        } else {
            product
        });
    }
    machine
}

/// From the text of /proc/cpuinfo and /proc/meminfo. arm64 has no model name there, but numbers.
fn from(cpuinfo: &str, meminfo: &str) -> Machine {
    let of = |key: &str| {
        cpuinfo
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.trim() == key)
            .map(|(_, value)| value.trim().to_owned())
    };
    let kilobytes = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    let flagged =
        of("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    Machine {
        kernel: String::new(),
        cpu: of("model name")
            .or_else(|| of("CPU part").map(|part| format!("CPU part {part}")))
            .unwrap_or_default(),
        cpus: cpuinfo
            .lines()
            .filter(|line| line.starts_with("processor"))
            .count(),
        memory: kilobytes.unwrap_or(0).saturating_mul(1024),
        hypervisor: flagged.then(|| "yes".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nflags\t\t: fpu hypervisor avx\n\n\
                       processor\t: 1\nmodel name\t: A CPU @ 2 GHz\n";
        let machine = from(cpuinfo, "MemTotal:        1000 kB\nMemFree: 1 kB\n");
        assert_eq!(
            (machine.cpu.as_str(), machine.cpus, machine.memory),
            ("A CPU @ 2 GHz", 2, 1_024_000)
        );
        assert!(machine.hypervisor.is_some());
        assert_eq!(from("", "nonsense"), Machine::default());
    }

    #[test]
    fn this_one_has_a_kernel_and_a_cpu() {
        let machine = here();
        assert!(
            !machine.kernel.is_empty() && machine.cpus > 0 && machine.memory > 0,
            "{machine:?}"
        );
    }
}
