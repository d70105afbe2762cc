//! Chains of the forward hook whose policy is drop, and whether a rule in them lets pods pass.
//!
//! nftables' are asked of `nft`, which shows those that iptables-nft has made as well. iptables' old tables are another world;
//! the kernel says in /proc whether there are any.

use ipnet::Ipv4Net;
use serde_json::Value;

use super::super::facts::ForwardChain;
use super::host::text;
use super::tool;

/// The chain that flannel's rules are in.
const FLANNEL: &str = "FLANNEL-FWD";

/// The chains; and why those of nftables could not be listed.
pub fn read(pods: Option<Ipv4Net>) -> (Vec<ForwardChain>, Option<String>) {
    let mut chains = Vec::new();
    let mut trouble = None;
    match tool::run("nft", &["-j", "list", "chains"]) {
        Ok(listed) => {
            for name in dropping(&listed) {
                let mut arguments = vec!["-j", "list", "chain"];
                arguments.extend(name.split(' '));
                let rules = tool::run("nft", &arguments).unwrap_or_default();
                let accepts = pods.is_some_and(|pods| accepts(&rules, pods));
                chains.push(ForwardChain {
                    name,
                    legacy: false,
                    accepts,
                });
            }
        }
        Err(error) => trouble = Some(error.to_string()),
    }
    let legacy = text("/proc/net/ip_tables_names").unwrap_or_default();
    if legacy.lines().any(|table| table == "filter")
        && let Ok(rules) = tool::run("iptables-legacy", &["-w", "-S", "FORWARD"])
        && rules.lines().any(|line| line == "-P FORWARD DROP")
    {
        let accepts = pods.is_some_and(|pods| accepts_legacy(&rules, pods));
        chains.push(ForwardChain {
            name: "iptables-legacy FORWARD".into(),
            legacy: true,
            accepts,
        });
    }
    (chains, trouble)
}

/// `family table chain` of those that drop.
fn dropping(listed: &str) -> Vec<String> {
    let word = |chain: &Value, key: &str| chain[key].as_str().map(str::to_owned);
    objects(listed, "chain")
        .filter(|chain| chain["hook"] == "forward" && chain["policy"] == "drop")
        .filter_map(|chain| {
            let family = word(&chain, "family")?;
            let names = (word(&chain, "table")?, word(&chain, "name")?);
            // A bridge's and a device's chains do not see what is routed.
            ["ip", "inet"]
                .contains(&family.as_str())
                .then(|| format!("{family} {} {}", names.0, names.1))
        })
        .collect()
}

/// A rule that accepts the pods' addresses, or that leads to flannel's chain.
fn accepts(rules: &str, pods: Ipv4Net) -> bool {
    objects(rules, "rule").any(|rule| {
        let parts = rule["expr"].as_array().cloned().unwrap_or_default();
        let to_flannel = |part: &Value| {
            ["jump", "goto"]
                .iter()
                .any(|verb| part[*verb]["target"] == FLANNEL)
        };
        let of_pods = |part: &Value| {
            let right = &part["match"]["right"]["prefix"];
            let net = right["addr"].as_str().zip(right["len"].as_u64());
            net.and_then(|(addr, len)| {
                Ipv4Net::new(addr.parse().ok()?, u8::try_from(len).ok()?).ok()
            })
            .is_some_and(|net| net.contains(&pods))
        };
        parts.iter().any(to_flannel)
            || (parts.iter().any(of_pods) && parts.iter().any(|part| part.get("accept").is_some()))
    })
}

fn objects(json: &str, kind: &'static str) -> impl Iterator<Item = Value> {
    let mut listed: Value = serde_json::from_str(json).unwrap_or_default();
    let objects = listed["nftables"].as_array_mut().map(std::mem::take);
    objects
        .unwrap_or_default()
        .into_iter()
        .filter_map(move |mut object| object.get_mut(kind).map(Value::take))
}

fn accepts_legacy(rules: &str, pods: Ipv4Net) -> bool {
    rules.lines().any(|rule| {
        let words: Vec<_> = rule.split_whitespace().collect();
        let after = |flag| {
            words
                .iter()
                .position(|word| word == flag)
                .and_then(|at| words.get(at + 1))
        };
        let of_pods = ["-s", "-d"]
            .iter()
            .filter_map(|flag| after(flag)?.parse::<Ipv4Net>().ok())
            .any(|net| net.contains(&pods));
        match after(&"-j") {
            Some(&"ACCEPT") => of_pods,
            Some(target) => *target == FLANNEL,
            None => false,
        }
    })
}

#[cfg(test)]
mod tests;
