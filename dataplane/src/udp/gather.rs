//! Which frames of a burst leave as one message.
//!
//! With UDP_SEGMENT the kernel takes up to 64 datagrams of one flow in one piece, walks its stack once, and cuts it at the
//! device or leaves that to it. What may be joined: consecutive frames with the same outer addresses, ports and TOS, of one
//! length; the last may be shorter. Only consecutive ones, so that no packet overtakes another, of whatever flow.
//!
//! Pure: from headers to ranges of a burst. The rules are those of `udp_send_skb` and `__udp_gso_segment` in
//! <https://github.com/torvalds/linux/blob/v6.17/net/ipv4/udp.c>.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::xsk::BURST;

/// Most datagrams in one message, UDP_MAX_SEGMENTS before Linux 6.9 made it 128: a burst is no longer.
const MOST_FRAMES: u8 = 64;
/// Most bytes in one message: what is left of an IPv4 packet.
const MOST_BYTES: u32 = 65_535 - 28;

/// What frames of one message have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) dst: SocketAddrV4,
    /// Source port that encapsulation computed from the inner flow.
    pub(super) sport: u16,
    pub(super) tos: u8,
}

/// Consecutive frames of a burst that leave together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) flow: Flow,
    /// Index of its first frame in the burst.
    pub(super) first: u8,
    /// Frames.
    pub(super) frames: u8,
    /// Bytes of each datagram's payload; the last one's may be fewer.
    pub(super) segment: u16,
    bytes: u32,
    /// A shorter datagram ended it.
    ended: bool,
}

impl Message {
    pub(super) const NONE: Message = Message {
        flow: Flow {
            dst: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
            sport: 0,
            tos: 0,
        },
        first: 0,
        frames: 0,
        segment: 0,
        bytes: 0,
        ended: true,
    };

    /// Joins the datagram of the next frame, if it may.
    fn join(&mut self, flow: &Flow, len: u16) -> bool {
        let bytes = self.bytes + u32::from(len);
        let joins = !self.ended
            && self.flow == *flow
            && (1..=self.segment).contains(&len)
            && self.frames < MOST_FRAMES
            && bytes <= MOST_BYTES;
        if joins {
            self.frames += 1;
            self.bytes = bytes;
            self.ended = len < self.segment;
        }
        joins
    }

    /// Indices of its frames in the burst.
    pub(super) fn range(&self) -> std::ops::Range<usize> {
        let first = usize::from(self.first);
        first..first + usize::from(self.frames)
    }

    /// A bit for each of its frames.
    pub(super) fn bits(&self) -> u64 {
        const { assert!(BURST == u64::BITS as usize) };
        self.range().fold(0, |bits, index| bits | 1 << index)
    }

    /// The same frames, a message each.
    pub(super) fn singly(&self) -> impl Iterator<Item = Message> {
        (self.first..self.first + self.frames).map(|first| Message {
            first,
            frames: 1,
            ..*self
        })
    }
}

/// The messages of a burst, in its order.
pub(super) struct Messages {
    all: [Message; BURST],
    len: usize,
}

impl Messages {
    /// None yet.
    pub(super) fn new() -> Self {
        Messages {
            all: [Message::NONE; BURST],
            len: 0,
        }
    }

    /// Puts the datagram of the frame with this index into the last message or into a new one. `may_join` says whether
    /// datagrams of that length may be joined at all.
    pub(super) fn push(&mut self, index: u8, flow: Flow, len: u16, may_join: bool) {
        let last = self.len.checked_sub(1).and_then(|at| self.all.get_mut(at));
        if let Some(last) = last
            && last.first + last.frames == index
            && last.join(&flow, len)
        {
            return;
        }
        if let Some(slot) = self.all.get_mut(self.len) {
            *slot = Message {
                flow,
                first: index,
                frames: 1,
                segment: len,
                bytes: u32::from(len),
                ended: !may_join,
            };
            self.len += 1;
        }
    }

    /// All of them.
    pub(super) fn as_slice(&self) -> &[Message] {
        self.all.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flow(n: u8) -> Flow {
        Flow {
            dst: SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, n & 1), 8472),
            sport: 40_000 + u16::from(n >> 1 & 1),
            tos: n >> 2 & 1,
        }
    }

    /// Ranges of frames and segment lengths.
    fn gathered(datagrams: &[(u8, u16)]) -> Vec<(u8, u8, u16)> {
        let mut messages = Messages::new();
        for (index, (number, len)) in datagrams.iter().enumerate() {
            messages.push(index as u8, flow(*number), *len, true);
        }
        let all = messages.as_slice().iter();
        all.map(|m| (m.first, m.frames, m.segment)).collect()
    }

    #[test]
    fn a_run_of_one_length_is_one_message_and_a_shorter_one_ends_it() {
        let run = [(0, 1430), (0, 1430), (0, 700), (0, 1430), (0, 1431)];
        assert_eq!(gathered(&run), [(0, 3, 1430), (3, 1, 1430), (4, 1, 1431)]);
    }

    #[test]
    fn another_address_port_or_tos_starts_a_message() {
        let run = [(0, 100), (1, 100), (1, 100), (3, 100), (7, 100), (0, 100)];
        let messages = [
            (0, 1, 100),
            (1, 2, 100),
            (3, 1, 100),
            (4, 1, 100),
            (5, 1, 100),
        ];
        assert_eq!(gathered(&run), messages);
    }

    #[test]
    fn a_message_holds_64_datagrams_and_what_fits_in_a_packet() {
        assert_eq!(gathered(&[(0, 90); BURST]), [(0, 64, 90)]);
        let [first, second] = gathered(&[(0, 1430); BURST])[..] else {
            panic!()
        };
        assert_eq!((first, second), ((0, 45, 1430), (45, 19, 1430)));
    }

    #[test]
    fn where_joining_is_refused_every_frame_is_a_message() {
        let mut messages = Messages::new();
        (0..3).for_each(|index| messages.push(index, flow(0), 1430, false));
        assert_eq!(messages.as_slice().len(), 3);
        let mut one = Messages::new();
        (0..3).for_each(|index| one.push(index, flow(0), 1430, true));
        let singly: Vec<_> = one.as_slice()[0]
            .singly()
            .map(|m| (m.first, m.frames))
            .collect();
        assert_eq!(singly, [(0, 1), (1, 1), (2, 1)]);
    }

    proptest! {
        /// What the kernel makes of the messages are the datagrams of the burst, in its order.
        #[test]
        fn cut_as_the_kernel_cuts_they_are_the_burst_again(
            datagrams in proptest::collection::vec(
                (prop_oneof![4 => Just(0u8), 1 => 0..8u8], prop_oneof![4 => Just(1430u16), 1 => 0..1500u16, 1 => Just(65_507u16)]),
                0..=BURST,
            ),
        ) {
            let mut messages = Messages::new();
            for (index, (number, len)) in datagrams.iter().enumerate() {
                messages.push(index as u8, flow(*number), *len, true);
            }
            let mut cut = Vec::new();
            for message in messages.as_slice() {
                let frames = usize::from(message.first)..usize::from(message.first + message.frames);
                prop_assert_eq!(frames.start, cut.len(), "in order, none left out");
                // One stream of bytes, each marked with the frame that it is of.
                let bytes: Vec<usize> = frames.clone()
                    .flat_map(|frame| std::iter::repeat_n(frame, datagrams[frame].1.into()))
                    .collect();
                prop_assert!(bytes.len() <= 65_507);
                match message.frames {
                    1 => cut.push((message.flow, bytes)),
                    frames => {
                        let segments = bytes.chunks(message.segment.into());
                        prop_assert_eq!(segments.len(), usize::from(frames));
                        cut.extend(segments.map(|segment| (message.flow, segment.to_vec())));
                    }
                }
            }
            let expected: Vec<_> = datagrams.iter().enumerate()
                .map(|(index, (number, len))| (flow(*number), vec![index; usize::from(*len)]))
                .collect();
            prop_assert_eq!(cut, expected);
        }
    }
}
