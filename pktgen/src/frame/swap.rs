//! Turns a frame round, for a reflector: sources and destinations change places, echo requests become replies.
//!
//! Checksums stay right without being touched, for sums do not care about order; only the ICMP type is another value. Behind a
//! VXLAN port the inner frame is turned too, and the outer UDP ports stay: the destination port names the tunnel. (A packet
//! whose payload begins with our magic is plain, whatever its port: `classify` reads it so.)

use super::signature::MAGIC;

/// Turns `frame` round in place, as far as its headers go; what is too short for a header stays as it is.
pub fn swap(frame: &mut [u8], vxlan_ports: &[u16]) {
    let Some((ethernet, mut rest)) = frame.split_at_mut_checked(14) else {
        return;
    };
    exchange(&mut ethernet[..12], 6);
    let mut ether_type = [ethernet[12], ethernet[13]];
    // VLAN tags, as many as a receiver reads.
    for _ in 0..2 {
        if let ([0x81, 0x00] | [0x88, 0xa8], [_, _, high, low, ..]) = (ether_type, &*rest) {
            ether_type = [*high, *low];
            rest = &mut rest[4..];
        }
    }
    let packet = rest;
    let (addresses, len, header, protocol) = match (ether_type, packet.len()) {
        ([0x08, 0x00], 20..) => (12, 4, usize::from(packet[0] & 15) * 4, packet[9]),
        ([0x86, 0xdd], 40..) => (8, 16, 40, packet[6]),
        _ => return,
    };
    exchange(&mut packet[addresses..addresses + 2 * len], len);
    let Some(transport) = packet.get_mut(header..) else {
        return;
    };
    match (protocol, transport) {
        (UDP, [_, _, d0, d1, _, _, _, _, vxlan @ ..])
            if vxlan_ports.contains(&u16::from_be_bytes([*d0, *d1]))
                && !vxlan.starts_with(&MAGIC.to_be_bytes()) =>
        {
            if let Some(inner) = vxlan.get_mut(8..) {
                swap(inner, &[]);
            }
        }
        (UDP | TCP, ports) if ports.len() >= 4 => exchange(&mut ports[..4], 2),
        (ICMP, [kind @ ICMP_REQUEST, _, high, low, ..]) => {
            let change = u16::from(ICMP_REQUEST - ICMP_REPLY) << 8;
            *kind = ICMP_REPLY;
            correct([high, low], change);
        }
        (ICMPV6, [kind @ ICMPV6_REQUEST, _, high, low, ..]) => {
            let change = u16::from(ICMPV6_REPLY - ICMPV6_REQUEST) << 8;
            *kind = ICMPV6_REPLY;
            correct([high, low], !change);
        }
        _ => {}
    }
}

const UDP: u8 = 17;
const TCP: u8 = 6;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const ICMP_REQUEST: u8 = 8;
const ICMP_REPLY: u8 = 0;
const ICMPV6_REQUEST: u8 = 128;
const ICMPV6_REPLY: u8 = 129;

/// Exchanges the two halves of `pair`, `len` bytes each.
fn exchange(pair: &mut [u8], len: usize) {
    let (first, second) = pair.split_at_mut(len);
    first.swap_with_slice(second);
}

/// Adds `less` to a checksum, one's complement: what it covers has become less by that (RFC 1624).
fn correct([high, low]: [&mut u8; 2], less: u16) {
    let (sum, carry) = u16::from_be_bytes([*high, *low]).overflowing_add(less);
    [*high, *low] = (sum + u16::from(carry)).to_be_bytes();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::build::{Builder, Macs, body};
    use crate::frame::classify::{Seen, classify};
    use crate::frame::signature::Lane;
    use crate::profile::*;

    fn streams() -> Vec<Stream> {
        let mut plain = crate::run::lanes::tests_support::profile().streams;
        let mut one = plain.remove(0);
        one.size = Size::Fixed(200);
        let six = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap();
        let transports = [
            one.transport.clone(),
            // To a VXLAN port, and yet plain.
            Transport::Udp {
                sport: 4..=4,
                dport: 8472..=8472,
            },
            Transport::Tcp {
                sport: 5..=5,
                dport: 6..=6,
            },
            Transport::Icmp { id: 7..=7 },
        ];
        let families = [
            one.ip.clone(),
            Ip::V6 {
                src: six("fd00::1")..=six("fd00::1"),
                dst: six("fd00::2")..=six("fd00::2"),
            },
        ];
        let vxlan = Vxlan {
            vni: 5,
            src: [10, 9, 0, 1].into(),
            dst: [10, 9, 0, 2].into(),
            port: 8472,
            inner_src_mac: Mac([2, 1, 1, 1, 1, 1]),
            inner_dst_mac: Mac([2, 1, 1, 1, 1, 2]),
            checksum: true,
        };
        let mut all = Vec::new();
        for transport in &transports {
            for ip in &families {
                for vxlan in [None, Some(vxlan.clone())] {
                    all.push(Stream {
                        transport: transport.clone(),
                        ip: ip.clone(),
                        vxlan,
                        ..one.clone()
                    });
                }
            }
        }
        all
    }

    /// Turned round a frame is still intact, and other than it was.
    #[test]
    fn what_is_turned_round_is_intact() {
        for stream in streams() {
            let macs = Macs {
                src: Mac([2, 0, 0, 0, 0, 1]),
                dst: Mac([2, 0, 0, 0, 0, 2]),
            };
            let mut frame = body(Payload::Increment, 1);
            let mut builder =
                Builder::new(&stream, macs, 9, Lane::new(0, 0), Payload::Increment, 1);
            let len = builder.write(&mut frame, 77);
            let before = frame;
            swap(&mut frame[..len], &[8472]);
            assert_ne!(before, frame);
            assert_eq!(&frame[..6], &macs.src.0);
            assert!(
                matches!(classify(&frame[..len], Some(9), &[8472]), Seen::Intact(_)),
                "{stream:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(mut frame in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..40, byte: u8) {
            swap(&mut frame, &[8472]);
            // Likelier headers.
            if frame.len() > 14 {
                frame[14] = 0x45;
                if let Some(b) = frame.get_mut(at) {
                    *b = byte;
                }
            }
            swap(&mut frame, &[0, 8472]);
        }
    }
}
