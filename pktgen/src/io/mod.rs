//! Where frames enter and leave: one queue of an interface, by AF_XDP or AF_PACKET. XDP live frames ([`live`]) are made in the
//! kernel and have a door of their own.

pub mod link;
pub mod live;
pub mod neighbour;
pub mod netns;
pub mod packet;
pub mod take;
pub mod xsk;

use std::io;

/// An interface, by name, in a network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// As `ip link` has it.
    pub name: String,
    /// A name under /run/netns; `None`: where we are.
    pub netns: Option<String>,
}

/// How frames cross between us and the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// An AF_XDP socket.
    Xdp(Mode),
    /// An AF_PACKET socket: any interface, slower.
    Packet,
}

/// How an AF_XDP socket is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The first that works: zero-copy, copy, generic.
    Auto,
    /// The NIC reads and writes our memory.
    ZeroCopy,
    /// The driver runs the XDP program; the kernel copies.
    Copy,
    /// The stack runs the XDP program on finished skbs: any interface.
    Generic,
}

/// Which frames a receiver takes away from the kernel. What it leaves goes its usual way, and is
/// counted as [`Missed::left`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Those with our magic or our mark, plain or inside VXLAN: the machine's own traffic goes on.
    Ours,
    /// All but ARP and neighbour discovery: for interfaces that only test.
    All,
}

/// A transmit queue.
pub trait Tx {
    /// Writes `body` into every frame buffer, once: frame builders then rewrite only heads.
    fn prepare(&mut self, body: &[u8]);

    /// Sends up to `want` frames. `write` is called for each in turn with a buffer of [`FRAME_ROOM`] bytes and returns the
    /// frame's length (without FCS). Returns how many were handed over: fewer when the ring is full, never waiting.
    ///
    /// # Errors
    /// The interface went away or the like; not for a full ring.
    fn send(&mut self, want: usize, write: impl FnMut(&mut [u8]) -> usize) -> io::Result<usize>;

    /// Lets the kernel go on, takes back what it has finished with; frames handed over that it has not finished with yet.
    ///
    /// # Errors
    /// As [`Tx::send`].
    fn outstanding(&mut self) -> io::Result<usize>;
}

/// A receive queue.
pub trait Rx {
    /// Calls `read` with each frame that is there, up to a burst of 64; how many there were.
    ///
    /// # Errors
    /// The interface went away or the like.
    fn receive(&mut self, read: impl FnMut(&[u8])) -> io::Result<usize>;

    /// Sleeps until a frame is there or `timeout_ms` have passed.
    ///
    /// # Errors
    /// As [`Rx::receive`].
    fn wait(&mut self, timeout_ms: u16) -> io::Result<()>;

    /// What the kernel had for us and could not deliver, and what it was told to leave, since the queue was opened.
    ///
    /// # Errors
    /// As [`Rx::receive`].
    fn missed(&mut self) -> io::Result<Missed>;
}

/// Frames that came to a receiver's interface and not to the receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Lost for want of room in our rings: the receiver is too slow, the numbers of a run with such losses are not the path's.
    pub overrun: u64,
    /// Left to the kernel, for they are not ours. Only where the XDP program decides; with AF_PACKET everyone sees everything.
    pub left: u64,
}

impl Missed {
    /// What was missed since `before`.
    pub fn since(self, before: Missed) -> Missed {
        Missed {
            overrun: self.overrun.saturating_sub(before.overrun),
            left: self.left.saturating_sub(before.left),
        }
    }
}

/// Bytes a frame may have in a buffer.
pub const FRAME_ROOM: usize = 3520;

/// Most frames handed over at once.
pub const BURST: usize = 64;
