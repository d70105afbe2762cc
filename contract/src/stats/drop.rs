//! Every way a packet can be lost, once.
//!
//! One list gives the variant, its counter, its name for people and programs, its metric label and its doc line
//! (`docs/counters.md` is held to it by a test), so they cannot disagree. A frame that is dropped is counted under exactly
//! one reason, at the port it was received on.

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why a frame was dropped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl DropReason {
            /// All reasons; the index is the discriminant.
            pub const ALL: &[DropReason] = &[$(DropReason::$variant,)+];

            /// Name for people, programs and metric labels.
            pub const fn name(self) -> &'static str {
                match self { $(DropReason::$variant => $name,)+ }
            }

            /// What it means, in one paragraph.
            pub const fn meaning(self) -> &'static str {
                match self { $(DropReason::$variant => concat!($($doc,)+).trim_ascii_start(),)+ }
            }
        }
    };
}

drop_reasons! {
    /// The frame is shorter than the headers or the length that it claims.
    Truncated = "truncated",
    /// The Ethernet type is neither IPv4 nor IPv6: ARP or something else that does not cross the overlay.
    NotIp = "not-ip",
    /// IP version and lengths in the IP header contradict each other.
    IpHeader = "ip-header",
    /// The header checksum of the pod's IPv4 packet is wrong.
    IpChecksum = "ip-checksum",
    /// The packet has no hop left (RFC 791); the source is told by ICMP time exceeded.
    TtlExceeded = "ttl-exceeded",
    /// No lease covers the destination.
    NoRoute = "no-route",
    /// The destination's node is known, but its underlay next hop has no MAC address yet, or its backend is another.
    Unresolved = "unresolved",
    /// The route leads back out of the port that the packet came from.
    Hairpin = "hairpin",
    /// The packet is larger than its path and must not be fragmented; the source is told by ICMP fragmentation needed or, over IPv6, packet too big.
    TooBig = "too-big",
    /// The outer headers are not those of a whole, unfragmented packet of the node's tunnel.
    OuterHeader = "outer-header",
    /// The outer IPv4 header checksum is wrong.
    OuterIpChecksum = "outer-ip-checksum",
    /// The outer datagram is not addressed to this node's tunnel address and port.
    OuterDestination = "outer-destination",
    /// The outer UDP checksum is wrong (RFC 768); over IPv4 zero, "no checksum", is accepted as the kernel does.
    OuterUdpChecksum = "outer-udp-checksum",
    /// The outer source is no lease's PublicIP.
    OuterSource = "outer-source",
    /// The VXLAN flags are not exactly "VNI valid", or a reserved bit is set.
    VxlanHeader = "vxlan-header",
    /// The VXLAN network identifier is not ours.
    Vni = "vni",
    /// The inner Ethernet destination is not our VTEP MAC.
    InnerMac = "inner-mac",
    /// The inner Ethernet source is our own VTEP MAC: a loop, or somebody who pretends to be us.
    InnerMacOwn = "inner-mac-own",
    /// The inner source lies outside the subnet leased to the outer source.
    InnerSource = "inner-source",
    /// The inner destination is not ours to deliver.
    InnerDestination = "inner-destination",
    /// Congestion was marked on the outer header of a flow that does not understand the mark (RFC 6040 section 4.2).
    EcnNotCapable = "ecn-not-capable",
    /// The transmit ring of the output port was full, or its TUN or socket did not take the frame.
    TxFull = "tx-full",
    /// The output port is not open.
    PortDown = "port-down",
    /// The frame has no room in front for the outer headers.
    NoHeadroom = "no-headroom",
    /// A packet from a TUN is not what its virtio header says (segments, a checksum), or longer than a frame.
    Offload = "offload",
    /// The packet is IPv6 for its link alone, such as neighbour discovery: the destination is a group or a link-local address.
    LinkScope = "link-scope",
    /// The outer UDP checksum over IPv6 is zero, which RFC 8200 section 8.1 forbids and the kernel drops, too.
    OuterUdpChecksumZero = "outer-udp-checksum-zero",
    /// The packet had no hop left for the proxy that flannel's udp backend is; as there, nobody is told.
    ProxyTtl = "proxy-ttl",
}

/// Reasons that the stats segment has room for; more bumps its ABI number.
pub const DROP_SLOTS: usize = 48;
const _: () = assert!(DropReason::ALL.len() <= DROP_SLOTS);

#[cfg(test)]
mod tests {
    use super::super::{PortCounter, WorkerCounter};
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn index_name_and_meaning_are_unique() {
        let names: HashSet<_> = DropReason::ALL.iter().map(|r| r.name()).collect();
        let meanings: HashSet<_> = DropReason::ALL.iter().map(|r| r.meaning()).collect();
        assert_eq!(
            (names.len(), meanings.len()),
            (DropReason::ALL.len(), DropReason::ALL.len())
        );
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            assert!(
                reason
                    .name()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            );
        }
    }

    #[test]
    fn the_counters_page_lists_each_counter_as_it_is() {
        let page = include_str!("../../../docs/counters.md");
        let drops = DropReason::ALL.iter().map(|r| (r.name(), r.meaning()));
        let ports = PortCounter::ALL.iter().map(|c| (c.name(), c.meaning()));
        let workers = WorkerCounter::ALL.iter().map(|c| (c.name(), c.meaning()));
        for (name, meaning) in drops.chain(ports).chain(workers) {
            let row = format!("| `{name}` | {meaning} |");
            assert!(
                page.contains(&row),
                "docs/counters.md lacks the row:\n{row}"
            );
        }
    }
}
