//! Makes checksums right again after a change, so that only the change is at fault: what lets a mangled frame get past the
//! first check that it meets. Takes any bytes; where there is no header there is nothing to mend.

use super::model::{OUTER, Packet, sum, word};

/// Checksums of a VXLAN frame: inner IPv4 header, outer IPv4 header, outer UDP over as many bytes as it claims and has.
pub fn mend(frame: &mut [u8]) {
    if frame.len() >= OUTER + 34 {
        mend_ip(&mut frame[OUTER + 14..]);
    }
    if frame.len() < 42 {
        return;
    }
    mend_ip(&mut frame[14..]);
    frame[40..42].fill(0);
    let len = word(frame, 38);
    let end = (34 + usize::from(len)).min(frame.len()).max(34);
    let checksum = !sum(&[
        &frame[26..34],
        &[0, 17],
        &len.to_be_bytes(),
        &frame[34..end],
    ]);
    // Zero would say that none was computed (RFC 768).
    frame[40..42].copy_from_slice(&if checksum == 0 { 0xffff } else { checksum }.to_be_bytes());
}

/// Checksum of the IPv4 header at the start of these bytes, over as many bytes as its length field says; over 20 when that
/// is no length.
pub fn mend_ip(packet: &mut [u8]) {
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
        1 => 2,
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
