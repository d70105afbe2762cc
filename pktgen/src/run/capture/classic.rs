//! The classic pcap file: a header, then packets with a header of 16 bytes each.
//!
//! Read raw, without pcap-file's own checks: they refuse a cut packet for another reason than that it is cut, and files
//! whose header says a snap length of 0.

use pcap_file::TsResolution;
use pcap_file::pcap::PcapParser;

use super::{Found, broken};

/// Gives each packet to `add`.
pub(super) fn read(
    bytes: &[u8],
    add: &mut dyn FnMut(Found<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let (mut rest, parser) =
        PcapParser::new(bytes).map_err(|error| format!("the file header is damaged: {error}"))?;
    let header = parser.header();
    let (unit_ns, units) = match header.ts_resolution {
        TsResolution::MicroSecond => (1_000, 1_000_000),
        TsResolution::NanoSecond => (1, 1_000_000_000),
    };
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let (after, packet) =
            (parser.next_raw_packet(rest)).map_err(|error| broken(number, &error))?;
        if packet.ts_frac >= units {
            return Err(format!(
                "packet {number} is damaged: its time has {} parts of a second, of 0 to {}",
                packet.ts_frac,
                units - 1
            ));
        }
        add(Found {
            bytes: &packet.data,
            len: packet.orig_len.into(),
            at_ns: i128::from(packet.ts_sec) * 1_000_000_000 + i128::from(packet.ts_frac) * unit_ns,
            link: header.datalink,
        })?;
        rest = after;
    }
    Ok(())
}
