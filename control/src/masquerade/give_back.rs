//! The masquerade rules as flanneld would have left them, in iptables, in place of ours: for a node that goes back to flanneld,
//! so that pods reach the world until it starts and finds its own rules. flanneld in nftables mode removes them then.

use contract::config::Config;
use ipnet::Ipv4Net;

use super::program::{run, says_yes};
use super::ruleset::Family;
use super::table::list;
use super::{MASQUERADE_CHAIN, RulesError, remove, table_name};

/// The jump, as words.
const JUMP: [&str; 7] = [
    "POSTROUTING",
    "-m",
    "comment",
    "--comment",
    "flanneld masq",
    "-j",
    MASQUERADE_CHAIN,
];

/// Puts flannel's rules and then removes ours; nothing where ours do not stand. What stands counts, and not what is configured:
/// the daemon may have been told by a flag of its own. An error leaves ours standing.
pub fn give_back(config: &Config, network: Ipv4Net, subnet: Ipv4Net) -> Result<(), RulesError> {
    let table = table_name(&config.overlay.device);
    let ours = match list(&table, Family::Ip) {
        Ok(Some(ours)) => ours,
        Ok(None) | Err(RulesError::Missing { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    // Whichever kind of iptables this node uses, as flanneld does.
    let mut question = vec!["-w", "5", "-t", "nat", "-C"];
    question.extend(JUMP);
    let jumps = says_yes("iptables", &question)?;
    let random = ours.contains("fully-random");
    let text = flannels(network, subnet, random, jumps);
    run("iptables-restore", &["-w", "5", "--noflush"], &text)?;
    remove(&table)
}

/// In the language of iptables-restore. The chain is emptied by its declaration, and filled in the same transaction.
fn flannels(network: Ipv4Net, subnet: Ipv4Net, random: bool, jumps: bool) -> String {
    let (c, p) = (network, subnet);
    let masquerade = match random {
        true => "MASQUERADE --random-fully",
        false => "MASQUERADE",
    };
    let rules = [
        ("-m mark --mark 0x4000/0x4000".to_owned(), "RETURN"),
        (format!("-s {p} -d {c}"), "RETURN"),
        (format!("-s {c} -d {p}"), "RETURN"),
        (format!("! -s {c} -d {p}"), "RETURN"),
        (format!("-s {c} ! -d 224.0.0.0/4"), masquerade),
        (format!("! -s {c} -d {c}"), masquerade),
    ];
    let mut text = format!("*nat\n:{MASQUERADE_CHAIN} - [0:0]\n");
    for (matching, target) in rules {
        text += &format!(
            "-A {MASQUERADE_CHAIN} {matching} -m comment --comment \"flanneld masq\" -j {target}\n"
        );
    }
    if !jumps {
        let words = JUMP.map(|word| match word.contains(' ') {
            true => format!("\"{word}\""),
            false => word.to_owned(),
        });
        text += &format!("-A {}\n", words.join(" "));
    }
    text + "COMMIT\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_flannels() {
        let (c, p) = (
            "10.244.0.0/16".parse().unwrap(),
            "10.244.7.0/24".parse().unwrap(),
        );
        assert_eq!(
            flannels(c, p, true, false),
            r#"*nat
:FLANNEL-POSTRTG - [0:0]
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.7.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.7.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.7.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
COMMIT
"#
        );
        assert!(!flannels(c, p, true, true).contains("-A POSTROUTING"));
        assert!(!flannels(c, p, false, true).contains("random"));
    }
}
