//! Masquerade rules that flanneld left for the same network: it leaves them at its end, and so they would outlive the subnet
//! that they speak of. Removed once ours stand, so that there is no moment without.
//!
//! In iptables the chain FLANNEL-POSTRTG and the jump to it; in flannel's nftables mode the tables `flannel-ipv4` and
//! `flannel-ipv6`. What does not name our network is another flanneld's and stays.

use ipnet::IpNet;

use super::MASQUERADE_CHAIN;
use super::RulesError;
use super::forward::{Kind, has};
use super::program::{nft_transaction, run};
use super::ruleset::{Family, removal};
use super::table::list;

/// Removes them; what was removed, for the log.
pub fn remove(network: &IpNet) -> Result<Vec<String>, RulesError> {
    let mut removed = Vec::new();
    let family = Family::of(network);
    let table = match family {
        Family::Ip => "flannel-ipv4",
        Family::Ip6 => "flannel-ipv6",
    };
    if list(table, family)?.is_some_and(|text| names(&text, network)) {
        nft_transaction(&removal(table, family))?;
        removed.push(format!("table {} {table}", family.name()));
    }
    if family == Family::Ip6 {
        return Ok(removed);
    }
    for kind in Kind::ALL {
        if !has(kind, "nat", MASQUERADE_CHAIN)? {
            continue;
        }
        let ask = |chain: &str| run(kind.program(), &["-w", "5", "-t", "nat", "-S", chain], "");
        // The older kind cannot be asked for the chain alone; without it the question is refused.
        let Ok(rules) = ask(MASQUERADE_CHAIN) else {
            continue;
        };
        if names(&rules, network) {
            let text = deletion(&ask("POSTROUTING")?);
            run(kind.restore(), &["-w", "5", "--noflush"], &text)?;
            removed.push(format!("chain {MASQUERADE_CHAIN} of {}", kind.program()));
        }
    }
    Ok(removed)
}

/// Whether a listing speaks of this network, and not only of one whose name begins or ends alike.
fn names(listing: &str, network: &IpNet) -> bool {
    let network = network.to_string();
    listing.split_whitespace().any(|word| word == network)
}

/// In the language of iptables-restore: the jumps of this listing of POSTROUTING go, then the chain's rules, then the chain.
fn deletion(postrouting: &str) -> String {
    let mut text = format!("*nat\n:{MASQUERADE_CHAIN} - [0:0]\n");
    for rule in postrouting.lines() {
        let mut words = rule.split_whitespace();
        let jumps = words.any(|word| word == "-j") && words.next() == Some(MASQUERADE_CHAIN);
        if let Some(rest) = rule.strip_prefix("-A ")
            && jumps
        {
            text += &format!("-D {rest}\n");
        }
    }
    text + &format!("-X {MASQUERADE_CHAIN}\nCOMMIT\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jump_goes_before_the_chain_and_nothing_else_goes() {
        let postrouting = "-P POSTROUTING ACCEPT\n\
             -A POSTROUTING -m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING\n\
             -A POSTROUTING -m comment --comment \"flanneld masq\" -j FLANNEL-POSTRTG\n";
        assert_eq!(
            deletion(postrouting),
            "*nat\n\
             :FLANNEL-POSTRTG - [0:0]\n\
             -D POSTROUTING -m comment --comment \"flanneld masq\" -j FLANNEL-POSTRTG\n\
             -X FLANNEL-POSTRTG\n\
             COMMIT\n"
        );
    }

    #[test]
    fn another_clusters_rules_are_not_ours() {
        let network = "10.244.0.0/16".parse().unwrap();
        let rules = "-N FLANNEL-POSTRTG\n-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE\n";
        assert!(names(rules, &network));
        assert!(!names(
            &rules.replace("10.244.0.0/16", "110.244.0.0/16"),
            &network
        ));
        assert!(!names("", &network));
    }
}
