//! AF_XDP: packets between a queue of a device and our memory, without the kernel's network stack.
//!
//! A worker has one [`Umem`], a region of equal chunks, and an [`Xsk`] for each port: the four rings over which chunks are
//! lent to the kernel and come back. The kernel fills chunks from the fill ring with received frames and names them in rx; it
//! sends the frames named in tx and gives their chunks back in completion. A [`Frame`] is a chunk that is ours just now.
//!
//! ```text
//!            refill            receive                        transmit            reclaim
//!   Pool ------------> fill -> rx ------> Burst --- worker ---> Burst -----> tx -> completion -----> Pool
//!                        (kernel writes)                             (kernel reads)
//! ```
//!
//! Conservation: pool + lent ([`Xsk::in_flight`]) + frames in hand = [`Umem::frames`], at any time.
//!
//! [`Xsk::memory`] makes the same rings over plain memory, with a [`KernelSide`] to play the kernel. [`Program`] is the XDP
//! program that steers frames of a device into the sockets on its queues.
//!
//! Our own layer because forwarding in place needs frames whose start moves and one region under several sockets.
//! Source: <https://docs.kernel.org/networking/af_xdp.html>; the verbs are libxdp's.

// What the kernel takes that rustix has no name for.
mod abi;
// Sockets on queues: options, the order of the calls, errors.
mod bind;
// Frames handled together.
mod burst;
// What the kernel knows of a device.
mod device;
// Why a socket cannot be opened.
mod error;
// A chunk that is ours.
mod frame;
// The other half of rings in plain memory.
mod kernel_side;
// Free frames.
mod pool;
// The XDP program: ours, or pass.
mod program;
// The bytes of a UMEM.
mod region;
// One ring.
mod ring;
// Ring memory.
mod shared;
// The four rings of a port.
mod socket;
// Atomics and cells, loom's or std's.
mod sync;
// Who has which chunk.
mod umem;
// The system calls of a socket.
mod wakeup;

pub use bind::{Binding, Bound};
pub use burst::{BURST, Burst};
pub use contract::config::{BindMode, Hugepages};
pub use contract::stats::BoundMode;
pub use device::{AttachedProgram, Device, DeviceError};
pub use error::XskError;
pub use frame::Frame;
pub use kernel_side::KernelSide;
pub use pool::Pool;
pub use program::{Kind, Program, ProgramError, Vtep};
pub use region::{Pages, UmemError};
pub use socket::{InFlight, Xsk};
pub use umem::{DEFAULT_HEADROOM, Umem, XDP_PACKET_HEADROOM};
pub use wakeup::{Kick, Wakeups};
