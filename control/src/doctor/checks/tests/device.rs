//! The underlay device.

use super::*;

#[test]
fn the_underlay_device() {
    let facts = with(|facts| facts.underlay = Some(Err("no device".into())));
    expect(&facts, "", "underlay", &[(Error, "underlay.interface")]);
    expect(
        &good(),
        "",
        "underlay",
        &[(Fine, "eth0 (mlx5_core) at 192.168.7.1, MTU 1500")],
    );
}

#[test]
fn xdp_and_zero_copy() {
    let none = underlay(|device| device.xdp = Some(XdpFeatures::default()));
    let unknown = underlay(|device| device.xdp = None);
    let copying = underlay(|device| {
        device.xdp = Some(XdpFeatures {
            native: true,
            ..XdpFeatures::default()
        });
    });
    let mode = |mode: &str| format!("[underlay]\nmode = \"{mode}\"");
    expect(&none, "", "xdp", &[(Hint, "generic XDP is slow")]);
    expect(&none, &mode("copy"), "xdp", &[(Error, "mode = \"auto\"")]);
    expect(&none, &mode("generic"), "xdp", &[(Fine, "")]);
    expect(&none, &mode("udp"), "xdp", &[]);
    expect(&unknown, "", "xdp", &[(Hint, "does not tell")]);
    expect(&unknown, "", "zero-copy", &[]);
    expect(&copying, "", "zero-copy", &[(Fine, "copied")]);
    expect(
        &copying,
        &mode("zero-copy"),
        "zero-copy",
        &[(Error, "insists")],
    );
    expect(
        &good(),
        &mode("copy"),
        "zero-copy",
        &[(Hint, "does not use it")],
    );
}

#[test]
fn another_program_is_in_the_way_until_the_engine_runs() {
    let mut facts = underlay(|device| device.program = Some(42));
    expect(&facts, "", "xdp-program", &[]);
    facts.daemons.engine = None;
    expect(
        &facts,
        "",
        "xdp-program",
        &[(Error, "bpftool prog show id 42")],
    );
}

#[test]
fn queues_against_workers() {
    let channels = |now, most| underlay(|device| device.channels = Some(Channels { now, most }));
    let two = "[[worker]]\nqueue = 0\ncpu = 0\n[[worker]]\nqueue = 1\ncpu = 1";
    expect(
        &channels(4, 8),
        "",
        "queues",
        &[(Warn, "ethtool -L eth0 combined 1")],
    );
    expect(
        &channels(1, 8),
        two,
        "queues",
        &[(Error, "ethtool -L eth0 combined 2")],
    );
    expect(&channels(1, 1), two, "queues", &[(Error, "one [[worker]]")]);
    expect(&channels(2, 8), two, "queues", &[(Fine, "2 queues")]);
    let mut veth = channels(1, 4);
    if let Some(Ok(device)) = &mut veth.underlay {
        device.kind = Some("veth".into());
    }
    expect(
        &veth,
        two,
        "queues",
        &[(Error, "ethtool -L eth0 rx 2 tx 2")],
    );
}

#[test]
fn one_queue_for_all_that_a_peer_sends() {
    let hashes = |ports| {
        underlay(|device| {
            device.channels = Some(Channels { now: 2, most: 8 });
            device.hashes_ports = ports;
        })
    };
    expect(
        &hashes(Some(false)),
        "",
        "rss",
        &[(Warn, "ethtool -N eth0 rx-flow-hash udp4 sdfn")],
    );
    expect(&hashes(None), "", "rss", &[]);
    expect(&good(), "", "rss", &[]);
}

#[test]
fn offloads() {
    let facts = underlay(|device| device.features = vec!["rx-gro".into(), "rx-lro".into()]);
    expect(
        &facts,
        "",
        "receive-aggregation",
        &[(Warn, "ethtool -K eth0 lro off")],
    );
    let facts = with(|facts| {
        let uplink = facts.uplink.as_mut().unwrap();
        uplink.features = vec![
            "tx-checksum-ip-generic".into(),
            "tx-generic-segmentation".into(),
        ];
    });
    expect(
        &facts,
        "",
        "uplink-offloads",
        &[(Error, "ethtool -K tweed0 tx off")],
    );
    expect(&facts, "[overlay]\nkind = \"tun\"", "uplink-offloads", &[]);
}

#[test]
fn sizes() {
    let mtu = |mtu| underlay(|device| device.mtu = mtu);
    expect(
        &mtu(1400),
        "",
        "mtu",
        &[(Warn, "ip link set eth0 mtu 1500")],
    );
    expect(
        &mtu(1400),
        "[overlay]\nmtu = 1450",
        "mtu",
        &[(Warn, "overlay.mtu = 1350")],
    );
    expect(
        &mtu(9000),
        "[overlay]\nmtu = 1450",
        "mtu",
        &[(Fine, "room for 8950")],
    );
    let narrow = with(|facts| facts.daemons.narrowest = Some(1350));
    expect(
        &narrow,
        "",
        "mtu",
        &[(Fine, ""), (Hint, "overlay.mtu = 1350")],
    );

    // README: an MTU up to 1,728, or 3,776 with chunks of 4096.
    let large = "[dataplane]\nchunk_size = 4096";
    expect(&mtu(1728), "", "chunk-size", &[(Fine, "")]);
    expect(&mtu(1729), "", "chunk-size", &[(Warn, "chunk_size = 4096")]);
    expect(&mtu(3776), large, "chunk-size", &[(Fine, "")]);
    expect(&mtu(9000), large, "chunk-size", &[(Warn, "mtu 3776")]);
    let copy = "[underlay]\nmode = \"copy\"";
    expect(&mtu(9000), copy, "chunk-size", &[(Error, "udp")]);
    expect(&mtu(9000), copy, "xdp-mtu", &[(Error, "mtu 3498")]);
    expect(&mtu(3498), "", "xdp-mtu", &[]);

    let bridge = with(|facts| facts.bridge.as_mut().unwrap().mtu = 1500);
    expect(
        &bridge,
        "",
        "bridge-mtu",
        &[(Warn, "ip link set cni0 mtu 1450")],
    );
}
