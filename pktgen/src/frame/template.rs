//! The first bytes of a stream's frames with everything that does not vary, and sums of what does not vary: a frame is
//! a copy of it, a few stores, and some additions. The BPF program of [`crate::io::live`] does the same from the same
//! numbers.
//!
//! ```text
//! plain    | Ethernet 14 | IP 20 or 40 | transport 8 or 20 | signature 18 | body ...
//! tunnel   | Ethernet 14 | IPv4 20 | UDP 8 | VXLAN 8 | plain ...
//!                                 ip ^   transport ^  signature ^
//! ```
//!
//! All offsets are even, so all sums are of the same words. A sum is a `u64` of big-endian words, folded to 16 bits
//! when all is added ([`checksum::fold`](super::checksum::fold)); a checksum is its complement. For a frame of `len`
//! bytes, with `l4_len = len - transport`:
//!
//! ```text
//! IPv4 checksum       ip_sum + (len - ip) + src + dst
//! first, second       UDP: sport:dport, l4_len:0    TCP: sport:dport, sequence    ICMP: 0:0, id:sequence
//!                     words of 32 bits at `transport`; ICMP has its type in the first, in `transport_sum` already
//! pseudo              src + dst + l4_len; 0 for ICMP over IPv4 ([`Template::pseudo`])
//! transport checksum  transport_sum + pseudo + first + second + signature's words + body_sums[len]
//! outer IPv4          outer.ip_sum + (len - 14)
//! outer UDP           outer.udp_sum + outer sport + 2 * (len - 34) - (IPv4: pseudo)
//! ```
//!
//! The last line: an inner packet with right checksums adds up to what its pseudo header lacks, so its bytes need not
//! be read (the kernel calls it local checksum offload, Documentation/networking/checksum-offloads.rst).

use super::FCS_LEN;
use super::body::{body, sums};
use super::build::Macs;
use super::checksum::{negative, sum};
use super::headers::{Headers, OUTER_LEN};
use super::signature::SIGNATURE_LEN;
use crate::profile::{Ip, Payload, Stream, Transport};

/// Bytes from the start of a frame that are written anew each time: the longest head that any stream can have is 142
/// bytes (TCP over IPv6 in a tunnel), and the buffer may hold the head of another stream.
pub const HEAD_ROOM: usize = 192;

/// Which header is in front of the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UDP: checksum at 6, length at 4; a checksum of 0 is sent as 0xffff (RFC 768).
    Udp,
    /// TCP: checksum at 16, sequence number at 4.
    Tcp,
    /// ICMP or ICMPv6 echo: checksum at 2, identifier at 4, sequence number at 6.
    Icmp,
}

impl Kind {
    /// Where the checksum is, from the start of the transport header.
    pub const fn check(self) -> usize {
        match self {
            Kind::Udp => 6,
            Kind::Tcp => 16,
            Kind::Icmp => 2,
        }
    }
}

/// What a tunnel adds: an Ethernet header, IPv4 at 14 (length at 16, checksum at 24), UDP at 34 (source port at 34,
/// length at 38, checksum at 40), VXLAN at 42.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outer {
    /// Of the outer IPv4 header.
    pub ip_sum: u32,
    /// Of what the outer UDP checksum covers; `None` if that is zero.
    pub udp_sum: Option<u32>,
}

/// What the frames of a stream have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Headers with zeros for all that varies, 18 zeros for the signature, then body.
    pub head: [u8; HEAD_ROOM],
    /// Transport.
    pub kind: Kind,
    /// Whether the (inner) packet is IPv6.
    pub v6: bool,
    /// Offset of the (inner) IP header. Addresses: low 32 bits at 12 and 16 behind it for IPv4, 20 and 36 for IPv6.
    /// Length: at 2 for IPv4, and counts from here; at 4 for IPv6, and counts from `transport`. IPv4 checksum: at 10.
    pub ip: usize,
    /// Offset of the transport header.
    pub transport: usize,
    /// Offset of the signature.
    pub signature: usize,
    /// Low 32 bits of the first source address, to which a flow's offset is added.
    pub src: u32,
    /// Of the first destination address.
    pub dst: u32,
    /// Whether the transport checksum covers a pseudo header: all but ICMP over IPv4.
    pub pseudo: bool,
    /// Of the (inner) IPv4 header; 0 for IPv6.
    pub ip_sum: u32,
    /// Of the transport header and the pseudo header.
    pub transport_sum: u32,
    /// Of the body, by length of the frame: what is between the signature and the end.
    pub body_sums: Box<[u16]>,
    /// The tunnel around it.
    pub outer: Option<Outer>,
}

impl Template {
    /// That of `stream`. `seed` is the profile's, as for [`body`].
    pub fn new(stream: &Stream, macs: Macs, payload: Payload, seed: u64) -> Self {
        let Headers {
            bytes,
            ip,
            transport,
        } = Headers::new(stream, macs);
        let signature = bytes.len();
        let body = body(payload, seed);
        let mut head = [0; HEAD_ROOM];
        head[..signature].copy_from_slice(&bytes);
        let behind = signature + SIGNATURE_LEN;
        head[behind..].copy_from_slice(&body[behind..HEAD_ROOM]);

        let (kind, protocol) = match (&stream.transport, &stream.ip) {
            (Transport::Udp { .. }, _) => (Kind::Udp, 17),
            (Transport::Tcp { .. }, _) => (Kind::Tcp, 6),
            (Transport::Icmp { .. }, Ip::V4 { .. }) => (Kind::Icmp, 1),
            (Transport::Icmp { .. }, Ip::V6 { .. }) => (Kind::Icmp, 58),
        };
        let (v6, src, dst) = match &stream.ip {
            Ip::V4 { src, dst } => (false, src.start().to_bits(), dst.start().to_bits()),
            Ip::V6 { src, dst } => {
                let low = |address: u128| address as u32;
                (true, low(src.start().to_bits()), low(dst.start().to_bits()))
            }
        };
        let pseudo = v6 || kind != Kind::Icmp;
        let addresses = if v6 { &bytes[ip + 8..ip + 40] } else { &[] };
        let in_pseudo = if pseudo { sum(addresses) + protocol } else { 0 };
        Template {
            head,
            kind,
            v6,
            ip,
            transport,
            signature,
            src,
            dst,
            pseudo,
            ip_sum: if v6 {
                0
            } else {
                sum(&bytes[ip..transport]) as u32
            },
            transport_sum: (sum(&bytes[transport..]) + in_pseudo) as u32,
            body_sums: sums(&body, behind),
            outer: stream.vxlan.as_ref().map(|vxlan| {
                // Of an IPv6 header, all but what the pseudo header has too; of an IPv4 header nothing, it adds up to
                // zero.
                let inner = match (v6, pseudo) {
                    (true, _) => sum(&bytes[ip..ip + 8]) + negative(protocol),
                    (false, true) => negative(protocol),
                    (false, false) => 0,
                };
                let udp = sum(&bytes[26..42]) + 17 + sum(&bytes[42..ip]) + inner;
                Outer {
                    ip_sum: sum(&bytes[14..34]) as u32,
                    udp_sum: vxlan.checksum.then_some(udp as u32),
                }
            }),
        }
    }
}

/// Bytes of the head of `stream`'s frames, headers and signature: what its smallest frame must hold, and never less
/// than Ethernet's minimum of 60 (all without FCS).
pub fn len_of(stream: &Stream) -> usize {
    let outer = if stream.vxlan.is_some() { OUTER_LEN } else { 0 };
    let ip = match stream.ip {
        Ip::V4 { .. } => 20,
        Ip::V6 { .. } => 40,
    };
    let transport = match stream.transport {
        Transport::Tcp { .. } => 20,
        Transport::Udp { .. } | Transport::Icmp { .. } => 8,
    };
    (outer + 14 + ip + transport + SIGNATURE_LEN).max(64 - FCS_LEN)
}
