//! Switches a device's offloads off, over generic netlink (linux: Documentation/networking/ethtool-netlink.rst).
//!
//! A veth passes on what it is given: with checksum offload on, packets whose transport checksum is still to be written;
//! with segmentation offload on, packets of 64 KB. The engine sees bytes only, so it would send both into the world.
//! Read first and set only what is on: a restart changes nothing.
//!
//! Messages are written by hand: the `ethtool` crate (0.3) can read features but not set them, and the `ethtool` program
//! would be one more thing to be missing from a container image.

use std::io;

use rtnetlink::packet_core::{
    DefaultNla, Emitable, NLA_F_NESTED, NLM_F_REQUEST, NlaBuffer, NlasIterator,
};
use rtnetlink::sys::protocols::NETLINK_GENERIC;
use rtnetlink::sys::{Socket, SocketAddr};

use super::NetlinkError;

/// Whether a feature lets incomplete or oversized packets through. By pattern, for kernels add one now and then.
///
/// `tx-generic-segmentation` may stay: it is the kernel's own, which cuts large segments before the device.
fn is_offload(feature: &str) -> bool {
    let segments = feature.ends_with("-segmentation") && feature != "tx-generic-segmentation";
    segments
        || feature.starts_with("tx-checksum-")
        || matches!(feature, "tx-gso-list" | "rx-gro" | "rx-gro-list")
}

/// linux: include/uapi/linux/genetlink.h
mod ctrl {
    pub const ID: u16 = 16;
    pub const GETFAMILY: u8 = 3;
    pub const ATTR_FAMILY_ID: u16 = 1;
    pub const ATTR_FAMILY_NAME: u16 = 2;
}

/// linux: include/uapi/linux/ethtool_netlink.h
mod ethtool {
    pub const FEATURES_GET: u8 = 11;
    pub const FEATURES_SET: u8 = 12;
    pub const HEADER: u16 = 1;
    pub const HEADER_DEV_NAME: u16 = 2;
    pub const FEATURES_WANTED: u16 = 3;
    pub const FEATURES_ACTIVE: u16 = 4;
    pub const BITSET_BITS: u16 = 3;
    pub const BITSET_BITS_BIT: u16 = 1;
    pub const BITSET_BIT_NAME: u16 = 2;
}

const NLMSG_HEADER: usize = 16;
const GENL_HEADER: usize = 4;
const NLMSG_ERROR: u16 = 2;

/// Switches checksum, segmentation and receive-aggregation offloads of a device off, and makes sure of it.
pub fn disable(device: &str) -> Result<(), NetlinkError> {
    let on = Ethtool::open()
        .and_then(|ethtool| {
            let on = ethtool.active(device)?;
            if on.is_empty() {
                return Ok(on);
            }
            ethtool.switch_off(device, &on)?;
            ethtool.active(device)
        })
        .map_err(|source| NetlinkError::Request {
            operation: format!("switch the offloads of {device} off"),
            source,
        })?;
    match on.as_slice() {
        [] => Ok(()),
        on => Err(NetlinkError::Offloads {
            device: device.into(),
            features: on.join(", "),
        }),
    }
}

/// A socket of the `ethtool` family. The kernel answers within the send, so reading never waits.
struct Ethtool {
    socket: Socket,
    family: u16,
}

impl Ethtool {
    fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        let mut ethtool = Ethtool {
            socket,
            family: ctrl::ID,
        };
        let name = DefaultNla::new(ctrl::ATTR_FAMILY_NAME, b"ethtool\0".to_vec());
        let answer = ethtool.call(ctrl::GETFAMILY, &[name])?;
        let id = attribute(&answer, ctrl::ATTR_FAMILY_ID)
            .and_then(|value| value.try_into().ok())
            .ok_or(io::ErrorKind::Unsupported)?;
        ethtool.family = u16::from_ne_bytes(id);
        Ok(ethtool)
    }

    /// The offloads that are on.
    fn active(&self, device: &str) -> io::Result<Vec<String>> {
        let answer = self.call(ethtool::FEATURES_GET, &[header(device)])?;
        let bits = attribute(&answer, ethtool::FEATURES_ACTIVE)
            .and_then(|set| attribute(set, ethtool::BITSET_BITS))
            .ok_or(io::ErrorKind::InvalidData)?;
        Ok(attributes(bits)
            .filter_map(|(_, bit)| attribute(bit, ethtool::BITSET_BIT_NAME))
            .map(|name| String::from_utf8_lossy(name.strip_suffix(b"\0").unwrap_or(name)).into())
            .filter(|name: &String| is_offload(name))
            .collect())
    }

    /// A bit that is named without a value is one to be cleared.
    fn switch_off(&self, device: &str, offloads: &[String]) -> io::Result<()> {
        let bits = offloads.iter().map(|offload| {
            let mut name = offload.as_bytes().to_vec();
            name.push(0);
            let name = DefaultNla::new(ethtool::BITSET_BIT_NAME, name);
            nest(ethtool::BITSET_BITS_BIT, &[name])
        });
        let bits = nest(ethtool::BITSET_BITS, &bits.collect::<Vec<_>>());
        let wanted = nest(ethtool::FEATURES_WANTED, &[bits]);
        self.call(ethtool::FEATURES_SET, &[header(device), wanted])
            .map(drop)
    }

    /// One request; the attributes of its answer. Each of these commands has exactly one answer as long as no
    /// acknowledgement is asked for besides.
    fn call(&self, command: u8, attributes: &[DefaultNla]) -> io::Result<Vec<u8>> {
        let body = emit(attributes);
        let len = (NLMSG_HEADER + GENL_HEADER + body.len()) as u32;
        let mut message = Vec::with_capacity(len as usize);
        message.extend_from_slice(&len.to_ne_bytes());
        message.extend_from_slice(&self.family.to_ne_bytes());
        message.extend_from_slice(&NLM_F_REQUEST.to_ne_bytes());
        message.extend_from_slice(&[0; 8]);
        message.extend_from_slice(&[command, 1, 0, 0]);
        message.extend_from_slice(&body);
        self.socket.send_to(&message, &SocketAddr::new(0, 0), 0)?;
        let (answer, _) = self.socket.recv_from_full()?;
        parse(&answer)
    }
}

/// The attributes of a generic netlink message, or the error that it is.
fn parse(answer: &[u8]) -> io::Result<Vec<u8>> {
    let (header, body) = answer
        .split_at_checked(NLMSG_HEADER)
        .ok_or(io::ErrorKind::InvalidData)?;
    let kind = u16::from_ne_bytes([header[4], header[5]]);
    if kind == NLMSG_ERROR {
        let code = body
            .first_chunk()
            .map_or(0, |code| i32::from_ne_bytes(*code));
        return match code {
            0 => Ok(Vec::new()),
            code => Err(io::Error::from_raw_os_error(-code)),
        };
    }
    body.get(GENL_HEADER..)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn header(device: &str) -> DefaultNla {
    let mut name = device.as_bytes().to_vec();
    name.push(0);
    nest(
        ethtool::HEADER,
        &[DefaultNla::new(ethtool::HEADER_DEV_NAME, name)],
    )
}

fn nest(kind: u16, attributes: &[DefaultNla]) -> DefaultNla {
    DefaultNla::new(kind | NLA_F_NESTED, emit(attributes))
}

fn emit(attributes: &[DefaultNla]) -> Vec<u8> {
    let mut bytes = vec![0; attributes.buffer_len()];
    attributes.emit(&mut bytes);
    bytes
}

/// Attributes as kind and value, as far as they are well-formed.
fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    NlasIterator::new(bytes)
        .map_while(Result::ok)
        .filter_map(|attribute: NlaBuffer<&[u8]>| {
            let (kind, len) = (attribute.kind(), usize::from(attribute.length()));
            Some((kind, attribute.into_inner().get(4..len)?))
        })
}

fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(found, value)| (found == kind).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_attributes_or_an_error() {
        let mut ack = vec![0; 36];
        ack[4] = 2;
        assert!(parse(&ack).unwrap().is_empty());
        ack[16..20].copy_from_slice(&(-19i32).to_ne_bytes());
        assert_eq!(parse(&ack).unwrap_err().raw_os_error(), Some(19));
        assert!(parse(&[0; 10]).is_err());
        assert!(parse(&[0; 18]).is_err());
    }

    #[test]
    fn nested_attributes_are_found_again() {
        let name = DefaultNla::new(ethtool::BITSET_BIT_NAME, b"rx-gro\0".to_vec());
        let bit = nest(ethtool::BITSET_BITS_BIT, &[name]);
        let bytes = emit(&[nest(ethtool::BITSET_BITS, &[bit])]);
        let bits = attribute(&bytes, ethtool::BITSET_BITS).unwrap();
        let bit = attribute(bits, ethtool::BITSET_BITS_BIT).unwrap();
        assert_eq!(
            attribute(bit, ethtool::BITSET_BIT_NAME),
            Some(&b"rx-gro\0"[..])
        );
        assert_eq!(attribute(bit, 9), None);
    }
}
