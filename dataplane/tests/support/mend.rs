//! Makes checksums right again after a change, so that only the change is at fault: what lets a mangled frame get past the
//! first check that it meets. Takes any bytes; where there is no header there is nothing to mend.

use super::dual::Over;
use super::model::{Packet, sum, word};

/// Checksums of a VXLAN frame: inner and outer IPv4 header, if they are that, outer UDP over as many bytes as it claims and has.
pub fn mend(frame: &mut [u8]) {
    if frame.len() < 14 {
        return;
    }
    let over = Over::of(frame);
    let (overhead, udp) = (over.overhead(), over.overhead() - 16);
    if frame.len() >= overhead + 34 && word(frame, overhead + 12) != 0x86dd {
        mend_ip(&mut frame[overhead + 14..]);
    }
    if frame.len() < udp + 8 {
        return;
    }
    if over == Over::V4 {
        mend_ip(&mut frame[14..]);
    }
    frame[udp + 6..udp + 8].fill(0);
    let len = word(frame, udp + 4);
    let end = (udp + usize::from(len)).min(frame.len()).max(udp);
    let checksum = !sum(&[
        &frame[over.addresses()],
        &[0, 17],
        &len.to_be_bytes(),
        &frame[udp..end],
    ]);
    // Zero would say that none was computed (RFC 768).
    let checksum = if checksum == 0 { 0xffff } else { checksum };
    frame[udp + 6..udp + 8].copy_from_slice(&checksum.to_be_bytes());
}

/// Checksum of the IPv4 header at the start of these bytes, over as many bytes as its length field says; over 20 when that
/// is no length. What claims to be IPv6 has none.
pub fn mend_ip(packet: &mut [u8]) {
    if packet.first().is_some_and(|byte| byte >> 4 == 6) {
        return;
    }
    let claimed = usize::from(packet.first().map_or(0, |byte| byte & 15)) * 4;
    let len = if claimed < 20 || claimed > packet.len() {
        20
    } else {
        claimed
    };
    if let Some(header) = packet.get_mut(..len) {
        header[10..12].fill(0);
        let checksum = !sum(&[header]);
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Checksum of the TCP, UDP or ICMP message in the packet at the start of these bytes, when it is whole.
pub fn mend_transport(bytes: &mut [u8]) {
    let Some(packet) = Packet::parse(bytes) else {
        return;
    };
    let at = match packet.protocol {
        1 | 58 => 2,
        6 => 16,
        17 => 6,
        _ => return,
    };
    let (start, end) = (packet.header_len, usize::from(packet.len));
    if packet.is_fragment() || end - start < at + 2 {
        return;
    }
    bytes[start + at..start + at + 2].fill(0);
    let checksum = !match packet.protocol {
        1 => sum(&[&bytes[start..end]]),
        _ => packet.pseudo_sum(&bytes[start..end]),
    };
    bytes[start + at..start + at + 2].copy_from_slice(&checksum.to_be_bytes());
}
