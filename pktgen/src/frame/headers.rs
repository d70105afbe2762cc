//! The headers of a stream's frames, written once by etherparse. What varies from frame to frame is zero: lengths,
//! checksums, sequence numbers, ports, and of the addresses the low 32 bits.

use etherparse::{
    EtherType, Ethernet2Header, IcmpEchoHeader, Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type,
    IpDscp, IpEcn, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, TcpHeader, UdpHeader,
};

use super::build::Macs;
use super::signature::MARK;
use crate::profile::{Ip, Stream, Transport, Vxlan};

/// Bytes of headers in front of an inner frame: Ethernet, IPv4, UDP, VXLAN.
pub const OUTER_LEN: usize = 50;

/// Headers, and where they begin.
pub struct Headers {
    /// All bytes before the signature.
    pub bytes: Vec<u8>,
    /// The inner (or only) IP header.
    pub ip: usize,
    /// The transport header.
    pub transport: usize,
}

impl Headers {
    /// Those of `stream`, between `macs` (the outer ones if there is a tunnel).
    pub fn new(stream: &Stream, macs: Macs) -> Self {
        let mut bytes = Vec::new();
        let mut macs = macs;
        if let Some(vxlan) = &stream.vxlan {
            outer(&mut bytes, stream, vxlan, macs);
            macs = Macs {
                src: vxlan.inner_src_mac,
                dst: vxlan.inner_dst_mac,
            };
        }
        let ether_type = match stream.ip {
            Ip::V4 { .. } => EtherType::IPV4,
            Ip::V6 { .. } => EtherType::IPV6,
        };
        ethernet(&mut bytes, macs, ether_type);
        let ip = bytes.len();
        match &stream.ip {
            Ip::V4 { .. } => ipv4(&mut bytes, stream, number(stream), [0; 4], [0; 4]),
            Ip::V6 { src, dst } => {
                let upper = |address: u128| (address >> 32 << 32).to_be_bytes();
                let header = Ipv6Header {
                    traffic_class: stream.tos,
                    flow_label: Ipv6FlowLabel::try_new(MARK.into()).unwrap_or_default(),
                    payload_length: 0,
                    next_header: number(stream),
                    hop_limit: stream.ttl,
                    source: upper(src.start().to_bits()),
                    destination: upper(dst.start().to_bits()),
                };
                bytes.extend_from_slice(&header.to_bytes());
            }
        }
        let transport = bytes.len();
        bytes.extend_from_slice(&transport_header(stream));
        Headers {
            bytes,
            ip,
            transport,
        }
    }
}

fn number(stream: &Stream) -> IpNumber {
    match (&stream.transport, &stream.ip) {
        (Transport::Udp { .. }, _) => IpNumber::UDP,
        (Transport::Tcp { .. }, _) => IpNumber::TCP,
        (Transport::Icmp { .. }, Ip::V4 { .. }) => IpNumber::ICMP,
        (Transport::Icmp { .. }, Ip::V6 { .. }) => IpNumber::IPV6_ICMP,
    }
}

fn transport_header(stream: &Stream) -> Vec<u8> {
    let echo = IcmpEchoHeader { id: 0, seq: 0 };
    match (&stream.transport, &stream.ip) {
        (Transport::Udp { .. }, _) => UdpHeader::default().to_bytes().to_vec(),
        (Transport::Tcp { .. }, _) => TcpHeader {
            ack: true,
            // With PSH set the kernel's GRO does not hold a segment back to join it with the next one
            // (tcp_gro_receive).
            psh: true,
            acknowledgment_number: 1,
            ..TcpHeader::new(0, 0, 0, u16::MAX)
        }
        .to_bytes()
        .to_vec(),
        (Transport::Icmp { .. }, Ip::V4 { .. }) => Icmpv4Header::new(Icmpv4Type::EchoRequest(echo))
            .to_bytes()
            .to_vec(),
        (Transport::Icmp { .. }, Ip::V6 { .. }) => Icmpv6Header::new(Icmpv6Type::EchoRequest(echo))
            .to_bytes()
            .to_vec(),
    }
}

fn ethernet(bytes: &mut Vec<u8>, macs: Macs, ether_type: EtherType) {
    let header = Ethernet2Header {
        source: macs.src.0,
        destination: macs.dst.0,
        ether_type,
    };
    bytes.extend_from_slice(&header.to_bytes());
}

/// Atomic datagrams, in whose identification anything may stand (RFC 6864 section 4.1): our mark.
fn ipv4(bytes: &mut Vec<u8>, stream: &Stream, protocol: IpNumber, src: [u8; 4], dst: [u8; 4]) {
    let header = Ipv4Header {
        dscp: IpDscp::try_new(stream.tos >> 2).unwrap_or_default(),
        ecn: IpEcn::try_new(stream.tos & 3).unwrap_or_default(),
        identification: MARK,
        dont_fragment: true,
        time_to_live: stream.ttl,
        protocol,
        source: src,
        destination: dst,
        ..Ipv4Header::default()
    };
    bytes.extend_from_slice(&header.to_bytes());
}

/// Type of service and TTL are the inner packet's (RFC 6040 section 4.1, normal mode, for the two bits of ECN).
fn outer(bytes: &mut Vec<u8>, stream: &Stream, vxlan: &Vxlan, macs: Macs) {
    ethernet(bytes, macs, EtherType::IPV4);
    let (src, dst) = (vxlan.src.octets(), vxlan.dst.octets());
    ipv4(bytes, stream, IpNumber::UDP, src, dst);
    let udp = UdpHeader {
        destination_port: vxlan.port,
        ..UdpHeader::default()
    };
    bytes.extend_from_slice(&udp.to_bytes());
    // Flags with the I bit, 24 bits reserved, VNI, 8 bits reserved (RFC 7348 section 5).
    bytes.extend_from_slice(&[8, 0, 0, 0]);
    bytes.extend_from_slice(&(vxlan.vni << 8).to_be_bytes());
}
