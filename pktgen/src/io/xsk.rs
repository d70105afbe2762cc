//! AF_XDP sockets, by xsk-rs. The only room with unsafe code but [`super::packet`].
//!
//! Each socket has a UMEM of its own, with two disjoint sets of frames: [`XskTx`] sends from one, [`XskRx`] receives
//! into the other, so the halves may live on two threads. Source: <https://docs.kernel.org/networking/af_xdp.html>.
//!
//! # Safety
//!
//! xsk-rs names a frame by a `FrameDesc`, which is `Copy`; that nobody uses a frame that is another's is up to us. The
//! protocol, which the functions marked unsafe below rely on:
//!
//! - Each frame belongs to one half, from `Umem::new` to the end. A half is made once, by `unsafe fn new`, with rings
//!   of one socket and frames of its UMEM.
//! - A descriptor in a half's list (`free`, `ours`) means that the frame's bytes are ours: only such frames are read or
//!   written, only by `&mut self`, and no reference outlives the call.
//! - To submit a frame is to take its descriptor off the list; from then on the bytes are the kernel's. It gives the
//!   frame back by a descriptor in the completion or rx ring, and each of those is put on the list once.
//!
//! ```text
//!   XskTx   free --submit--> tx ring, in flight --completion ring--> free
//!   XskRx   ours --submit--> fill ring, kernel  --rx ring----------> ours
//! ```
//!
//! The memory is mapped as long as any of the rings lives (xsk-rs counts), so no order of drops matters.

mod owner;
pub(in crate::io) mod refusal;
mod rx;
mod socket;
mod tx;

pub use rx::XskRx;
pub use socket::open;
pub use tx::XskTx;

/// Bytes of a UMEM chunk: one page, the most that the kernel takes. [`super::FRAME_ROOM`] of them are a frame's, behind
/// the 256 that the kernel keeps for XDP programs.
const CHUNK: u32 = 4096;

/// Frames to send from, and entries of the tx and completion rings.
const TX_FRAMES: u32 = 2048;

/// Frames to receive into, and entries of the rx and fill rings: a full rx ring is then as rare as an empty fill ring,
/// and a reader may be away for 4 ms at a million frames a second.
const RX_FRAMES: u32 = 4096;

/// How a socket came to be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binding {
    ZeroCopy,
    Copy,
    Generic,
}

impl Binding {
    /// As reports have it.
    fn name(self) -> &'static str {
        match self {
            Binding::ZeroCopy => "AF_XDP zero-copy",
            Binding::Copy => "AF_XDP copy",
            Binding::Generic => "AF_XDP generic",
        }
    }
}
