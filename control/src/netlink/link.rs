//! A kernel interface, as much of it as control needs, and orders to change one.

use contract::wire::Mac;
use rtnetlink::packet_core::Nla;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoTun, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};

use super::vxlan::Vxlan;
use super::{Netlink, NetlinkError, Verb};

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number for it; never reused while the namespace lives, so a device made anew is another one.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What made it: `veth`, `bridge`; `None` for hardware.
    pub kind: Option<String>,
    /// Ethernet address; `None` if it is no Ethernet device.
    pub mac: Option<Mac>,
    /// Largest L3 packet, bytes.
    pub mtu: u32,
    /// Administratively up.
    pub up: bool,
    /// IFF_NOARP: the kernel resolves nothing behind it.
    pub noarp: bool,
    /// IFF_MULTICAST: the kernel announces its groups on it.
    pub multicast: bool,
    /// For a veth: the index of the other end, if that is in this namespace.
    pub peer: Option<u32>,
    /// Receive and transmit queues.
    pub queues: (u32, u32),
    /// A TUN as tweed makes it: persistent, with several queues and virtio headers. One of a VPN is other than that.
    pub is_our_tun: bool,
    /// For a vxlan device: which.
    pub vxlan: Option<Vxlan>,
}

impl Link {
    fn parse(message: LinkMessage) -> Self {
        let flags = message.header.flags;
        let ethernet = message.header.link_layer_type == LinkLayerType::Ether;
        let mut link = Link {
            index: message.header.index,
            name: String::new(),
            kind: None,
            mac: None,
            mtu: 0,
            up: flags.contains(LinkFlags::Up),
            noarp: flags.contains(LinkFlags::Noarp),
            multicast: flags.contains(LinkFlags::Multicast),
            peer: None,
            queues: (0, 0),
            is_our_tun: false,
            vxlan: None,
        };
        let mut elsewhere = false;
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Address(bytes) if ethernet => {
                    link.mac = bytes.try_into().ok().map(Mac);
                }
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Link(index) => link.peer = Some(index),
                LinkAttribute::LinkNetNsId(_) => elsewhere = true,
                LinkAttribute::NumRxQueues(n) => link.queues.0 = n,
                LinkAttribute::NumTxQueues(n) => link.queues.1 = n,
                LinkAttribute::LinkInfo(info) => {
                    for info in info {
                        match info {
                            LinkInfo::Kind(kind) => link.kind = Some(InfoKind::to_string(&kind)),
                            LinkInfo::Data(InfoData::Tun(data)) => {
                                link.is_our_tun = !ethernet && is_our_tun(&data);
                            }
                            LinkInfo::Data(InfoData::Vxlan(data)) => {
                                link.vxlan = Some(Vxlan::parse(&data));
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if elsewhere {
            link.peer = None;
        }
        link
    }
}

impl Netlink {
    /// The interface of this name, if there is one.
    pub async fn link(&self, name: &str) -> Result<Option<Link>, NetlinkError> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        self.find_link(message, || format!("look up interface {name}"))
            .await
    }

    /// The interface of this index, if there is one.
    pub async fn link_at(&self, index: u32) -> Result<Option<Link>, NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.find_link(message, || format!("look up interface {index}"))
            .await
    }

    async fn find_link(
        &self,
        message: LinkMessage,
        operation: impl FnOnce() -> String,
    ) -> Result<Option<Link>, NetlinkError> {
        let message = RouteNetlinkMessage::GetLink(message);
        match self.request(Verb::Get, message, operation).await {
            Ok(answers) => Ok(parse(answers).pop()),
            Err(NetlinkError::Request { source, .. }) if is_absent(&source) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every interface of the namespace.
    pub async fn links(&self) -> Result<Vec<Link>, NetlinkError> {
        let message = RouteNetlinkMessage::GetLink(LinkMessage::default());
        self.request(Verb::Dump, message, || "list the interfaces".into())
            .await
            .map(parse)
    }

    /// Changes an existing interface. RTM_NEWLINK without NLM_F_CREATE, for RTM_SETLINK ignores some attributes.
    pub(crate) async fn change_link(
        &self,
        message: LinkMessage,
        operation: impl FnOnce() -> String,
    ) -> Result<(), NetlinkError> {
        let message = RouteNetlinkMessage::NewLink(message);
        self.request(Verb::Change, message, operation)
            .await
            .map(drop)
    }

    /// Removes an interface, and with a veth its other end.
    pub(crate) async fn remove_link(&self, link: &Link) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = link.index;
        let message = RouteNetlinkMessage::DelLink(message);
        self.request(Verb::Change, message, || format!("remove {}", link.name))
            .await
            .map(drop)
    }
}

fn parse(answers: Vec<RouteNetlinkMessage>) -> Vec<Link> {
    answers
        .into_iter()
        .filter_map(|answer| match answer {
            RouteNetlinkMessage::NewLink(message) => Some(Link::parse(message)),
            _ => None,
        })
        .collect()
}

/// linux: include/uapi/linux/if_link.h
const IFLA_TUN_VNET_HDR: u16 = 5;
const IFLA_TUN_PERSIST: u16 = 6;
const IFLA_TUN_MULTI_QUEUE: u16 = 7;

fn is_our_tun(data: &[InfoTun]) -> bool {
    let is_set = |kind| {
        data.iter().any(|attribute| {
            let mut value = vec![0; attribute.value_len()];
            attribute.emit_value(&mut value);
            attribute.kind() == kind && value == [1]
        })
    };
    is_set(IFLA_TUN_VNET_HDR) && is_set(IFLA_TUN_PERSIST) && is_set(IFLA_TUN_MULTI_QUEUE)
}

/// ENODEV.
fn is_absent(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error())
}
