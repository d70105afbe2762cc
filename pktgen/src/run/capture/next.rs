//! The pcapng file: blocks, among them interfaces and packets. Each interface has a link type and a unit of time of
//! its own.

use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption::{
    IfTsOffset, IfTsResol,
};
use pcap_file::pcapng::{Block, PcapNgParser};

use super::{Found, broken};

/// Gives each packet to `add`.
pub(super) fn read(
    bytes: &[u8],
    add: &mut dyn FnMut(Found<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let (mut rest, mut parser) = PcapNgParser::new(bytes)
        .map_err(|error| format!("the section header is damaged: {error}"))?;
    let mut number = 1;
    while !rest.is_empty() {
        let (after, block) = (parser.next_block(rest)).map_err(|error| broken(number, &error))?;
        rest = after;
        match block {
            Block::EnhancedPacket(packet) => {
                let interface = parser.packet_interface(&packet).ok_or_else(|| {
                    format!(
                        "packet {number} is of interface {}, which the file does not describe",
                        packet.interface_id
                    )
                })?;
                // pcap-file gives the number of units as if they were nanoseconds.
                let units = packet.timestamp.as_nanos() as u64;
                let at_ns = since_1970(interface, units)
                    .ok_or_else(|| format!("packet {number} has a unit of time below 10^-18 s"))?;
                add(Found {
                    bytes: &packet.data,
                    len: packet.original_len.into(),
                    at_ns,
                    link: interface.linktype,
                })?;
            }
            Block::SimplePacket(_) | Block::Packet(_) => {
                return Err(format!(
                    "packet {number} is in a block without a usable time (Simple or obsolete Packet Block); write it anew \
                     with `editcap -F pcap IN OUT`"
                ));
            }
            _ => continue,
        }
        number += 1;
    }
    Ok(())
}

/// A packet's time as nanoseconds (draft-ietf-opsawg-pcapng section 4.2: if_tsresol, if_tsoffset).
fn since_1970(interface: &InterfaceDescriptionBlock<'_>, units: u64) -> Option<i128> {
    let (mut resolution, mut offset) = (6, 0);
    for option in &interface.options {
        match option {
            IfTsResol(value) => resolution = *value,
            IfTsOffset(seconds) => offset = seconds.cast_signed(),
            _ => {}
        }
    }
    // The high bit tells powers of two from powers of ten.
    let a_second: i128 = match (resolution & 0x80, resolution & 0x7f) {
        (0, exponent @ 0..=18) => 10_i128.pow(exponent.into()),
        (0x80, exponent @ 0..=59) => 1_i128 << exponent,
        _ => return None,
    };
    Some(i128::from(offset) * 1_000_000_000 + i128::from(units) * 1_000_000_000 / a_second)
}
