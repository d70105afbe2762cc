//! Reading the facts. Nothing is written or switched, and nothing is waited for but etcd and, for a few seconds each, the
//! programs of others.

mod device;
mod etcd;
mod firewall;
mod host;
mod memory;
mod port;
mod run_dir;
mod tool;

use contract::config::Config;

use super::facts::{Daemons, Facts};
use crate::netlink::{Netlink, NetlinkError};
use crate::status::look::{self, Seen};

/// Everything. An error if not even the kernel can be asked.
pub async fn read(config: &Config) -> Result<Facts, NetlinkError> {
    let netlink = Netlink::open()?;
    // Later than no answer from etcd; the rest is there at once.
    let (answers, network) = etcd::read(config).await;
    let seen = look::look(&config.run_dir).ok();
    let network = network.or_else(|| seen.as_ref().and_then(etcd::from_status).map(Ok));
    let daemons = seen.as_ref().map(daemons).unwrap_or_default();
    let devices = device::read(&netlink, config).await?;
    let tunnel_port = match &network {
        Some(Ok(network)) => network.port,
        _ => None,
    };
    let pods = match &network {
        Some(Ok(network)) => Some(network.network),
        _ => None,
    };
    let (forward, no_firewall) = firewall::read(pods);
    Ok(Facts {
        kernel: host::release(),
        no_af_xdp: host::no_af_xdp(),
        sysctl: host::sysctl(
            config,
            devices
                .underlay
                .as_ref()
                .and_then(|found| found.as_ref().ok()),
        ),
        clock_synchronized: host::clock(),
        has_tun: std::path::Path::new("/dev/net/tun").exists(),
        cpu: host::cpu(),
        memory: memory::read(&daemons),
        run_dir: run_dir::read(config),
        port_owner: tunnel_port.and_then(port::owner),
        underlay: devices.underlay,
        address: devices.address,
        uplink: devices.uplink,
        bridge: devices.bridge,
        tunnels: devices.tunnels,
        etcd: answers,
        daemons,
        network,
        forward,
        no_firewall,
    })
}

fn daemons(seen: &Seen) -> Daemons {
    let engine = seen.engine.as_ref().ok();
    let ports = engine.map(|engine| engine.snapshot.ports.iter());
    let paths = seen.status.peers.iter().filter_map(|peer| peer.mtu);
    Daemons {
        control: Some(seen.control),
        engine: engine.map(|engine| engine.life),
        engine_pid: engine.map_or(0, |engine| engine.snapshot.pid),
        ports: ports
            .into_iter()
            .flatten()
            .map(|(_, status)| status.clone())
            .collect(),
        narrowest: paths.min(),
    }
}
