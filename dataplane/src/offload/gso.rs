//! Segmentation: a packet from a TUN, cut and finished as the kernel or a network card would have done.
//!
//! ```text
//!  | IP | TCP | payload 0 .. gso_size | .. 2 * gso_size | .. the rest |
//!               segment 0               segment 1         segment 2       each behind its own copy of the headers
//! ```
//!
//! Segments differ in lengths, IPv4 identification, sequence number, flags and checksums. So the sum of what they share is
//! made once, and for each one there is only its difference to add, and its payload, which is summed as it is copied.

use contract::wire::{Ipv4, Ipv6, Sum, Tcp, TcpFlags, Udp};
use zerocopy::{FromBytes, IntoBytes};

use super::headers::{Headers, Transport, Version};
use super::{Refused, VnetHeader};

/// A packet as it was read from a TUN, checked, and what is to be done to it. Making one reads headers only, so a packet that
/// is cut in several goes may be parsed anew for each.
pub struct Super<'a> {
    /// Cut to the length that its IP header gives, if it is segmented.
    packet: &'a [u8],
    work: Work,
}

enum Work {
    /// Nothing.
    Copy,
    /// The checksum at `field` is completed over what stands from `start` on.
    Checksum { start: usize, field: usize },
    /// Cut into segments.
    Segment(Plan),
}

struct Plan {
    headers: Headers,
    gso_size: usize,
    segments: usize,
    /// What the transport checksums of all segments have in common: pseudo header and transport header, but for lengths,
    /// sequence number, flags and the checksum itself.
    common: Sum,
    /// The same for the IPv4 header: all but length, identification and checksum.
    common_ip: Sum,
}

impl<'a> Super<'a> {
    /// Checks a packet and the header that came with it. Nothing is taken for granted: `hdr_len` is not looked at, for the
    /// kernel fills in how much of the packet happens to be linear, and where headers end is read from the packet.
    pub fn parse(vnet: &VnetHeader, packet: &'a [u8]) -> Result<Super<'a>, Refused> {
        if packet.is_empty() {
            return Err(Refused::Truncated);
        }
        let work = match vnet.gso_type {
            VnetHeader::GSO_NONE if vnet.flags & VnetHeader::NEEDS_CSUM == 0 => Work::Copy,
            VnetHeader::GSO_NONE => checksum(vnet, packet)?,
            _ => Work::Segment(Plan::new(vnet, packet)?),
        };
        let packet = match &work {
            Work::Segment(plan) => packet
                .get(..plan.headers.packet_len)
                .ok_or(Refused::Truncated)?,
            _ => packet,
        };
        Ok(Super { packet, work })
    }

    /// How many packets it becomes: at least one.
    #[inline]
    pub fn segments(&self) -> usize {
        match &self.work {
            Work::Segment(plan) => plan.segments,
            _ => 1,
        }
    }

    /// Length of the packet that segment `n` becomes, headers included; zero if there is no such segment.
    #[inline]
    pub fn segment_len(&self, n: usize) -> usize {
        match &self.work {
            _ if n >= self.segments() => 0,
            Work::Segment(plan) => {
                let payload = self.packet.len() - plan.headers.len;
                plan.headers.len + plan.gso_size.min(payload - n * plan.gso_size)
            }
            _ => self.packet.len(),
        }
    }

    /// Writes segment `n` as a complete IP packet to the start of `out` and says how long it is. `None`, and nothing of use in
    /// `out`: there is no such segment, or `out` is shorter than [`segment_len`](Self::segment_len).
    #[inline]
    pub fn write(&self, n: usize, out: &mut [u8]) -> Option<usize> {
        if n >= self.segments() {
            return None;
        }
        let len = self.segment_len(n);
        let out = out.get_mut(..len)?;
        match &self.work {
            Work::Copy => out.copy_from_slice(self.packet),
            Work::Checksum { start, field } => {
                let (before, covered) = self.packet.split_at_checked(*start)?;
                let (out_before, out_covered) = out.split_at_mut_checked(*start)?;
                out_before.copy_from_slice(before);
                let sum = Sum::copying(covered, out_covered);
                // Whatever the protocol, for nobody takes one zero for the other but UDP, which must not see this one
                // (`skb_checksum_help`).
                *out.get_mut(*field..)?.first_chunk_mut()? = sum.udp_checksum();
            }
            Work::Segment(plan) => plan.write(self.packet, n, out)?,
        }
        Some(len)
    }
}

/// One packet with a partial checksum. What it covers is the kernel's to know; that it lies in the packet, behind any IP
/// header, is checked.
fn checksum(vnet: &VnetHeader, packet: &[u8]) -> Result<Work, Refused> {
    let start = usize::from(vnet.csum_start.get());
    let offset = usize::from(vnet.csum_offset.get());
    let field = start + offset;
    if start < Ipv4::LEN || offset % 2 != 0 || field + 2 > packet.len() {
        return Err(Refused::Offload);
    }
    Ok(Work::Checksum { start, field })
}

impl Plan {
    fn new(vnet: &VnetHeader, packet: &[u8]) -> Result<Plan, Refused> {
        let headers = Headers::parse(packet)?;
        let asked = match vnet.gso_type {
            VnetHeader::GSO_UDP_L4 => Some((headers.version, Transport::Udp)),
            other => match other & !VnetHeader::GSO_ECN {
                VnetHeader::GSO_TCPV4 => Some((Version::V4, Transport::Tcp)),
                VnetHeader::GSO_TCPV6 => Some((Version::V6, Transport::Tcp)),
                _ => None,
            },
        };
        let gso_size = usize::from(vnet.gso_size.get());
        if asked != Some((headers.version, headers.transport)) || gso_size == 0 {
            return Err(Refused::Offload);
        }
        // Without NEEDS_CSUM the checksum of the whole says nothing about the segments: each gets its own, as in the kernel.
        let start = usize::from(vnet.csum_start.get());
        let offset = usize::from(vnet.csum_offset.get());
        if vnet.flags & VnetHeader::NEEDS_CSUM != 0
            && (start, offset) != (headers.ip_len, headers.transport.checksum_offset())
        {
            return Err(Refused::Offload);
        }
        let payload = headers.packet_len - headers.len;
        Ok(Plan {
            common: common(&headers, packet).ok_or(Refused::Truncated)?,
            common_ip: common_ip(&headers, packet).ok_or(Refused::Truncated)?,
            headers,
            gso_size,
            segments: payload.div_ceil(gso_size).max(1),
        })
    }

    /// Writes segment `n` of `packet`; `out` has its length.
    #[inline]
    fn write(&self, packet: &[u8], n: usize, out: &mut [u8]) -> Option<()> {
        let (headers, payload) = packet.split_at_checked(self.headers.len)?;
        let (out_headers, out_payload) = out.split_at_mut_checked(self.headers.len)?;
        let from = n * self.gso_size;
        let payload = payload.get(from..from + out_payload.len())?;
        let sum = Sum::copying(payload, out_payload);

        out_headers.copy_from_slice(headers);
        let (ip, transport) = out_headers.split_at_mut_checked(self.headers.ip_len)?;
        let len = (transport.len() + payload.len()) as u16;
        self.write_ip(ip, n, len)?;
        let sum = sum.plus(self.common).plus(Sum::word(len));
        match self.headers.transport {
            Transport::Tcp => {
                let (tcp, _) = Tcp::mut_from_prefix(transport).ok()?;
                tcp.seq = tcp.seq.get().wrapping_add(from as u32).into();
                if n > 0 {
                    tcp.flags &= !TcpFlags::CWR;
                }
                if n + 1 < self.segments {
                    tcp.flags &= !(TcpFlags::FIN | TcpFlags::PSH);
                }
                tcp.checksum = sum
                    .plus(Sum::of_array(&tcp.seq.to_bytes()))
                    .plus(Sum::word(tcp.flags.into()))
                    .checksum();
            }
            Transport::Udp => {
                let (udp, _) = Udp::mut_from_prefix(transport).ok()?;
                udp.len = len.into();
                udp.checksum = sum.plus(Sum::word(len)).udp_checksum();
            }
        }
        Some(())
    }

    /// `len`: bytes behind the IP header.
    #[inline]
    fn write_ip(&self, ip: &mut [u8], n: usize, len: u16) -> Option<()> {
        match self.headers.version {
            Version::V4 => {
                let (ip, _) = Ipv4::mut_from_prefix(ip).ok()?;
                ip.total_len = (self.headers.ip_len as u16 + len).into();
                // Also where DF is set and nobody needs it: `inet_gso_segment` counts on.
                ip.id = ip.id.get().wrapping_add(n as u16).into();
                ip.checksum = self
                    .common_ip
                    .plus(Sum::word(ip.total_len.get()))
                    .plus(Sum::word(ip.id.get()))
                    .checksum();
            }
            Version::V6 => {
                let (ip, _) = Ipv6::mut_from_prefix(ip).ok()?;
                ip.payload_len = len.into();
            }
        }
        Some(())
    }
}

/// See [`Plan::common`].
fn common(headers: &Headers, packet: &[u8]) -> Option<Sum> {
    let transport = packet.get(headers.ip_len..headers.len)?;
    let own = match headers.transport {
        Transport::Tcp => {
            let (tcp, options) = Tcp::ref_from_prefix(transport).ok()?;
            let mut tcp = *tcp;
            tcp.seq = 0.into();
            tcp.flags = 0;
            tcp.checksum = [0; 2];
            Sum::of(tcp.as_bytes()).plus(Sum::of(options))
        }
        Transport::Udp => {
            let (udp, _) = Udp::ref_from_prefix(transport).ok()?;
            Sum::word(udp.sport.get()).plus(Sum::word(udp.dport.get()))
        }
    };
    Some(own.plus(headers.pseudo(packet)))
}

/// See [`Plan::common_ip`].
fn common_ip(headers: &Headers, packet: &[u8]) -> Option<Sum> {
    if headers.version == Version::V6 {
        return Some(Sum::default());
    }
    let (ip, _) = Ipv4::ref_from_prefix(packet).ok()?;
    let mut ip = *ip;
    ip.total_len = 0.into();
    ip.id = 0.into();
    ip.checksum = [0; 2];
    let options = packet.get(Ipv4::LEN..headers.ip_len)?;
    Some(Sum::of(ip.as_bytes()).plus(Sum::of(options)))
}
