//! Rules in a real kernel: taken over from flanneld, and given back.

use std::time::Duration;

use contract::config::Config;
use control::masquerade::{Keeper, Standing, Wanted, give_back, remove};
use ipnet::Ipv4Net;

use super::netns::Netns;

fn config(random: bool) -> Config {
    let mut config = Config::default();
    config.firewall.ip_masq = true;
    config.firewall.fully_random = random;
    config
}

fn networks() -> (Ipv4Net, Ipv4Net) {
    (
        "10.244.0.0/16".parse().unwrap(),
        "10.244.7.0/24".parse().unwrap(),
    )
}

/// Wants the rules until they stand.
async fn stand(keeper: &mut Keeper, wanted: &Wanted) {
    loop {
        match keeper.want(wanted.clone()) {
            Standing::Stands => return,
            Standing::Pending => keeper.changed().await,
            Standing::Trouble(error) => panic!("{error}"),
        }
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn flannelds_rules_go_when_ours_stand_and_come_back_when_ours_go() {
    let netns = Netns::new("masq");
    netns.enter(|| async {
        let (network, subnet) = networks();
        let config = config(true);
        // As flanneld would have left them.
        give_back(&config, network, subnet).unwrap();
        let flannels = netns.exec("iptables -t nat -S");
        assert!(flannels.matches("flanneld masq").count() == 7, "{flannels}");

        let mut keeper = Keeper::start(Duration::from_secs(3600));
        let wanted = Wanted::new(&config, network, subnet);
        stand(&mut keeper, &wanted).await;
        let nat = netns.exec("iptables -t nat -S");
        assert!(!nat.contains("FLANNEL"), "{nat}");
        let table = netns.exec("nft list table ip tweed");
        assert_eq!(table.matches("fully-random").count(), 2, "{table}");

        // Another setting, another subnet: what is wanted holds, not what was.
        let other = Wanted::new(
            &self::config(false),
            network,
            "10.244.8.0/24".parse().unwrap(),
        );
        stand(&mut keeper, &other).await;
        let table = netns.exec("nft list table ip tweed");
        assert!(
            table.contains("10.244.8.0/24") && !table.contains("fully-random"),
            "{table}"
        );
        assert!(!table.contains("10.244.7.0/24"), "{table}");

        // Twice is as good as once.
        for _ in 0..2 {
            give_back(&config, network, subnet).unwrap();
            assert_eq!(netns.exec("iptables -t nat -S"), flannels);
            assert!(!netns.exec("nft list tables").contains("tweed"));
        }
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn ipv6_has_its_table_and_both_go_at_once() {
    let netns = Netns::new("masq6");
    netns.enter(|| async {
        let (network, subnet) = networks();
        let mut wanted = Wanted::new(&config(true), network, subnet);
        wanted.pods.push(control::masquerade::Pods {
            network: "fd00:12::/48".parse().unwrap(),
            subnet: "fd00:12:0:7::/64".parse().unwrap(),
        });
        let mut keeper = Keeper::start(Duration::from_millis(50));
        stand(&mut keeper, &wanted).await;
        for family in ["ip", "ip6"] {
            let table = netns.exec(&format!("nft list table {family} tweed"));
            assert_eq!(table.matches("flanneld masq").count(), 6, "{table}");
        }
        // Switched off, nothing stays.
        wanted.masquerade = None;
        stand(&mut keeper, &wanted).await;
        assert!(!netns.exec("nft list tables").contains("tweed"));
        remove("tweed").unwrap();
    });
}
