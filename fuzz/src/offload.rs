//! A packet as a TUN hands it over: refused, or cut into segments that coalesce to what they were cut from; and the packet
//! as it is among them, coalesced with whatever it continues. Nobody panics, and each packet is in one group.
//!
//! ```text
//! input: | flags: bit 0 mends the IPv4 header checksum, bit 1 takes transport checksums for verified | virtio header | packet |
//! ```

use dataplane::offload::{GRO_PACKETS, Gro, Packet, Super, VnetHeader};

/// Mend the IPv4 header checksum, so that what is behind it is judged.
pub const MEND_IP: u8 = 1;
/// The transport checksums are taken for right.
pub const VERIFIED: u8 = 2;

/// Runs one packet.
pub fn check(input: &[u8]) {
    let [flags, rest @ ..] = input else { return };
    let Some((vnet, packet)) = rest.split_first_chunk() else {
        return;
    };
    let vnet = vnet_header(vnet);
    let mut packet = packet.to_vec();
    if flags & MEND_IP != 0 {
        mend_ip(&mut packet);
    }
    let mut burst = Vec::new();
    if let Ok(parsed) = Super::parse(&vnet, &packet) {
        let last = parsed.segments() - 1;
        // A segment a byte is legal, and 65,535 of them say no more than 60.
        for n in (0..last.min(GRO_PACKETS - 4)).chain([last]) {
            burst.push(segment(&parsed, n));
        }
        assert_eq!(parsed.write(last + 1, &mut [0; 70_000]), None);
        assert_eq!(parsed.segment_len(last + 1), 0);
    }
    burst.insert(burst.len() / 2, packet.clone());
    burst.push(packet);
    coalesce(&burst, flags & VERIFIED != 0);
}

/// One segment, whose length is known before it is written.
fn segment(parsed: &Super<'_>, n: usize) -> Vec<u8> {
    let len = parsed.segment_len(n);
    let mut out = vec![0; len];
    assert_eq!(parsed.write(n, &mut out), Some(len));
    let mut short = vec![0; len - 1];
    assert_eq!(parsed.write(n, &mut short), None);
    out
}

/// Each packet is in one group, each group of several is cut into its packets again.
fn coalesce(burst: &[Vec<u8>], verified: bool) {
    let packets: Vec<_> = burst
        .iter()
        .map(|bytes| Packet { bytes, verified })
        .collect();
    let mut gro = Gro::new(true);
    let mut seen = vec![false; burst.len()];
    for group in gro.gather(&packets) {
        let head = group.head();
        let (vnet, headers) = head.split_first_chunk().expect("a virtio header");
        let mut whole = headers.to_vec();
        for part in group.parts() {
            assert!(!std::mem::replace(&mut seen[part.index], true), "twice");
            whole.extend_from_slice(part.bytes);
        }
        if group.packets() == 1 {
            let part = group.parts().next().expect("a packet");
            assert_eq!(whole, burst[part.index]);
            continue;
        }
        assert!(whole.len() <= 65_535);
        let parsed = Super::parse(&vnet_header(vnet), &whole).expect("a packet of our own");
        assert_eq!(parsed.segments(), group.packets());
        for (n, part) in group.parts().enumerate() {
            let ours = without_sums(segment(&parsed, n));
            assert_eq!(ours, without_sums(burst[part.index].clone()));
        }
    }
    assert!(seen.iter().all(|seen| *seen), "lost");
}

/// What may differ: an identification that stood still, and checksums, for each has two zeros or was only said to be right.
fn without_sums(mut packet: Vec<u8>) -> Vec<u8> {
    let (protocol, transport) = if packet[0] >> 4 == 4 {
        packet[4..6].fill(0);
        packet[10..12].fill(0);
        (packet[9], 20)
    } else {
        (packet[6], 40)
    };
    let at = transport + if protocol == 6 { 16 } else { 6 };
    packet[at..at + 2].fill(0);
    packet
}

fn vnet_header(bytes: &[u8; VnetHeader::LEN]) -> VnetHeader {
    let field = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]).into();
    VnetHeader {
        flags: bytes[0],
        gso_type: bytes[1],
        hdr_len: field(2),
        gso_size: field(4),
        csum_start: field(6),
        csum_offset: field(8),
    }
}

fn mend_ip(packet: &mut [u8]) {
    let Some(first) = packet.first().filter(|first| *first >> 4 == 4) else {
        return;
    };
    let len = usize::from(first & 0xf) * 4;
    if len < 20 || len > packet.len() {
        return;
    }
    packet[10..12].fill(0);
    let mut sum: u32 = packet[..len]
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    packet[10..12].copy_from_slice(&(!sum as u16).to_be_bytes());
}
