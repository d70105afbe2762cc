//! Whom an ICMP error goes to and what it says, from the tables' point of view; its bytes are made in `icmp`.

use contract::stats::DropReason;
use contract::tables::{AdjacencyKind, Fib};
use contract::wire::{Ethernet, Ipv4, Vxlan};
use zerocopy::FromBytes;

use crate::budget::Budget;
use crate::clock::tsc;
use crate::encap::IpIds;
use crate::icmp::{self, Answer};
use crate::xsk::Frame;

/// Answers within a budget.
pub struct Answerer {
    budget: Budget,
}

impl Answerer {
    /// Sends at most what `budget` allows.
    pub fn new(budget: Budget) -> Self {
        Answerer { budget }
    }

    /// Turns a frame that was dropped into the ICMP error for the sender of its (inner) packet, under the Ethernet header
    /// of port `from`; a frame from the underlay has still to be encapsulated. `false`: nothing may be sent.
    pub fn answer(
        &mut self,
        frame: &mut Frame,
        from: u8,
        underlay: bool,
        reason: DropReason,
        fib: &Fib,
        ids: &mut IpIds,
    ) -> bool {
        if !self.budget.take(tsc())
            || (underlay && frame.shrink_head(Vxlan::OVERHEAD_IPV4).is_none())
        {
            return false;
        }
        let port = fib.port(from);
        let with = Answer {
            gateway: fib.node().gateway_ip4,
            mtu: path_mtu(frame.bytes(), fib),
            id: ids.next_id(),
            dst: port.peer_mac,
            src: port.mac,
        };
        icmp::answer(frame, reason, &with)
    }
}

/// Largest packet that the way to this packet's destination takes.
fn path_mtu(frame: &[u8], fib: &Fib) -> u16 {
    let Some(Ok((ip, _))) = frame.get(Ethernet::LEN..).map(Ipv4::ref_from_prefix) else {
        return 0;
    };
    let meta = fib.meta(fib.lookup4(ip.dst));
    if meta.kind == AdjacencyKind::Local {
        fib.port(meta.port).mtu
    } else {
        meta.mtu
    }
}
