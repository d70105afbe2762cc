//! What a device's driver offers to XDP, as it says itself (linux: Documentation/netlink/specs/netdev.yaml, Linux 6.3).

use std::io;

use rtnetlink::packet_core::DefaultNla;

use super::generic::{Family, attribute};

/// linux: include/uapi/linux/netdev.h
mod abi {
    pub const DEV_GET: u8 = 1;
    pub const IFINDEX: u16 = 1;
    pub const XDP_FEATURES: u16 = 3;
    pub const BASIC: u64 = 1;
    pub const REDIRECT: u64 = 1 << 1;
    pub const ZERO_COPY: u64 = 1 << 3;
}

/// What a driver can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XdpFeatures {
    /// Native XDP, with redirection into a socket.
    pub native: bool,
    /// AF_XDP without a copy.
    pub zero_copy: bool,
}

/// Asks; an error if the kernel cannot tell (before 6.3).
pub fn features(device: u32) -> io::Result<XdpFeatures> {
    let netdev = Family::open("netdev")?;
    let index = DefaultNla::new(abi::IFINDEX, device.to_ne_bytes().to_vec());
    let answer = netdev.call(abi::DEV_GET, &[index])?;
    let bits = attribute(&answer, abi::XDP_FEATURES)
        .and_then(|value| value.try_into().ok())
        .map(u64::from_ne_bytes)
        .ok_or(io::ErrorKind::InvalidData)?;
    let has = |wanted| bits & wanted == wanted;
    Ok(XdpFeatures {
        native: has(abi::BASIC | abi::REDIRECT),
        zero_copy: has(abi::ZERO_COPY),
    })
}
