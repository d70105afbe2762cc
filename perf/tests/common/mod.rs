//! What the namespace tests share: one way to run, one cluster of three.
#![allow(dead_code, reason = "each test binary uses a part")]

use perf::lab::traffic::{Ping, StreamReport};
use perf::lab::{FlannelNode, Lab, Namespace, Pod, Result, TweedNode, expect};

/// Runs `test` in a fresh lab. On failure the lab is dropped while panicking, which shows the daemons' logs.
pub fn in_a_lab(test: impl FnOnce(&Lab) -> Result<()>) {
    let lab = Lab::new().unwrap_or_else(|error| panic!("{error}"));
    test(&lab).unwrap_or_else(|error| panic!("{error}"));
}

/// Two tweed nodes and a flannel node, a pod on each, all reaching each other.
pub struct Trio {
    pub x: Pod,
    pub y: Pod,
    pub z: Pod,
    pub t1: TweedNode,
    pub t2: TweedNode,
    pub f3: FlannelNode,
}

impl Trio {
    pub fn build(lab: &Lab) -> Result<Self> {
        let (t1, t2) = (lab.tweed(1)?, lab.tweed(2)?);
        let f3 = lab.flannel(3, "10.244.203.0/24")?;
        let (x, y, z) = (t1.pod()?, t2.pod()?, f3.pod()?);
        settle(lab, &[&x, &y, &z])?;
        Ok(Trio {
            x,
            y,
            z,
            t1,
            t2,
            f3,
        })
    }

    pub fn pods(&self) -> [&Pod; 3] {
        [&self.x, &self.y, &self.z]
    }
}

/// Every ordered pair of different pods.
pub fn pairs<'a>(pods: &'a [&'a Pod]) -> impl Iterator<Item = (&'a Pod, &'a Pod)> {
    pods.iter().flat_map(move |from| {
        pods.iter()
            .filter(move |to| to.name != from.name)
            .map(move |to| (*from, *to))
    })
}

/// Does the same with each, all at once; the first error of any.
pub fn at_once<T: Send>(
    each: impl IntoIterator<Item = T>,
    act: impl Fn(T) -> Result<()> + Sync,
) -> Result<()> {
    let act = &act;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (each.into_iter())
            .map(|one| scope.spawn(move || act(one)))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
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
        expect(report.ttl == Some(ttl), || {
            format!("{} answers with ttl {:?}, not {ttl}", to.name, report.ttl)
        })?;
    }
    Ok(())
}

/// Fails when a stream lost more probes (10 ms each) than that.
pub fn lost_at_most(what: &str, stream: &StreamReport, probes: u32) -> Result<()> {
    println!("{what}: {stream}");
    expect(stream.lost() <= probes, || {
        format!("{what}: {stream}; at most {probes} may be lost")
    })
}
