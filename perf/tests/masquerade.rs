//! Under whose address do packets arrive, and do they arrive where a firewall drops what is forwarded?

mod common;

use std::io::Write;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{in_a_lab, lost_at_most, settle};
use perf::lab::traffic::{Ping, PingStream};
use perf::lab::{LabError, Namespace, Process, Result, TweedNode, expect, wait_until};

/// Any port that nothing listens on.
const PORT: u16 = 4000;
/// A port whose packets kube-proxy has marked, in these tests.
const MARKED: u16 = 4444;

/// Adds to the node's configuration; before its daemons start.
fn configure(node: &TweedNode, text: &str) -> Result<()> {
    let path = node.config_path();
    let file = std::fs::File::options().append(true).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(LabError::io(format!("write {}", path.display())))
}

/// Has a file of rules read by one of the kinds of `iptables-restore`.
fn restore(node: &TweedNode, program: &str, rules: &str) -> Result<()> {
    let path = node.directory().join("rules");
    std::fs::write(&path, rules).map_err(LabError::io(format!("write {}", path.display())))?;
    let line = format!("{program} --noflush {}", path.display());
    node.ns().run(&line).map(drop)
}

/// Listens in a namespace.
fn listen(at: &Namespace, address: Ipv4Addr, port: u16) -> Result<UdpSocket> {
    let socket = at.inside(|| -> std::io::Result<UdpSocket> {
        let socket = UdpSocket::bind((address, port))?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(socket)
    })?;
    socket.map_err(LabError::io(format!("listen on {address}:{port}")))
}

/// The address from which a datagram of a new connection seems to come where it arrives.
fn seen(
    from: &Namespace,
    source: Ipv4Addr,
    to: (&Namespace, Ipv4Addr),
    port: u16,
) -> Result<Ipv4Addr> {
    let (at, address) = to;
    let what = || format!("send a datagram from {} to {address}", from.name());
    let receiver = listen(at, address, port)?;
    from.inside(|| UdpSocket::bind((source, 0))?.send_to(b"who am I?", (address, port)))?
        .map_err(LabError::io(what()))?;
    let (_, sender) = receiver
        .recv_from(&mut [0; 64])
        .map_err(LabError::io(what()))?;
    match sender.ip() {
        std::net::IpAddr::V4(ip) => Ok(ip),
        ip => Err(LabError::Unexpected(format!("{ip} is no IPv4 address"))),
    }
}

/// Masquerade rules that stand.
fn rules(node: &TweedNode) -> usize {
    let listed = node.ns().run("nft list chain ip tweed FLANNEL-POSTRTG");
    listed.map_or(0, |text| text.matches("flanneld masq").count())
}

/// The kernel's number of the table: another one after each replacement.
fn handle(node: &TweedNode) -> Option<String> {
    let listed = node.ns().run("nft -a list table ip tweed").ok()?;
    Some(listed.lines().next()?.to_owned())
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn pods_reach_the_world_as_their_node_and_each_other_as_themselves() {
    in_a_lab(|lab| {
        let world = lab.host(9)?;
        let mut t1 = lab.tweed_stopped(1)?;
        configure(&t1, "\n[firewall]\nip_masq = true\nresync_s = 1\n")?;
        // What flanneld left, for a subnet that this node no longer has; and what somebody else wrote.
        restore(
            &t1,
            "iptables-nft-restore",
            "*nat\n:FLANNEL-POSTRTG - [0:0]\n\
             -A FLANNEL-POSTRTG -s 10.244.99.0/24 -d 10.244.0.0/16 -j RETURN\n\
             -A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE\n\
             -A POSTROUTING -m comment --comment \"flanneld masq\" -j FLANNEL-POSTRTG\n\
             -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n\
             COMMIT\n",
        )?;
        t1.start()?;
        expect(rules(&t1) == 6, || {
            "pods are admitted before the rules stand".into()
        })?;
        let f3 = lab.flannel(3, "10.244.203.0/24")?;
        let (x, z) = (t1.pod()?, f3.pod()?);
        settle(lab, &[&x, &z])?;

        // The world knows a way to pods, so that everything arrives, under whatever address.
        let via = t1.address();
        world
            .ns()
            .ip(&format!("route add 10.244.0.0/16 via {via}"))?;
        t1.ns().run("nft add table ip kube")?;
        t1.ns()
            .run("nft add chain ip kube pre { type filter hook prerouting priority 0 ; }")?;
        t1.ns().run(&format!(
            "nft add rule ip kube pre udp dport {MARKED} meta mark set 0x4000"
        ))?;

        let any = Ipv4Addr::UNSPECIFIED;
        let zero = t1.overlay_address()?;
        let gateway = t1.subnet_env()?.gateway;
        let (at_world, at_x, at_z) = ((world.ns(), world.address()), (&x.ns, x.ip), (&z.ns, z.ip));
        for (what, from, source, to, port, expected) in [
            ("pod to world", &x.ns, any, at_world, PORT, t1.address()),
            (
                "pod to world, marked by kube-proxy",
                &x.ns,
                any,
                at_world,
                MARKED,
                x.ip,
            ),
            ("pod to pod elsewhere", &x.ns, any, at_z, PORT, x.ip),
            ("pod from elsewhere", &z.ns, any, at_x, PORT, z.ip),
            (
                "world to pod here",
                world.ns(),
                any,
                at_x,
                PORT,
                world.address(),
            ),
            ("world to pod elsewhere", world.ns(), any, at_z, PORT, zero),
            ("node to pod here", t1.ns(), any, at_x, PORT, gateway),
            ("node to pod elsewhere", t1.ns(), any, at_z, PORT, zero),
            (
                "node by its own address to pod here",
                t1.ns(),
                t1.address(),
                at_x,
                PORT,
                t1.address(),
            ),
            (
                "node by its own address to pod elsewhere",
                t1.ns(),
                t1.address(),
                at_z,
                PORT,
                zero,
            ),
        ] {
            let source = seen(from, source, to, port)?;
            expect(source == expected, || {
                format!("{what}: from {source}, not {expected}")
            })?;
        }
        Ping::default().all(&x, world.address())?;

        let nat = t1.ns().run("iptables-nft -t nat -S")?;
        expect(!nat.contains("FLANNEL-POSTRTG"), || {
            format!("flanneld's rules stay: {nat}")
        })?;
        expect(nat.contains("172.17.0.0/16"), || {
            format!("others' rules go: {nat}")
        })?;

        // Somebody takes away a rule, all rules, the table.
        let last = t1.ns().run("nft -a list chain ip tweed FLANNEL-POSTRTG")?;
        let last = last.lines().rfind(|line| line.contains("handle"));
        let number = last
            .and_then(|line| line.rsplit(' ').next())
            .unwrap_or_default();
        for mischief in [
            &format!("delete rule ip tweed FLANNEL-POSTRTG handle {number}"),
            "flush chain ip tweed FLANNEL-POSTRTG",
            "delete table ip tweed",
        ] {
            t1.ns().run(&format!("nft {mischief}"))?;
            expect(rules(&t1) < 6, || format!("{mischief} takes nothing away"))?;
            wait_until("the rules to come back", 30, || rules(&t1) == 6)?;
        }
        restarts(&mut t1, &x, &world)
    })
}

/// Control is killed and replaces the rules at its start, three times: a connection goes on, and each new one is masqueraded.
fn restarts(t1: &mut TweedNode, x: &perf::lab::Pod, world: &perf::lab::Node) -> Result<()> {
    let stream = PingStream::start(x, world.address())?;
    stream.wait_more(20)?;
    let log = t1.directory().join("monitor.txt");
    let mut command = t1.ns().command("nft");
    command.arg("monitor");
    let monitor = Process::start("nft monitor", command, &log)?;
    let over = AtomicBool::new(false);
    let receiver = listen(world.ns(), world.address(), PORT)?;
    receiver
        .set_read_timeout(Some(Duration::from_millis(100)))
        .map_err(LabError::io("shorten a timeout"))?;
    let node = std::net::IpAddr::V4(t1.address());
    let to = (world.address(), PORT);
    let (over, receiver) = (&over, &receiver);
    let [masqueraded, bare] = std::thread::scope(|scope| -> Result<[u32; 2]> {
        scope.spawn(move || {
            x.ns.inside(|| {
                while !over.load(Ordering::Relaxed) {
                    let sent = UdpSocket::bind(("0.0.0.0", 0));
                    // A socket that cannot be had is one connection less.
                    let _ = sent.and_then(|socket| socket.send_to(b"anyone", to));
                    std::thread::sleep(Duration::from_micros(200));
                }
            })
        });
        let counting = scope.spawn(move || {
            let mut counts = [0; 2];
            while !over.load(Ordering::Relaxed) {
                if let Ok((_, sender)) = receiver.recv_from(&mut [0; 64]) {
                    counts[usize::from(sender.ip() != node)] += 1;
                }
            }
            counts
        });
        let outcome = (0..3).try_for_each(|_| {
            let before = handle(t1);
            t1.kill_control()?;
            t1.start_control()?;
            wait_until("the rules to be replaced", 30, || handle(t1) != before)?;
            expect(rules(t1) == 6, || "a table without its rules".into())?;
            stream.wait_more(20)
        });
        over.store(true, Ordering::Relaxed);
        let counts = counting
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        outcome.map(|()| counts)
    })?;
    let replaced = || monitor.output().matches(DELETED).count() >= 3;
    wait_until("nft monitor to tell of three replacements", 30, replaced)?;
    each_generation_has_the_rules(&monitor.output())?;
    println!("new connections across three restarts: {masqueraded} masqueraded, {bare} not");
    expect(masqueraded > 100 && bare == 0, || {
        format!("{masqueraded} masqueraded, {bare} with the pod's address")
    })?;
    lost_at_most("pod to world across three restarts", &stream.stop()?, 0)
}

const DELETED: &str = "delete chain ip tweed FLANNEL-POSTRTG";

/// A generation is what packets see from one moment on. One that takes the chain away must bring it, with all rules.
fn each_generation_has_the_rules(monitored: &str) -> Result<()> {
    let generations = monitored.split("# new generation");
    for generation in generations.filter(|generation| generation.contains(DELETED)) {
        let chain = generation.contains("add chain ip tweed FLANNEL-POSTRTG");
        let rules = generation
            .matches("add rule ip tweed FLANNEL-POSTRTG")
            .count();
        expect(chain && rules == 6, || {
            format!("packets saw this:\n{generation}")
        })?;
    }
    Ok(())
}

/// What docker makes of the filter table.
const DOCKER: &str = "*filter\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n:DOCKER - [0:0]\n\
    -A FORWARD -j DOCKER-USER\n-A DOCKER-USER -j RETURN\n\
    -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
    -A FORWARD -o docker0 -j DOCKER\n\
    COMMIT\n";

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn pods_reach_pods_though_docker_drops_what_is_forwarded() {
    in_a_lab(|lab| {
        let mut t1 = lab.tweed_stopped(1)?;
        configure(&t1, "\n[firewall]\nforward_rules = false\nresync_s = 1\n")?;
        restore(&t1, "iptables-nft-restore", DOCKER)?;
        t1.start()?;
        let f3 = lab.flannel(3, "10.244.203.0/24")?;
        let (x, z) = (t1.pod()?, f3.pod()?);
        // The node itself forwards nothing: once it reaches the pod, tables are not what is missing.
        lab.wait_reach(&t1, z.ip)?;
        let report = Ping::default().run(&x, z.ip)?;
        expect(report.received == 0, || {
            format!("docker's policy drops nothing: {report}")
        })?;

        t1.stop()?;
        let text = std::fs::read_to_string(t1.config_path()).unwrap_or_default();
        let text = text.replace("forward_rules = false", "forward_rules = true");
        std::fs::write(t1.config_path(), text).map_err(LabError::io("write node.toml"))?;
        t1.start()?;
        settle(lab, &[&x, &z])?;
        let filter = t1.ns().run("iptables-nft -S")?;
        for line in [
            "-A FORWARD -m comment --comment \"flanneld forward\" -j FLANNEL-FWD",
            "-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment \"flanneld forward\" -j ACCEPT",
            "-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment \"flanneld forward\" -j ACCEPT",
            "-A FORWARD -j DOCKER-USER",
        ] {
            expect(filter.matches(line).count() == 1, || {
                format!("not once {line}:\n{filter}")
            })?;
        }

        // An administrator empties the chain; the older iptables comes up with a policy of its own.
        for mischief in ["iptables-nft -F FORWARD", "iptables-legacy -P FORWARD DROP"] {
            t1.ns().run(mischief)?;
            settle(lab, &[&x, &z])?;
        }

        // What is not iptables' stays the administrator's, who is told what to type.
        t1.ns().run("nft add table inet fw")?;
        t1.ns().run(
            "nft add chain inet fw forward { type filter hook forward priority 0 ; policy drop ; }",
        )?;
        let log = t1.directory().join("tweed-control.log");
        let remedy = "nft insert rule inet fw forward ip saddr 10.244.0.0/16 accept";
        wait_until("the remedy to be told", 30, || {
            std::fs::read_to_string(&log).is_ok_and(|text| text.contains(remedy))
        })?;
        t1.ns().run(remedy)?;
        t1.ns().run(&remedy.replace("saddr", "daddr"))?;
        settle(lab, &[&x, &z])
    })
}
