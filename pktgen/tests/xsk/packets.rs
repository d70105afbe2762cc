//! Literal packets of each kind, written byte by byte: nothing of the program's own builder is in them. Ethernet
//! addresses are those of the test wire, so that the kernel at the far end would accept what is left to it.

use super::support::wire::{A_MAC, B_MAC};

/// First bytes of a payload of ours.
const MAGIC: [u8; 2] = *b"tw";
/// IPv4 identification, IPv6 flow label.
const MARK: [u8; 2] = [0x74, 0x77];

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
const VLAN: u16 = 0x8100;
const QINQ: u16 = 0x88a8;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const FRAGMENT: u8 = 44;
const GRE: u8 = 47;
const ICMPV6: u8 = 58;

/// One kind, and what is to become of it.
pub struct Packet {
    pub name: &'static str,
    pub frame: Vec<u8>,
    pub is_ours: bool,
    pub is_discovery: bool,
}

/// A UDP packet of ours; its content depends on `number` everywhere.
pub fn ours(number: u32, len: usize) -> Vec<u8> {
    let mut payload = MAGIC.to_vec();
    payload.extend(number.to_be_bytes());
    payload.extend(
        (0..)
            .map(|i: u32| (number.wrapping_mul(31) ^ i) as u8)
            .take(len - 48),
    );
    ethernet(IPV4, &ipv4(MARK, UDP, &udp(9, &payload)))
}

/// A UDP packet of someone else's.
pub fn foreign(len: usize) -> Vec<u8> {
    ethernet(IPV4, &ipv4([1, 2], UDP, &udp(9, &vec![7; len - 42])))
}

/// An echo request of someone else's.
pub fn echo(len: usize) -> Vec<u8> {
    ethernet(IPV4, &ipv4([3, 4], ICMP, &icmp(8, &vec![7; len - 42])))
}

/// A question for an address that nobody has.
pub fn arp() -> Vec<u8> {
    let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1];
    arp.extend(mac(A_MAC));
    arp.extend([10, 9, 0, 1, 0, 0, 0, 0, 0, 0, 10, 9, 0, 77]);
    ethernet(ARP, &arp)
}

/// All kinds.
pub fn table() -> Vec<Packet> {
    let magic = [&MAGIC[..], &[0; 16]].concat();
    let other = vec![7; 18];
    let marked = |protocol, transport: &[u8]| ethernet(IPV4, &ipv4(MARK, protocol, transport));
    let plain = |protocol, transport: &[u8]| ethernet(IPV4, &ipv4([0, 0], protocol, transport));
    let v6 = |label, protocol, transport: &[u8]| ethernet(IPV6, &ipv6(label, protocol, transport));
    let label = [0, MARK[0], MARK[1]];
    let tunnel = |dport, inner: &[u8]| {
        let vxlan = [&[8, 0, 0, 0, 0, 0, 1, 0][..], inner].concat();
        plain(UDP, &udp(dport, &vxlan))
    };
    let whole = plain(UDP, &udp(9, &magic));
    vec![
        is_ours("udp, mark and magic", marked(UDP, &udp(9, &magic))),
        is_ours("udp, mark, magic damaged", marked(UDP, &udp(9, &other))),
        is_ours("udp, magic, mark damaged", whole.clone()),
        is_ours("tcp, mark", marked(TCP, &tcp(5, &other))),
        is_ours("tcp, magic", plain(TCP, &tcp(5, &magic))),
        is_ours("tcp with options, magic", plain(TCP, &tcp(15, &magic))),
        is_ours("icmp, mark", marked(ICMP, &icmp(8, &other))),
        is_ours("icmp, magic", plain(ICMP, &icmp(0, &magic))),
        is_ours("ip options, magic", options(&udp(9, &magic))),
        is_ours("fragment, mark", fragment(MARK, &other)),
        is_ours("v6 udp, label", v6(label, UDP, &udp(9, &other))),
        is_ours("v6 udp, magic", v6([0; 3], UDP, &udp(9, &magic))),
        is_ours("v6 tcp, magic", v6([0; 3], TCP, &tcp(5, &magic))),
        is_ours("v6 icmp, magic", v6([0; 3], ICMPV6, &icmp(128, &magic))),
        is_ours("v6 fragment, label", v6(label, FRAGMENT, &fragment6(UDP))),
        is_ours("vlan", tagged(VLAN, &whole)),
        is_ours("two vlans", tagged(QINQ, &tagged(VLAN, &whole))),
        is_ours("vxlan 8472", tunnel(8472, &whole)),
        is_ours(
            "vxlan 4789, inner v6",
            tunnel(4789, &v6(label, UDP, &udp(9, &other))),
        ),
        is_foreign("udp", plain(UDP, &udp(9, &other))),
        is_foreign(
            "udp, magic later",
            plain(UDP, &udp(9, &[&other[..], &magic].concat())),
        ),
        // The protocol may be what was damaged.
        is_ours("a protocol not ours, mark", marked(GRE, &other)),
        is_foreign("fragment, magic", fragment([0, 0], &magic)),
        is_foreign("vxlan at a port of no tunnel", tunnel(4790, &whole)),
        is_foreign("vxlan, foreign inside", tunnel(8472, &foreign(100))),
        is_foreign("vxlan in vxlan", tunnel(8472, &tunnel(8472, &whole))),
        is_foreign("vxlan, short inside", tunnel(8472, &whole[..20])),
        is_foreign(
            "v6, another label",
            v6([8, MARK[0], MARK[1]], UDP, &udp(9, &other)),
        ),
        is_foreign("v6 echo", v6([0; 3], ICMPV6, &icmp(128, &other))),
        is_foreign(
            "three vlans",
            tagged(VLAN, &tagged(VLAN, &tagged(VLAN, &whole))),
        ),
        is_foreign("unknown ethertype", ethernet(0x88b5, &magic)),
        is_foreign("cut in the ip header", cut(&whole, 30)),
        is_foreign("cut in front of the magic", cut(&whole, 43)),
        is_foreign("header length of 4 bytes", short_header(&whole)),
        is_discovery("arp", arp()),
        is_discovery("arp in a vlan", tagged(VLAN, &arp())),
        is_discovery("solicitation", v6([0; 3], ICMPV6, &icmp(135, &other))),
        is_discovery("redirect", v6([0; 3], ICMPV6, &icmp(137, &other))),
        is_foreign(
            "v6 icmp behind discovery",
            v6([0; 3], ICMPV6, &icmp(138, &other)),
        ),
    ]
}

fn is_ours(name: &'static str, frame: Vec<u8>) -> Packet {
    Packet {
        name,
        frame,
        is_ours: true,
        is_discovery: false,
    }
}

fn is_foreign(name: &'static str, frame: Vec<u8>) -> Packet {
    Packet {
        is_ours: false,
        ..is_ours(name, frame)
    }
}

fn is_discovery(name: &'static str, frame: Vec<u8>) -> Packet {
    Packet {
        is_discovery: true,
        ..is_foreign(name, frame)
    }
}

fn ethernet(protocol: u16, packet: &[u8]) -> Vec<u8> {
    let head = [mac(B_MAC), mac(A_MAC)].concat();
    [&head, &protocol.to_be_bytes()[..], packet].concat()
}

fn ipv4(identification: [u8; 2], protocol: u8, transport: &[u8]) -> Vec<u8> {
    let len = (20 + transport.len() as u16).to_be_bytes();
    let [i0, i1] = identification;
    let mut head = vec![0x45, 0, len[0], len[1], i0, i1, 0x40, 0, 64, protocol, 0, 0];
    head.extend([10, 9, 0, 1, 10, 9, 0, 2]);
    let sum = checksum(&head);
    head[10..12].copy_from_slice(&sum);
    [&head, transport].concat()
}

fn ipv6(label: [u8; 3], protocol: u8, transport: &[u8]) -> Vec<u8> {
    let len = (transport.len() as u16).to_be_bytes();
    let mut head = vec![
        0x60, label[0], label[1], label[2], len[0], len[1], protocol, 255,
    ];
    for host in [1, 2] {
        head.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]);
    }
    [&head, transport].concat()
}

/// No checksum: nobody here looks at it.
fn udp(dport: u16, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len() as u16).to_be_bytes();
    let [d0, d1] = dport.to_be_bytes();
    [&[4, 0, d0, d1, len[0], len[1], 0, 0][..], payload].concat()
}

fn tcp(words: u8, payload: &[u8]) -> Vec<u8> {
    let mut head = vec![1; usize::from(words) * 4];
    head[12] = words << 4;
    [&head, payload].concat()
}

fn icmp(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, 0, 0, 0, 0, 1, 0, 1][..], payload].concat();
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum);
    message
}

/// A header with four bytes of options.
fn options(transport: &[u8]) -> Vec<u8> {
    let mut packet = ipv4([0, 0], UDP, transport);
    packet.splice(20..20, [1, 1, 1, 0]);
    packet[0] = 0x46;
    ethernet(IPV4, &packet)
}

/// A later fragment.
fn fragment(identification: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let mut packet = ipv4(identification, UDP, &udp(9, payload));
    packet[6..8].copy_from_slice(&[0x20, 0x10]);
    ethernet(IPV4, &packet)
}

fn fragment6(protocol: u8) -> Vec<u8> {
    [&[protocol, 0, 0x05, 0xb0, 0, 0, 0, 9][..], &[7; 32]].concat()
}

fn tagged(protocol: u16, frame: &[u8]) -> Vec<u8> {
    let [p0, p1] = protocol.to_be_bytes();
    let mut tagged = frame.to_vec();
    tagged.splice(12..12, [p0, p1, 0, 5]);
    tagged
}

fn cut(frame: &[u8], len: usize) -> Vec<u8> {
    frame[..len].to_vec()
}

fn short_header(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[14] = 0x41;
    frame
}

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

fn mac(text: &str) -> Vec<u8> {
    text.split(':')
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}
