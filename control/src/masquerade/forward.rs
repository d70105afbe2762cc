//! The pod network is accepted in iptables' FORWARD chain: flannel's chain FLANNEL-FWD in the table `filter`.
//!
//! Netfilter asks every table's chain at a hook. An accept ends only the chain that it stands in; a drop ends the packet. So
//! what docker's FORWARD policy of DROP would drop can only be accepted in that very chain, and not from a table of our own.
//! There are two kinds of iptables, over nf_tables and the older one, and both may be in force at once. Where a kind has no
//! FORWARD chain there is nothing to accept, and none is made: each packet would pay for it. One that comes later, with
//! docker's first start, is seen at the next look.
//!
//! Rules are only added, so that several instances and flanneld itself share the chain. Other firewalls' chains that drop what
//! is forwarded (`table inet filter { chain forward { policy drop; } }`) are nobody's but the administrator's: a warning.

use super::program::{line, nft, run, says_yes};
use super::{FORWARD_CHAIN, RulesError};
use ipnet::IpNet;
use serde_json::Value;

/// On each rule, as on flannel's.
const COMMENT: &str = "flanneld forward";

/// A kind of iptables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Over nf_tables: its tables are tables of nftables.
    Nft,
    /// The older one, whose tables nft does not see.
    Legacy,
}

impl Kind {
    /// Both.
    pub const ALL: [Kind; 2] = [Kind::Nft, Kind::Legacy];

    /// The program that asks and changes, by the name that does not depend on what `iptables` is.
    pub fn program(self) -> &'static str {
        match self {
            Kind::Nft => "iptables-nft",
            Kind::Legacy => "iptables-legacy",
        }
    }

    /// The program that reads a whole change, which it makes at once.
    pub fn restore(self) -> &'static str {
        match self {
            Kind::Nft => "iptables-nft-restore",
            Kind::Legacy => "iptables-legacy-restore",
        }
    }
}

/// A chain at a hook, in any table of nftables.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chain {
    /// `ip`, `inet`, ...
    family: String,
    /// Its table.
    table: String,
    /// Its name.
    name: String,
    /// Where packets come by; empty for one that is only jumped to.
    hook: String,
    /// What it does with what no rule decides.
    drops: bool,
}

impl Chain {
    fn is(&self, table: &str, name: &str) -> bool {
        (
            self.family.as_str(),
            self.table.as_str(),
            self.name.as_str(),
        ) == ("ip", table, name)
    }
}

/// Every chain of nftables.
fn chains() -> Result<Vec<Chain>, RulesError> {
    let arguments = ["-j", "list", "chains"];
    let answer = nft(&arguments)?;
    parse(&answer).map_err(|problem| RulesError::Answer {
        command: line("nft", &arguments),
        problem,
    })
}

/// libnftables-json(5): a list of objects with one key each; what is no chain is passed over.
fn parse(answer: &str) -> Result<Vec<Chain>, String> {
    let answer: Value = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    let objects = answer["nftables"]
        .as_array()
        .ok_or("no list \"nftables\"")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let chains = objects.iter().filter_map(|object| object.get("chain"));
    Ok(chains
        .map(|chain| Chain {
            family: text(&chain["family"]),
            table: text(&chain["table"]),
            name: text(&chain["name"]),
            hook: text(&chain["hook"]),
            drops: chain["policy"] == "drop",
        })
        .collect())
}

/// Whether a kind of iptables has this chain; of the older kind only the table is asked for.
pub fn has(kind: Kind, table: &str, chain: &str) -> Result<bool, RulesError> {
    match kind {
        // Not iptables-nft, which answers for chains that are not there as if they were.
        Kind::Nft => says_yes("nft", &["-t", "list", "chain", "ip", table, chain]),
        // The calling thread's namespace, not the process's; the file is missing where the kernel has no such iptables.
        Kind::Legacy => Ok(
            std::fs::read_to_string("/proc/thread-self/net/ip_tables_names")
                .is_ok_and(|names| names.lines().any(|name| name == table)),
        ),
    }
}

/// Accepts the network wherever iptables looks at what is forwarded. What could not be done, and does no harm where it is not
/// needed, comes back in words.
pub fn ensure(network: &IpNet) -> Result<Vec<String>, RulesError> {
    let mut warnings = Vec::new();
    for kind in Kind::ALL {
        let done = has(kind, "filter", "FORWARD").and_then(|there| match there {
            true => accept(kind, network),
            false => Ok(()),
        });
        match done {
            Err(RulesError::Missing { program, package }) => warnings.push(format!(
                "cannot accept {network} in the FORWARD chain of iptables: {program} is not installed (Debian: {package})"
            )),
            outcome => outcome?,
        }
    }
    Ok(warnings)
}

/// What of other firewalls drops pods' packets, and what to type, in words. Lists every chain there is: with thousands of
/// services that is not for each look.
pub fn obstacles(network: &IpNet) -> Result<Vec<String>, RulesError> {
    match chains() {
        Ok(chains) => Ok(foreign(&chains, network)),
        // Said already, where it matters.
        Err(RulesError::Missing { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Drops that an accept in iptables does not override.
fn foreign(chains: &[Chain], network: &IpNet) -> Vec<String> {
    let drops = |chain: &&Chain| {
        chain.hook == "forward"
            && chain.drops
            && ["ip", "inet"].contains(&chain.family.as_str())
            && !chain.is("filter", "FORWARD")
    };
    let remedy = |Chain {
                      family,
                      table,
                      name,
                      ..
                  }: &Chain| {
        format!(
            "table {family} {table} drops what its chain {name} does not accept, pods' packets too: `nft insert rule {family} \
             {table} {name} ip saddr {network} accept`, and the same with daddr"
        )
    };
    chains.iter().filter(drops).map(remedy).collect()
}

/// The rules: the jump and what it leads to, each as the chain that it stands in and the rest.
fn rules(network: &IpNet) -> [(&'static str, Vec<String>); 3] {
    let words = |before: &[&str], target: &str| -> Vec<String> {
        let comment = ["-m", "comment", "--comment", COMMENT];
        let all = [before, &comment, &["-j", target]].concat();
        all.into_iter().map(str::to_owned).collect()
    };
    let network = network.to_string();
    let network = network.as_str();
    [
        (FORWARD_CHAIN, words(&["-s", network], "ACCEPT")),
        (FORWARD_CHAIN, words(&["-d", network], "ACCEPT")),
        ("FORWARD", words(&[], FORWARD_CHAIN)),
    ]
}

/// Adds what is missing, in one transaction. iptables itself is asked what is there (`-C`), for kinds and versions print rules
/// differently.
fn accept(kind: Kind, network: &IpNet) -> Result<(), RulesError> {
    let mut missing = Vec::new();
    for (chain, words) in rules(network) {
        let mut question = vec!["-w", "5", "-C", chain];
        question.extend(words.iter().map(String::as_str));
        if !says_yes(kind.program(), &question)? {
            missing.push((chain, words));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let exists = says_yes(kind.program(), &["-w", "5", "-S", FORWARD_CHAIN])?;
    let text = addition(&missing, exists);
    run(kind.restore(), &["-w", "5", "--noflush"], &text)?;
    tracing::info!(%network, "accepted in the FORWARD chain of {}", kind.program());
    Ok(())
}

/// In the language of iptables-restore. A chain that is declared is emptied, so one that exists is not.
fn addition(missing: &[(&str, Vec<String>)], chain_exists: bool) -> String {
    let mut text = "*filter\n".to_owned();
    if !chain_exists {
        text += &format!(":{FORWARD_CHAIN} - [0:0]\n");
    }
    for (chain, words) in missing {
        let quoted = |word: &String| match word.contains(' ') {
            true => format!("\"{word}\""),
            false => word.clone(),
        };
        let words: Vec<_> = words.iter().map(quoted).collect();
        text += &format!("-A {chain} {}\n", words.join(" "));
    }
    text + "COMMIT\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> IpNet {
        "10.244.0.0/16".parse().unwrap()
    }

    #[test]
    fn the_rules_are_flannels() {
        let all = rules(&network());
        assert_eq!(
            addition(&all, false),
            "*filter\n\
             :FLANNEL-FWD - [0:0]\n\
             -A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment \"flanneld forward\" -j ACCEPT\n\
             -A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment \"flanneld forward\" -j ACCEPT\n\
             -A FORWARD -m comment --comment \"flanneld forward\" -j FLANNEL-FWD\n\
             COMMIT\n"
        );
        // Another instance's rules stand in the chain.
        let added = addition(&all[..2], true);
        assert!(!added.contains(":FLANNEL-FWD"), "{added}");
    }

    #[test]
    fn chains_are_read_as_nft_prints_them() {
        let answer = r#"{"nftables": [
            {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
            {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 1, "type": "filter",
                "hook": "forward", "prio": 0, "policy": "drop"}},
            {"chain": {"family": "ip", "table": "filter", "name": "FLANNEL-FWD", "handle": 2}},
            {"chain": {"family": "inet", "table": "fw", "name": "fwd", "handle": 2, "type": "filter",
                "hook": "forward", "prio": 0, "policy": "drop"}}]}"#;
        let chains = parse(answer).unwrap();
        assert_eq!(chains.len(), 3);
        assert!(chains[0].is("filter", "FORWARD") && chains[0].drops);
        let warnings = foreign(&chains, &network());
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("nft insert rule inet fw fwd ip saddr 10.244.0.0/16 accept"));
        for junk in ["", "{}", "[]", "{\"nftables\": 7}"] {
            assert!(parse(junk).is_err(), "{junk}");
        }
        assert_eq!(
            parse("{\"nftables\": [7, {\"chain\": 8}]}").unwrap().len(),
            1
        );
    }

    #[test]
    fn a_chain_that_accepts_is_no_ones_business() {
        let chain = |hook: &str, family: &str, drops| Chain {
            family: family.into(),
            table: "fw".into(),
            name: "c".into(),
            hook: hook.into(),
            drops,
        };
        let chains = [
            chain("forward", "inet", false),
            chain("input", "inet", true),
            chain("forward", "ip6", true),
        ];
        assert_eq!(foreign(&chains, &network()), [""; 0]);
    }
}
