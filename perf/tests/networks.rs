//! Every network that the benchmark compares carries pings and TCP between its pods, and its counters see them.

use std::path::Path;

use perf::bench::model::Wire;
use perf::bench::pods::{CANDIDATES, Network, Station};
use perf::lab::traffic::{Bulk, Ping};
use perf::lab::{LabError, Result, expect};

/// More than the noise beside them, which is ARP.
const PINGS: u32 = 10;

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
    let before = network.stations()?;
    let pings = Ping {
        count: PINGS,
        ..Ping::full(to.mtu)
    };
    let report = pings.run(from, to.ip)?;
    let between = settled(network)?;
    expect(report.lost() == 0, || {
        format!("{report}; on the way: {before:?}, then {between:?}")
    })?;
    println!("{}", network.name());
    for (before, after) in before.iter().zip(&between) {
        let seen = after.packets - before.packets;
        println!("  {:40} {seen}", after.place);
        expect(
            (u64::from(PINGS)..u64::from(2 * PINGS)).contains(&seen),
            || format!("{PINGS} pings, and {} saw {seen} packets", after.place),
        )?;
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

/// The engine commits its counters some twenty times a second.
fn settled(network: &dyn Network) -> Result<Vec<Station>> {
    std::thread::sleep(std::time::Duration::from_millis(200));
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
