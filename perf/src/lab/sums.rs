//! Which transport checksums of a capture are complete, begun, or wrong.
//!
//! tshark calls a checksum wrong that is only begun: its field holds the sum of the pseudo header, and a network card is to
//! add the rest. That is what an honest packet looks like on a device that leaves checksums to the next one, and after the
//! kernel's GRO; on a wire, or in a packet that no one shall touch any more, it is as wrong as any other.

use std::fs::File;

use contract::wire::{Ethernet, Ipv4, Protocol, Sum, Tcp, Udp};
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;
use zerocopy::FromBytes;

use super::capture::Pcap;
use super::error::{LabError, Result};

/// Packets of a capture by the state of their TCP or UDP checksum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Complete, and right.
    pub complete: usize,
    /// Begun. The lengths of the IP packets, bytes.
    pub begun: Vec<usize>,
    /// Neither.
    pub wrong: usize,
}

enum State {
    Complete,
    Begun,
    Wrong,
}

impl Pcap {
    /// Looks at each unfragmented TCP or UDP packet over IPv4; UDP without a checksum is passed over.
    pub fn sums(&self) -> Result<Sums> {
        let failed = |what: &'static str| {
            let path = self.path().display().to_string();
            LabError::parse(what, &path)
        };
        let file = File::open(self.path())
            .map_err(LabError::io(format!("open {}", self.path().display())))?;
        let mut reader = PcapReader::new(file).map_err(|_| failed("a capture"))?;
        let skip = match reader.header().datalink {
            DataLink::ETHERNET => Ethernet::LEN,
            _ => 0,
        };
        let mut sums = Sums::default();
        while let Some(packet) = reader.next_packet() {
            let packet = packet.map_err(|_| failed("a packet of a capture"))?;
            let bytes = packet.data.get(skip..).unwrap_or_default();
            match state(bytes) {
                Some((State::Complete, _)) => sums.complete += 1,
                Some((State::Begun, len)) => sums.begun.push(len),
                Some((State::Wrong, _)) => sums.wrong += 1,
                None => {}
            }
        }
        Ok(sums)
    }
}

/// The state, and the length of the packet.
fn state(bytes: &[u8]) -> Option<(State, usize)> {
    let (ip, _) = Ipv4::ref_from_prefix(bytes).ok()?;
    let (start, len) = (ip.header_len()?, usize::from(ip.total_len.get()));
    let message = bytes.get(start..len).filter(|_| !ip.is_fragment())?;
    let field = match ip.protocol {
        Protocol::TCP => Tcp::ref_from_prefix(message).ok()?.0.checksum,
        Protocol::UDP => Udp::ref_from_prefix(message).ok()?.0.checksum,
        _ => return None,
    };
    if ip.protocol == Protocol::UDP && field == [0, 0] {
        return None;
    }
    let pseudo = Sum::of(&ip.src)
        .plus(Sum::of(&ip.dst))
        .plus(Sum::word(ip.protocol.into()))
        .plus(Sum::word(message.len() as u16));
    let state = if pseudo.plus(Sum::of(message)).is_valid() {
        State::Complete
    } else if field == pseudo.to_field() {
        State::Begun
    } else {
        State::Wrong
    };
    Some((state, len))
}
