//! Every network that the benchmark compares carries pings, datagrams and TCP between its pods, and its counters see them.

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use perf::bench::model::Wire;
use perf::bench::pods::{CANDIDATES, Network, Station};
use perf::lab::traffic::{Bulk, Ping};
use perf::lab::{LabError, Pod, Result, expect};

/// Packets whose way is followed: so few that they fit into any socket's buffer.
const DATAGRAMS: u64 = 20;
/// Others that may pass meanwhile: ARP.
const NOISE: u64 = 8;

/// IPv4 and UDP, bytes.
const HEADERS: usize = 28;

/// `WIRE=gro` and `WIRE=offloads` ask the same of other cables, by hand.
fn wire() -> Wire {
    match std::env::var("WIRE").as_deref() {
        Ok("gro") => Wire::Gro,
        Ok("offloads") => Wire::Offloads,
        _ => Wire::Plain,
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn every_network_joins_its_pods() {
    let files = tempfile::tempdir().unwrap();
    let bulk = Bulk::random(files.path(), 4 << 20).unwrap();
    for candidate in CANDIDATES {
        let exercised = (candidate.build)(wire()).and_then(|mut it| exercise(it.as_mut(), &bulk));
        match exercised {
            Ok(()) => {}
            // Not among what `make deps` installs, for on most machines its package starts a switch of its own.
            Err(error) if lacks_its_package(&error) => println!("{}: {error}", candidate.name),
            Err(error) => panic!("{}: {error}", candidate.name),
        }
    }
}

fn lacks_its_package(error: &LabError) -> bool {
    let installed = Path::new("/usr/sbin/ovs-vswitchd").exists();
    !installed && error.to_string().contains("install openvswitch-switch")
}

fn exercise(network: &mut dyn Network, bulk: &Bulk) -> Result<()> {
    network.start()?;
    let [from, to] = network.pods();
    // Not all of them: once a reply has come, ping waits for the others no longer than two round trips, and a forwarder that
    // spins on a busy machine is later than that. The datagrams below tell what is lost.
    let pings = Ping::full(to.mtu).run(from, to.ip)?;
    expect(pings.received > 0, || format!("full pings: {pings}"))?;
    let before = settled(network)?;
    let arrived = send(from, to)?;
    let between = settled(network)?;
    expect(arrived == DATAGRAMS, || {
        format!("{arrived} of {DATAGRAMS} arrived; on the way: {before:?}, then {between:?}")
    })?;
    println!("{}", network.name());
    for (before, after) in before.iter().zip(&between) {
        let seen = after.packets - before.packets;
        println!("  {:40} {seen}", after.place);
        expect((DATAGRAMS..=DATAGRAMS + NOISE).contains(&seen), || {
            format!("{DATAGRAMS} packets, and {} saw {seen}", after.place)
        })?;
    }
    bulk.run(from, to, to.ip)?;
    bulk.run(to, from, from.ip)?;
    let after = settled(network)?;
    for (before, after) in between.iter().zip(&after) {
        expect(grew(before, after), || {
            format!("counters went back: {before:?}, then {after:?}")
        })?;
    }
    network.stop()
}

/// Sends datagrams of full size one way, so that what counts the wrong direction sees none; how many arrived.
fn send(from: &Pod, to: &Pod) -> Result<u64> {
    let failed = |what: &str| LabError::io(format!("{what} datagrams"));
    let sink = to
        .ns
        .inside(|| UdpSocket::bind((to.ip, 0)))?
        .map_err(failed("receive"))?;
    let source = from
        .ns
        .inside(|| UdpSocket::bind((from.ip, 0)))?
        .map_err(failed("send"))?;
    let target = sink.local_addr().map_err(failed("receive"))?;
    sink.set_read_timeout(Some(Duration::from_secs(3)))
        .map_err(failed("receive"))?;
    let payload = vec![1; usize::from(to.mtu) - HEADERS];
    // Each longer than the last, up to a full one: what coalesces datagrams cannot, so each is a packet everywhere.
    for short in (0..DATAGRAMS as usize).rev() {
        let datagram = &payload[short..];
        source.send_to(datagram, target).map_err(failed("send"))?;
    }
    let arrive = || sink.recv(&mut [0; 16]).ok();
    Ok((0..DATAGRAMS).map_while(|_| arrive()).count() as u64)
}

/// The engine commits its counters some twenty times a second.
fn settled(network: &dyn Network) -> Result<Vec<Station>> {
    std::thread::sleep(Duration::from_millis(200));
    network.stations()
}

fn grew(before: &Station, after: &Station) -> bool {
    let lost = before.lost.iter().zip(&after.lost);
    before.place == after.place
        && before.packets < after.packets
        && lost
            .into_iter()
            .all(|((_, before), (_, after))| before <= after)
}
