//! AF_PACKET sockets: any interface, a system call per burst.

use super::{Interface, Missed, Rx, Tx};
use crate::error::Result;

/// Sends raw frames.
pub struct PacketTx {}

/// Receives every frame that the interface does.
pub struct PacketRx {}

/// A sender on `interface`.
///
/// # Errors
/// No permission, no such interface.
pub fn open_tx(interface: &Interface) -> Result<PacketTx> {
    let _ = interface;
    todo!()
}

/// A receiver on `interface`; `fanout` spreads the flows over `(index, of)` receivers that open the same interface.
///
/// # Errors
/// As [`open_tx`].
pub fn open_rx(interface: &Interface, fanout: Option<(u16, u16)>) -> Result<PacketRx> {
    let _ = (interface, fanout);
    todo!()
}

impl Tx for PacketTx {
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

impl Rx for PacketRx {
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
