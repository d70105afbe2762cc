//! The groups that may still grow, by flow.

use contract::wire::{Ipv4, Ipv6};
use zerocopy::FromBytes;

use super::super::headers::Headers;

/// Open groups at a time. A burst is 64 packets: where more flows than this take turns, none has more than four in it, and
/// what there is to gain is less than the search costs.
const OPEN: usize = 16;

/// Which packets may continue each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Compared first: it differs most.
    ports: [u8; 4],
    protocol: u8,
    pair: Pair,
}

/// Two addresses; those of IPv4 fill the first eight bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    version: u8,
    addresses: [u8; 32],
}

impl Flow {
    /// The flow of a packet with these headers.
    #[inline]
    pub fn of(bytes: &[u8], headers: &Headers) -> Option<Flow> {
        Some(Flow {
            ports: *bytes.get(headers.ip_len..)?.first_chunk()?,
            protocol: headers.transport.protocol(),
            pair: Pair::of(bytes)?,
        })
    }
}

impl Pair {
    /// The addresses of a packet, whatever else it is.
    #[inline]
    pub fn of(bytes: &[u8]) -> Option<Pair> {
        let version = bytes.first()? >> 4;
        let mut addresses = [0; 32];
        match version {
            4 => {
                let (ip, _) = Ipv4::ref_from_prefix(bytes).ok()?;
                addresses.first_chunk_mut()?.clone_from(&ip.src);
                addresses
                    .get_mut(4..)?
                    .first_chunk_mut()?
                    .clone_from(&ip.dst);
            }
            6 => {
                let (ip, _) = Ipv6::ref_from_prefix(bytes).ok()?;
                addresses.first_chunk_mut()?.clone_from(&ip.src);
                addresses.last_chunk_mut()?.clone_from(&ip.dst);
            }
            _ => return None,
        }
        Some(Pair { version, addresses })
    }

    /// Whether the packet that the addresses were taken from is of one of these protocols.
    pub fn carries(&self, bytes: &[u8], protocols: &[u8]) -> bool {
        let at = if self.version == 4 { 9 } else { 6 };
        bytes
            .get(at)
            .is_some_and(|protocol| protocols.contains(protocol))
    }
}

#[derive(Clone, Copy, Default)]
struct Open {
    flow: Flow,
    group: u8,
    /// The packet that joined last.
    touched: u8,
}

/// A small table, searched from end to end.
#[derive(Default)]
pub struct Flows {
    open: [Open; OPEN],
    len: usize,
}

impl Flows {
    /// Nothing is open.
    #[inline]
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// The open group of a flow.
    #[inline]
    pub fn find(&self, flow: &Flow) -> Option<usize> {
        let entry = self.entries().iter().find(|open| open.flow == *flow)?;
        Some(usize::from(entry.group))
    }

    /// Opens the group of a flow that has none. If there is no room, the one that nobody joined for longest closes.
    #[inline]
    pub fn open(&mut self, flow: Flow, group: usize, packet: usize) {
        let entry = Open {
            flow,
            group: group as u8,
            touched: packet as u8,
        };
        let at = if self.len < OPEN {
            self.len += 1;
            self.len - 1
        } else {
            self.entries()
                .iter()
                .enumerate()
                .min_by_key(|(_, open)| open.touched)
                .map_or(0, |(at, _)| at)
        };
        if let Some(place) = self.open.get_mut(at) {
            *place = entry;
        }
    }

    /// A packet joined the group of this flow.
    #[inline]
    pub fn touch(&mut self, flow: &Flow, packet: usize) {
        let entries = self.open.iter_mut().take(self.len);
        for entry in entries.filter(|open| open.flow == *flow) {
            entry.touched = packet as u8;
        }
    }

    /// Closes the group of a flow, if it has one.
    #[inline]
    pub fn close(&mut self, flow: &Flow) {
        self.close_where(|open| open == flow);
    }

    /// Closes all groups between two addresses.
    #[cold]
    pub fn close_between(&mut self, pair: &Pair) {
        self.close_where(|open| open.pair == *pair);
    }

    #[inline]
    fn close_where(&mut self, matches: impl Fn(&Flow) -> bool) {
        let mut at = 0;
        while let Some(open) = self.entries().get(at) {
            if matches(&open.flow) {
                self.len -= 1;
                self.open.swap(at, self.len);
            } else {
                at += 1;
            }
        }
    }

    #[inline]
    fn entries(&self) -> &[Open] {
        self.open.get(..self.len).unwrap_or_default()
    }
}
