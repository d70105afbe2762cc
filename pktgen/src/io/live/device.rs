//! What the kernel says about the device that live frames leave by, over netlink: whether it takes such frames at all,
//! and how many it dropped.
//!
//! A device without `NETDEV_XDP_ACT_NDO_XMIT` among its features gets nothing: the kernel throws each frame away, and
//! no counter tells (`__xdp_enqueue` in kernel/bpf/devmap.c; only a tracepoint). A veth has it as long as its peer
//! receives by NAPI, which it does with an XDP program attached or with GRO on. What a device that does take them
//! drops, for want of room, it counts in its `tx_dropped`.

use std::io;

use rtnetlink::packet_core::{
    DefaultNla, Emitable, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable, NlasIterator, Parseable,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::stats::{StatsAttribute, StatsFilterMask, StatsMessage};
use rtnetlink::sys::protocols::{NETLINK_GENERIC, NETLINK_ROUTE};
use rtnetlink::sys::{Socket, SocketAddr};

/// `NETDEV_XDP_ACT_NDO_XMIT` (linux/netdev.h).
const NDO_XMIT: u64 = 1 << 2;

/// `GENL_ID_CTRL`, `CTRL_CMD_GETFAMILY`, `CTRL_ATTR_FAMILY_ID`, `CTRL_ATTR_FAMILY_NAME` (linux/genetlink.h).
const CONTROL: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

/// `NETDEV_CMD_DEV_GET`, `NETDEV_A_DEV_IFINDEX`, `NETDEV_A_DEV_XDP_FEATURES` (linux/netdev.h, Linux 6.3).
const DEV_GET: u8 = 1;
const DEV_IFINDEX: u16 = 1;
const DEV_XDP_FEATURES: u16 = 3;

/// A device, in the network namespace where this was opened.
pub struct Device {
    route: Socket,
    generic: Socket,
    index: u32,
}

impl Device {
    /// The device with that index in the caller's namespace; later calls may come from any.
    pub fn open(index: u32) -> io::Result<Self> {
        Ok(Device {
            route: socket(NETLINK_ROUTE)?,
            generic: socket(NETLINK_GENERIC)?,
            index,
        })
    }

    /// Whether it takes XDP frames; `None` where the kernel does not tell (before Linux 6.3).
    pub fn takes_xdp_frames(&self) -> io::Result<Option<bool>> {
        let name = DefaultNla::new(FAMILY_NAME, b"netdev\0".to_vec());
        let family = match ask(&self.generic, Generic::new(CONTROL, GET_FAMILY, name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            family => family?,
        };
        let Some(family) = family.attribute(FAMILY_ID).map(u16::from_ne_bytes) else {
            return Ok(None);
        };
        let index = DefaultNla::new(DEV_IFINDEX, self.index.to_ne_bytes().to_vec());
        let device = ask(&self.generic, Generic::new(family, DEV_GET, index))?;
        let features = device.attribute(DEV_XDP_FEATURES).map(u64::from_ne_bytes);
        Ok(features.map(|features| features & NDO_XMIT != 0))
    }

    /// Frames that it was to send and did not, since it exists, from whomever.
    pub fn tx_dropped(&self) -> io::Result<u64> {
        let mut request = StatsMessage::default();
        request.header.ifindex = self.index;
        request.header.filter_mask = StatsFilterMask::Link64;
        let RouteNetlinkMessage::NewStats(stats) =
            ask(&self.route, RouteNetlinkMessage::GetStats(request))?
        else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let dropped = stats
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                StatsAttribute::Link64(stats) => Some(stats.tx_dropped),
                _ => None,
            });
        dropped.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

fn socket(protocol: isize) -> io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

/// One question, one answer. The kernel answers before `send` returns, so this never waits.
fn ask<M: NetlinkSerializable + NetlinkDeserializable>(
    socket: &Socket,
    question: M,
) -> io::Result<M> {
    let mut message = NetlinkMessage::new(
        NetlinkHeader::default(),
        NetlinkPayload::InnerMessage(question),
    );
    message.header.flags = NLM_F_REQUEST;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<M>::deserialize(&answer).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::InnerMessage(answer) => Ok(answer),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// A generic netlink message: a command of a family, and attributes.
#[derive(Debug)]
struct Generic {
    family: u16,
    command: u8,
    attributes: Vec<DefaultNla>,
}

/// Command, version, two bytes reserved (linux/genetlink.h).
const GENERIC_HEADER: usize = 4;

impl Generic {
    fn new(family: u16, command: u8, attribute: DefaultNla) -> Self {
        Generic {
            family,
            command,
            attributes: vec![attribute],
        }
    }

    fn attribute<const N: usize>(&self, kind: u16) -> Option<[u8; N]> {
        use rtnetlink::packet_core::Nla;
        let nla = self.attributes.iter().find(|nla| nla.kind() == kind)?;
        let mut value = [0; N];
        (nla.value_len() == N).then(|| nla.emit_value(&mut value))?;
        Some(value)
    }
}

impl NetlinkSerializable for Generic {
    fn message_type(&self) -> u16 {
        self.family
    }
    fn buffer_len(&self) -> usize {
        GENERIC_HEADER + self.attributes.as_slice().buffer_len()
    }
    fn serialize(&self, buffer: &mut [u8]) {
        let (header, attributes) = buffer.split_at_mut(GENERIC_HEADER);
        header.copy_from_slice(&[self.command, 1, 0, 0]);
        self.attributes.as_slice().emit(attributes);
    }
}

impl NetlinkDeserializable for Generic {
    type Error = rtnetlink::packet_core::DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, Self::Error> {
        let (first, attributes) = (payload.first(), payload.get(GENERIC_HEADER..));
        let attributes = NlasIterator::new(attributes.unwrap_or_default())
            .map(|nla| DefaultNla::parse(&nla?))
            .collect::<Result<_, _>>()?;
        Ok(Generic {
            family: header.message_type,
            command: first.copied().unwrap_or_default(),
            attributes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Index 1 is the loopback of every namespace. It has no XDP of its own, and needs no privilege to ask about.
    #[test]
    fn loopback_takes_no_xdp_frames() {
        let device = Device::open(1).unwrap();
        assert_ne!(device.takes_xdp_frames().unwrap(), Some(true));
        device.tx_dropped().unwrap();
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error() {
        let device = Device::open(i32::MAX as u32).unwrap();
        assert!(device.takes_xdp_frames().is_err());
        assert!(device.tx_dropped().is_err());
    }
}
