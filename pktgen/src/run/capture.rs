//! A capture file in memory: Ethernet frames with the times they were captured at.
//!
//! Invariant: every frame that is here can be sent as it is: it is complete, not shorter than an Ethernet header and
//! not longer than a buffer; times start at 0 and never go back. A file with one frame of which that is not true is
//! refused with the number of that frame, counted from 1 as Wireshark does: a replay that leaves out what it does not
//! like is another traffic than the one that was captured.
//!
//! Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng; parsing by the crate pcap-file.

mod classic;
mod next;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use pcap_file::{DataLink, PcapError};

use crate::error::{Failure, Result};
use crate::io::FRAME_ROOM;

/// Shortest frame: an Ethernet header.
const SHORTEST: usize = 14;

/// Largest file, bytes: all of it is held in memory, twice while it is read.
const LARGEST: u64 = 4 << 30;

/// The frames of a file.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// All frames, one behind the other.
    bytes: Vec<u8>,
    frames: Vec<Place>,
    /// Captured earlier than the frame before it in the file.
    back: u64,
    /// Time of the first, nanoseconds since 1970.
    first_ns: i128,
}

/// Where a frame is.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    len: usize,
    /// Nanoseconds after the first.
    at_ns: u64,
}

/// A frame as the file has it.
struct Found<'a> {
    bytes: &'a [u8],
    /// Its length on the wire.
    len: u64,
    /// Nanoseconds since 1970.
    at_ns: i128,
    link: DataLink,
}

impl Capture {
    /// Reads a pcap or pcapng file.
    ///
    /// # Errors
    /// [`Failure::Usage`]: it cannot be read, or something in it cannot be sent; the text has the number of the packet.
    pub fn read(file: &Path) -> Result<Self> {
        let named = |problem: String| Failure::Usage(format!("{}: {problem}", file.display()));
        let opened = File::open(file).map_err(|error| named(error.to_string()))?;
        let bytes = all(opened).map_err(named)?;
        Self::parse(&bytes).map_err(named)
    }

    /// From the bytes of such a file; what is wrong with them.
    ///
    /// # Errors
    /// As [`Capture::read`].
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let mut capture = Capture::default();
        let add = &mut |found: Found<'_>| capture.add(&found);
        match bytes.first_chunk() {
            Some([0xa1, 0xb2, 0xc3, 0xd4] | [0xd4, 0xc3, 0xb2, 0xa1])
            | Some([0xa1, 0xb2, 0x3c, 0x4d] | [0x4d, 0x3c, 0xb2, 0xa1]) => {
                classic::read(bytes, add)?;
            }
            Some([0x0a, 0x0d, 0x0d, 0x0a]) => next::read(bytes, add)?,
            Some([0x1f, 0x8b, _, _] | [0x28, 0xb5, 0x2f, 0xfd]) => {
                return Err("it is compressed; gunzip or unzstd it first".into());
            }
            _ => {
                return Err(
                    "it is neither pcap nor pcapng (as tcpdump -w and Wireshark write them)".into(),
                );
            }
        }
        if capture.frames.is_empty() {
            return Err("there is no packet in it".into());
        }
        Ok(capture)
    }

    /// Frames; at least one.
    pub fn count(&self) -> usize {
        self.frames.len()
    }

    /// Frame `index` (from 0), without FCS, and when it came, nanoseconds after the first.
    #[inline]
    pub fn frame(&self, index: usize) -> (&[u8], u64) {
        let place = self.frames[index];
        let end = place.start + place.len;
        (&self.bytes[place.start..end], place.at_ns)
    }

    /// Bytes of all frames, without FCS.
    pub fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// From the first to the last, nanoseconds.
    pub fn span_ns(&self) -> u64 {
        self.frames.last().map_or(0, |last| last.at_ns)
    }

    /// The mean gap between two, nanoseconds; 0 of a single one.
    pub fn gap_ns(&self) -> u64 {
        self.span_ns() / (self.frames.len() as u64).saturating_sub(1).max(1)
    }

    /// Frames that the file has behind one captured later. They go right behind that one.
    pub fn back(&self) -> u64 {
        self.back
    }

    fn add(&mut self, found: &Found<'_>) -> std::result::Result<(), String> {
        let number = self.frames.len() + 1;
        let bad = |why: String| Err(format!("packet {number} {why}"));
        if found.link != DataLink::ETHERNET {
            return bad(format!(
                "is of link type {:?}, not Ethernet; capture on one interface with Ethernet frames (not `-i any`)",
                found.link
            ));
        }
        let len = found.bytes.len();
        if found.len != len as u64 {
            return bad(format!(
                "has {len} of its {} bytes: the capture cut it; capture whole packets (`tcpdump -s 0`)",
                found.len
            ));
        }
        if !(SHORTEST..=FRAME_ROOM).contains(&len) {
            return bad(format!(
                "has {len} bytes; {SHORTEST} to {FRAME_ROOM} can be sent. Longer ones are segments not cut yet: \
                 capture with offloads off (`ethtool -K IF gro off gso off tso off`)"
            ));
        }
        if self.frames.is_empty() {
            self.first_ns = found.at_ns;
        }
        let before = self.span_ns();
        let Ok(at_ns) = u64::try_from((found.at_ns - self.first_ns).max(0)) else {
            return bad("was captured centuries after the first, so its time is wrong".into());
        };
        self.back += u64::from(at_ns < before || found.at_ns < self.first_ns);
        self.frames.push(Place {
            start: self.bytes.len(),
            len,
            at_ns: at_ns.max(before),
        });
        self.bytes.extend_from_slice(found.bytes);
        Ok(())
    }
}

/// All bytes of a file, if it is not too large. Looks at the beginning first: /dev/zero has no end.
fn all(mut file: File) -> std::result::Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for limit in [4, LARGEST] {
        let read = file.by_ref().take(limit).read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
        if bytes == [0; 4] {
            return Err("it is neither pcap nor pcapng: zeros".into());
        }
    }
    if bytes.len() as u64 > LARGEST {
        return Err(format!(
            "it has more than {} GiB, and is held in memory; cut it (`editcap -c 1000000 IN OUT`)",
            LARGEST >> 30
        ));
    }
    Ok(bytes)
}

/// What is wrong with packet `number`, or what stands in its place.
fn broken(number: u64, error: &PcapError) -> String {
    match error {
        PcapError::IncompleteBuffer => format!(
            "the file ends in the middle of packet {number}; keep those before it with `editcap IN OUT`"
        ),
        error => format!("packet {number}, or a block before it, is damaged: {error}"),
    }
}

#[cfg(test)]
mod tests;
