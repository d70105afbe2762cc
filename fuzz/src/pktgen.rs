//! One frame through the load generator's eyes. Intact is only what etherparse, which shares no code with them, finds
//! without fault; a reflector's turning leaves it so; the number of the run decides nothing but whose it is; a lane
//! that is named stands in the frame.
//!
//! ```text
//! input: the frame; it is looked at as it is, and with its checksums mended
//! ```

use etherparse::checksum::Sum16BitWords;
use etherparse::{Icmpv4Type, Icmpv6Type, NetSlice, SlicedPacket, TransportSlice};
use pktgen::frame::checksum::{fold, sum};
use pktgen::frame::classify::{Seen, classify};
use pktgen::frame::signature::{SIGNATURE_LEN, Signature};
use pktgen::frame::swap::swap;

use crate::kinds::{PORTS, RUN};

/// Looks at one frame, twice.
pub fn check(frame: &[u8]) {
    check_one(frame);
    let mut mended = frame.to_vec();
    if mend(&mut mended, true).is_some() {
        check_one(&mended);
    }
}

/// Puts in the checksums that a frame of these headers and lengths has, as far as it can be read.
fn mend(frame: &mut [u8], may_be_tunnel: bool) -> Option<()> {
    let ether_type: [u8; 2] = frame.get(12..14)?.try_into().ok()?;
    let packet = frame.get_mut(14..)?;
    let word = |bytes: &[u8], at: usize| Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    let (head, len, protocol, addresses) = match ether_type {
        [0x08, 0x00] => {
            let head = usize::from(*packet.first()? & 15) * 4;
            let header = packet.get_mut(..head.max(20))?;
            put(header, 10, 0)?;
            let check = !fold(sum(header));
            put(header, 10, check)?;
            let len = usize::from(word(packet, 2)?).checked_sub(head)?;
            (head, len, packet[9], 12..20)
        }
        [0x86, 0xdd] => (40, word(packet, 4)?.into(), *packet.get(6)?, 8..40),
        _ => return None,
    };
    let addresses = sum(packet.get(addresses)?);
    let segment = packet.get_mut(head..)?.get_mut(..len)?;
    let at = match protocol {
        17 => 6,
        6 => 16,
        1 | 58 => 2,
        _ => return Some(()),
    };
    if protocol == 17 && PORTS.contains(&word(segment, 2)?) && may_be_tunnel {
        segment.get_mut(16..).and_then(|inner| mend(inner, false));
        if word(segment, at)? == 0 {
            return Some(());
        }
    }
    put(segment, at, 0)?;
    let pseudo = addresses + u64::from(protocol) + len as u64;
    let check = !fold(sum(segment) + if protocol == 1 { 0 } else { pseudo });
    put(
        segment,
        at,
        if check == 0 && protocol == 17 {
            0xffff
        } else {
            check
        },
    )
}

fn put(bytes: &mut [u8], at: usize, value: u16) -> Option<()> {
    *bytes.get_mut(at..)?.first_chunk_mut()? = value.to_be_bytes();
    Some(())
}

fn check_one(frame: &[u8]) {
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
        assert_eq!(whole(frame, true), Some(signature), "{frame:02x?}");
        let mut turned = frame.to_vec();
        swap(&mut turned, &PORTS);
        let again = classify(&turned, None, &PORTS);
        assert_eq!(again, Seen::Intact(signature), "turned round: {frame:02x?}");
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
    let (segment, protocol, payload) = match packet.transport.as_ref()? {
        // No checksum is not a right one.
        TransportSlice::Udp(udp) if udp.checksum() == 0 => return None,
        TransportSlice::Udp(udp) => (udp.slice(), 17, udp.payload()),
        TransportSlice::Tcp(tcp) => (tcp.slice(), 6, tcp.payload()),
        TransportSlice::Icmpv4(icmp) => match icmp.icmp_type() {
            Icmpv4Type::EchoRequest(_) | Icmpv4Type::EchoReply(_) => {
                (icmp.slice(), 1, icmp.payload())
            }
            _ => return None,
        },
        TransportSlice::Icmpv6(icmp) => match icmp.icmp_type() {
            Icmpv6Type::EchoRequest(_) | Icmpv6Type::EchoReply(_) => {
                (icmp.slice(), 58, icmp.payload())
            }
            _ => return None,
        },
        _ => return None,
    };
    let len = u16::try_from(segment.len()).ok()?.to_be_bytes();
    let pseudo = Sum16BitWords::new()
        .add_2bytes([0, protocol])
        .add_2bytes(len);
    let sum = match packet.net.as_ref()? {
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            right(Sum16BitWords::new().add_slice(header.slice()))?;
            match protocol {
                1 => Sum16BitWords::new(),
                _ => pseudo
                    .add_slice(&header.source())
                    .add_slice(&header.destination()),
            }
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            pseudo
                .add_slice(&header.source())
                .add_slice(&header.destination())
        }
        _ => return None,
    };
    right(sum.add_slice(segment)).map(|()| payload)
}

fn right(sum: Sum16BitWords) -> Option<()> {
    (sum.ones_complement() == 0).then_some(())
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
