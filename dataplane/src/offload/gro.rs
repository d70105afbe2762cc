//! Coalescing: the packets of a burst that continue each other become one, behind one header.

use zerocopy::IntoBytes;

use super::VnetHeader;
use super::headers::MAX_HEADERS;

/// Packets that one [`Gro::gather`] looks at.
pub const GRO_PACKETS: usize = 64;

/// A packet of a burst: from its IP header on, to the end by that header (no Ethernet padding).
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The packet.
    pub bytes: &'a [u8],
    /// Whether its transport checksum is known to be right.
    pub verified: bool,
}

/// One worker's tables, allocated once.
pub struct Gro {
    _udp: bool,
}

impl Gro {
    /// `udp`: whether datagrams are coalesced too, which a kernel before 6.2 does not take.
    pub fn new(udp: bool) -> Gro {
        Gro { _udp: udp }
    }

    /// Groups the first [`GRO_PACKETS`] packets; nothing of an earlier burst is left. Groups come in the order of their first
    /// packets.
    pub fn gather<'a>(&'a mut self, packets: &'a [Packet<'a>]) -> Groups<'a> {
        let packets = packets.get(..GRO_PACKETS).unwrap_or(packets);
        Groups { packets, next: 0 }
    }
}

/// The groups of a burst.
pub struct Groups<'a> {
    packets: &'a [Packet<'a>],
    next: usize,
}

impl<'a> Iterator for Groups<'a> {
    type Item = Group<'a>;

    fn next(&mut self) -> Option<Group<'a>> {
        let packet = self.packets.get(self.next)?;
        self.next += 1;
        Some(Group {
            packet,
            index: self.next - 1,
        })
    }
}

/// One write to the TUN: [`head`](Self::head), then each of the [`parts`](Self::parts).
pub struct Group<'a> {
    packet: &'a Packet<'a>,
    index: usize,
}

impl<'a> Group<'a> {
    /// Packets in it.
    pub fn packets(&self) -> usize {
        1
    }

    /// What stands before the parts: the [`VnetHeader`], and the merged headers if there are several packets.
    pub fn head(&self) -> Head {
        let mut head = Head {
            bytes: [0; VnetHeader::LEN + MAX_HEADERS],
            len: VnetHeader::LEN,
        };
        let vnet = VnetHeader {
            flags: if self.packet.verified {
                VnetHeader::DATA_VALID
            } else {
                0
            },
            ..VnetHeader::default()
        };
        if let Some(start) = head.bytes.first_chunk_mut::<{ VnetHeader::LEN }>() {
            start.copy_from_slice(vnet.as_bytes());
        }
        head
    }

    /// A packet that stands alone, whole; else the payloads, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'a>> {
        std::iter::once(Part {
            index: self.index,
            bytes: self.packet.bytes,
        })
    }
}

/// Bytes of one packet.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Which packet of the burst.
    pub index: usize,
    /// Its payload, or all of it.
    pub bytes: &'a [u8],
}

/// The start of a write.
pub struct Head {
    bytes: [u8; VnetHeader::LEN + MAX_HEADERS],
    len: usize,
}

impl std::ops::Deref for Head {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
