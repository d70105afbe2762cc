//! Whether a packet continues a group: the rules of `tcp_gro_receive`, `udp_gro_receive_segment` and `inet_gro_flush` (Linux
//! 6.18, net/ipv4).
//!
//! Two rules are older than that kernel's. A packet with CWR starts a group and joins none, for the virtio header cannot say
//! that every segment had it; and a group of UDP has no limit of its own, for a burst is no longer than the kernel's 64.

use contract::wire::{Ipv4, Ipv6, Sum, Tcp, TcpFlags, Udp};
use zerocopy::FromBytes;

use super::super::headers::{Headers, Transport, Version};

/// No packet is longer, IP header included.
const MAX_LEN: usize = 65_535;
/// What ends a group.
const LAST: u8 = TcpFlags::PSH | TcpFlags::FIN;
/// What stands alone, beside that.
const ALONE: u8 = TcpFlags::SYN | TcpFlags::RST | TcpFlags::URG;

/// A packet whose headers hold together.
#[derive(Clone, Copy)]
pub struct Segment<'a> {
    pub bytes: &'a [u8],
    pub headers: Headers,
}

/// A group as far as it goes.
#[derive(Clone, Copy, Default)]
pub struct Run {
    /// Packets in it.
    pub packets: usize,
    /// Bytes of payload in it.
    pub payload: usize,
    /// The first packet's payload, bytes: what no other exceeds, and only the last falls short of.
    pub size: usize,
    /// All have one IPv4 identification; else each has the next.
    pub fixed_id: bool,
    /// PSH and FIN of the last packet.
    pub last: u8,
}

impl<'a> Segment<'a> {
    /// Bytes behind all headers.
    #[inline(always)]
    pub fn payload_len(&self) -> usize {
        self.headers.packet_len - self.headers.len
    }

    /// Whether it may be part of a group at all.
    #[inline]
    pub fn is_joinable(&self) -> bool {
        let whole = self.headers.packet_len == self.bytes.len() && self.payload_len() > 0;
        let no_ip_options = match self.headers.version {
            Version::V4 => self.headers.ip_len == Ipv4::LEN,
            Version::V6 => true,
        };
        let transport = match self.headers.transport {
            Transport::Tcp => self.tcp().is_some_and(|tcp| tcp.flags & ALONE == 0),
            // Segments of a datagram without a checksum would get one.
            Transport::Udp => self.udp().is_some_and(|udp| udp.checksum != [0, 0]),
        };
        whole && no_ip_options && transport
    }

    /// Whether another may follow it.
    #[inline]
    pub fn ends(&self) -> bool {
        self.last_flags() != 0
    }

    /// PSH and FIN.
    #[inline]
    pub fn last_flags(&self) -> u8 {
        self.tcp().map_or(0, |tcp| tcp.flags & LAST)
    }

    /// Whether the transport checksum is right: reads the whole packet.
    pub fn checksum_is_right(&self) -> bool {
        let covered = self.bytes.get(self.headers.ip_len..self.headers.packet_len);
        let Some(covered) = covered else { return false };
        self.headers
            .pseudo(self.bytes)
            .plus(Sum::word(covered.len() as u16))
            .plus(Sum::of(covered))
            .is_valid()
    }

    /// The group that starts with it.
    #[inline]
    pub fn run(&self) -> Run {
        Run {
            packets: 1,
            payload: self.payload_len(),
            size: self.payload_len(),
            fixed_id: false,
            last: self.last_flags(),
        }
    }

    /// The run that this makes of `run`, which starts with `first`, a packet of the same flow; `None` if it does not continue
    /// it. Both are joinable; checksums are not looked at.
    #[inline]
    pub fn continues(&self, first: &Segment<'_>, run: &Run) -> Option<Run> {
        let len = self.payload_len();
        if self.headers.len != first.headers.len
            || len > run.size
            || first.headers.len + run.payload + len > MAX_LEN
        {
            return None;
        }
        let fixed_id = self.ip_continues(first, run)?;
        let transport = match self.headers.transport {
            Transport::Tcp => self.tcp_continues(first, run)?,
            Transport::Udp => true,
        };
        transport.then_some(Run {
            packets: run.packets + 1,
            payload: run.payload + len,
            fixed_id,
            last: self.last_flags(),
            ..*run
        })
    }

    /// Whether the run's identifications are one and the same, if this one fits.
    #[inline]
    fn ip_continues(&self, first: &Segment<'_>, run: &Run) -> Option<bool> {
        match self.headers.version {
            Version::V4 => {
                let (ip, _) = Ipv4::ref_from_prefix(self.bytes).ok()?;
                let (ip1, _) = Ipv4::ref_from_prefix(first.bytes).ok()?;
                if ip.ttl != ip1.ttl || ip.tos != ip1.tos || ip.flags_offset != ip1.flags_offset {
                    return None;
                }
                let step = usize::from(ip.id.get().wrapping_sub(ip1.id.get()));
                // The second packet decides. Without DF one identification is one datagram.
                let fixed_id = if run.packets == 1 {
                    step == 0 && ip.dont_fragment()
                } else {
                    run.fixed_id
                };
                let expected = if fixed_id { 0 } else { run.packets };
                (step == expected).then_some(fixed_id)
            }
            Version::V6 => {
                let (ip, _) = Ipv6::ref_from_prefix(self.bytes).ok()?;
                let (ip1, _) = Ipv6::ref_from_prefix(first.bytes).ok()?;
                let same = ip.version_class_label == ip1.version_class_label
                    && ip.hop_limit == ip1.hop_limit;
                same.then_some(false)
            }
        }
    }

    #[inline]
    fn tcp_continues(&self, first: &Segment<'_>, run: &Run) -> Option<bool> {
        let (tcp, tcp1) = (self.tcp()?, first.tcp()?);
        let options = self
            .bytes
            .get(self.headers.ip_len + Tcp::LEN..self.headers.len)?;
        let options1 = first
            .bytes
            .get(first.headers.ip_len + Tcp::LEN..first.headers.len)?;
        let may_differ = TcpFlags::CWR | LAST;
        Some(
            tcp.flags & TcpFlags::CWR == 0
                && (tcp.flags ^ tcp1.flags) & !may_differ == 0
                && tcp.data_offset == tcp1.data_offset
                && tcp.window == tcp1.window
                && tcp.ack == tcp1.ack
                && tcp.seq.get() == tcp1.seq.get().wrapping_add(run.payload as u32)
                && options == options1,
        )
    }

    #[inline(always)]
    pub fn tcp(&self) -> Option<&'a Tcp> {
        if self.headers.transport != Transport::Tcp {
            return None;
        }
        let (tcp, _) = Tcp::ref_from_prefix(self.bytes.get(self.headers.ip_len..)?).ok()?;
        Some(tcp)
    }

    #[inline(always)]
    fn udp(&self) -> Option<&'a Udp> {
        let (udp, _) = Udp::ref_from_prefix(self.bytes.get(self.headers.ip_len..)?).ok()?;
        Some(udp)
    }
}
