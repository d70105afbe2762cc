//! What became of a port that the tables ask for.

use crate::tables::PortKind;

/// Longest error text that the segment holds, bytes; longer ones are cut. The remedy stands last and must fit.
const ERROR_BYTES: usize = 256;
/// Words of a status: state, then the name (2), then the error text.
pub(super) const PORT_STATUS_WORDS: usize = 6 + 2 + ERROR_BYTES / 8;

/// In the error of a port that waits for a UDP port which another has.
pub const TAKEN: &str = "another tunnel owns it";

/// Whether a port carries traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortState {
    /// The tables do not name it.
    #[default]
    Absent,
    /// Bound on every worker's queue and steered to us.
    Up,
    /// Asked for, but it cannot be opened: see the error. The engine tries again each second.
    Failed,
}

impl PortState {
    /// Name for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            PortState::Absent => "closed",
            PortState::Up => "up",
            PortState::Failed => "failed",
        }
    }
}

/// How the kernel moves a port's frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BoundMode {
    /// Not bound.
    #[default]
    None,
    /// The device writes to our memory.
    ZeroCopy,
    /// Native XDP; the kernel copies.
    Copy,
    /// Generic XDP on socket buffers; the kernel copies.
    Generic,
    /// Memory rings inside the engine: tests.
    Memory,
    /// Queues of a TUN device; read and write copy.
    Tun,
    /// A UDP socket; the kernel copies.
    Udp,
}

impl BoundMode {
    /// Name for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            BoundMode::None => "none",
            BoundMode::ZeroCopy => "zero-copy",
            BoundMode::Copy => "copy",
            BoundMode::Generic => "generic",
            BoundMode::Memory => "memory",
            BoundMode::Tun => "tun",
            BoundMode::Udp => "udp",
        }
    }
}

/// A port as the engine sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortStatus {
    /// Carries traffic or not.
    pub state: PortState,
    /// Which side it is; `None` when absent.
    pub kind: Option<PortKind>,
    /// How it is bound.
    pub mode: BoundMode,
    /// Kernel index of the device, 0 when unknown.
    pub ifindex: u32,
    /// Queues that are bound: one per worker.
    pub queues: u32,
    /// Device name, at most 15 bytes.
    pub name: String,
    /// Why it failed and what to do, or why one that is up is not bound as would be best, at most 256 bytes of it; else empty.
    pub error: String,
}

impl PortStatus {
    /// Whether nothing is missing but the tunnel's UDP port, which another has.
    pub fn is_taken(&self) -> bool {
        self.state == PortState::Failed && self.error.contains(TAKEN)
    }

    pub(super) fn to_words(&self) -> [u64; PORT_STATUS_WORDS] {
        let mut words = [0; PORT_STATUS_WORDS];
        words[0] = self.state as u64;
        words[1] = self.kind.map_or(0, |kind| kind as u64);
        words[2] = self.mode as u64;
        words[3] = u64::from(self.ifindex);
        words[4] = u64::from(self.queues);
        pack(&mut words[6..8], &self.name);
        pack(&mut words[8..], &self.error);
        words
    }

    pub(super) fn from_words(words: &[u64; PORT_STATUS_WORDS]) -> Self {
        PortStatus {
            state: match words[0] {
                1 => PortState::Up,
                2 => PortState::Failed,
                _ => PortState::Absent,
            },
            kind: match words[1] {
                1 => Some(PortKind::Underlay),
                2 => Some(PortKind::Uplink),
                3 => Some(PortKind::Pod),
                _ => None,
            },
            mode: match words[2] {
                1 => BoundMode::ZeroCopy,
                2 => BoundMode::Copy,
                3 => BoundMode::Generic,
                4 => BoundMode::Memory,
                5 => BoundMode::Tun,
                6 => BoundMode::Udp,
                _ => BoundMode::None,
            },
            ifindex: words[3] as u32,
            queues: words[4] as u32,
            name: unpack(&words[6..8]),
            error: unpack(&words[8..]),
        }
    }
}

/// Text into words, cut at a character boundary, zero-padded.
fn pack(words: &mut [u64], text: &str) {
    let text = &text[..text.floor_char_boundary(words.len() * 8)];
    for (word, bytes) in words.iter_mut().zip(text.as_bytes().chunks(8)) {
        let mut padded = [0; 8];
        padded[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(padded);
    }
}

/// Words into text; what is not UTF-8 shows as replacement characters.
fn unpack(words: &[u64]) -> String {
    let bytes: Vec<u8> = words
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .take_while(|b| *b != 0)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_status_survives_the_segment(name in "[a-z0-9.]{1,15}", error in "[ -~é]{0,250}", ifindex: u32, queues: u32) {
            let error = error[..error.floor_char_boundary(ERROR_BYTES)].to_owned();
            let status = PortStatus {
                state: PortState::Failed, kind: Some(PortKind::Uplink), mode: BoundMode::Copy, ifindex, queues, name, error,
            };
            prop_assert_eq!(PortStatus::from_words(&status.to_words()), status);
        }

        #[test]
        fn any_words_are_a_status(words in proptest::collection::vec(any::<u64>(), PORT_STATUS_WORDS)) {
            PortStatus::from_words(&words.try_into().unwrap());
        }
    }

    #[test]
    fn a_long_error_is_cut_between_characters() {
        let status = PortStatus {
            error: "é".repeat(200),
            ..Default::default()
        };
        assert_eq!(
            PortStatus::from_words(&status.to_words()).error,
            "é".repeat(128)
        );
    }
}
