//! The kernel, other programs, memory, processors.

use super::*;

#[test]
fn the_kernel() {
    for (release, level) in [
        ("5.4.0", Error),
        ("5.10.1", Hint),
        ("6.17-rc1", Fine),
        ("odd", Hint),
    ] {
        expect(
            &with(|facts| facts.kernel = release.into()),
            "",
            "kernel",
            &[(level, "")],
        );
    }
    let udp = "[underlay]\nmode = \"udp\"";
    expect(
        &with(|facts| facts.kernel = "5.4.0".into()),
        udp,
        "kernel",
        &[(Fine, "")],
    );
    let facts = with(|facts| facts.no_af_xdp = Some("not supported".into()));
    expect(&facts, "", "af-xdp", &[(Error, "CONFIG_XDP_SOCKETS")]);
    expect(&facts, udp, "af-xdp", &[]);
    let facts = with(|facts| facts.has_tun = false);
    expect(&facts, "", "tun", &[]);
    expect(
        &facts,
        "[overlay]\nkind = \"tun\"",
        "tun",
        &[(Error, "modprobe tun")],
    );
}

#[test]
fn kernel_parameters() {
    let facts = with(|facts| facts.sysctl.ip_forward = Some(false));
    expect(
        &facts,
        "",
        "ip-forward",
        &[(Error, "sysctl -w net.ipv4.ip_forward=1")],
    );
    let facts = with(|facts| facts.sysctl.rp_filter_all = Some(1));
    expect(
        &facts,
        "",
        "rp-filter",
        &[(Warn, "net.ipv4.conf.tweed0.rp_filter=2")],
    );
    let udp = "[underlay]\nmode = \"udp\"";
    expect(
        &facts,
        udp,
        "rp-filter",
        &[(Warn, "tweed0"), (Hint, "conf.eth0.rp_filter=2")],
    );
    let loose = with(|facts| {
        facts.sysctl.rp_filter_all = Some(1);
        facts.sysctl.rp_filter_uplink = Some(2);
    });
    expect(&loose, "", "rp-filter", &[(Fine, "")]);
    for (bridge_nf, words) in [(Some(false), "is off"), (None, "modprobe br_netfilter")] {
        let facts = with(|facts| facts.sysctl.bridge_nf = bridge_nf);
        expect(&facts, "", "bridge-nf", &[(Hint, words)]);
    }
}

#[test]
fn the_tunnels_port() {
    let owner = |owner| with(|facts| facts.port_owner = owner);
    expect(&owner(None), "", "tunnel-port", &[(Fine, "free")]);
    let flanneld = PortOwner::Process {
        pid: 5,
        name: "flanneld".into(),
    };
    expect(
        &owner(Some(flanneld)),
        "",
        "tunnel-port",
        &[(Error, "ps -fp 5")],
    );
    expect(
        &owner(Some(PortOwner::Unseen)),
        "",
        "tunnel-port",
        &[(Error, "ss -lunp")],
    );
    let mut elsewhere = owner(Some(PortOwner::Unseen));
    elsewhere.daemons.ports[0].mode = BoundMode::Udp;
    expect(&elsewhere, "", "tunnel-port", &[(Fine, "the engine's")]);
    elsewhere.daemons.engine = Some(Life::Gone);
    expect(&elsewhere, "", "tunnel-port", &[(Error, "ss -lunp")]);
    let mut kernel = owner(Some(PortOwner::Unseen));
    let tunnel = |up| Tunnel {
        name: "flannel.1".into(),
        vni: 1,
        port: 8472,
        up,
    };
    kernel.tunnels = vec![tunnel(true)];
    expect(
        &kernel,
        "",
        "tunnel-port",
        &[(Error, "systemctl start tweed-control")],
    );
    let mut stranger = kernel.clone();
    stranger.tunnels = vec![Tunnel {
        name: "vxlan7".into(),
        ..tunnel(true)
    }];
    expect(
        &stranger,
        "",
        "tunnel-port",
        &[(Error, "ip link del vxlan7")],
    );
    expect(&kernel, "", "other-tunnels", &[]);
    let idle = with(|facts| facts.tunnels = vec![tunnel(false)]);
    expect(
        &idle,
        "",
        "other-tunnels",
        &[(Hint, "ip link del flannel.1")],
    );
}

#[test]
fn the_forward_hook() {
    let chain = |name: &str, legacy, accepts| {
        with(|facts| {
            facts.forward = vec![ForwardChain {
                name: name.into(),
                legacy,
                accepts,
            }];
        })
    };
    let remedy = "nft insert rule ip filter FORWARD ip saddr 10.244.0.0/16 accept && nft insert rule ip filter FORWARD ip daddr";
    expect(
        &chain("ip filter FORWARD", false, false),
        "",
        "forward-policy",
        &[(Error, remedy)],
    );
    let remedy =
        "iptables-legacy -I FORWARD -s 10.244.0.0/16 -j ACCEPT && iptables-legacy -I FORWARD -d";
    expect(
        &chain("iptables-legacy FORWARD", true, false),
        "",
        "forward-policy",
        &[(Error, remedy)],
    );
    expect(
        &chain("ip filter FORWARD", false, true),
        "",
        "forward-policy",
        &[(Fine, "")],
    );
    let blind = with(|facts| facts.no_firewall = Some("nft: not found".into()));
    expect(
        &blind,
        "",
        "forward-policy",
        &[(Hint, "apt-get install nftables")],
    );
}

#[test]
fn memory() {
    let mut facts = with(|facts| {
        facts.daemons.engine = None;
        facts.memory.free_huge_pages = Some(3);
    });
    // 16,384 chunks of 2 KiB are 16 pages.
    expect(
        &facts,
        "",
        "hugepages",
        &[(Hint, "sysctl -w vm.nr_hugepages=16")],
    );
    expect(
        &facts,
        "[dataplane]\nhugepages = \"on\"",
        "hugepages",
        &[(Error, "nr_hugepages=16")],
    );
    expect(
        &facts,
        "[dataplane]\nhugepages = \"off\"",
        "hugepages",
        &[(Fine, "")],
    );
    facts.daemons.engine = Some(Life::Running);
    expect(&facts, "", "hugepages", &[]);

    facts.memory.locks_freely = false;
    facts.memory.memlock = Some(8 << 20);
    expect(&facts, "", "memlock", &[(Warn, "LimitMEMLOCK=infinity")]);
    facts.memory.of_engine = false;
    expect(
        &facts,
        "",
        "memlock",
        &[(Hint, "this shell may lock 8 MiB")],
    );
    facts.memory.memlock = Some(64 << 20);
    expect(&facts, "", "memlock", &[(Fine, "")]);
}

#[test]
fn processors() {
    let worker = |cpu: u32| format!("[[worker]]\nqueue = 0\ncpu = {cpu}");
    expect(
        &good(),
        &worker(9),
        "worker-cpus",
        &[(Error, "one of 0,1,2,3")],
    );
    let shared = "[[worker]]\nqueue = 0\ncpu = 1\n[[worker]]\nqueue = 1\ncpu = 1";
    expect(&good(), shared, "worker-cpus", &[(Warn, "share CPU 1")]);
    let spin = |cpu| format!("{}\n[dataplane]\nidle = \"spin\"", worker(cpu));
    expect(&good(), &spin(1), "isolated-cpus", &[(Hint, "isolcpus=1")]);
    expect(&good(), &spin(2), "isolated-cpus", &[(Fine, "")]);
    let slow = with(|facts| facts.cpu.governors = [(0, "powersave".to_owned())].into());
    expect(&slow, "", "cpu-governor", &[(Hint, "cpupower -c 0")]);
}

#[test]
fn the_run_directory() {
    let facts = with(|facts| facts.run_dir.directory = None);
    expect(
        &facts,
        "",
        "run-dir",
        &[(Hint, "systemctl start tweed-control")],
    );
    let facts = with(|facts| facts.run_dir.files[0].mode = 0o622);
    expect(
        &facts,
        "",
        "run-dir",
        &[(Warn, "chmod go-w /run/tweed/tables")],
    );
    let facts = with(|facts| facts.run_dir.files[0].uid = 1000);
    expect(&facts, "", "run-dir", &[(Warn, "chown root")]);
    let facts = with(|facts| facts.run_dir.is_tmpfs = false);
    expect(&facts, "", "run-dir", &[(Hint, "below /run")]);
    let facts = with(|facts| facts.run_dir.unreadable = vec!["ABI 1; run the same version".into()]);
    expect(
        &facts,
        "",
        "segments",
        &[(Error, "ABI 1 -> run the same version")],
    );
}
