//! Devices, over netlink; what the kernel cannot be asked that way, of `ethtool`.

use std::net::Ipv4Addr;
use std::path::Path;

use contract::config::Config;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    InfoData, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage, LinkXdp,
};

use super::super::facts::{Device, Tunnel};
use super::tool;
use crate::netlink::ethtool::Ethtool;
use crate::netlink::link::Link;
use crate::netlink::{Netlink, NetlinkError, Verb, xdp};

/// The bridge that flannel's CNI configuration names.
const BRIDGE: &str = "cni0";

/// What was read.
pub struct Devices {
    pub underlay: Option<Result<Device, String>>,
    pub address: Option<Ipv4Addr>,
    pub uplink: Option<Device>,
    pub bridge: Option<Device>,
    pub tunnels: Vec<Tunnel>,
}

pub async fn read(netlink: &Netlink, config: &Config) -> Result<Devices, NetlinkError> {
    let links = netlink.links().await?;
    let raw = raw_links(netlink).await?;
    let ethtool = Ethtool::open().ok();
    let describe = |link: &Link| {
        let mut device = device(link, ethtool.as_ref());
        device.program = raw
            .iter()
            .find_map(|link_message| program(link_message, link.index));
        device
    };
    let named = |name: &str| links.iter().find(|link| link.name == name).map(describe);
    let (underlay, address) = match netlink.underlay(config).await {
        Ok(underlay) => {
            let mut found = named(&underlay.name);
            if let Some(device) = &mut found {
                device.hashes_ports = hashes_ports(device);
            }
            let missing = || format!("{} went away while it was looked at", underlay.name);
            (found.ok_or_else(missing), Some(underlay.address))
        }
        Err(error) => (Err(error.to_string()), None),
    };
    Ok(Devices {
        underlay: Some(underlay),
        address,
        uplink: named(&config.overlay.device),
        bridge: named(BRIDGE),
        tunnels: raw.iter().filter_map(tunnel).collect(),
    })
}

fn device(link: &Link, ethtool: Option<&Ethtool>) -> Device {
    let name = &link.name;
    let driver = std::fs::read_link(Path::new("/sys/class/net").join(name).join("device/driver"));
    let driver = driver
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    Device {
        name: name.clone(),
        kind: link.kind.clone(),
        driver,
        mtu: link.mtu,
        channels: ethtool.and_then(|ethtool| ethtool.channels(name).ok()),
        features: ethtool
            .and_then(|ethtool| ethtool.active(name).ok())
            .unwrap_or_default(),
        xdp: xdp::features(link.index).ok(),
        program: None,
        hashes_ports: None,
    }
}

async fn raw_links(netlink: &Netlink) -> Result<Vec<LinkMessage>, NetlinkError> {
    let message = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let answers = netlink
        .request(Verb::Dump, message, || "list the interfaces".into())
        .await?;
    let links = answers.into_iter().filter_map(|answer| match answer {
        RouteNetlinkMessage::NewLink(message) => Some(message),
        _ => None,
    });
    Ok(links.collect())
}

fn program(message: &LinkMessage, index: u32) -> Option<u32> {
    if message.header.index != index {
        return None;
    }
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Xdp(xdp) => xdp.iter().find_map(|xdp| match xdp {
                LinkXdp::ProgId(id) | LinkXdp::DrvProgId(id) | LinkXdp::SkbProgId(id) => {
                    Some(*id).filter(|id| *id > 0)
                }
                _ => None,
            }),
            _ => None,
        })
}

fn tunnel(message: &LinkMessage) -> Option<Tunnel> {
    let mut tunnel = Tunnel {
        name: String::new(),
        vni: 0,
        port: 0,
        up: message
            .header
            .flags
            .contains(rtnetlink::packet_route::link::LinkFlags::Up),
    };
    let mut is_vxlan = false;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => tunnel.name.clone_from(name),
            LinkAttribute::LinkInfo(info) => {
                let data = info.iter().find_map(|info| match info {
                    LinkInfo::Data(InfoData::Vxlan(data)) => Some(data),
                    _ => None,
                });
                for value in data.into_iter().flatten() {
                    is_vxlan = true;
                    match value {
                        InfoVxlan::Id(vni) => tunnel.vni = *vni,
                        InfoVxlan::Port(port) => tunnel.port = *port,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    is_vxlan.then_some(tunnel)
}

/// Netlink tells it from Linux 6.17 on only, and a NIC alone has it.
fn hashes_ports(device: &Device) -> Option<bool> {
    if device.kind.is_some() {
        return None;
    }
    let said = tool::run("ethtool", &["-n", &device.name, "rx-flow-hash", "udp4"]).ok()?;
    said.contains("IP SA")
        .then(|| said.contains("L4 bytes 0 & 1"))
}
