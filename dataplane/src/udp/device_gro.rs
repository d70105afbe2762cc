//! Generic receive offload of the device under a UDP port: it is what makes UDP_GRO worth its name.
//!
//! Datagrams of a flow are put together where the driver hands them to the kernel (`napi_gro_receive`), before they walk its
//! stack, or not at all. NICs come with it switched on and veth devices with it off, so a port switches it on and, when it
//! closes, off again if it was off. A killed engine leaves it on, which only saves the kernel work.
//!
//! # Safety
//! ioctl(2) with a descriptor that is open during the call and an ifreq, NUL-terminated name and all, that points to an
//! `ethtool_value`; both outlive the call.
#![expect(unsafe_code, reason = "no crate here wraps SIOCETHTOOL")]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// `struct ethtool_value` (linux/ethtool.h).
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

const ETHTOOL_GGRO: u32 = 0x2b;
const ETHTOOL_SGRO: u32 = 0x2c;

/// A device whose GRO we switched on: off again when dropped.
pub struct DeviceGro {
    name: String,
}

impl DeviceGro {
    /// Switches it on; `None` if it was.
    pub fn switch_on(name: &str) -> io::Result<Option<DeviceGro>> {
        if ask(name, ETHTOOL_GGRO, 0)? != 0 {
            return Ok(None);
        }
        ask(name, ETHTOOL_SGRO, 1)?;
        let name = name.to_owned();
        Ok(Some(DeviceGro { name }))
    }
}

impl Drop for DeviceGro {
    fn drop(&mut self) {
        // An error: the device is gone, and its settings with it.
        let _ = ask(&self.name, ETHTOOL_SGRO, 0);
    }
}

/// Asks the device of this name in the thread's network namespace.
fn ask(name: &str, command: u32, data: u32) -> io::Result<u32> {
    let flags = SocketFlags::CLOEXEC;
    let socket: OwnedFd =
        rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    let mut value = Value { command, data };
    // SAFETY: ifreq is plain data, for which zeros are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: an open descriptor, an ifreq and what it points to, which outlive the call.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    match answer {
        0 => Ok(value.data),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_or_cannot_be_is_an_error() {
        assert!(DeviceGro::switch_on("tweed-none").is_err());
        let long = DeviceGro::switch_on("a-name-of-sixteen-bytes-or-more");
        assert!(long.is_err_and(|error| error.kind() == io::ErrorKind::InvalidInput));
    }
}
