//! The XDP program that takes frames away from the kernel, for AF_XDP receivers.

use super::{Interface, Mode, Take};
use crate::error::Result;

/// The program, on an interface. Dropping it detaches it.
pub struct Taker {}

impl Taker {
    /// Loads and attaches it: natively, or in the stack for [`Mode::Generic`]; [`Mode::Auto`] tries both.
    ///
    /// # Errors
    /// Another program is attached; the kernel or the driver refuses.
    pub fn attach(
        interface: &Interface,
        mode: Mode,
        take: Take,
        vxlan_ports: &[u16],
    ) -> Result<Self> {
        let _ = (interface, mode, take, vxlan_ports);
        todo!()
    }

    /// Whether it runs in the stack.
    pub fn is_generic(&self) -> bool {
        todo!()
    }

    /// From now on what it takes from `queue` goes to that socket.
    pub fn direct(&mut self, queue: u32, socket: std::os::fd::BorrowedFd<'_>) -> Result<()> {
        let _ = (queue, socket);
        todo!()
    }

    /// Frames left to the kernel so far, all queues.
    pub fn left(&self) -> Result<u64> {
        todo!()
    }
}
