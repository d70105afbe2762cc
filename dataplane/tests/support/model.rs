//! The packet path again, as plainly as can be: which frames are taken, where they go, what leaves. A second implementation
//! that shares nothing with the engine but FLANNEL.md section 3, for the tables of [`dual_tables`](super::dual::dual_tables)
//! at node 1; what the engine does is compared with it in both directions.

use super::dual::{OWN_VTEP6, Over, PEER_VTEP6};
use super::{OWN_NIC, OWN_VTEP, PEER_NIC, PEER_VTEP, POD, POD_MAC, UNDERLAY, UPLINK, UPLINK_MAC};

/// Bytes that encapsulation over IPv4 puts in front of a frame.
pub const OUTER: usize = 50;

/// One's complement sum (RFC 1071) of the 16-bit words of these pieces, an odd last byte filled up; all but the last piece
/// have even lengths.
pub fn sum(pieces: &[&[u8]]) -> u16 {
    let mut sum = 0u64;
    for piece in pieces {
        for pair in piece.chunks(2) {
            sum += u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// The big-endian word at `at`.
pub fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Of either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    V4([u8; 4]),
    V6([u8; 16]),
}

impl Address {
    fn bytes(&self) -> &[u8] {
        match self {
            Address::V4(ip) => ip,
            Address::V6(ip) => ip,
        }
    }

    /// The node or subnet it names, if it is one of these nodes' underlay addresses.
    fn node(&self, over: Over) -> Option<u8> {
        match (over, *self) {
            (Over::V4, Address::V4([192, 168, 77, node])) => Some(node),
            (Over::V6, Address::V6([0xfd, 0x77, zeros @ .., node])) if zeros == [0; 13] => {
                Some(node)
            }
            _ => None,
        }
    }
}

/// An IP packet whose header holds together.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    pub header_len: usize,
    pub tos: u8,
    pub len: u16,
    /// IPv6 is as IPv4 with DF set.
    pub flags_offset: u16,
    pub ttl: u8,
    /// Or the next header.
    pub protocol: u8,
    pub src: Address,
    pub dst: Address,
}

impl Packet {
    /// By the version that it claims.
    pub fn parse(bytes: &[u8]) -> Option<Packet> {
        match bytes.first()? >> 4 {
            4 => Packet::parse4(bytes),
            6 => Packet::parse6(bytes),
            _ => None,
        }
    }

    /// Behind the EtherType, which has to agree.
    fn parse_as(ethertype: u16, bytes: &[u8]) -> Option<Packet> {
        let version = bytes.first()? >> 4;
        let agrees = matches!((ethertype, version), (0x0800, 4) | (0x86dd, 6));
        Packet::parse(bytes).filter(|_| agrees)
    }

    fn parse4(bytes: &[u8]) -> Option<Packet> {
        let header_len = usize::from(bytes[0] & 15) * 4;
        if header_len < 20 {
            return None;
        }
        let header = bytes.get(..header_len)?;
        let len = word(header, 2);
        let whole = header_len <= usize::from(len) && usize::from(len) <= bytes.len();
        let address = |at: usize| Address::V4(header[at..at + 4].try_into().unwrap());
        (whole && sum(&[header]) == 0xffff).then(|| Packet {
            header_len,
            tos: header[1],
            len,
            flags_offset: word(header, 6),
            ttl: header[8],
            protocol: header[9],
            src: address(12),
            dst: address(16),
        })
    }

    fn parse6(bytes: &[u8]) -> Option<Packet> {
        let header = bytes.get(..40)?;
        let len = word(header, 4).checked_add(40)?;
        let whole = usize::from(len) <= bytes.len();
        let jumbo = len == 40 && header[6] == 0;
        let address = |at: usize| Address::V6(header[at..at + 16].try_into().unwrap());
        (whole && !jumbo).then(|| Packet {
            header_len: 40,
            tos: header[0] << 4 | header[1] >> 4,
            len,
            flags_offset: 0x4000,
            ttl: header[7],
            protocol: header[6],
            src: address(8),
            dst: address(24),
        })
    }

    pub fn is_fragment(&self) -> bool {
        self.flags_offset & 0x3fff != 0
    }

    /// Sum of a message and of the pseudo header before it.
    pub fn pseudo_sum(&self, message: &[u8]) -> u16 {
        let len = (message.len() as u16).to_be_bytes();
        let (src, dst) = (self.src.bytes(), self.dst.bytes());
        sum(&[src, dst, &[0, self.protocol], &len, message])
    }

    /// Whether the checksum above IP is wrong for sure: its sender's fault, and then no outer checksum that is derived from
    /// the headers can be right either (FLANNEL.md 3.6).
    fn transport_is_wrong(&self, bytes: &[u8]) -> bool {
        let message = &bytes[self.header_len..usize::from(self.len)];
        match (self.protocol, self.src) {
            _ if self.is_fragment() => false,
            (1, Address::V4(_)) => sum(&[message]) != 0xffff,
            (58, Address::V6(_)) if message.len() >= 4 => self.pseudo_sum(message) != 0xffff,
            (6, _) if message.len() >= 20 => self.pseudo_sum(message) != 0xffff,
            (17, _) if message.len() >= 8 && word(message, 6) != 0 => {
                usize::from(word(message, 4)) == message.len() && self.pseudo_sum(message) != 0xffff
            }
            _ => false,
        }
    }
}

/// Where a packet goes, by the routes of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Local(u8),
    Peer { node: u8, mtu: u16 },
    Unresolved { node: u8 },
    Nowhere,
}

fn way(address: Address, over: Over) -> Way {
    let (node, host) = match address {
        Address::V4([10, 244, node, host]) => (node, u64::from(host)),
        Address::V6([0xfd, 0, 0, 0x10, 2, 0x44, 0, node, host @ ..]) => {
            (node, u64::from_be_bytes(host))
        }
        _ => return Way::Nowhere,
    };
    let pod = match address {
        Address::V4(_) => 99,
        Address::V6(_) => 0x99,
    };
    match node {
        1 if host == pod => Way::Local(POD),
        1 => Way::Local(UPLINK),
        2 => Way::Peer {
            node,
            mtu: over.mtu(),
        },
        3 => Way::Unresolved { node },
        4 => Way::Peer {
            node,
            mtu: over.mtu() - 100,
        },
        _ => Way::Nowhere,
    }
}

/// A frame that goes on: by which port, and the length of its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    pub port: u8,
    pub len: u16,
}

/// What becomes of a frame from the pod side, which came in by `from`.
pub fn encap(frame: &[u8], from: u8, over: Over) -> Option<Passed> {
    if frame.len() < 14 {
        return None;
    }
    let packet = Packet::parse_as(word(frame, 12), &frame[14..])?;
    let hops = if from == POD { 2 } else { 1 };
    let may_be_fragmented = packet.flags_offset & 0x4000 == 0 && over == Over::V4;
    let port = match way(packet.dst, over) {
        _ if packet.ttl < hops => return None,
        Way::Local(port) if port != from && packet.len <= 1450 => port,
        Way::Peer { mtu, .. } if packet.len <= mtu => UNDERLAY,
        // It may be fragmented on its way, once it has left our own device.
        Way::Peer { .. } if may_be_fragmented && packet.len <= 1450 => UNDERLAY,
        _ => return None,
    };
    Some(Passed {
        port,
        len: packet.len,
    })
}

/// What becomes of a frame from the wire.
pub fn decap(frame: &[u8], over: Over) -> Option<Passed> {
    if frame.len() < 14 {
        return None;
    }
    let (outer_over, inner) = (Over::of(frame), Over::of(frame).overhead() + 14);
    if frame.len() < inner {
        return None;
    }
    let (udp, own_vtep, own) = match outer_over {
        Over::V4 => (34, OWN_VTEP, Address::V4([192, 168, 77, 1])),
        Over::V6 => (54, OWN_VTEP6, {
            let mut own = [0; 16];
            (own[0], own[1], own[15]) = (0xfd, 0x77, 1);
            Address::V6(own)
        }),
    };
    let outer = Packet::parse_as(word(frame, 12), &frame[14..])?;
    let udp_len = usize::from(word(frame, udp + 4));
    let ours = outer.protocol == 17
        && outer.header_len == udp - 14
        && !outer.is_fragment()
        && udp_len <= usize::from(outer.len) - outer.header_len
        && udp_len >= 8 + 8 + 14
        && outer.dst == own
        && word(frame, udp + 2) == 8472
        && frame[udp + 8..udp + 16] == [8, 0, 0, 0, 0, 0, 1, 0]
        && frame[udp + 16..udp + 22] == own_vtep.0
        && frame[udp + 22..udp + 28] != own_vtep.0;
    let payload = frame[inner..].get(..udp_len.checked_sub(30)?)?;
    let packet = Packet::parse_as(word(frame, udp + 28), payload).filter(|_| ours)?;
    let datagram = &frame[udp..udp + udp_len];
    let covered = usize::from(packet.len) == payload.len();
    let begun = sum(&[
        &frame[outer_over.addresses()],
        &[0, 17],
        &frame[udp + 4..udp + 6],
    ]);
    let checked = match word(frame, udp + 6) {
        0 => outer_over == Over::V4,
        _ => {
            outer.pseudo_sum(datagram) == 0xffff
                // Begun by a socket of the same machine, for a card that never came.
                || word(frame, udp + 6) == begun
                // Proven by the headers; a flipped bit in the payload is the pod's to find (docs/decisions/0003).
                || covered
                    && packet.transport_is_wrong(payload)
                    && derived_checksum_agrees(frame, &packet, payload)
        }
    };
    let (Way::Peer { node, .. } | Way::Unresolved { node }) = way(packet.src, over) else {
        return None;
    };
    let Way::Local(port) = way(packet.dst, over) else {
        return None;
    };
    let hops = if port == POD { 2 } else { 1 };
    let marked_blind = outer.tos & 3 == 3 && packet.tos & 3 == 0;
    let passes = checked
        && outer.src.node(over) == Some(node)
        && packet.len <= 1450
        && packet.ttl >= hops
        && !marked_blind;
    passes.then_some(Passed {
        port,
        len: packet.len,
    })
}

/// The packet as it is delivered: with its checksum above IP, where the sender only began it with the sum of the pseudo
/// header.
pub fn completed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let Some(packet) = Packet::parse(&bytes).filter(|packet| !packet.is_fragment()) else {
        return bytes;
    };
    let message = &bytes[packet.header_len..usize::from(packet.len)];
    let at = match packet.protocol {
        6 if message.len() >= 20 => 16,
        17 if message.len() >= 8 && usize::from(word(message, 4)) == message.len() => 6,
        _ => return bytes,
    };
    if word(message, at) == packet.pseudo_sum_of_len() {
        let checksum = match !sum(&[message]) {
            0 => 0xffff,
            checksum => checksum,
        };
        let at = packet.header_len + at;
        bytes[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
    }
    bytes
}

/// Whether the outer checksum would be right if the inner one were: the payload is replaced by what its checksum says of it.
fn derived_checksum_agrees(frame: &[u8], packet: &Packet, payload: &[u8]) -> bool {
    let over = Over::of(frame);
    let (addresses, udp) = (over.addresses(), over.addresses().end);
    // A right inner packet sums to all ones above IP (ICMP) or to the complement of its pseudo header (TCP, UDP, ICMPv6).
    let above = match packet.protocol {
        1 => 0,
        _ => !packet.pseudo_sum_of_len(),
    };
    let sum = sum(&[
        &frame[addresses],
        &[0, 17],
        &frame[udp + 4..udp + 6],
        &frame[udp..udp + 30],
        &payload[..packet.header_len],
        &above.to_be_bytes(),
    ]);
    sum == 0xffff || sum == 0
}

impl Packet {
    /// The pseudo header alone.
    fn pseudo_sum_of_len(&self) -> u16 {
        let len = (self.len - self.header_len as u16).to_be_bytes();
        let (src, dst) = (self.src.bytes(), self.dst.bytes());
        sum(&[src, dst, &[0, self.protocol], &len])
    }
}

/// What every frame that leaves must be, whatever it was made from.
pub fn check_sent(port: u8, frame: &[u8], over: Over) {
    if port != UNDERLAY {
        let dst = if port == POD { POD_MAC } else { OWN_VTEP };
        check_header(frame, dst.0, UPLINK_MAC.0);
        check_packet(frame);
        return;
    }
    assert_eq!(Over::of(frame), over);
    let (own_vtep, peer_vtep) = match over {
        Over::V4 => (OWN_VTEP, PEER_VTEP),
        Over::V6 => (OWN_VTEP6, PEER_VTEP6),
    };
    let (udp, carried) = (over.addresses().end, &frame[over.overhead()..]);
    check_header(frame, PEER_NIC.0, OWN_NIC.0);
    check_header(carried, peer_vtep.0, own_vtep.0);
    let outer = check_packet(frame);
    let inner = check_packet(carried);
    let Way::Peer { node, mtu } = way(inner.dst, over) else {
        panic!("{inner:?} left by the underlay");
    };
    let may_be_fragmented = inner.flags_offset & 0x4000 == 0 && over == Over::V4;
    assert!(
        inner.len <= if may_be_fragmented { 1450 } else { mtu },
        "{inner:?} is too big"
    );
    let nodes = (outer.src.node(over), outer.dst.node(over));
    assert_eq!(nodes, (Some(1), Some(node)));
    let (header_len, flags) = match over {
        Over::V4 => (20, 0),
        Over::V6 => (40, 0x4000),
    };
    assert_eq!(
        (
            outer.header_len,
            outer.flags_offset,
            outer.ttl,
            outer.protocol
        ),
        (header_len, flags, 64, 17)
    );
    let ecn = inner.tos & 3;
    assert_eq!(outer.tos, if ecn == 3 { 2 } else { ecn });
    match over {
        Over::V4 => assert_ne!(
            word(frame, 18),
            0,
            "the id of a packet that may be fragmented"
        ),
        Over::V6 => assert_eq!(frame[15] & 15 | frame[16] | frame[17], 0, "the flow label"),
    }
    assert!((32768..60999).contains(&word(frame, udp)), "source port");
    assert_eq!(word(frame, udp + 2), 8472);
    assert_eq!(usize::from(word(frame, udp + 4)), frame.len() - udp);
    assert_eq!(frame[udp + 8..udp + 16], [8, 0, 0, 0, 0, 0, 1, 0]);
    assert_ne!(word(frame, udp + 6), 0, "a checksum was computed");
    assert!(
        outer.pseudo_sum(&frame[udp..]) == 0xffff || inner.transport_is_wrong(&carried[14..]),
        "the outer checksum is wrong and the inner one is not"
    );
}

fn check_header(frame: &[u8], dst: [u8; 6], src: [u8; 6]) {
    assert_eq!((&frame[..6], &frame[6..12]), (&dst[..], &src[..]));
}

fn check_packet(frame: &[u8]) -> Packet {
    let packet = Packet::parse_as(word(frame, 12), &frame[14..]).expect("an IP packet");
    assert_eq!(
        usize::from(packet.len),
        frame.len() - 14,
        "no padding, nothing cut"
    );
    assert_ne!(packet.ttl, 0);
    packet
}
