//! The Ethernet address of a next hop.

use std::net::IpAddr;

use super::Interface;
use crate::error::Result;
use crate::profile::Mac;

/// The address that a packet to `to` would get on `interface`: by the route there and the neighbour table, which is filled by
/// asking if need be.
///
/// # Errors
/// No route over that interface; nobody answers.
pub fn find(interface: &Interface, to: IpAddr) -> Result<Mac> {
    let _ = (interface, to);
    todo!()
}
