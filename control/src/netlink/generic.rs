//! Generic netlink: families that the kernel numbers at run time (linux: Documentation/userspace-api/netlink/intro.rst).
//!
//! Messages are written by hand: the `ethtool` crate (0.3) can read features but not set them, and the `ethtool` program
//! would be one more thing to be missing from a container image. Each command used here has exactly one answer as long as no
//! acknowledgement is asked for besides, and the kernel gives it within the send, so reading never waits.

use std::io;

use rtnetlink::packet_core::{
    DefaultNla, Emitable, NLA_F_NESTED, NLM_F_REQUEST, NlaBuffer, NlasIterator,
};
use rtnetlink::sys::protocols::NETLINK_GENERIC;
use rtnetlink::sys::{Socket, SocketAddr};

/// linux: include/uapi/linux/genetlink.h
mod ctrl {
    pub const ID: u16 = 16;
    pub const GETFAMILY: u8 = 3;
    pub const ATTR_FAMILY_ID: u16 = 1;
    pub const ATTR_FAMILY_NAME: u16 = 2;
}

const NLMSG_HEADER: usize = 16;
const GENL_HEADER: usize = 4;
const NLMSG_ERROR: u16 = 2;

/// A socket of one family.
pub(super) struct Family {
    socket: Socket,
    id: u16,
}

impl Family {
    /// Asks for the family's number; an error if the kernel has no such family.
    pub(super) fn open(name: &str) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        let mut family = Family {
            socket,
            id: ctrl::ID,
        };
        let name = DefaultNla::new(ctrl::ATTR_FAMILY_NAME, text(name));
        let answer = family.call(ctrl::GETFAMILY, &[name])?;
        let id = attribute(&answer, ctrl::ATTR_FAMILY_ID)
            .and_then(|value| value.try_into().ok())
            .ok_or(io::ErrorKind::Unsupported)?;
        family.id = u16::from_ne_bytes(id);
        Ok(family)
    }

    /// One request; the attributes of its answer.
    pub(super) fn call(&self, command: u8, attributes: &[DefaultNla]) -> io::Result<Vec<u8>> {
        let body = emit(attributes);
        let len = (NLMSG_HEADER + GENL_HEADER + body.len()) as u32;
        let mut message = Vec::with_capacity(len as usize);
        message.extend_from_slice(&len.to_ne_bytes());
        message.extend_from_slice(&self.id.to_ne_bytes());
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

/// An attribute that holds others.
pub(super) fn nest(kind: u16, attributes: &[DefaultNla]) -> DefaultNla {
    DefaultNla::new(kind | NLA_F_NESTED, emit(attributes))
}

fn emit(attributes: &[DefaultNla]) -> Vec<u8> {
    let mut bytes = vec![0; attributes.buffer_len()];
    attributes.emit(&mut bytes);
    bytes
}

/// Attributes as kind and value, as far as they are well-formed.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    NlasIterator::new(bytes)
        .map_while(Result::ok)
        .filter_map(|attribute: NlaBuffer<&[u8]>| {
            let (kind, len) = (attribute.kind(), usize::from(attribute.length()));
            Some((kind, attribute.into_inner().get(4..len)?))
        })
}

/// The value of the first attribute of this kind.
pub(super) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(found, value)| (found == kind).then_some(value))
}

/// A text as the kernel has it, with its zero.
pub(super) fn text(value: &str) -> Vec<u8> {
    let mut bytes = value.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// A number of 32 bits.
pub(super) fn number(bytes: &[u8], kind: u16) -> Option<u32> {
    let value = attribute(bytes, kind)?.try_into().ok()?;
    Some(u32::from_ne_bytes(value))
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
        let name = DefaultNla::new(2, text("rx-gro"));
        let queues = DefaultNla::new(4, 7u32.to_ne_bytes().to_vec());
        let bit = nest(1, &[name, queues]);
        let bytes = emit(&[nest(3, &[bit])]);
        let bits = attribute(&bytes, 3).unwrap();
        let bit = attribute(bits, 1).unwrap();
        assert_eq!(attribute(bit, 2), Some(&b"rx-gro\0"[..]));
        assert_eq!(number(bit, 4), Some(7));
        assert_eq!((attribute(bit, 9), number(bit, 2)), (None, None));
    }
}
