//! Where the figures were measured, for figures without their machine say nothing.

use serde::{Deserialize, Serialize};

/// The machine and the command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model of its first CPU.
    pub cpu: String,
    /// How many there are.
    pub cpus: usize,
    /// Release of the kernel.
    pub kernel: String,
    /// Load averages when the benchmark began: what else ran.
    pub load: String,
    /// The command line.
    pub command: String,
}

impl Machine {
    /// This one, now.
    pub fn here() -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        Machine {
            cpu: model(&cpuinfo).unwrap_or("unknown").to_owned(),
            cpus: cpuinfo
                .lines()
                .filter(|line| line.starts_with("processor"))
                .count(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg").trim().to_owned(),
            command: std::env::args().collect::<Vec<_>>().join(" "),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Machine {
            cpu,
            cpus,
            kernel,
            load,
            command,
        } = self;
        writeln!(f, "{cpus} x {cpu}, Linux {kernel}, load {load}")?;
        writeln!(f, "$ {command}")
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    line.split_once(": ").map(|(_, model)| model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_the_first_cpus() {
        let cpuinfo = "processor\t: 0\nmodel name\t: AMD EPYC\nmodel name\t: other\n";
        assert_eq!(model(cpuinfo), Some("AMD EPYC"));
        assert_eq!(model("processor: 0\n"), None);
    }

    #[test]
    fn this_machine_has_a_kernel_and_cpus() {
        let machine = Machine::here();
        assert!(machine.cpus > 0);
        assert!(!machine.kernel.is_empty());
    }
}
