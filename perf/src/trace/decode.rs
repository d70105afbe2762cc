//! A frame in a few words: the packet in it, and the VXLAN datagram around that.
//!
//! Parsing is lax: a record holds the first bytes only, and what was dropped may be anything. What does not parse is told as
//! far as it does.

use std::net::IpAddr;

use etherparse::{EtherType, Icmpv4Slice, LaxNetSlice, LaxSlicedPacket, TransportSlice};

/// Bytes of a VXLAN header (RFC 7348).
const VXLAN: usize = 8;

/// What a frame holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The datagram between nodes, of a frame on the underlay.
    pub outer: Option<Packet>,
    /// Its VXLAN network identifier.
    pub vni: Option<u32>,
    /// The pods' packet.
    pub inner: Option<Packet>,
    /// The Ethernet type, of a frame that holds no IP packet.
    pub ethertype: Option<u16>,
}

/// An IP packet's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Bytes of the packet, as its header says.
    pub len: usize,
    /// TCP or UDP port.
    pub sport: Option<u16>,
    /// TCP or UDP port.
    pub dport: Option<u16>,
    /// What else is worth a word: TCP flags, the ICMP message, fragments.
    pub info: String,
}

impl Decoded {
    /// Takes a frame apart; one of the underlay holds a datagram in which the packet is.
    pub fn new(frame: &[u8], underlay: bool) -> Self {
        let (packet, payload, ethertype) = packet(frame);
        if !underlay {
            return Decoded {
                inner: packet,
                ethertype,
                ..Decoded::default()
            };
        }
        let Some((header, inside)) = payload.and_then(|payload| payload.split_at_checked(VXLAN))
        else {
            return Decoded {
                outer: packet,
                ethertype,
                ..Decoded::default()
            };
        };
        let (inner, _, ethertype) = self::packet(inside);
        Decoded {
            outer: packet,
            vni: Some(u32::from_be_bytes([0, header[4], header[5], header[6]])),
            inner,
            ethertype,
        }
    }
}

/// The packet in an Ethernet frame, the payload of a UDP datagram, and the type of what is no packet.
fn packet(frame: &[u8]) -> (Option<Packet>, Option<&[u8]>, Option<u16>) {
    let Ok(sliced) = LaxSlicedPacket::from_ethernet(frame) else {
        return (None, None, None);
    };
    let ethertype = || {
        let bytes = frame.get(12..14)?.try_into().ok()?;
        Some(EtherType(u16::from_be_bytes(bytes)).0)
    };
    let mut packet = match &sliced.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            Packet {
                src: header.source_addr().into(),
                dst: header.destination_addr().into(),
                protocol: header.protocol().0,
                ttl: header.ttl(),
                len: header.total_len().into(),
                sport: None,
                dport: None,
                info: match (header.fragments_offset().value(), header.more_fragments()) {
                    (0, false) => String::new(),
                    (offset, _) => format!("fragment at {}", u32::from(offset) * 8),
                },
            }
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            Packet {
                src: header.source_addr().into(),
                dst: header.destination_addr().into(),
                protocol: ip.payload().ip_number.0,
                ttl: header.hop_limit(),
                len: 40 + usize::from(header.payload_length()),
                sport: None,
                dport: None,
                info: String::new(),
            }
        }
        _ => return (None, None, ethertype()),
    };
    let mut payload = None;
    match &sliced.transport {
        Some(TransportSlice::Udp(udp)) => {
            packet.sport = Some(udp.source_port());
            packet.dport = Some(udp.destination_port());
            payload = Some(udp.payload());
        }
        Some(TransportSlice::Tcp(tcp)) => {
            packet.sport = Some(tcp.source_port());
            packet.dport = Some(tcp.destination_port());
            let flags = [
                (tcp.syn(), 'S'),
                (tcp.fin(), 'F'),
                (tcp.rst(), 'R'),
                (tcp.psh(), 'P'),
                (tcp.ack(), '.'),
            ];
            let set: String = flags.iter().filter(|(is, _)| *is).map(|(_, c)| c).collect();
            packet.info = format!("[{set}] seq {}", tcp.sequence_number());
        }
        Some(TransportSlice::Icmpv4(icmp)) => packet.info = icmp_words(icmp),
        _ => {}
    }
    (Some(packet), payload, None)
}

fn icmp_words(icmp: &Icmpv4Slice) -> String {
    let [a, b, c, d] = icmp.bytes5to8();
    let echo = format!(
        "id {} seq {}",
        u16::from_be_bytes([a, b]),
        u16::from_be_bytes([c, d])
    );
    match (icmp.type_u8(), icmp.code_u8()) {
        (8, _) => format!("echo request {echo}"),
        (0, _) => format!("echo reply {echo}"),
        (3, 4) => format!("too big, mtu {}", u16::from_be_bytes([c, d])),
        (3, code) => format!("unreachable, code {code}"),
        (11, _) => "time exceeded".to_owned(),
        (kind, code) => format!("type {kind} code {code}"),
    }
}

/// `tcp`, or the number of a protocol without a name here.
pub fn protocol_name(number: u8) -> String {
    let named = PROTOCOLS.iter().find(|(_, known)| *known == number);
    named.map_or_else(|| format!("proto {number}"), |(name, _)| (*name).to_owned())
}

/// Protocols with a name (IANA).
pub const PROTOCOLS: [(&str, u8); 5] = [
    ("icmp", 1),
    ("tcp", 6),
    ("udp", 17),
    ("icmpv6", 58),
    ("sctp", 132),
];

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    fn pod_frame() -> Vec<u8> {
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 244, 1, 10], [10, 244, 2, 10], 63)
            .tcp(40_000, 443, 7, 1024)
            .syn()
            .write(&mut frame, &[0; 10])
            .unwrap();
        frame
    }

    fn datagram(inside: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        let payload = [&[8, 0, 0, 0, 0, 0, 1, 0], inside].concat();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([192, 168, 77, 1], [192, 168, 77, 2], 64)
            .udp(50_000, 8472)
            .write(&mut frame, &payload)
            .unwrap();
        frame
    }

    #[test]
    fn a_datagram_shows_both_packets_even_when_it_is_cut() {
        let frame = datagram(&pod_frame());
        for seen in [&frame[..], &frame[..frame.len() - 10]] {
            let decoded = Decoded::new(seen, true);
            let (outer, inner) = (decoded.outer.unwrap(), decoded.inner.unwrap());
            assert_eq!(
                (outer.src.to_string(), outer.dport),
                ("192.168.77.1".into(), Some(8472))
            );
            assert_eq!(decoded.vni, Some(1));
            assert_eq!(
                (inner.dst.to_string(), inner.dport),
                ("10.244.2.10".into(), Some(443))
            );
            assert_eq!(
                (inner.len, inner.ttl, &inner.info[..]),
                (50, 63, "[S] seq 7")
            );
        }
    }

    #[test]
    fn a_frame_of_the_overlay_holds_the_packet_itself() {
        let decoded = Decoded::new(&pod_frame(), false);
        assert_eq!((decoded.outer, decoded.vni), (None, None));
        assert_eq!(decoded.inner.unwrap().protocol, 6);
        let arp = [&[0xff; 12][..], &[8, 6], &[0; 28]].concat();
        let decoded = Decoded::new(&arp, false);
        assert_eq!((decoded.inner, decoded.ethertype), (None, Some(0x806)));
    }

    proptest! {
        #[test]
        fn anything_is_told_as_far_as_it_goes(mut frame in proptest::collection::vec(any::<u8>(), 0..240), underlay: bool) {
            let _ = Decoded::new(&frame, underlay);
            let valid = datagram(&pod_frame());
            let at = frame.len().min(valid.len());
            // A valid start and junk behind it.
            frame[..at / 2].copy_from_slice(&valid[..at / 2]);
            let _ = Decoded::new(&frame, underlay);
        }
    }
}
