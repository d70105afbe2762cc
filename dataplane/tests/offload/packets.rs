//! Packets to cut and to join, and a judge of packets that shares no code with what it judges.

use contract::wire::TcpFlags;
use dataplane::offload::{Gro, Packet, Super, VnetHeader};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use zerocopy::FromBytes;

/// Timestamps, as Linux sends them: two no-ops before.
pub const TIMESTAMPS: [u8; 12] = [1, 1, 8, 10, 0, 0, 0x30, 0x39, 0, 1, 0xe2, 0x40];

/// Three blocks of a selective acknowledgement, which with the timestamps are all the options that fit.
pub const SACK: [u8; 28] = [
    1, 1, 5, 26, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6,
];

/// What a packet is made of. Checksums of the transport are left to the vnet header.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub v6: bool,
    pub udp: bool,
    pub ip_options: Vec<u8>,
    pub tcp_options: Vec<u8>,
    pub tos: u8,
    pub ttl: u8,
    pub id: u16,
    pub dont_fragment: bool,
    pub sport: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    pub payload: usize,
    pub gso_size: u16,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            v6: false,
            udp: false,
            ip_options: Vec::new(),
            tcp_options: TIMESTAMPS.to_vec(),
            tos: 0,
            ttl: 63,
            id: 0xfffe,
            dont_fragment: true,
            sport: 45000,
            seq: 0xffff_f000,
            ack: 0x0102_0304,
            flags: TcpFlags::ACK,
            window: 502,
            payload: 3 * 1398 + 100,
            gso_size: 1398,
        }
    }
}

impl Recipe {
    pub fn tcp() -> Recipe {
        Recipe::default()
    }

    pub fn udp() -> Recipe {
        Recipe {
            udp: true,
            tcp_options: Vec::new(),
            ..Recipe::default()
        }
    }

    pub fn ip_len(&self) -> usize {
        if self.v6 {
            40
        } else {
            20 + self.ip_options.len()
        }
    }

    pub fn header_len(&self) -> usize {
        self.ip_len()
            + if self.udp {
                8
            } else {
                20 + self.tcp_options.len()
            }
    }

    /// The packet (one that is not to be segmented if `gso_size` is zero), with the sum of the pseudo header where the checksum belongs, and the header that a TUN gives with it.
    pub fn build(&self) -> (VnetHeader, Vec<u8>) {
        let payload = (0..self.payload).map(|n| (n * 7 + n / 251) as u8);
        let transport_len = self.header_len() - self.ip_len() + self.payload;
        let protocol = if self.udp { 17u8 } else { 6 };
        let mut packet = Vec::new();
        let addresses = if self.v6 {
            packet.extend([0x60 | self.tos >> 4, self.tos << 4, 0x12, 0x34]);
            packet.extend((transport_len as u16).to_be_bytes());
            packet.extend([protocol, self.ttl]);
            packet.extend([0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            packet.extend([0xfd, 0x77, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
            8..40
        } else {
            packet.extend([0x40 | (self.ip_len() / 4) as u8, self.tos]);
            packet.extend(((self.ip_len() + transport_len) as u16).to_be_bytes());
            packet.extend(self.id.to_be_bytes());
            packet.extend([if self.dont_fragment { 0x40 } else { 0 }, 0]);
            packet.extend([self.ttl, protocol, 0, 0, 10, 244, 1, 5, 10, 244, 2, 7]);
            packet.extend(&self.ip_options);
            let checksum = !ones_sum(&[&packet]);
            packet[10..12].copy_from_slice(&checksum.to_be_bytes());
            12..20
        };
        let pseudo = ones_sum(&[
            &packet[addresses],
            &[0, protocol],
            &(transport_len as u32).to_be_bytes(),
        ]);
        packet.extend(self.sport.to_be_bytes());
        packet.extend(5201u16.to_be_bytes());
        if self.udp {
            packet.extend((transport_len as u16).to_be_bytes());
            packet.extend(pseudo.to_be_bytes());
        } else {
            packet.extend(self.seq.to_be_bytes());
            packet.extend(self.ack.to_be_bytes());
            packet.extend([(5 + self.tcp_options.len() as u8 / 4) << 4, self.flags]);
            packet.extend(self.window.to_be_bytes());
            packet.extend(pseudo.to_be_bytes());
            packet.extend([
                0,
                if self.flags & TcpFlags::URG != 0 {
                    9
                } else {
                    0
                },
            ]);
            packet.extend(&self.tcp_options);
        }
        packet.extend(payload);
        let gso_type = match (self.udp, self.v6) {
            _ if self.gso_size == 0 => VnetHeader::GSO_NONE,
            (true, _) => VnetHeader::GSO_UDP_L4,
            (false, false) => VnetHeader::GSO_TCPV4,
            (false, true) => VnetHeader::GSO_TCPV6,
        };
        let ecn = !self.udp && self.gso_size > 0 && self.flags & TcpFlags::CWR != 0;
        let vnet = VnetHeader {
            flags: VnetHeader::NEEDS_CSUM,
            gso_type: gso_type | if ecn { VnetHeader::GSO_ECN } else { 0 },
            hdr_len: (self.header_len() as u16).into(),
            gso_size: self.gso_size.into(),
            csum_start: (self.ip_len() as u16).into(),
            csum_offset: if self.udp { 6.into() } else { 16.into() },
        };
        (vnet, packet)
    }

    /// The packet in segments.
    pub fn segments(&self) -> Vec<Vec<u8>> {
        let (vnet, packet) = self.build();
        segments(&vnet, &packet)
    }

    /// One packet that needs nothing: `payload` bytes, the checksum complete.
    pub fn packet(&self) -> Vec<u8> {
        let one = Recipe {
            gso_size: u16::MAX,
            ..self.clone()
        };
        let mut segments = one.segments();
        assert_eq!(segments.len(), 1);
        segments.swap_remove(0)
    }
}

/// What was written to the TUN for a group: its packets of the burst, the virtio header, the packet.
pub struct Written {
    pub of: Vec<usize>,
    pub vnet: VnetHeader,
    pub packet: Vec<u8>,
}

/// Coalesces a burst whose checksums nobody looked at yet.
pub fn coalesce(gro: &mut Gro, burst: &[Vec<u8>]) -> Vec<Written> {
    let burst: Vec<_> = burst
        .iter()
        .map(|bytes| Packet {
            bytes,
            verified: false,
        })
        .collect();
    written(gro, &burst)
}

pub fn written(gro: &mut Gro, burst: &[Packet<'_>]) -> Vec<Written> {
    let groups = gro.gather(burst).map(|group| {
        let head = group.head();
        let (vnet, headers) = VnetHeader::read_from_prefix(&head).expect("a virtio header");
        let mut packet = headers.to_vec();
        group.parts().for_each(|part| packet.extend(part.bytes));
        let of: Vec<_> = group.parts().map(|part| part.index).collect();
        assert_eq!(of.len(), group.packets());
        Written { of, vnet, packet }
    });
    groups.collect()
}

/// All segments of a packet that must parse.
pub fn segments(vnet: &VnetHeader, packet: &[u8]) -> Vec<Vec<u8>> {
    let parsed = Super::parse(vnet, packet).map_err(|refused| refused.to_string());
    let parsed = parsed.expect("a valid packet");
    (0..parsed.segments())
        .map(|n| {
            let mut out = vec![0xa5; parsed.segment_len(n)];
            assert_eq!(parsed.write(n, &mut out), Some(out.len()));
            out
        })
        .collect()
}

/// The ones' complement sum of the parts, each of even length but the last, word by word.
pub fn ones_sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u32;
    for pair in parts.concat().chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Panics unless the packet is whole and its checksums are right, by etherparse.
pub fn assert_valid(packet: &[u8]) {
    let sliced = SlicedPacket::from_ip(packet).expect("headers that hold together");
    let transport = sliced.transport.as_ref().expect("a transport header");
    match sliced.net.as_ref().expect("an IP header") {
        NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            assert_eq!(usize::from(header.total_len), packet.len());
            assert_eq!(header.header_checksum, header.calc_header_checksum());
            let (src, dst) = (header.source, header.destination);
            match transport {
                TransportSlice::Tcp(tcp) => assert_eq!(
                    tcp.checksum(),
                    tcp.calc_checksum_ipv4(src, dst).expect("a length")
                ),
                TransportSlice::Udp(udp) => assert_eq!(
                    udp.checksum(),
                    udp.to_header()
                        .calc_checksum_ipv4_raw(src, dst, udp.payload())
                        .expect("a length")
                ),
                other => panic!("{other:?}"),
            }
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header().to_header();
            assert_eq!(usize::from(header.payload_length) + 40, packet.len());
            match transport {
                TransportSlice::Tcp(tcp) => assert_eq!(
                    tcp.checksum(),
                    tcp.calc_checksum_ipv6(header.source, header.destination)
                        .expect("a length")
                ),
                TransportSlice::Udp(udp) => assert_eq!(
                    udp.checksum(),
                    udp.to_header()
                        .calc_checksum_ipv6_raw(header.source, header.destination, udp.payload())
                        .expect("a length")
                ),
                other => panic!("{other:?}"),
            }
        }
        other => panic!("{other:?}"),
    }
}
