//! IP and TCP or UDP at the start of a packet: where they end, and whether they hold together.

use super::Refused;
use contract::wire::{Ipv4, Ipv6, Protocol, Sum, Tcp, Udp};
use zerocopy::FromBytes;

/// The longest headers that are segmented or coalesced: IPv4 and TCP, each with all the options that fit.
pub const MAX_HEADERS: usize = 60 + 60;

/// Version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 791.
    V4,
    /// RFC 8200.
    V6,
}

/// What stands above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

impl Transport {
    /// Its number in the IP header.
    #[inline(always)]
    pub const fn protocol(self) -> u8 {
        match self {
            Transport::Tcp => Protocol::TCP,
            Transport::Udp => Protocol::UDP,
        }
    }

    /// Where its checksum stands, from the start of its header.
    #[inline(always)]
    pub const fn checksum_offset(self) -> usize {
        match self {
            Transport::Tcp => 16,
            Transport::Udp => 6,
        }
    }
}

/// The headers of a whole packet: no fragment, no IPv6 extension header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Version of IP.
    pub version: Version,
    /// What stands above it.
    pub transport: Transport,
    /// Bytes of the IP header, options included.
    pub ip_len: usize,
    /// Bytes of all headers; at most [`MAX_HEADERS`].
    pub len: usize,
    /// Bytes of the packet by its IP header: what is behind is padding. At most 65,575, for IPv6 does not count its header.
    pub packet_len: usize,
}

impl Headers {
    /// Reads and checks the headers of the packet at the start of `bytes`. The IPv4 header checksum is verified, that of the
    /// transport is not.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Headers, Refused> {
        let (version, ip_len, packet_len, protocol) = match bytes.first().map(|b| b >> 4) {
            Some(4) => ipv4(bytes)?,
            Some(6) => ipv6(bytes)?,
            Some(_) => return Err(Refused::IpHeader),
            None => return Err(Refused::Truncated),
        };
        if packet_len < ip_len {
            return Err(Refused::IpHeader);
        }
        let payload = bytes.get(ip_len..packet_len).ok_or(Refused::Truncated)?;
        let (transport, transport_len) = match protocol {
            Protocol::TCP => {
                let (tcp, _) = Tcp::ref_from_prefix(payload).map_err(|_| Refused::Truncated)?;
                (Transport::Tcp, tcp.header_len())
            }
            Protocol::UDP => {
                let (udp, _) = Udp::ref_from_prefix(payload).map_err(|_| Refused::Truncated)?;
                let whole = usize::from(udp.len.get()) == payload.len();
                (Transport::Udp, whole.then_some(Udp::LEN))
            }
            _ => return Err(Refused::Offload),
        };
        let transport_len = transport_len.ok_or(Refused::Offload)?;
        if transport_len > payload.len() {
            return Err(Refused::Truncated);
        }
        Ok(Headers {
            version,
            transport,
            ip_len,
            len: ip_len + transport_len,
            packet_len,
        })
    }

    /// Sum of the pseudo header's part that is the same for each segment: addresses and protocol (RFC 9293 section 3.1, RFC
    /// 8200 section 8.1). The length of transport header and payload is to be added.
    #[inline(always)]
    pub fn pseudo(&self, packet: &[u8]) -> Sum {
        let addresses = match self.version {
            Version::V4 => packet.get(12..20),
            Version::V6 => packet.get(8..40),
        };
        Sum::of(addresses.unwrap_or_default()).plus(Sum::word(self.transport.protocol().into()))
    }
}

type Ip = (Version, usize, usize, u8);

#[inline(always)]
fn ipv4(bytes: &[u8]) -> Result<Ip, Refused> {
    let (ip, _) = Ipv4::ref_from_prefix(bytes).map_err(|_| Refused::Truncated)?;
    let len = ip.header_len().ok_or(Refused::IpHeader)?;
    let header = bytes.get(..len).ok_or(Refused::Truncated)?;
    if !Sum::of(header).is_valid() {
        return Err(Refused::IpChecksum);
    }
    // The reserved bit counts as a fragment's: neither is segmented, and the kernel coalesces neither.
    if ip.flags_offset.get() & !Ipv4::DF != 0 {
        return Err(Refused::Offload);
    }
    Ok((
        Version::V4,
        len,
        usize::from(ip.total_len.get()),
        ip.protocol,
    ))
}

#[inline(always)]
fn ipv6(bytes: &[u8]) -> Result<Ip, Refused> {
    let (ip, _) = Ipv6::ref_from_prefix(bytes).map_err(|_| Refused::Truncated)?;
    let len = Ipv6::LEN + usize::from(ip.payload_len.get());
    Ok((Version::V6, Ipv6::LEN, len, ip.next_header))
}
