//! Encapsulated at one node and decapsulated at the other, a packet is what it was: IPv4 and IPv6, over IPv4 and IPv6, whatever
//! it carries and whether its own checksums are right.

mod support;

use std::cell::RefCell;

use proptest::prelude::*;
use support::dual::{Over, dual_tables, pod6};
use support::mend::{mend_ip, mend_transport};
use support::{POD, Rig, UNDERLAY, UPLINK};

thread_local! {
    // A UMEM is never unmapped: one pair of nodes for each underlay, and for all cases.
    static NODES: RefCell<[[Rig; 2]; 2]> = RefCell::new([Over::V4, Over::V6].map(|over| {
        [1, 2].map(|node| Rig::new(&dual_tables(node, over)))
    }));
}

#[derive(Clone, Debug)]
struct Sent {
    six: bool,
    over: Over,
    /// Attached to the engine at either end, which is then its router.
    pods: [bool; 2],
    tos: u8,
    label: u32,
    hops: u8,
    protocol: u8,
    payload: Vec<u8>,
    /// Whether the checksum above IP is made right.
    right: bool,
    /// Bytes behind the packet, as short frames have.
    padding: usize,
}

fn sent() -> impl Strategy<Value = Sent> {
    let protocol = prop_oneof![
        3 => Just(6u8), 3 => Just(17), 2 => Just(58), 1 => Just(1),
        1 => Just(44), 1 => Just(0), 1 => Just(60), 1 => any::<u8>(),
    ];
    (
        (any::<bool>(), any::<bool>(), any::<[bool; 2]>()),
        (any::<u8>(), 0..1u32 << 20, 3..=255u8, protocol),
        proptest::collection::vec(any::<u8>(), 1..1380),
        (any::<bool>(), 0..20usize),
    )
        .prop_map(
            |((six, over6, pods), (tos, label, hops, protocol), payload, (right, padding))| {
                let over = if over6 { Over::V6 } else { Over::V4 };
                Sent {
                    six,
                    over,
                    pods,
                    tos,
                    label,
                    hops,
                    protocol,
                    payload,
                    right,
                    padding,
                }
            },
        )
}

impl Sent {
    fn host(&self, node: u8) -> u16 {
        match (self.pods[usize::from(node) - 1], self.six) {
            (false, _) => 0x10,
            (true, false) => 99,
            (true, true) => 0x99,
        }
    }

    /// The packet with so many hops taken.
    fn packet(&self, taken: u8) -> Vec<u8> {
        let mut packet = match self.six {
            true => {
                let first = 6 << 28 | u32::from(self.tos) << 20 | self.label;
                let len = self.payload.len() as u16;
                let mut header = first.to_be_bytes().to_vec();
                header.extend(len.to_be_bytes());
                header.extend([self.protocol, self.hops]);
                header.extend(pod6(1, self.host(1)).octets());
                header.extend(pod6(2, self.host(2)).octets());
                header
            }
            false => {
                let len = (20 + self.payload.len() as u16).to_be_bytes();
                let mut header = vec![0x45, self.tos, len[0], len[1], 0, 7, 0x40, 0];
                header.extend([self.hops, self.protocol, 0, 0]);
                header.extend([
                    10,
                    244,
                    1,
                    self.host(1) as u8,
                    10,
                    244,
                    2,
                    self.host(2) as u8,
                ]);
                header
            }
        };
        packet.extend(&self.payload);
        if self.right {
            mend_ip(&mut packet);
            mend_transport(&mut packet);
        }
        packet[if self.six { 7 } else { 8 }] -= taken;
        mend_ip(&mut packet);
        packet
    }

    fn frame(&self) -> Vec<u8> {
        let ethertype = if self.six { [0x86, 0xdd] } else { [8, 0] };
        let padding = vec![0; self.padding];
        [&[0x0a; 12], &ethertype[..], &self.packet(0), &padding].concat()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_packet_is_what_it_was(sent in sent()) {
        NODES.with_borrow_mut(|nodes| {
            let [one, two] = &mut nodes[sent.over as usize];
            let from = if sent.pods[0] { POD } else { UPLINK };
            let out = one.pass(from, &sent.frame());
            let [(UNDERLAY, wire)] = &out[..] else {
                panic!("{out:?} {:?}", one.drops(from))
            };
            let inner = sent.packet(u8::from(sent.pods[0]));
            assert_eq!(&wire[sent.over.overhead() + 14..], &inner[..]);
            let delivered = two.pass(UNDERLAY, wire);
            let to = if sent.pods[1] { POD } else { UPLINK };
            let [(port, frame)] = &delivered[..] else {
                panic!("{delivered:?} {:?}", two.drops(UNDERLAY))
            };
            assert_eq!(*port, to);
            let hops = sent.pods.iter().filter(|pod| **pod).count() as u8;
            assert_eq!(&frame[14..], &sent.packet(hops)[..]);
            assert_eq!(&frame[12..14], &sent.frame()[12..14]);
        });
    }
}
