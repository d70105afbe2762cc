//! What flannel does with `--ip-masq` and `--iptables-forward-rules`: pods reach the world outside as their node, and each
//! other whatever a firewall's FORWARD policy says.
//!
//! Two places, for two reasons. Masquerading is a table of our own in nftables, replaced whole in one transaction, so that
//! there is no moment without rules (flannel empties its chain at each start: issue #2237). Accepting is a chain in the
//! `filter` table of iptables where such a table exists, because only there it counts: an accept in a table of our own ends
//! no chain but ours, and a DROP elsewhere still drops.
//!
//! Level-triggered as everything here: every few seconds the kernel is asked what stands, and only what differs is written.
//! The rules stay when control ends.

// Asks for rules, and looks after them beside the loop.
mod keeper;
// The FORWARD chain of iptables.
mod forward;
// flanneld's rules in place of ours.
mod give_back;
// Rules that flanneld left.
mod leftover;
// The programs that speak to the kernel.
mod program;
// The masquerade rules as text.
mod ruleset;
// The table of our own.
mod table;

use contract::config::Config;
use ipnet::{IpNet, Ipv4Net};
use thiserror::Error;

pub use give_back::give_back;
pub use keeper::{Keeper, Standing};
pub use ruleset::Family;
pub use table::remove;

/// The chain of masquerade rules, by flannel's name.
pub const MASQUERADE_CHAIN: &str = "FLANNEL-POSTRTG";
/// The chain of forward rules, by flannel's name.
pub const FORWARD_CHAIN: &str = "FLANNEL-FWD";

/// What the rules are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Our table in nftables; one per instance.
    pub table: String,
    /// The pods, by address family: at most one entry for each.
    pub pods: Vec<Pods>,
    /// Masquerade what leaves the cluster, and how.
    pub masquerade: Option<Ports>,
    /// Accept the pod network where iptables' FORWARD chain is.
    pub forward: bool,
}

/// The pods of one address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pods {
    /// Of the whole cluster.
    pub network: IpNet,
    /// Of this node; of the same family.
    pub subnet: IpNet,
}

/// Where the source ports of masqueraded connections come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Drawn at random: two connections at once do not get the same one.
    Random,
    /// The pod's own, where it is free.
    Kept,
}

impl Wanted {
    /// As configured, for the subnet that is ours.
    pub fn new(config: &Config, network: Ipv4Net, subnet: Ipv4Net) -> Self {
        let ports = match config.firewall.fully_random {
            true => Ports::Random,
            false => Ports::Kept,
        };
        Wanted {
            table: table_name(&config.overlay.device),
            pods: vec![Pods {
                network: network.into(),
                subnet: subnet.into(),
            }],
            masquerade: config.firewall.ip_masq.then_some(ports),
            forward: config.firewall.forward_rules,
        }
    }
}

/// The table of the instance with this uplink: `tweed` for the usual one.
pub fn table_name(device: &str) -> String {
    if device == "tweed0" {
        return "tweed".into();
    }
    // What nft reads as one word; a device name may hold more.
    let word = |c: char| match c.is_ascii_alphanumeric() || ".-_".contains(c) {
        true => c,
        false => '_',
    };
    format!("tweed-{}", device.chars().map(word).collect::<String>())
}

/// Why the rules are not as wanted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RulesError {
    /// A program is not installed.
    #[error(
        "{program} is not installed: install the Debian package {package}{}",
        unless(program)
    )]
    Missing {
        /// The program.
        program: &'static str,
        /// Where it comes from.
        package: &'static str,
    },
    /// A program could not be run.
    #[error("cannot run {program}: {problem}")]
    Run {
        /// The program.
        program: &'static str,
        /// What the system said.
        problem: String,
    },
    /// A program refused.
    #[error("`{command}` failed: {said}")]
    Refused {
        /// As one would type it.
        command: String,
        /// Its words, in one line.
        said: String,
    },
    /// A program answered in a way that is not understood.
    #[error("`{command}` answered what is not understood: {problem}; is it newer than tweed?")]
    Answer {
        /// As one would type it.
        command: String,
        /// What is wrong with the answer.
        problem: String,
    },
}

fn unless(program: &str) -> &'static str {
    match program {
        "nft" => ", or set firewall.ip_masq = false and let the CNI plugin masquerade",
        _ => "",
    }
}

/// Whether what the configuration needs is there. For the start, before anything is changed.
pub fn check(config: &Config) -> Result<(), RulesError> {
    match config.firewall.ip_masq {
        true => program::nft(&["--version"]).map(drop),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_a_table_of_its_own_whatever_its_device_is_called() {
        assert_eq!(table_name("tweed0"), "tweed");
        assert_eq!(table_name("blue.1"), "tweed-blue.1");
        assert_eq!(table_name("a{b;c"), "tweed-a_b_c");
    }

    #[test]
    fn what_is_missing_is_named_with_its_package_and_the_way_round() {
        let missing = RulesError::Missing {
            program: "nft",
            package: "nftables",
        };
        assert_eq!(
            missing.to_string(),
            "nft is not installed: install the Debian package nftables, or set firewall.ip_masq = false and let the CNI \
             plugin masquerade"
        );
    }
}
