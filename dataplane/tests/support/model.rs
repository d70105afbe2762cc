//! The packet path again, as plainly as can be: which frames are taken, where they go, what leaves. A second implementation
//! that shares nothing with the engine but FLANNEL.md section 3, for the tables of [`golden_tables`](super::golden_tables);
//! what the engine does is compared with it in both directions.

use super::{OWN_NIC, OWN_VTEP, PEER_NIC, PEER_VTEP, POD, POD_MAC, UNDERLAY, UPLINK, UPLINK_MAC};

/// Bytes that encapsulation puts in front of a frame.
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

fn quad(bytes: &[u8], at: usize) -> [u8; 4] {
    [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
}

/// An IPv4 packet whose header holds together.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    pub header_len: usize,
    pub tos: u8,
    pub len: u16,
    pub flags_offset: u16,
    pub ttl: u8,
    pub protocol: u8,
    pub src: [u8; 4],
    pub dst: [u8; 4],
}

impl Packet {
    pub fn parse(bytes: &[u8]) -> Option<Packet> {
        let header_len = usize::from(bytes.first()? & 15) * 4;
        if bytes[0] >> 4 != 4 || header_len < 20 {
            return None;
        }
        let header = bytes.get(..header_len)?;
        let len = word(header, 2);
        let whole = header_len <= usize::from(len) && usize::from(len) <= bytes.len();
        (whole && sum(&[header]) == 0xffff).then(|| Packet {
            header_len,
            tos: header[1],
            len,
            flags_offset: word(header, 6),
            ttl: header[8],
            protocol: header[9],
            src: quad(header, 12),
            dst: quad(header, 16),
        })
    }

    pub fn is_fragment(&self) -> bool {
        self.flags_offset & 0x3fff != 0
    }

    /// Sum of a message and of the pseudo header before it.
    pub fn pseudo_sum(&self, message: &[u8]) -> u16 {
        let len = (message.len() as u16).to_be_bytes();
        sum(&[&self.src, &self.dst, &[0, self.protocol], &len, message])
    }

    /// Whether the checksum above IP is wrong for sure: its sender's fault, and then no outer checksum that is derived from
    /// the headers can be right either (FLANNEL.md 3.6).
    fn transport_is_wrong(&self, bytes: &[u8]) -> bool {
        let message = &bytes[self.header_len..usize::from(self.len)];
        match self.protocol {
            _ if self.is_fragment() => false,
            1 => sum(&[message]) != 0xffff,
            6 if message.len() >= 20 => self.pseudo_sum(message) != 0xffff,
            17 if message.len() >= 8 && word(message, 6) != 0 => {
                usize::from(word(message, 4)) == message.len() && self.pseudo_sum(message) != 0xffff
            }
            _ => false,
        }
    }
}

/// Where a packet goes, by the routes of the golden tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Local(u8),
    Peer { node: u8, mtu: u16 },
    Unresolved { node: u8 },
    Nowhere,
}

fn way(address: [u8; 4]) -> Way {
    match address {
        [10, 244, 1, 99] => Way::Local(POD),
        [10, 244, 1, _] => Way::Local(UPLINK),
        [10, 244, 2, _] => Way::Peer { node: 2, mtu: 1450 },
        [10, 244, 3, _] => Way::Unresolved { node: 3 },
        [10, 244, 4, _] => Way::Peer { node: 4, mtu: 1350 },
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
pub fn encap(frame: &[u8], from: u8) -> Option<Passed> {
    if frame.len() < 14 || word(frame, 12) != 0x0800 {
        return None;
    }
    let packet = Packet::parse(&frame[14..])?;
    let hops = if from == POD { 2 } else { 1 };
    let port = match way(packet.dst) {
        _ if packet.ttl < hops => return None,
        Way::Local(port) if port != from && packet.len <= 1450 => port,
        Way::Peer { mtu, .. } if packet.len <= mtu => UNDERLAY,
        // It may be fragmented on its way, once it has left our own device.
        Way::Peer { .. } if packet.flags_offset & 0x4000 == 0 && packet.len <= 1450 => UNDERLAY,
        _ => return None,
    };
    Some(Passed {
        port,
        len: packet.len,
    })
}

/// What becomes of a frame from the wire.
pub fn decap(frame: &[u8]) -> Option<Passed> {
    if frame.len() < OUTER + 14 || word(frame, 12) != 0x0800 || frame[14] != 0x45 {
        return None;
    }
    let outer = Packet::parse(&frame[14..])?;
    let udp_len = usize::from(word(frame, 38));
    let ours = outer.protocol == 17
        && !outer.is_fragment()
        && udp_len <= usize::from(outer.len) - 20
        && udp_len >= 8 + 8 + 14
        && outer.dst == [192, 168, 77, 1]
        && word(frame, 36) == 8472
        && frame[42..50] == [8, 0, 0, 0, 0, 0, 1, 0]
        && frame[50..56] == OWN_VTEP.0
        && frame[56..62] != OWN_VTEP.0
        && word(frame, 62) == 0x0800;
    let payload = frame[OUTER + 14..].get(..udp_len.checked_sub(30)?)?;
    let packet = Packet::parse(payload).filter(|_| ours)?;
    let datagram = &frame[34..34 + udp_len];
    let covered = usize::from(packet.len) == payload.len();
    let checked = word(frame, 40) == 0
        || outer.pseudo_sum(datagram) == 0xffff
        // Proven by the headers; a flipped bit in the payload is the pod's to find (docs/decisions/0003).
        || covered && packet.transport_is_wrong(payload) && derived_checksum_agrees(frame, &packet);
    let (Way::Peer { node, .. } | Way::Unresolved { node }) = way(packet.src) else {
        return None;
    };
    let Way::Local(port) = way(packet.dst) else {
        return None;
    };
    let hops = if port == POD { 2 } else { 1 };
    let marked_blind = outer.tos & 3 == 3 && packet.tos & 3 == 0;
    let passes = checked
        && outer.src == [192, 168, 77, node]
        && packet.len <= 1450
        && packet.ttl >= hops
        && !marked_blind;
    passes.then_some(Passed {
        port,
        len: packet.len,
    })
}

/// Whether the outer checksum would be right if the inner one were: the payload is replaced by what its checksum says of it.
fn derived_checksum_agrees(frame: &[u8], packet: &Packet) -> bool {
    // A right inner packet sums to all ones above IP (ICMP) or to the complement of its pseudo header (TCP, UDP).
    let pseudo = match packet.protocol {
        1 => 0,
        _ => !packet.pseudo_sum_of_len(),
    };
    let sum = sum(&[
        &frame[26..64],
        &[0, 17],
        &frame[38..40],
        &pseudo.to_be_bytes(),
    ]);
    sum == 0xffff || sum == 0
}

impl Packet {
    /// The pseudo header alone.
    fn pseudo_sum_of_len(&self) -> u16 {
        let len = (self.len - self.header_len as u16).to_be_bytes();
        sum(&[&self.src, &self.dst, &[0, self.protocol], &len])
    }
}

/// What every frame that leaves must be, whatever it was made from.
pub fn check_sent(port: u8, frame: &[u8]) {
    if port != UNDERLAY {
        let dst = if port == POD { POD_MAC } else { OWN_VTEP };
        check_header(frame, dst.0, UPLINK_MAC.0);
        return check_packet(&frame[14..]);
    }
    check_header(frame, PEER_NIC.0, OWN_NIC.0);
    check_header(&frame[OUTER..], PEER_VTEP.0, OWN_VTEP.0);
    let outer = Packet::parse(&frame[14..]).expect("an outer IPv4 header");
    let inner = Packet::parse(&frame[OUTER + 14..]).expect("an inner IPv4 header");
    check_packet(&frame[14..]);
    check_packet(&frame[OUTER + 14..]);
    let Way::Peer { node, mtu } = way(inner.dst) else {
        panic!("{inner:?} left by the underlay");
    };
    let may_be_fragmented = inner.flags_offset & 0x4000 == 0;
    assert!(
        inner.len <= if may_be_fragmented { 1450 } else { mtu },
        "{inner:?} is too big"
    );
    assert_eq!(
        (outer.src, outer.dst),
        ([192, 168, 77, 1], [192, 168, 77, node])
    );
    assert_eq!(
        (
            outer.header_len,
            outer.flags_offset,
            outer.ttl,
            outer.protocol
        ),
        (20, 0, 64, 17)
    );
    let ecn = inner.tos & 3;
    assert_eq!(outer.tos, if ecn == 3 { 2 } else { ecn });
    assert_ne!(
        word(frame, 18),
        0,
        "the id of a packet that may be fragmented"
    );
    assert!((32768..60999).contains(&word(frame, 34)), "source port");
    assert_eq!(word(frame, 36), 8472);
    assert_eq!(usize::from(word(frame, 38)), frame.len() - 34);
    assert_eq!(frame[42..50], [8, 0, 0, 0, 0, 0, 1, 0]);
    assert_ne!(word(frame, 40), 0, "a checksum was computed");
    assert!(
        outer.pseudo_sum(&frame[34..]) == 0xffff || inner.transport_is_wrong(&frame[OUTER + 14..]),
        "the outer checksum is wrong and the inner one is not"
    );
}

fn check_header(frame: &[u8], dst: [u8; 6], src: [u8; 6]) {
    assert_eq!((&frame[..6], &frame[6..12]), (&dst[..], &src[..]));
    assert_eq!(word(frame, 12), 0x0800);
}

fn check_packet(bytes: &[u8]) {
    let packet = Packet::parse(bytes).expect("an IPv4 packet");
    assert_eq!(
        usize::from(packet.len),
        bytes.len(),
        "no padding, nothing cut"
    );
    assert_ne!(packet.ttl, 0);
}
