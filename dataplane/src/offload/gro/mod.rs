//! Coalescing: the packets of a burst that continue each other become one, behind one header.
//!
//! ```text
//!  burst    A0  B0  A1  A2  C0  B1          packets of flows A, B, C
//!  groups  [A0 A1 A2] [B0 B1] [C0]          in the order of their first packets; one write each
//! ```
//!
//! Within a flow nothing overtakes: a packet that does not continue its flow's open group closes it and comes behind it. A
//! packet whose flow cannot be told (a fragment, headers that do not hold together) closes all groups between its addresses.
//! A checksum is verified before anything is built on it, and only then: a packet that stays alone is left to the kernel.

mod flows;
mod head;
mod join;

use contract::wire::Protocol;

use super::headers::{Headers, Transport};
use flows::{Flow, Flows, Pair};
pub use head::Head;
use join::{Run, Segment};

/// Packets that one [`Gro::gather`] looks at: a burst.
pub const GRO_PACKETS: usize = crate::xsk::BURST;

/// A packet of a burst: from its IP header on, to the end by that header (no Ethernet padding).
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The packet.
    pub bytes: &'a [u8],
    /// Whether its transport checksum is known to be right.
    pub verified: bool,
}

/// One worker's tables, made once.
pub struct Gro {
    /// Datagrams are coalesced too.
    udp: bool,
    groups: [Slot; GRO_PACKETS],
    len: usize,
    /// Of each packet, the one behind it in its group.
    next: [u8; GRO_PACKETS],
    flows: Flows,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    first: u8,
    last: u8,
    /// The transport checksums of all packets are right.
    verified: bool,
    /// Of the first packet, if they hold together.
    headers: Option<Headers>,
    run: Run,
}

impl Gro {
    /// `udp`: whether datagrams are coalesced too, which a kernel before 6.2 does not take.
    pub fn new(udp: bool) -> Gro {
        Gro {
            udp,
            groups: [Slot::default(); GRO_PACKETS],
            len: 0,
            next: [0; GRO_PACKETS],
            flows: Flows::default(),
        }
    }

    /// Groups the packets, at most [`GRO_PACKETS`]; what is behind those is not looked at and in no group. Nothing is left of
    /// an earlier burst. Groups come in the order of their first packets.
    pub fn gather<'a>(&'a mut self, packets: &'a [Packet<'a>]) -> Groups<'a> {
        let packets = packets.get(..GRO_PACKETS).unwrap_or(packets);
        self.len = 0;
        self.flows.clear();
        for index in 0..packets.len() {
            self.take(packets, index);
        }
        Groups {
            gro: self,
            packets,
            next: 0,
        }
    }

    /// Finds the packet its place: in the open group of its flow, or a group of its own.
    #[inline]
    fn take(&mut self, packets: &[Packet<'_>], index: usize) {
        let Some(packet) = packets.get(index) else {
            return;
        };
        let bytes = packet.bytes;
        let parsed = Headers::parse(bytes).ok();
        let known = parsed.and_then(|headers| Some((headers, Flow::of(bytes, &headers)?)));
        let mut run = Run::default();
        match known {
            None => self.close_around(bytes),
            Some((headers, _)) if headers.transport == Transport::Udp && !self.udp => {}
            Some((headers, flow)) => {
                let segment = Segment { bytes, headers };
                match self.join(packets, index, &segment, &flow) {
                    Joined::Open => return self.flows.touch(&flow, index),
                    Joined::Last => return self.flows.close(&flow),
                    Joined::No => {
                        self.flows.close(&flow);
                        if segment.is_joinable() && !segment.ends() {
                            self.flows.open(flow, self.len, index);
                        }
                    }
                    Joined::WrongChecksum => self.flows.close(&flow),
                }
                run = segment.run();
            }
        }
        if let Some(slot) = self.groups.get_mut(self.len) {
            *slot = Slot {
                first: index as u8,
                last: index as u8,
                verified: packet.verified,
                headers: parsed,
                run,
            };
            self.len += 1;
        }
    }

    /// Adds the packet to the open group of its flow, if it continues it and both are what their checksums say.
    #[inline]
    fn join(
        &mut self,
        packets: &[Packet<'_>],
        index: usize,
        segment: &Segment<'_>,
        flow: &Flow,
    ) -> Joined {
        let group = self.flows.find(flow);
        let slot = group.and_then(|group| self.groups.get_mut(group));
        let Some(slot) = slot.filter(|_| segment.is_joinable()) else {
            return Joined::No;
        };
        let (Some(first), Some(headers)) = (packets.get(usize::from(slot.first)), slot.headers)
        else {
            return Joined::No;
        };
        let first = Segment {
            bytes: first.bytes,
            headers,
        };
        let Some(run) = segment.continues(&first, &slot.run) else {
            return Joined::No;
        };
        let verified = packets.get(index).is_some_and(|packet| packet.verified);
        if !verified && !segment.checksum_is_right() {
            return Joined::WrongChecksum;
        }
        // Looked at when there is a second packet, and not before: what stays alone is left to the kernel.
        if !slot.verified && !first.checksum_is_right() {
            return Joined::No;
        }
        if let Some(next) = self.next.get_mut(usize::from(slot.last)) {
            *next = index as u8;
        }
        slot.verified = true;
        slot.last = index as u8;
        slot.run = run;
        if segment.ends() || segment.payload_len() < run.size {
            Joined::Last
        } else {
            Joined::Open
        }
    }

    /// A packet that nobody can place must not be overtaken by one of its own flow, whichever that is.
    #[cold]
    fn close_around(&mut self, bytes: &[u8]) {
        let Some(pair) = Pair::of(bytes) else { return };
        if !pair.carries(bytes, &[Protocol::ICMP, Protocol::ICMPV6]) {
            self.flows.close_between(&pair);
        }
    }
}

enum Joined {
    /// And the group may grow.
    Open,
    /// And the group is complete.
    Last,
    /// There is none, or it does not continue it.
    No,
    /// It would, but its checksum is wrong.
    WrongChecksum,
}

/// The groups of a burst.
pub struct Groups<'a> {
    gro: &'a Gro,
    packets: &'a [Packet<'a>],
    next: usize,
}

impl<'a> Iterator for Groups<'a> {
    type Item = Group<'a>;

    #[inline]
    fn next(&mut self) -> Option<Group<'a>> {
        if self.next >= self.gro.len {
            return None;
        }
        let slot = self.gro.groups.get(self.next)?;
        self.next += 1;
        let first = self.packets.get(usize::from(slot.first))?.bytes;
        let several = slot.headers.filter(|_| slot.run.packets > 1);
        Some(Group {
            gro: self.gro,
            packets: self.packets,
            slot,
            several: several.map(|headers| Segment {
                bytes: first,
                headers,
            }),
        })
    }
}

/// One write to the TUN: [`head`](Self::head), then each of the [`parts`](Self::parts).
pub struct Group<'a> {
    gro: &'a Gro,
    packets: &'a [Packet<'a>],
    slot: &'a Slot,
    /// The first packet, if it is not the only one.
    several: Option<Segment<'a>>,
}

impl<'a> Group<'a> {
    /// Packets in it.
    pub fn packets(&self) -> usize {
        self.slot.run.packets.max(1)
    }

    /// What stands before the parts: the [`VnetHeader`](super::VnetHeader), and the merged headers if there are several packets.
    pub fn head(&self) -> Head {
        self.several
            .as_ref()
            .and_then(|first| Head::merged(first, &self.slot.run))
            .unwrap_or_else(|| Head::alone(self.slot.verified))
    }

    /// A packet that stands alone, whole; else the payloads, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'a>> {
        let (gro, packets) = (self.gro, self.packets);
        let header_len = self.several.as_ref().map_or(0, |first| first.headers.len);
        let first = usize::from(self.slot.first);
        let chain = std::iter::successors(Some(first), |packet| {
            gro.next.get(*packet).map(|next| usize::from(*next))
        });
        chain.take(self.packets()).filter_map(move |index| {
            let bytes = packets.get(index)?.bytes.get(header_len..)?;
            Some(Part { index, bytes })
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
