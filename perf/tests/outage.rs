//! etcd may be away. A file of its own, for this test sleeps: `make namespaces` runs it beside the others.

mod common;

use std::thread::sleep;
use std::time::Duration;

use common::{Trio, in_a_lab, lost_at_most, settle};
use perf::lab::expect;
use perf::lab::traffic::PingStream;

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn etcd_is_away_for_a_minute_and_nobody_notices() {
    in_a_lab(|lab| {
        let mut trio = Trio::build(lab)?;
        let subnet = trio.t1.subnet_env()?.subnet;
        let lease = lab.etcd().lease(subnet)?;
        let streams = [
            PingStream::start(&trio.x, trio.y.ip)?,
            PingStream::start(&trio.z, trio.x.ip)?,
        ];
        lab.etcd().stop();
        sleep(Duration::from_secs(60));
        trio.t1.check_running()?;
        lab.etcd().start()?;

        // Whoever joins now is seen: the watches have found their way back.
        let f4 = lab.flannel(4, "10.244.204.0/24")?;
        let w = f4.pod()?;
        settle(lab, &[&trio.x, &trio.y, &w])?;
        for stream in streams {
            lost_at_most("across the outage", &stream.stop()?, 0)?;
        }
        expect(lab.etcd().lease(subnet)? == lease, || {
            "our lease is not ours any more".into()
        })
    });
}
