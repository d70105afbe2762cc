//! AF_XDP sockets, by xsk-rs. The only room with unsafe code but [`super::packet`].

use super::{Interface, Missed, Mode, Rx, Tx};
use crate::error::Result;

/// Transmit half of a socket, with the frames it sends from.
pub struct XskTx {}

/// Receive half of a socket, with the frames it receives into.
pub struct XskRx {}

/// Opens a socket on a queue. The receive half gets nothing until a [`Taker`](super::take::Taker) directs frames to it.
/// `rx` tells whether to give the kernel frames to receive into.
///
/// # Errors
/// The queue does not exist, is taken, or cannot do the mode.
pub fn open(interface: &Interface, queue: u32, mode: Mode, rx: bool) -> Result<(XskTx, XskRx)> {
    let _ = (interface, queue, mode, rx);
    todo!()
}

impl XskTx {
    /// How it was bound: `AF_XDP zero-copy`, `AF_XDP copy`, `AF_XDP generic`.
    pub fn binding(&self) -> &'static str {
        todo!()
    }
}

impl XskRx {
    /// As [`XskTx::binding`].
    pub fn binding(&self) -> &'static str {
        todo!()
    }

    /// For [`Taker::direct`](super::take::Taker::direct).
    pub fn socket(&self) -> std::os::fd::BorrowedFd<'_> {
        todo!()
    }
}

impl Tx for XskTx {
    fn prepare(&mut self, body: &[u8]) {
        let _ = body;
        todo!()
    }
    fn send(
        &mut self,
        want: usize,
        write: impl FnMut(&mut [u8]) -> usize,
    ) -> std::io::Result<usize> {
        let _ = (want, write);
        todo!()
    }
    fn outstanding(&mut self) -> std::io::Result<usize> {
        todo!()
    }
}

impl Rx for XskRx {
    fn receive(&mut self, read: impl FnMut(&[u8])) -> std::io::Result<usize> {
        let _ = read;
        todo!()
    }
    fn wait(&mut self, timeout_ms: u16) -> std::io::Result<()> {
        let _ = timeout_ms;
        todo!()
    }
    fn missed(&mut self) -> std::io::Result<Missed> {
        todo!()
    }
}
