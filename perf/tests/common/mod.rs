//! One way to run a namespace test.
#![allow(dead_code, reason = "each test binary uses a part")]

use perf::lab::traffic::Ping;
use perf::lab::{Lab, Namespace, Pod, Result};

/// Runs `test` in a fresh lab. On failure the lab is dropped while panicking, which shows the daemons' logs.
pub fn in_a_lab(test: impl FnOnce(&Lab) -> Result<()>) {
    let lab = Lab::new().unwrap_or_else(|error| panic!("{error}"));
    test(&lab).unwrap_or_else(|error| panic!("{error}"));
}

/// Every ordered pair of different pods.
pub fn pairs<'a>(pods: &'a [&'a Pod]) -> impl Iterator<Item = (&'a Pod, &'a Pod)> {
    pods.iter().flat_map(move |from| {
        pods.iter()
            .filter(move |to| to.name != from.name)
            .map(move |to| (*from, *to))
    })
}

/// Waits until every pod reaches every other.
pub fn settle(lab: &Lab, pods: &[&Pod]) -> Result<()> {
    pairs(pods).try_for_each(|(from, to)| lab.wait_reach(from, to.ip))
}

/// Pings at 56 bytes and at full MTU with DF; all must be answered with a TTL of `ttl`.
pub fn ping_both_sizes(from: &impl AsRef<Namespace>, to: &Pod, ttl: u8) -> Result<()> {
    for ping in [Ping::default(), Ping::full(to.mtu)] {
        let report = ping.all(from, to.ip)?;
        perf::lab::expect(report.ttl == Some(ttl), || {
            format!("{} answers with ttl {:?}, not {ttl}", to.name, report.ttl)
        })?;
    }
    Ok(())
}
