//! Reads a frame strictly: does it carry a signature where ours have it, and is every length and checksum right?
//!
//! Understood: Ethernet with up to two VLAN tags; IPv4 with options, IPv6 without extension headers; UDP, TCP, echo;
//! one frame inside UDP to a VXLAN port. Anything else is [`Reading::Broken`], for nothing can be said about it. No
//! byte panics it.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use super::checksum::{fold, sum};
use super::signature::{MAGIC, SIGNATURE_LEN, Signature};

/// What strict reading found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A signature at the start of the transport payload; all lengths and checksums right.
    Signed(Signature),
    /// All right, and no trace of a signature in its place: a whole packet of someone else's.
    Sound,
    /// Something is wrong with it, or it is of a kind that we do not read.
    Broken,
}

/// Frames up to this length may have padding behind the packet: Ethernet's minimum, with a VLAN tag. What we send needs
/// none.
const PADDED: usize = 64;

/// Reads `frame`; looks into UDP to one of `vxlan_ports` once.
#[inline]
pub fn read(frame: &[u8], vxlan_ports: &[u16]) -> Reading {
    read_frame(frame, Some(vxlan_ports)).unwrap_or(Reading::Broken)
}

/// `None` is for broken. `ports` is `None` inside a tunnel.
fn read_frame(frame: &[u8], ports: Option<&[u16]>) -> Option<Reading> {
    let (_, rest) = frame.split_at_checked(12)?;
    let (mut ether_type, mut rest) = word(rest)?;
    for _ in 0..2 {
        // 802.1Q, and 802.1ad in front of it.
        if ether_type == 0x8100 || ether_type == 0x88a8 {
            (ether_type, rest) = word(rest.get(2..)?)?;
        }
    }
    let may_be_padded = frame.len() <= PADDED;
    let packet = match ether_type {
        0x0800 => ipv4(rest, may_be_padded)?,
        0x86dd => ipv6(rest, may_be_padded)?,
        _ => return None,
    };
    packet.read(ports)
}

/// What is in an IP packet with right lengths (and header checksum).
struct Packet<'a> {
    protocol: u8,
    /// Sum of the pseudo header.
    pseudo: u64,
    /// ICMP over IPv4, ICMPv6 over IPv6.
    v6: bool,
    segment: &'a [u8],
}

fn ipv4(bytes: &[u8], may_be_padded: bool) -> Option<Packet<'_>> {
    let head: &[u8; 20] = bytes.first_chunk()?;
    let [
        version,
        _,
        l0,
        l1,
        _,
        _,
        f0,
        f1,
        _,
        protocol,
        _,
        _,
        addresses @ ..,
    ] = head;
    let total = usize::from(u16::from_be_bytes([*l0, *l1]));
    let header_len = usize::from(version & 15) * 4;
    // A fragment: the MF bit, or an offset.
    let fragment = u16::from_be_bytes([*f0, *f1]) & 0x3fff != 0;
    if version >> 4 != 4 || header_len < 20 || fragment {
        return None;
    }
    let packet = cut(bytes, total, may_be_padded)?;
    let (header, segment) = packet.split_at_checked(header_len)?;
    if fold(sum(header)) != 0xffff {
        return None;
    }
    Some(Packet {
        protocol: *protocol,
        pseudo: sum(addresses) + u64::from(*protocol) + segment.len() as u64,
        v6: false,
        segment,
    })
}

fn ipv6(bytes: &[u8], may_be_padded: bool) -> Option<Packet<'_>> {
    let (head, rest) = bytes.split_first_chunk::<40>()?;
    let [version, _, _, _, l0, l1, protocol, _, addresses @ ..] = head;
    if version >> 4 != 6 {
        return None;
    }
    let len = usize::from(u16::from_be_bytes([*l0, *l1]));
    let segment = cut(rest, len, may_be_padded)?;
    Some(Packet {
        protocol: *protocol,
        pseudo: sum(addresses) + u64::from(*protocol) + len as u64,
        v6: true,
        segment,
    })
}

/// The first `len` bytes; what is behind them must be padding.
fn cut(bytes: &[u8], len: usize, may_be_padded: bool) -> Option<&[u8]> {
    let (packet, behind) = bytes.split_at_checked(len)?;
    (behind.is_empty() || may_be_padded).then_some(packet)
}

impl Packet<'_> {
    fn read(&self, ports: Option<&[u16]>) -> Option<Reading> {
        match (self.protocol, self.v6) {
            (17, _) => self.udp(ports),
            (6, _) => {
                let offset = self.segment.get(12)? >> 4;
                let (_, payload) = self.segment.split_at_checked(usize::from(offset) * 4)?;
                self.signed((offset >= 5).then_some(payload)?, self.pseudo)
            }
            (1, false) => self.echo([0, 8], 0),
            (58, true) => self.echo([128, 129], self.pseudo),
            _ => None,
        }
    }

    fn udp(&self, ports: Option<&[u16]>) -> Option<Reading> {
        let (header, payload) = self.segment.split_first_chunk::<8>()?;
        let [_, _, d0, d1, l0, l1, c0, c1] = *header;
        if usize::from(u16::from_be_bytes([l0, l1])) != self.segment.len() {
            return None;
        }
        let port = u16::from_be_bytes([d0, d1]);
        let inner = ports.is_some_and(|ports| ports.contains(&port));
        if inner && !begins_with_magic(payload) {
            return self.vxlan(payload, c0 | c1 == 0);
        }
        // We always send a checksum.
        if c0 | c1 == 0 {
            return None;
        }
        self.signed(payload, self.pseudo)
    }

    fn vxlan(&self, payload: &[u8], unsummed: bool) -> Option<Reading> {
        let right = unsummed || fold(self.pseudo + sum(self.segment)) == 0xffff;
        let reading = match payload.split_first_chunk::<8>() {
            // "The I flag MUST be set to 1 for a valid VXLAN Network ID" (RFC 7348 section 5).
            Some(([flags, ..], frame)) if flags & 8 != 0 => read_frame(frame, None),
            _ if unsummed => None,
            _ => Some(Reading::Sound),
        };
        reading.filter(|_| right)
    }

    /// Echo request or reply; other ICMP is sound if its checksum is right, whatever it quotes.
    fn echo(&self, types: [u8; 2], pseudo: u64) -> Option<Reading> {
        let ([kind, code, ..], payload) = self.segment.split_first_chunk::<8>()?;
        let echo = types.contains(kind) && *code == 0;
        self.signed(if echo { payload } else { &[] }, pseudo)
    }

    /// Judges by the checksum over the whole segment, and by the payload.
    fn signed(&self, payload: &[u8], pseudo: u64) -> Option<Reading> {
        if fold(pseudo + sum(self.segment)) != 0xffff {
            return None;
        }
        if !begins_with_magic(payload) {
            return Some(Reading::Sound);
        }
        let bytes: &[u8; SIGNATURE_LEN] = payload.first_chunk()?;
        Signature::from_bytes(bytes).map(Reading::Signed)
    }
}

fn begins_with_magic(payload: &[u8]) -> bool {
    payload.starts_with(&MAGIC.to_be_bytes())
}

fn word(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*word), rest))
}
