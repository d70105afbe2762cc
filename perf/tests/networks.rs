//! Every network that the benchmark compares carries pings and TCP between its pods, and its counters see them.

use perf::bench::model::Wire;
use perf::bench::pods::CANDIDATES;
use perf::lab::traffic::Ping;

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn every_network_joins_its_pods() {
    for candidate in CANDIDATES {
        let network = (candidate.build)(Wire::Plain)
            .unwrap_or_else(|error| panic!("{}: {error}", candidate.name));
        let [from, to] = network.pods();
        Ping::full(to.mtu).all(from, to.ip).unwrap();
    }
}
