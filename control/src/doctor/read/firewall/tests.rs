use super::*;

const CHAINS: &str = r#"{"nftables": [
    {"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}},
    {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}},
    {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "handle": 2, "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
    {"chain": {"family": "inet", "table": "fw", "name": "pass", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}},
    {"chain": {"family": "bridge", "table": "b", "name": "f", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}},
    {"chain": {"family": "ip", "table": "filter", "name": "DOCKER", "handle": 3}}]}"#;

fn pods() -> Ipv4Net {
    "10.244.0.0/16".parse().unwrap()
}

fn rule(expr: &str) -> String {
    format!(
        r#"{{"nftables": [{{"rule": {{"family": "ip", "table": "filter", "chain": "FORWARD", "handle": 7, "expr": [{expr}]}}}}]}}"#
    )
}

fn of(addr: &str, len: u8) -> String {
    format!(
        r#"{{"match": {{"op": "==", "left": {{"payload": {{"protocol": "ip", "field": "saddr"}}}}, "right": {{"prefix": {{"addr": "{addr}", "len": {len}}}}}}}}}"#
    )
}

#[test]
fn only_what_is_routed_and_dropped_counts() {
    assert_eq!(dropping(CHAINS), ["ip filter FORWARD"]);
    assert_eq!(dropping("not json"), [""; 0]);
}

#[test]
fn a_rule_must_accept_and_be_for_all_pods() {
    let accept = r#"{"counter": {"packets": 0, "bytes": 0}}, {"accept": null}"#;
    let rows = [
        (of("10.244.0.0", 16), accept, true),
        (of("10.0.0.0", 8), accept, true),
        (of("10.244.1.0", 24), accept, false),
        (of("10.244.0.0", 16), r#"{"drop": null}"#, false),
        (of("192.168.0.0", 16), accept, false),
    ];
    for (of, verdict, accepted) in rows {
        let rules = rule(&format!("{of}, {verdict}"));
        assert_eq!(accepts(&rules, pods()), accepted, "{rules}");
    }
    let jump = rule(r#"{"jump": {"target": "FLANNEL-FWD"}}"#);
    assert!(accepts(&jump, pods()));
    assert!(!accepts(
        &rule(r#"{"jump": {"target": "DOCKER-USER"}}"#),
        pods()
    ));
    assert!(!accepts("", pods()));
}

#[test]
fn iptables_rules_likewise() {
    let accepted =
        "-P FORWARD DROP\n-A FORWARD -s 10.244.0.0/16 -m comment --comment x -j ACCEPT\n";
    assert!(accepts_legacy(accepted, pods()));
    assert!(accepts_legacy(
        "-P FORWARD DROP\n-A FORWARD -j FLANNEL-FWD\n",
        pods()
    ));
    for other in [
        "-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n",
        "-P FORWARD DROP\n-A FORWARD -s 10.244.1.0/24 -j ACCEPT\n",
        "-P FORWARD DROP\n",
    ] {
        assert!(!accepts_legacy(other, pods()), "{other}");
    }
}
