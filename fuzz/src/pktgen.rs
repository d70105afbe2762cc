//! One frame through the load generator's eyes. Intact is only what etherparse, which shares no code with them, finds without
//! fault; a reflector's turning leaves it so; the number of the run decides nothing but whose it is; a lane that is named
//! stands in the frame.
//!
//! ```text
//! input: the frame
//! ```

use etherparse::{Icmpv4Type, Icmpv6Type, NetSlice, SlicedPacket, TransportSlice};
use pktgen::frame::classify::{Seen, classify};
use pktgen::frame::signature::{SIGNATURE_LEN, Signature};
use pktgen::frame::swap::swap;

use crate::kinds::{PORTS, RUN};

/// Looks at one frame.
pub fn check(frame: &[u8]) {
    let (seen, of_any_run) = (
        classify(frame, Some(RUN), &PORTS),
        classify(frame, None, &PORTS),
    );
    match (seen, of_any_run) {
        (Seen::Intact(signature), _) => {
            assert_eq!(signature.run, RUN);
            assert_eq!(of_any_run, seen);
        }
        (_, Seen::Intact(signature)) => {
            assert_ne!(signature.run, RUN);
            assert_eq!(seen, Seen::Foreign, "of another run");
        }
        (Seen::Corrupted(Some(lane)), any) => {
            assert!(signatures(frame).any(|found| found.run == RUN && found.lane == lane));
            assert!(matches!(any, Seen::Corrupted(Some(_))), "{any:?}");
        }
        (Seen::Corrupted(None) | Seen::Foreign, Seen::Corrupted(Some(lane))) => {
            assert!(signatures(frame).any(|found| found.lane == lane));
        }
        (Seen::Corrupted(None) | Seen::Foreign, _) => {}
    }
    if let Seen::Intact(signature) = of_any_run {
        assert_eq!(whole(frame, true), Some(signature), "etherparse disagrees");
        let mut turned = frame.to_vec();
        swap(&mut turned, &PORTS);
        let again = classify(&turned, None, &PORTS);
        assert_eq!(again, Seen::Intact(signature), "turned round");
    }
    let mut any = frame.to_vec();
    swap(&mut any, &PORTS);
}

/// All that have a right check byte.
fn signatures(frame: &[u8]) -> impl Iterator<Item = Signature> {
    let windows = frame.windows(SIGNATURE_LEN);
    windows.filter_map(|bytes| Signature::from_bytes(bytes.try_into().expect("a window's length")))
}

/// The signature of a frame in which etherparse finds all lengths and checksums right.
fn whole(frame: &[u8], may_be_tunnel: bool) -> Option<Signature> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let udp = match &packet.transport {
        Some(TransportSlice::Udp(udp)) => Some(udp),
        _ => None,
    };
    if let Some(udp) = udp.filter(|udp| PORTS.contains(&udp.destination_port()))
        && may_be_tunnel
        && !udp.payload().starts_with(b"tw")
    {
        if udp.checksum() != 0 {
            transport(&packet)?;
        }
        return whole(udp.payload().get(8..)?, false);
    }
    let payload = transport(&packet)?;
    Signature::from_bytes(payload.first_chunk()?)
}

/// The payload, if the checksums of the IP header and of the transport are right.
fn transport<'a>(packet: &SlicedPacket<'a>) -> Option<&'a [u8]> {
    let (sum, told, payload) = match (packet.net.as_ref()?, packet.transport.as_ref()?) {
        (NetSlice::Ipv4(ip), transport) => {
            let ip = ip.header().to_header();
            same(ip.calc_header_checksum(), ip.header_checksum)?;
            match transport {
                TransportSlice::Udp(udp) => {
                    let header = udp.to_header();
                    let sum = header.calc_checksum_ipv4(&ip, udp.payload()).ok()?;
                    // No checksum is not a right one.
                    let told = Some(header.checksum).filter(|&told| told != 0)?;
                    (sum, told, udp.payload())
                }
                TransportSlice::Tcp(tcp) => {
                    let sum = tcp.to_header().calc_checksum_ipv4(&ip, tcp.payload());
                    (sum.ok()?, tcp.checksum(), tcp.payload())
                }
                TransportSlice::Icmpv4(icmp) => {
                    let header = icmp.header();
                    let (Icmpv4Type::EchoRequest(_) | Icmpv4Type::EchoReply(_)) = header.icmp_type
                    else {
                        return None;
                    };
                    let sum = header.icmp_type.calc_checksum(icmp.payload());
                    (sum, header.checksum, icmp.payload())
                }
                _ => return None,
            }
        }
        (NetSlice::Ipv6(ip), transport) => {
            let ip = ip.header().to_header();
            match transport {
                TransportSlice::Udp(udp) => {
                    let header = udp.to_header();
                    let sum = header.calc_checksum_ipv6(&ip, udp.payload()).ok()?;
                    let told = Some(header.checksum).filter(|&told| told != 0)?;
                    (sum, told, udp.payload())
                }
                TransportSlice::Tcp(tcp) => {
                    let sum = tcp.to_header().calc_checksum_ipv6(&ip, tcp.payload());
                    (sum.ok()?, tcp.checksum(), tcp.payload())
                }
                TransportSlice::Icmpv6(icmp) => {
                    let header = icmp.header();
                    let (Icmpv6Type::EchoRequest(_) | Icmpv6Type::EchoReply(_)) = header.icmp_type
                    else {
                        return None;
                    };
                    let (src, dst) = (ip.source, ip.destination);
                    let sum = header.icmp_type.calc_checksum(src, dst, icmp.payload());
                    (sum.ok()?, header.checksum, icmp.payload())
                }
                _ => return None,
            }
        }
        _ => return None,
    };
    same(sum, told).map(|()| payload)
}

/// Zero has two forms in ones' complement.
fn same(a: u16, b: u16) -> Option<()> {
    (a % 0xffff == b % 0xffff).then_some(())
}

/// First inputs: frames of each kind, and what can happen to them.
pub fn seeds() -> Vec<Vec<u8>> {
    let kinds = crate::kinds::kinds();
    let frame = |number: usize| {
        let kind = kinds[number % kinds.len()];
        crate::kinds::frames(&kind.stream(), number + 1).remove(number)
    };
    let mut seeds: Vec<Vec<u8>> = (0..kinds.len()).map(frame).collect();
    for (number, damage) in DAMAGE.iter().enumerate() {
        // Through the kinds in another order than they have, so that plain and tunnel meet each.
        let mut frame = frame(number * 7);
        damage(&mut frame);
        seeds.push(frame);
    }
    seeds
}

/// What can happen to a frame that ends with its signature.
const DAMAGE: [fn(&mut Vec<u8>); 12] = [
    |frame| from_end(frame, SIGNATURE_LEN, 0x01),
    |frame| from_end(frame, 16, 0x80),
    |frame| from_end(frame, 5, 0xff),
    |frame| from_end(frame, 1, 0x10),
    // The first byte of the IP header, its length, its mark, its protocol, an address.
    |frame| frame[14] ^= 0x10,
    |frame| frame[17] ^= 0x01,
    |frame| frame[18] ^= 0x40,
    |frame| frame[23] ^= 0x17,
    |frame| frame[30] ^= 0x02,
    |frame| frame.truncate(frame.len() - 7),
    // Tags whose priorities look like versions of IP.
    |frame| drop(frame.splice(12..12, [0x81, 0, 0x40, 5])),
    |frame| drop(frame.splice(12..12, [0x88, 0xa8, 0x60, 6, 0x81, 0, 0x40, 5])),
];

fn from_end(frame: &mut [u8], back: usize, change: u8) {
    let at = frame.len() - back;
    frame[at] ^= change;
}
