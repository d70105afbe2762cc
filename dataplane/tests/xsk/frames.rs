//! Literal frames for a node at 192.0.2.10 (a0) whose tunnel port is 8472.

/// Destination and source of what the peer sends over the `a` pair.
const MACS: [u8; 12] = [2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 1, 1];
/// The node's address on a0, and the peer's.
const NODE: [u8; 4] = [192, 0, 2, 10];
const PEER: [u8; 4] = [192, 0, 2, 11];

/// Ethernet, an ethertype, and what follows.
pub fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&MACS[..], &ethertype.to_be_bytes(), payload].concat()
}

/// An IPv4 header to the node and what follows; `patch` may spoil the header before it is summed.
pub fn ipv4(protocol: u8, payload: &[u8], patch: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut header = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0];
    header[2..4].copy_from_slice(&(20 + payload.len() as u16).to_be_bytes());
    header.extend(PEER);
    header.extend(NODE);
    patch(&mut header);
    let sum: u32 = header
        .chunks(2)
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let sum = !(((sum & 0xffff) + (sum >> 16)) as u16);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    ethernet(0x0800, &[header.as_slice(), payload].concat())
}

/// A UDP datagram from port 40000, no checksum.
pub fn udp(dport: u16, len: usize) -> Vec<u8> {
    let header = [40000u16, dport, 8 + len as u16, 0]
        .map(u16::to_be_bytes)
        .concat();
    [header, vec![0x5a; len]].concat()
}

/// A tunnel datagram to the node.
pub fn tunnel(len: usize) -> Vec<u8> {
    ipv4(17, &udp(8472, len), |_| {})
}

/// A UDP datagram over IPv6 to 2001:db8::`last`.
pub fn ipv6(last: u8, dport: u16) -> Vec<u8> {
    ipv6_with(last, 17, &udp(dport, 100), |_| {})
}

/// An IPv6 header to 2001:db8::`last` and what follows; `patch` may spoil the header.
pub fn ipv6_with(last: u8, next: u8, payload: &[u8], patch: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0, 0, payload.len() as u8, next, 64];
    header.extend([
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
    ]);
    header.extend([
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last,
    ]);
    patch(&mut header);
    ethernet(0x86dd, &[header.as_slice(), payload].concat())
}
