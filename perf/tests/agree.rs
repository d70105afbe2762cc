//! Four that count the same packets agree to the packet and the byte: tweed-pktgen, which makes and takes them, the engine's
//! segment, `/metrics` of `tweed-perf serve`, and the kernel at the devices on either side of the engine.
//!
//! Nothing is tolerated and nothing is subtracted: while books are kept, nobody else says a word. The lab has no IPv6; etcd
//! and control, which would talk across the underlay, are dead (an engine goes on without them); the neighbour entries whose
//! refreshing would be ARP are gone, for the engine has next hops of its own.

#[path = "agree/books.rs"]
mod books;
mod common;
#[path = "serve/server.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod server;

use std::process::Command;

use books::{Books, Counts, wait_quiet};
use common::{in_a_lab, settle};
use perf::lab::{Lab, Namespace, Pod, Result, TweedNode, binary, expect, run};
use serde_json::Value;
use server::Server;

/// In the cluster's network and in nobody's lease: nodes draw from the first hundred free subnets.
const NOWHERE: &str = "10.244.255.9";
/// What VXLAN over IPv4 adds to a frame, bytes.
const OVERHEAD: u64 = 50;
/// What a frame has before its IP header, bytes.
const ETHERNET: u64 = 14;
/// What pktgen's sizes have and the kernel's and the engine's have not: the frame check sequence, bytes.
const FCS: u64 = 4;

/// A veth whose receiving end has an XDP program counts, at both ends, what is left once the Ethernet header was taken off
/// (`veth_xdp_rcv` in drivers/net/veth.c), so bytes towards the engine are less by this for each frame; bytes away from it are
/// whole.
const fn into_xdp(bytes: u64, frames: u64) -> u64 {
    bytes - ETHERNET * frames
}

/// Two tweed nodes with a pod each that nobody disturbs, and what is served of them.
struct Quiet {
    x: Pod,
    y: Pod,
    t1: TweedNode,
    t2: TweedNode,
    _servers: [Server; 2],
}

impl Quiet {
    fn build(lab: &Lab) -> Result<Self> {
        let (mut t1, mut t2) = (lab.tweed(1)?, lab.tweed(2)?);
        let (x, y) = (t1.pod()?, t2.pod()?);
        settle(lab, &[&x, &y])?;
        let servers = [Server::start(&t1, &[])?, Server::start(&t2, &[])?];
        lab.etcd().stop();
        for node in [&mut t1, &mut t2] {
            node.kill_control()?;
            // An entry in use is asked for anew some seconds later; one that is not there is not.
            node.ns().run("ip neigh flush dev eth0")?;
        }
        Ok(Quiet {
            x,
            y,
            t1,
            t2,
            _servers: servers,
        })
    }

    /// What `act` does to the books of both nodes.
    fn during<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<(T, [Books; 2])> {
        let before = wait_quiet([&self.t1, &self.t2])?;
        let done = act()?;
        let after = wait_quiet([&self.t1, &self.t2])?;
        let mut before = before.into_iter();
        let grown = after.map(|books| books.since(&before.next().unwrap_or_default()));
        Ok((done, grown))
    }
}

/// Runs tweed-pktgen to its end; its report.
fn pktgen(words: &str) -> Result<Value> {
    let mut command = Command::new(binary("tweed-pktgen")?);
    let text = run(command.args(words.split_whitespace()).arg("--json"))?;
    serde_json::from_str(&text)
        .map_err(|error| perf::lab::LabError::Unexpected(format!("{error}: {text}")))
}

fn at(ns: &Namespace) -> String {
    format!("eth0@{}", ns.name())
}

/// Frames that a run sent, and their bytes without FCS. All of them have left, and streams and total agree.
fn sent(report: &Value, count: u64) -> Result<(u64, u64)> {
    let number = |value: &Value| value.as_u64().unwrap_or(u64::MAX);
    let sent = &report["sent"];
    let streams = sent["streams"].as_array().cloned().unwrap_or_default();
    let of_streams: u64 = streams.iter().map(|stream| number(&stream["frames"])).sum();
    let (frames, bytes) = (number(&sent["frames"]), number(&sent["bytes"]));
    expect(
        frames == count && of_streams == count && sent["unfinished"] == 0,
        || format!("{count} frames were asked for, and sent is {sent}"),
    )?;
    Ok((frames, bytes - FCS * frames))
}

/// Fails, with both, unless they are the same.
fn same(what: &str, found: &Counts, wanted: &[(&str, u64)]) -> Result<()> {
    let wanted: Counts = wanted.iter().map(|(key, n)| ((*key).into(), *n)).collect();
    expect(*found == wanted, || {
        format!("{what} counted\n{found:#?}\nand should have\n{wanted:#?}")
    })
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn pktgen_engine_metrics_and_kernel_agree_on_what_passed() {
    in_a_lab(|lab| {
        let quiet = Quiet::build(lab)?;
        let words = format!(
            "latency --tx {} --rx {} --dst {} --count 4000 --rate 2kpps --flows 50 --size 64:7,594:4,1464:1",
            at(&quiet.x.ns),
            at(&quiet.y.ns),
            quiet.y.ip
        );
        let (report, [t1, t2]) = quiet.during(|| pktgen(&words))?;
        let (n, bytes) = sent(&report, 4000)?;
        let received = &report["received"];
        expect(
            received["received"] == n
                && received["bytes"] == bytes + FCS * n
                && ["lost", "duplicates", "corrupted", "foreign", "overrun"]
                    .iter()
                    .all(|key| received[key] == 0),
            || format!("received is {received}"),
        )?;
        let (inner, outer) = (bytes - ETHERNET * n, bytes + OVERHEAD * n);
        same(
            "the engine of t1",
            &t1.engine,
            &[
                ("port tweed0x rx_packets", n),
                ("port tweed0x rx_bytes", bytes),
                ("port tweed0x forwarded", n),
                ("port eth0 tx_packets", n),
                ("port eth0 tx_bytes", outer),
                ("peer 192.168.77.2 tx_packets", n),
                ("peer 192.168.77.2 tx_bytes", inner),
            ],
        )?;
        same(
            "the engine of t2",
            &t2.engine,
            &[
                ("port eth0 rx_packets", n),
                ("port eth0 rx_bytes", outer),
                ("port eth0 forwarded", n),
                ("port tweed0x tx_packets", n),
                ("port tweed0x tx_bytes", bytes),
                ("peer 192.168.77.1 rx_packets", n),
                ("peer 192.168.77.1 rx_bytes", inner),
            ],
        )?;
        same(
            "the kernel of t1",
            &t1.kernel,
            &[
                ("tweed0 tx_packets", n),
                ("tweed0 tx_bytes", into_xdp(bytes, n)),
                ("eth0 tx_packets", n),
                ("eth0 tx_bytes", outer),
            ],
        )?;
        same(
            "the kernel of t2",
            &t2.kernel,
            &[
                ("eth0 rx_packets", n),
                ("eth0 rx_bytes", into_xdp(outer, n)),
                ("tweed0 rx_packets", n),
                ("tweed0 rx_bytes", bytes),
            ],
        )
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn pktgen_engine_metrics_and_kernel_agree_on_what_was_dropped() {
    in_a_lab(|lab| {
        let stranger = lab.host(9)?;
        let quiet = Quiet::build(lab)?;
        // From a pod to where no lease is. The pod is told each time, for the rate is within the budget.
        let words = format!(
            "tx -i {} --dst {NOWHERE} --count 600 --rate 300pps --size 64:1,594:1",
            at(&quiet.x.ns)
        );
        let (report, [t1, t2]) = quiet.during(|| pktgen(&words))?;
        let (n, bytes) = sent(&report, 600)?;
        let told = t1.engine.get("port tweed0x tx_bytes").copied();
        let told = told.unwrap_or_default();
        same(
            "the engine of t1",
            &t1.engine,
            &[
                ("port tweed0x rx_packets", n),
                ("port tweed0x rx_bytes", bytes),
                ("port tweed0x dropped no-route", n),
                ("port tweed0x originated", n),
                ("port tweed0x tx_packets", n),
                ("port tweed0x tx_bytes", told),
            ],
        )?;
        same(
            "the kernel of t1",
            &t1.kernel,
            &[
                ("tweed0 tx_packets", n),
                ("tweed0 tx_bytes", into_xdp(bytes, n)),
                ("tweed0 rx_packets", n),
                ("tweed0 rx_bytes", told),
            ],
        )?;
        same("anyone at t2", &t2.engine, &[])?;

        // From a stranger on the underlay, whom nobody has to ask for a MAC: another VNI, and another's inner MAC.
        let mac = books::mac(&quiet.t1, "eth0")?;
        for (vni, reason) in [(7, "vni"), (1, "inner-mac")] {
            let words = format!(
                "tx -i {} --src {} --dst {} --count 500 --rate 2kpps --size 128:1,700:1 --vxlan {vni} --vtep-dst {} --dst-mac {mac}",
                at(stranger.ns()),
                quiet.y.ip,
                quiet.x.ip,
                quiet.t1.address(),
            );
            let (report, [t1, t2]) = quiet.during(|| pktgen(&words))?;
            let (n, bytes) = sent(&report, 500)?;
            same(
                reason,
                &t1.engine,
                &[
                    ("port eth0 rx_packets", n),
                    ("port eth0 rx_bytes", bytes),
                    (&format!("port eth0 dropped {reason}"), n),
                ],
            )?;
            same(
                "the kernel of t1",
                &t1.kernel,
                &[
                    ("eth0 rx_packets", n),
                    ("eth0 rx_bytes", into_xdp(bytes, n)),
                ],
            )?;
            same("anyone at t2", &t2.engine, &[])?;
        }
        Ok(())
    });
}
