//! The speed of a link, by ethtool's generic netlink (linux Documentation/networking/ethtool-netlink.rst, Linux 5.6).
//!
//! Two questions: which number has the family "ethtool", and what are the link modes of interface so-and-so. Written
//! by hand, for the crate `ethtool` 0.3 would bring a second netlink-proto for it. Whatever goes wrong means that the
//! speed is not known: many drivers do not know it either.

use rtnetlink::packet_core::{DefaultNla, Emitable, NLA_F_NESTED, NlaBuffer, NlasIterator};
use rtnetlink::sys::protocols::NETLINK_GENERIC;
use rtnetlink::sys::{Socket, SocketAddr};

/// linux include/uapi/linux/genetlink.h
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// linux include/uapi/linux/ethtool_netlink_generated.h
const ETHTOOL_MSG_LINKMODES_GET: u8 = 4;
const ETHTOOL_A_LINKMODES_HEADER: u16 = 1;
const ETHTOOL_A_LINKMODES_SPEED: u16 = 5;
const ETHTOOL_A_HEADER_DEV_INDEX: u16 = 1;

/// linux include/uapi/linux/netlink.h
const NLM_F_REQUEST: u16 = 1;
const NLMSG_MIN_TYPE: u16 = 16;
const NLMSG_HDRLEN: usize = 16;

/// struct genlmsghdr: command, version, two reserved bytes.
const GENL_HDRLEN: usize = 4;

/// `SPEED_UNKNOWN` (linux include/uapi/linux/ethtool.h); some drivers say 0.
const UNKNOWN: [u32; 2] = [u32::MAX, 0];

/// Mbit/s of the interface with this index in this thread's namespace, if its driver tells.
pub fn of(index: u32) -> Option<u32> {
    let mut socket = Socket::new(NETLINK_GENERIC).ok()?;
    socket.bind_auto().ok()?;
    socket.connect(&SocketAddr::new(0, 0)).ok()?;
    let name = DefaultNla::new(CTRL_ATTR_FAMILY_NAME, b"ethtool\0".to_vec());
    let family = ask(&socket, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, name)?;
    let family = u16::from_ne_bytes(value(&family, CTRL_ATTR_FAMILY_ID)?.try_into().ok()?);
    let device = DefaultNla::new(ETHTOOL_A_HEADER_DEV_INDEX, index.to_ne_bytes().to_vec());
    let header = DefaultNla::new(ETHTOOL_A_LINKMODES_HEADER | NLA_F_NESTED, bytes(&device));
    let modes = ask(&socket, family, ETHTOOL_MSG_LINKMODES_GET, header)?;
    let speed = u32::from_ne_bytes(value(&modes, ETHTOOL_A_LINKMODES_SPEED)?.try_into().ok()?);
    (!UNKNOWN.contains(&speed)).then_some(speed)
}

/// Asks, and returns the attributes of the answer.
fn ask(socket: &Socket, family: u16, command: u8, attribute: DefaultNla) -> Option<Vec<u8>> {
    let attribute = bytes(&attribute);
    let len = (NLMSG_HDRLEN + GENL_HDRLEN + attribute.len()) as u32;
    let mut message = Vec::with_capacity(len as usize);
    message.extend(len.to_ne_bytes());
    message.extend(family.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    // Sequence number and port: there is one question at a time, and the kernel fills in the port.
    message.extend([0; 8]);
    message.extend([command, 1, 0, 0]);
    message.extend(attribute);
    socket.send(&message, 0).ok()?;
    attributes(&socket.recv_from_full().ok()?.0)
}

/// The attributes of a generic netlink message; none if it is an error.
fn attributes(answer: &[u8]) -> Option<Vec<u8>> {
    let len = u32::from_ne_bytes(answer.first_chunk().copied()?) as usize;
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let rest = answer.get(NLMSG_HDRLEN + GENL_HDRLEN..len)?;
    (kind >= NLMSG_MIN_TYPE).then(|| rest.to_vec())
}

/// The value of an attribute.
fn value(attributes: &[u8], kind: u16) -> Option<Vec<u8>> {
    NlasIterator::new(attributes)
        .map_while(|attribute: Result<NlaBuffer<&[u8]>, _>| attribute.ok())
        .find(|attribute| attribute.kind() == kind)
        .map(|attribute| attribute.value().to_vec())
}

fn bytes(attribute: &DefaultNla) -> Vec<u8> {
    let mut bytes = vec![0; attribute.buffer_len()];
    attribute.emit(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_no_attributes() {
        // NLMSG_ERROR is type 2.
        let mut error = vec![36, 0, 0, 0, 2, 0];
        error.resize(36, 0);
        assert_eq!(attributes(&error), None);
        assert_eq!(attributes(&error[..3]), None);
        // A length beyond the end.
        let mut long = vec![255, 0, 0, 0, 20, 0];
        long.resize(36, 0);
        assert_eq!(attributes(&long), None);
    }

    #[test]
    fn attributes_are_found_by_kind() {
        let mut both = bytes(&DefaultNla::new(3, vec![1, 2, 3]));
        both.extend(bytes(&DefaultNla::new(5, vec![9; 4])));
        assert_eq!(value(&both, 5), Some(vec![9; 4]));
        assert_eq!(value(&both, 4), None);
        assert_eq!(value(&both[..5], 5), None);
    }

    #[test]
    fn what_does_not_exist_has_no_speed() {
        assert_eq!(of(u32::MAX / 2), None);
    }
}
