//! What the machine says about an interface.

use super::Interface;
use crate::error::Result;
use crate::profile::Mac;

/// An interface that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Kernel's index, in its namespace.
    pub index: u32,
    /// Its address.
    pub mac: Mac,
    /// MTU, bytes.
    pub mtu: u32,
    /// Driver.
    pub driver: String,
    /// Mbit/s, if the driver tells.
    pub speed: Option<u32>,
    /// Receive queues.
    pub rx_queues: u32,
    /// Transmit queues.
    pub tx_queues: u32,
}

/// Looks it up.
///
/// # Errors
/// [`Failure::Environment`](crate::error::Failure::Environment): no such interface or namespace, or it is down.
pub fn find(interface: &Interface) -> Result<Link> {
    let _ = interface;
    todo!()
}
