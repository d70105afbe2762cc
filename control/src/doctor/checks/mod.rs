//! The checks: each a pure function of facts and configuration, so that each has its rows in the tests.

mod cpu;
mod daemons;
mod device;
mod etcd;
mod firewall;
mod kernel;
mod memory;
mod mtu;
mod port;
mod run_dir;

use contract::config::{BindMode, Config};

use super::facts::Facts;
use super::finding::Finding;

/// One check. More than one finding where there is more than one object; none where there is nothing to check.
type Check = fn(&Facts, &Config) -> Vec<Finding>;

/// All of them, in the order in which one would look.
const ALL: &[Check] = &[
    daemons::control,
    daemons::engine,
    daemons::ports,
    etcd::reachable,
    etcd::network,
    etcd::clock,
    kernel::version,
    kernel::af_xdp,
    kernel::tun,
    device::underlay,
    device::xdp,
    device::zero_copy,
    device::program,
    device::queues,
    device::rss,
    device::aggregation,
    device::uplink_offloads,
    mtu::overlay,
    mtu::chunk,
    mtu::driver,
    mtu::bridge,
    port::owner,
    port::tunnels,
    kernel::ip_forward,
    kernel::rp_filter,
    kernel::bridge_nf,
    firewall::forward,
    memory::hugepages,
    memory::memlock,
    cpu::workers,
    cpu::isolated,
    cpu::governor,
    run_dir::ownership,
    run_dir::segments,
];

/// Everything that is found.
pub fn all(facts: &Facts, config: &Config) -> Vec<Finding> {
    ALL.iter().flat_map(|check| check(facts, config)).collect()
}

/// Whether the underlay is meant to move its frames over AF_XDP.
fn over_af_xdp(config: &Config) -> bool {
    config.underlay.mode != BindMode::Udp
}

#[cfg(test)]
mod tests;
