//! What the daemons and etcd say.

use super::*;

#[test]
fn daemons() {
    for (control, level, words) in [
        (Some(Life::Running), Fine, "runs"),
        (Some(Life::Gone), Warn, "systemctl start tweed-control"),
        (Some(Life::Silent), Error, "systemctl restart tweed-control"),
        (None, Warn, "has not run"),
    ] {
        let facts = with(|facts| facts.daemons.control = control);
        expect(&facts, "", "control", &[(level, words)]);
    }
    let facts = with(|facts| facts.daemons.engine = None);
    expect(
        &facts,
        "",
        "engine",
        &[(Warn, "systemctl start tweed-dataplane")],
    );
    expect(&facts, "", "port", &[]);
}

#[test]
fn a_port_says_what_its_engine_says() {
    let port = |state, error: &str| {
        with(|facts| {
            facts.daemons.ports[0].state = state;
            facts.daemons.ports[0].error = error.into();
        })
    };
    let failed = port(PortState::Failed, "no queue 3; ethtool -L eth0 combined 4");
    expect(
        &failed,
        "",
        "port",
        &[(Error, "not open: no queue 3 -> ethtool -L eth0 combined 4")],
    );
    expect(
        &port(PortState::Failed, "broken"),
        "",
        "port",
        &[(Error, "journalctl")],
    );
    expect(
        &port(PortState::Up, "over UDP"),
        "",
        "port",
        &[(Hint, "over UDP")],
    );
}

#[test]
fn etcd() {
    let answers = |answers: &[Result<u64, &str>]| {
        with(|facts| {
            let answer =
                |a: &Result<u64, &str>| (*a).map(Duration::from_millis).map_err(str::to_owned);
            facts.etcd = answers
                .iter()
                .map(|a| ("http://a:2379".into(), answer(a)))
                .collect();
        })
    };
    expect(&answers(&[Ok(500)]), "", "etcd", &[(Hint, "500 ms")]);
    let dead = "cannot connect; check that it runs";
    expect(
        &answers(&[Err(dead)]),
        "",
        "etcd",
        &[(Error, "cannot connect -> check that it runs")],
    );
    expect(
        &answers(&[Err(dead), Ok(1)]),
        "",
        "etcd",
        &[(Warn, "check"), (Fine, "1.0 ms")],
    );
}

#[test]
fn the_network_config() {
    let facts = with(|facts| facts.network = Some(Err("/p/config is not in etcd".into())));
    expect(
        &facts,
        "[etcd]\nprefix = \"/p\"",
        "network-config",
        &[(Error, "etcdctl put /p/config")],
    );
    let facts = with(|facts| facts.address = Some(Ipv4Addr::new(10, 244, 3, 1)));
    expect(&facts, "", "network-config", &[(Error, "10.244.3.1")]);
}

#[test]
fn the_clock() {
    let facts = with(|facts| facts.clock_synchronized = Some(false));
    expect(&facts, "", "clock", &[(Hint, "only logs")]);
    let tls = "[etcd]\nendpoints = [\"https://a:2379\"]";
    expect(&facts, tls, "clock", &[(Hint, "certificate")]);
}
