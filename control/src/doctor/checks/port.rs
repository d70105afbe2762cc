//! The tunnel's UDP port, and other tunnels on it.

use contract::config::Config;

use super::super::facts::{Facts, PortOwner};
use super::super::finding::{Finding, error, hint, ok};

fn number(facts: &Facts) -> Option<u16> {
    let network = facts.network.as_ref()?.as_ref().ok()?;
    network.port
}

pub fn owner(facts: &Facts, _: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "tunnel-port";
    let Some(port) = number(facts) else {
        return Vec::new();
    };
    vec![match &facts.port_owner {
        None => ok(SUBJECT, format!("UDP port {port} is free")),
        Some(PortOwner::Process { pid, name }) if is_engine(facts, *pid, name) => {
            ok(SUBJECT, format!("UDP port {port} is the engine's"))
        }
        Some(PortOwner::Process { pid, name }) => error(
            SUBJECT,
            format!("UDP port {port} is taken by {name}, process {pid}"),
            format!("stop {name}; what it is: ps -fp {pid}"),
        ),
        Some(PortOwner::Kernel) => match facts
            .tunnels
            .iter()
            .find(|tunnel| tunnel.up && tunnel.port == port)
        {
            Some(tunnel) => error(
                SUBJECT,
                format!(
                    "UDP port {port} is taken by the kernel's vxlan device {}",
                    tunnel.name
                ),
                format!("ip link del {}", tunnel.name),
            ),
            None => error(
                SUBJECT,
                format!(
                    "UDP port {port} is taken by a tunnel of the kernel's that cannot be seen from here"
                ),
                "ip -d link show type vxlan   # in each network namespace",
            ),
        },
        Some(PortOwner::Unseen) => error(
            SUBJECT,
            format!("UDP port {port} is taken by a process that cannot be seen from here"),
            format!("ss -lunp 'sport = :{port}'   # as root, in the PID namespace of the host"),
        ),
    }]
}

fn is_engine(facts: &Facts, pid: u32, name: &str) -> bool {
    // The kernel keeps 15 bytes of a name.
    pid == facts.daemons.engine_pid || name == "tweed-dataplane"
}

/// Those that do not hold the port now and would with the next `ip link set up`.
pub fn tunnels(facts: &Facts, _: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "other-tunnels";
    let Some(port) = number(facts) else {
        return Vec::new();
    };
    let idle = facts
        .tunnels
        .iter()
        .filter(|tunnel| tunnel.port == port && !tunnel.up);
    let findings: Vec<_> = idle
        .map(|tunnel| {
            hint(
                SUBJECT,
                format!(
                    "{} (VNI {}) is down and wants UDP port {port} when it comes up",
                    tunnel.name, tunnel.vni
                ),
                format!("ip link del {}", tunnel.name),
            )
        })
        .collect();
    match findings.is_empty() && !facts.tunnels.iter().any(|tunnel| tunnel.port == port) {
        true => vec![ok(
            SUBJECT,
            format!("no kernel vxlan device wants UDP port {port}"),
        )],
        false => findings,
    }
}
