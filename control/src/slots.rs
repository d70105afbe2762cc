//! Which adjacency slot belongs to which peer.
//!
//! The slot is the peer's number in the stats segment, so it must not move while the peer lives: not when others come and
//! go, not when control restarts (the assignment is read back from the tables that still stand). A slot that was given
//! back waits until no fresh one is left, so that a counter is not read under its next owner's name.
//!
//! Slot 0 is what a lookup without a route returns, slot 1 is this node; peers begin at 2.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use contract::tables::{Adjacency, MAX_ADJACENCIES, Tables};
use ipnet::Ipv4Net;

/// Our own adjacency.
pub const OWN: u16 = 1;
/// The first slot of a peer.
pub const FIRST: u16 = 2;
/// Peers that the tables can hold.
pub const MAX_PEERS: usize = MAX_ADJACENCIES - FIRST as usize;

/// The assignment: a peer is known by its subnets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    by_subnet: BTreeMap<Ipv4Net, u16>,
    /// Given back, the longest ago first.
    freed: VecDeque<u16>,
    /// The lowest slot never used.
    fresh: usize,
}

impl Default for Slots {
    fn default() -> Self {
        Slots {
            by_subnet: BTreeMap::new(),
            freed: VecDeque::new(),
            fresh: usize::from(FIRST),
        }
    }
}

impl Slots {
    /// The assignment that stands in published tables. Anything there that control would not have written is passed over.
    pub fn read_back(tables: &Tables) -> Self {
        let mut slots = Slots::default();
        for route in &tables.routes {
            let is_peer = matches!(
                tables.adjacencies.get(usize::from(route.adjacency)),
                Some(Adjacency::Peer { .. } | Adjacency::Unresolved { .. })
            );
            if let (IpAddr::V4(prefix), true) = (route.prefix, is_peer && route.adjacency >= FIRST)
                && let Ok(subnet) = Ipv4Net::new(prefix, route.len)
            {
                slots.by_subnet.insert(subnet.trunc(), route.adjacency);
            }
        }
        slots.fresh = slots.fresh.max(tables.adjacencies.len());
        let used = slots.used();
        slots.freed = (usize::from(FIRST)..slots.fresh)
            .filter(|&slot| !used[slot])
            .map(|slot| slot as u16)
            .collect();
        slots
    }

    /// The slot of the peer with this subnet.
    pub fn of(&self, subnet: Ipv4Net) -> Option<u16> {
        // Tables that were read back show a peer's neighbouring subnets as one; leases are disjoint, so the nearest
        // entry before covers it or none does.
        let (nearest, slot) = self.by_subnet.range(..=subnet).next_back()?;
        nearest.contains(&subnet).then_some(*slot)
    }

    /// Makes the assignment fit these peers, each given by its subnets. Whoever has a slot keeps it; whoever is gone gives
    /// it back; whoever finds none left has none until someone leaves.
    pub fn settle<'a>(&mut self, peers: impl Iterator<Item = &'a [Ipv4Net]> + Clone) {
        let mut taken = vec![false; MAX_ADJACENCIES];
        let mut kept = BTreeMap::new();
        let mut newcomers = Vec::new();
        for subnets in peers {
            let known = subnets
                .iter()
                .filter_map(|subnet| self.of(*subnet))
                .find(|&slot| !taken[usize::from(slot)]);
            match known {
                Some(slot) => {
                    taken[usize::from(slot)] = true;
                    kept.extend(subnets.iter().map(|subnet| (*subnet, slot)));
                }
                None => newcomers.push(subnets),
            }
        }
        let before = std::mem::replace(&mut self.by_subnet, kept);
        for slot in before.into_values() {
            if !std::mem::replace(&mut taken[usize::from(slot)], true) {
                self.freed.push_back(slot);
            }
        }
        for subnets in newcomers {
            let Some(slot) = self.free_slot() else { break };
            self.by_subnet
                .extend(subnets.iter().map(|subnet| (*subnet, slot)));
        }
    }

    /// One more than the highest slot ever used: the length of the adjacency table.
    pub fn table_len(&self) -> usize {
        self.fresh
    }

    fn free_slot(&mut self) -> Option<u16> {
        if self.fresh < MAX_ADJACENCIES {
            self.fresh += 1;
            return Some((self.fresh - 1) as u16);
        }
        self.freed.pop_front()
    }

    fn used(&self) -> Vec<bool> {
        let mut used = vec![false; MAX_ADJACENCIES];
        for &slot in self.by_subnet.values() {
            used[usize::from(slot)] = true;
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subnet(n: u32) -> Ipv4Net {
        Ipv4Net::new((0x0a00_0000 + (n << 8)).into(), 24).unwrap()
    }

    fn settle(slots: &mut Slots, peers: &[Vec<Ipv4Net>]) {
        slots.settle(peers.iter().map(Vec::as_slice));
    }

    #[test]
    fn a_freed_slot_is_used_last() {
        let mut slots = Slots::default();
        settle(&mut slots, &[vec![subnet(1)], vec![subnet(2)]]);
        settle(&mut slots, &[vec![subnet(2)]]);
        settle(&mut slots, &[vec![subnet(2)], vec![subnet(3)]]);
        assert_eq!(slots.of(subnet(1)), None);
        assert_eq!(slots.of(subnet(2)), Some(3));
        assert_eq!(slots.of(subnet(3)), Some(4));
    }

    #[test]
    fn a_full_table_takes_the_next_peer_when_one_leaves() {
        let mut slots = Slots::default();
        let mut peers: Vec<_> = (0..=MAX_PEERS as u32).map(|n| vec![subnet(n)]).collect();
        settle(&mut slots, &peers);
        let late = subnet(MAX_PEERS as u32);
        assert_eq!(slots.of(subnet(MAX_PEERS as u32 - 1)), Some(u16::MAX));
        assert_eq!(slots.of(late), None);

        peers.remove(7);
        settle(&mut slots, &peers);
        assert_eq!(slots.of(late), Some(FIRST + 7));
    }

    #[test]
    fn a_second_lease_of_a_peer_shares_its_slot() {
        let mut slots = Slots::default();
        settle(&mut slots, &[vec![subnet(5)]]);
        settle(&mut slots, &[vec![subnet(4), subnet(5)]]);
        assert_eq!(slots.of(subnet(4)), Some(FIRST));
        assert_eq!(slots.of(subnet(5)), Some(FIRST));
    }

    #[test]
    fn what_was_read_back_as_one_prefix_is_still_known_as_two() {
        let peer = IpAddr::from([192, 168, 7, 2]);
        let tables = Tables {
            adjacencies: vec![
                Adjacency::Empty,
                Adjacency::Empty,
                Adjacency::Empty,
                Adjacency::Unresolved { peer },
            ],
            routes: vec![contract::tables::Route {
                prefix: subnet(4).network().into(),
                len: 23,
                adjacency: 3,
            }],
            ..Tables::default()
        };
        let mut slots = Slots::read_back(&tables);
        settle(&mut slots, &[vec![subnet(3)], vec![subnet(4), subnet(5)]]);
        assert_eq!(slots.of(subnet(3)), Some(4));
        assert_eq!(slots.of(subnet(4)), Some(3));
        assert_eq!(slots.of(subnet(5)), Some(3));
    }

    proptest! {
        /// Against the plain statement of it: no two peers share a slot, and a peer in two successive sets keeps its own.
        #[test]
        fn slots_are_distinct_and_stable(
            rounds in prop::collection::vec(prop::collection::btree_set(0u32..40, 0..40), 1..12),
        ) {
            let mut slots = Slots::default();
            let mut before = BTreeMap::new();
            for round in rounds {
                let peers: Vec<_> = round.iter().map(|n| vec![subnet(*n)]).collect();
                settle(&mut slots, &peers);
                let now: BTreeMap<u32, u16> =
                    round.iter().map(|n| (*n, slots.of(subnet(*n)).unwrap())).collect();
                let mut seen: Vec<u16> = now.values().copied().collect();
                seen.sort_unstable();
                seen.dedup();
                prop_assert_eq!(seen.len(), now.len());
                prop_assert!(seen.iter().all(|slot| *slot >= FIRST && usize::from(*slot) < slots.table_len()));
                for (peer, slot) in &now {
                    if let Some(old) = before.get(peer) {
                        prop_assert_eq!(slot, old);
                    }
                }
                before = now;
            }
        }
    }
}
