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
        let wanted = Wanted::new(&config, network, subnet);
        stand(&mut Keeper::start(Duration::from_secs(3600)), &wanted).await;
        // Whatever the one who gives back was told.
        give_back(&Config::default(), network, subnet).unwrap();
        let flannels = netns.exec("iptables -t nat -S");
        assert_eq!(flannels.matches("flanneld masq").count(), 7, "{flannels}");
        assert_eq!(flannels.matches("--random-fully").count(), 2, "{flannels}");

        // The next run finds them as flanneld would have left them.
        let mut keeper = Keeper::start(Duration::from_secs(3600));
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

        // Back to the first; and twice is as good as once.
        stand(&mut keeper, &wanted).await;
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

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn without_nft_control_ends_before_it_takes_a_lease_and_names_the_package() {
    // In a namespace, for a control that starts all the same would change this one.
    let netns = Netns::new("masq-no");
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new("ip")
            .args(["netns", "exec", netns.name(), "env"])
            .arg(format!("PATH={}", directory.path().display()))
            .arg(env!("CARGO_BIN_EXE_tweed-control"))
            .args(["--config", "/dev/null", "--iface=nothing0"])
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    let (code, said) = run(&["--ip-masq"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("install the Debian package nftables"),
        "{said}"
    );
    // Who does not masquerade does not need it: the next thing that is missing is the device.
    let (_, said) = run(&[]);
    assert!(
        said.contains("nothing0") && !said.contains("nftables"),
        "{said}"
    );
}
