//! The tunnel's UDP port, and other tunnels on it.

use contract::config::Config;
use contract::stats::{BoundMode, PortState, PortStatus};

use super::super::facts::{Facts, PortOwner, Tunnel};
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
        Some(owner) if is_engine(facts, owner) => {
            ok(SUBJECT, format!("UDP port {port} is the engine's"))
        }
        Some(PortOwner::Process { pid, name }) => error(
            SUBJECT,
            format!("UDP port {port} is taken by {name}, process {pid}"),
            format!("stop {name}; what it is: ps -fp {pid}"),
        ),
        // A device that is up on this port in this namespace cannot be without the socket.
        Some(PortOwner::Unseen) => match facts.tunnels.iter().find(|t| t.up && t.port == port) {
            Some(Tunnel { name, .. }) => error(
                SUBJECT,
                format!("UDP port {port} is taken by the kernel's vxlan device {name}"),
                // flannel's carries the pods' traffic, and has the MAC address that other nodes know.
                match name.starts_with("flannel.") {
                    true => {
                        "systemctl start tweed-control tweed-dataplane   # flanneld stopped: they take it over".to_owned()
                    }
                    false => format!("ip link del {name}"),
                },
            ),
            None => error(
                SUBJECT,
                format!(
                    "UDP port {port} is taken by no process that can be seen from here, and by no vxlan device"
                ),
                format!("ss -lunp 'sport = :{port}'   # as root, in the PID namespace of the host"),
            ),
        },
    }]
}

/// By its number or name; where its process is not to be seen (another PID namespace), by its word that it has the socket.
fn is_engine(facts: &Facts, owner: &PortOwner) -> bool {
    let daemons = &facts.daemons;
    match owner {
        // The kernel keeps 15 bytes of a name, and this one has as many.
        PortOwner::Process { pid, name } => *pid == daemons.engine_pid || name == "tweed-dataplane",
        PortOwner::Unseen => {
            let has_socket =
                |port: &PortStatus| port.state == PortState::Up && port.mode == BoundMode::Udp;
            daemons.engine_runs() && daemons.ports.iter().any(has_socket)
        }
    }
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
