//! The headers of a group: those of its first packet, for the length of all.

use contract::wire::{Ipv4, Ipv6, Sum, Tcp, TcpFlags, Udp};
use zerocopy::{FromBytes, IntoBytes};

use super::super::VnetHeader;
use super::super::headers::{MAX_HEADERS, Transport, Version};
use super::join::{Run, Segment};

/// What stands at the start of a write: the virtio header, and the merged headers of a group.
pub struct Head {
    bytes: [u8; VnetHeader::LEN + MAX_HEADERS],
    len: usize,
}

impl std::ops::Deref for Head {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Head {
    /// Of a packet that stays as it is.
    pub fn alone(verified: bool) -> Head {
        let flags = if verified { VnetHeader::DATA_VALID } else { 0 };
        Head::new(VnetHeader {
            flags,
            ..VnetHeader::default()
        })
    }

    fn new(vnet: VnetHeader) -> Head {
        let mut bytes = [0; VnetHeader::LEN + MAX_HEADERS];
        if let Some(start) = bytes.first_chunk_mut::<{ VnetHeader::LEN }>() {
            *start = zerocopy::transmute!(vnet);
        }
        Head {
            bytes,
            len: VnetHeader::LEN,
        }
    }

    /// Of a group of several, which starts with `first`. `None` cannot be, for `first` was parsed.
    pub fn merged(first: &Segment<'_>, run: &Run) -> Option<Head> {
        let headers = &first.headers;
        let cwr = first
            .tcp()
            .is_some_and(|tcp| tcp.flags & TcpFlags::CWR != 0);
        let gso_type = match (headers.transport, headers.version) {
            (Transport::Udp, _) => VnetHeader::GSO_UDP_L4,
            (Transport::Tcp, Version::V4) => VnetHeader::GSO_TCPV4,
            (Transport::Tcp, Version::V6) => VnetHeader::GSO_TCPV6,
        };
        let mut head = Head::new(VnetHeader {
            flags: VnetHeader::NEEDS_CSUM,
            gso_type: gso_type | if cwr { VnetHeader::GSO_ECN } else { 0 },
            hdr_len: (headers.len as u16).into(),
            gso_size: (run.size as u16).into(),
            csum_start: (headers.ip_len as u16).into(),
            csum_offset: (headers.transport.checksum_offset() as u16).into(),
        });
        head.len += headers.len;
        let merged = head.bytes.get_mut(VnetHeader::LEN..head.len)?;
        merged.copy_from_slice(first.bytes.get(..headers.len)?);
        let (ip, transport) = merged.split_at_mut_checked(headers.ip_len)?;

        let len = (transport.len() + run.payload) as u16;
        match headers.version {
            Version::V4 => {
                let (ip, _) = Ipv4::mut_from_prefix(ip).ok()?;
                ip.total_len = (headers.ip_len as u16 + len).into();
                ip.checksum = [0; 2];
                ip.checksum = Sum::of(ip.as_bytes()).checksum();
            }
            Version::V6 => Ipv6::mut_from_prefix(ip).ok()?.0.payload_len = len.into(),
        }
        // The kernel, or whoever segments it again, adds the rest.
        let pseudo = headers.pseudo(first.bytes).plus(Sum::word(len)).to_field();
        match headers.transport {
            Transport::Tcp => {
                let (tcp, _) = Tcp::mut_from_prefix(transport).ok()?;
                tcp.flags |= run.last;
                tcp.checksum = pseudo;
            }
            Transport::Udp => {
                let (udp, _) = Udp::mut_from_prefix(transport).ok()?;
                udp.len = len.into();
                udp.checksum = pseudo;
            }
        }
        Some(head)
    }
}
