//! Looks for our mark in the IP headers of a frame that strict reading gave up: leniently, with no look at lengths and
//! checksums, for one of them is wrong.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use super::signature::MARK;

/// Where in a frame our mark is: in the outer and in the inner IP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    outer: Option<usize>,
    inner: Option<usize>,
}

impl Marks {
    /// Those of `frame`; UDP to one of `vxlan_ports` may carry an inner frame.
    pub fn find(frame: &[u8], vxlan_ports: &[u16]) -> Self {
        let (mut marks, mut inner) = (Marks::default(), None);
        if let Some(ip) = ip_header(frame, 0) {
            marks.outer = ip.mark(frame);
            inner = ip.inner(frame, vxlan_ports);
        }
        if let Some(ip) = inner.and_then(|at| ip_header(frame, at)) {
            marks.inner = ip.mark(frame);
        }
        marks
    }

    /// Whether there is any.
    pub fn any(self) -> bool {
        self.outer.or(self.inner).is_some()
    }

    /// Whether one is at this place.
    pub fn at(self, place: usize) -> bool {
        self.outer == Some(place) || self.inner == Some(place)
    }
}

struct IpHeader {
    at: usize,
    v6: bool,
}

/// The IP header in an Ethernet frame that begins at `at`, behind up to two VLAN tags.
fn ip_header(frame: &[u8], at: usize) -> Option<IpHeader> {
    let mut at = at + 12;
    for _ in 0..2 {
        if matches!(word(frame, at)?, 0x8100 | 0x88a8) {
            at += 4;
        }
    }
    let v6 = match word(frame, at)? {
        0x0800 => false,
        0x86dd => true,
        _ => return None,
    };
    Some(IpHeader { at: at + 2, v6 })
}

impl IpHeader {
    fn mark(&self, frame: &[u8]) -> Option<usize> {
        let place = self.at + if self.v6 { 2 } else { 4 };
        (word(frame, place)? == MARK).then_some(place)
    }

    /// Where the frame in a VXLAN packet begins.
    fn inner(&self, frame: &[u8], vxlan_ports: &[u16]) -> Option<usize> {
        let first = frame.get(self.at)?;
        let (protocol, len) = if self.v6 {
            (6, 40)
        } else {
            (9, usize::from(first & 15) * 4)
        };
        let port = word(frame, self.at + len + 2)?;
        let udp = *frame.get(self.at + protocol)? == 17;
        (udp && vxlan_ports.contains(&port)).then_some(self.at + len + 16)
    }
}

fn word(frame: &[u8], at: usize) -> Option<u16> {
    let bytes = frame.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes))
}
