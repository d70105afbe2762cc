//! Whether the kernel lets packets of pods pass between devices.

use contract::config::Config;

use super::super::facts::Facts;
use super::super::finding::{Finding, error, hint, ok};

/// docker sets the policy of FORWARD to DROP. An `accept` in one table does not overrule another's drop, so the rules have to
/// be in the chain that drops.
pub fn forward(facts: &Facts, _: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "forward-policy";
    let mut findings = Vec::new();
    let network = match &facts.network {
        Some(Ok(network)) => network.network.to_string(),
        _ => "<network of the pods>".into(),
    };
    for chain in facts.forward.iter().filter(|chain| !chain.accepts) {
        let name = &chain.name;
        let rules = [("saddr", "-s"), ("daddr", "-d")].map(|(nft, iptables)| match chain.legacy {
            true => format!("iptables-legacy -I FORWARD {iptables} {network} -j ACCEPT"),
            false => format!("nft insert rule {name} ip {nft} {network} accept"),
        });
        findings.push(error(
            SUBJECT,
            format!("{name} drops what nothing in it accepts, and nothing in it accepts the pods' {network}"),
            rules.join(" && "),
        ));
    }
    if let Some(why) = &facts.no_firewall {
        findings.push(hint(
            SUBJECT,
            format!("the chains of the forward hook could not be listed: {why}"),
            "run this as root, and with nft installed: apt-get install nftables",
        ));
    } else if findings.is_empty() {
        findings.push(ok(
            SUBJECT,
            "no chain of the forward hook is in the way of pods",
        ));
    }
    findings
}
