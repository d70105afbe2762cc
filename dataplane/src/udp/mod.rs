//! A plain UDP socket as a port: the kernel makes and takes off the outer headers.
//!
//! ```text
//!   frames of a burst ── gather ──► messages ── sendmmsg, UDP_SEGMENT ──► kernel: route, headers, device
//!   burst ◄── frames ◄── headers ◄── recvmsg, UDP_GRO ◄── socket on the tunnel port ◄── kernel: reassembly, checksum
//! ```
//!
//! It serves where AF_XDP does not: for datagrams that came in fragments, which only the kernel's reassembly makes whole;
//! on devices, and for processes, that may have no AF_XDP socket; and it may carry bulk where there is only copy mode, for
//! there each packet walks the kernel's device layer alone, and here up to 64 walk its stack together
//! (docs/decisions/0011-udp-underlay.md). Frames that come in get the outer headers back that they would have had, so
//! `encap` and `decap` know nothing of it.
//!
//! A frame is copied by the kernel while the call lasts: none is in flight between two turns.

// sendmmsg and recvmsg.
mod abi;
// Sockets and their options.
mod bind;
// The device below.
mod device_gro;
// Which frames leave as one message.
mod gather;
// Outer headers.
mod headers;
// From the kernel into frames.
mod receive;
// From frames to the kernel.
mod send;
// Super-packets that nobody cut.
mod whole;

use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::{BorrowedFd, OwnedFd};

pub use bind::UdpError;
pub use device_gro::DeviceGro;
use receive::Receiver;
use send::Sender;

use crate::throttle::Throttle;
use crate::xsk::{Burst, Pool, Wakeups};

/// Sockets that a worker sends by, so source ports of its outer headers. With 16, two flows in a receiver of four queues
/// share a queue hardly oftener than with a port each; each costs a file and its buffers.
const SENDERS: usize = 16;

/// One worker's part of a UDP port.
pub struct Udp {
    receiver: Receiver,
    sender: Sender,
}

impl Udp {
    /// Sockets on the tunnel address, so many that each worker has one. Fails if another owns the port.
    pub fn bind(address: impl Into<SocketAddr>, workers: usize) -> Result<Vec<OwnedFd>, UdpError> {
        bind::tunnel(address.into(), workers)
    }

    /// An underlay port over a socket of [`bind`](Self::bind) with this address. Received frames carry `port`. `mtu`: bytes of
    /// the largest packet that pods take, to which a peer's super-packet is cut.
    pub fn underlay(
        socket: OwnedFd,
        address: SocketAddrV4,
        port: u8,
        mtu: u16,
    ) -> Result<Self, UdpError> {
        bind::gather(&socket)?;
        Ok(Udp {
            receiver: Receiver::new(socket, address.into(), port, mtu, Throttle::short()),
            sender: Sender::new(bind::senders(*address.ip(), SENDERS)?),
        })
    }

    /// The slow path beside an AF_XDP port: it only receives, and seldom. Of either family. Arguments as for
    /// [`underlay`](Self::underlay).
    ///
    /// The kernel puts nothing together for it: generic XDP comes after that (GRO), and would find packets longer than a chunk
    /// on a device whose datagrams are to be ours one by one.
    pub fn slow_path(socket: OwnedFd, address: SocketAddr, port: u8, mtu: u16) -> Self {
        Udp {
            receiver: Receiver::new(socket, address, port, mtu, Throttle::long()),
            sender: Sender::new(Vec::new()),
        }
    }

    /// Fills `out` up with received frames, in chunks from the pool; returns how many came.
    #[inline(never)]
    pub fn receive(&mut self, out: &mut Burst, pool: &mut Pool) -> usize {
        self.receiver.receive(out, pool)
    }

    /// Sends frames and frees them into the pool; returns how many. What the kernel did not take stays in the burst.
    #[inline(never)]
    pub fn transmit(&mut self, burst: &mut Burst, pool: &mut Pool) -> usize {
        self.sender.transmit(burst, pool)
    }

    /// Whether datagrams that were read wait for free chunks.
    pub fn is_pending(&self) -> bool {
        self.receiver.is_pending()
    }

    /// The worker slept in poll(2): the socket may have something.
    pub fn wake(&mut self) {
        self.receiver.wake();
    }

    /// The socket on the tunnel port.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.receiver.fd()
    }

    /// The system calls that sent.
    pub fn wakeups(&self) -> Wakeups {
        self.sender.wakeups()
    }
}

#[cfg(test)]
mod tests;
