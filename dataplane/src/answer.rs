//! Whom an ICMP error goes to and what it says, from the tables' point of view; its bytes are made in `icmp` and `icmp6`.

use contract::stats::DropReason;
use contract::tables::{AdjacencyKind, Fib, Tunnel};
use contract::wire::{EtherType, Ethernet, Ipv4, Ipv6, Vxlan};
use zerocopy::FromBytes;

use crate::budget::Budget;
use crate::clock::tsc;
use crate::encap::IpIds;
use crate::icmp::Role;
use crate::xsk::Frame;
use crate::{icmp, icmp6};

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
        if !self.budget.take(tsc()) || (underlay && strip(frame, fib).is_none()) {
            return false;
        }
        let port = fib.port(from);
        let (dst, src) = (port.peer_mac, port.mac);
        let mtu = path_mtu(frame.bytes(), fib);
        if is_ipv6(frame.bytes()) {
            let gateway = fib.node().gateway_ip6;
            let with = icmp6::Answer {
                gateway,
                mtu,
                dst,
                src,
            };
            return icmp6::answer(frame, reason, &with);
        }
        let gateway = fib.node().gateway_ip4;
        let (gateway, role) = match (fib.node().tunnel(), reason) {
            (Tunnel::Udp, DropReason::NoRoute) => (tun_address(gateway), Role::Proxy),
            _ => (gateway, Role::Router),
        };
        let with = icmp::Answer {
            gateway,
            mtu,
            id: ids.next_id(),
            dst,
            src,
            role,
        };
        icmp::answer(frame, reason, &with)
    }
}

/// Takes the outer headers off a datagram that `decap` has checked.
fn strip(frame: &mut Frame, fib: &Fib) -> Option<()> {
    let overhead = if is_ipv6(frame.bytes()) {
        Vxlan::OVERHEAD_IPV6
    } else {
        fib.node().tunnel().overhead()
    };
    frame.shrink_head(overhead)
}

/// The address of the TUN that flannel's udp would have, the subnet's first; its second is the gateway's.
fn tun_address(gateway: [u8; 4]) -> [u8; 4] {
    match u32::from_be_bytes(gateway) {
        0 => gateway,
        second => (second - 1).to_be_bytes(),
    }
}

/// Whether the Ethernet header says so.
fn is_ipv6(frame: &[u8]) -> bool {
    Ethernet::ref_from_prefix(frame)
        .is_ok_and(|(ethernet, _)| ethernet.ethertype == EtherType::IPV6)
}

/// Largest packet that the way to this packet's destination takes.
fn path_mtu(frame: &[u8], fib: &Fib) -> u16 {
    let packet = frame.get(Ethernet::LEN..).unwrap_or_default();
    let adjacency = if is_ipv6(frame) {
        let header = Ipv6::ref_from_prefix(packet);
        header.map(|(ip, _)| fib.lookup6(ip.dst)).ok()
    } else {
        let header = Ipv4::ref_from_prefix(packet);
        header.map(|(ip, _)| fib.lookup4(ip.dst)).ok()
    };
    let meta = fib.meta(adjacency.unwrap_or(0));
    if meta.kind == AdjacencyKind::Local {
        fib.port(meta.port).mtu
    } else {
        meta.mtu
    }
}
