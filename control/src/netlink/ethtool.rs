//! What a device can do and does: features and channels (linux: Documentation/networking/ethtool-netlink.rst).

use std::io;

use rtnetlink::packet_core::DefaultNla;

use super::generic::{Family, attribute, attributes, nest, number, text};

/// linux: include/uapi/linux/ethtool_netlink.h
mod abi {
    pub const FEATURES_GET: u8 = 11;
    pub const FEATURES_SET: u8 = 12;
    pub const CHANNELS_GET: u8 = 17;
    pub const HEADER: u16 = 1;
    pub const HEADER_DEV_NAME: u16 = 2;
    pub const FEATURES_WANTED: u16 = 3;
    pub const FEATURES_ACTIVE: u16 = 4;
    pub const BITSET_BITS: u16 = 3;
    pub const BITSET_BITS_BIT: u16 = 1;
    pub const BITSET_BIT_NAME: u16 = 2;
    pub const CHANNELS_RX_MAX: u16 = 2;
    pub const CHANNELS_TX_MAX: u16 = 3;
    pub const CHANNELS_COMBINED_MAX: u16 = 5;
    pub const CHANNELS_RX: u16 = 6;
    pub const CHANNELS_TX: u16 = 7;
    pub const CHANNELS_COMBINED: u16 = 9;
}

/// A socket of the `ethtool` family.
pub struct Ethtool(Family);

/// How many queues a device has: those that a socket may be bound to, and those that it could have. The larger of receive
/// and transmit queues counts (linux: net/xdp/xsk.c, `xsk_reg_pool_at_qid`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// In use.
    pub now: u32,
    /// At most.
    pub most: u32,
}

impl Ethtool {
    /// Opens it; an error if the kernel has none (before 5.6).
    pub fn open() -> io::Result<Self> {
        Family::open("ethtool").map(Ethtool)
    }

    /// The features that are on.
    pub fn active(&self, device: &str) -> io::Result<Vec<String>> {
        let answer = self.0.call(abi::FEATURES_GET, &[header(device)])?;
        let bits = attribute(&answer, abi::FEATURES_ACTIVE)
            .and_then(|set| attribute(set, abi::BITSET_BITS))
            .ok_or(io::ErrorKind::InvalidData)?;
        Ok(attributes(bits)
            .filter_map(|(_, bit)| attribute(bit, abi::BITSET_BIT_NAME))
            .map(|name| String::from_utf8_lossy(name.strip_suffix(b"\0").unwrap_or(name)).into())
            .collect())
    }

    /// Switches features off. A bit that is named without a value is one to be cleared.
    pub(super) fn switch_off(&self, device: &str, features: &[String]) -> io::Result<()> {
        let bits = features.iter().map(|feature| {
            let name = DefaultNla::new(abi::BITSET_BIT_NAME, text(feature));
            nest(abi::BITSET_BITS_BIT, &[name])
        });
        let bits = nest(abi::BITSET_BITS, &bits.collect::<Vec<_>>());
        let wanted = nest(abi::FEATURES_WANTED, &[bits]);
        self.0
            .call(abi::FEATURES_SET, &[header(device), wanted])
            .map(drop)
    }

    /// The device's queues; an error if its driver does not tell.
    pub fn channels(&self, device: &str) -> io::Result<Channels> {
        let answer = self.0.call(abi::CHANNELS_GET, &[header(device)])?;
        let count = |kind| number(&answer, kind).unwrap_or(0);
        Ok(Channels {
            now: count(abi::CHANNELS_COMBINED)
                + count(abi::CHANNELS_RX).max(count(abi::CHANNELS_TX)),
            most: count(abi::CHANNELS_COMBINED_MAX)
                + count(abi::CHANNELS_RX_MAX).max(count(abi::CHANNELS_TX_MAX)),
        })
    }
}

fn header(device: &str) -> DefaultNla {
    let name = DefaultNla::new(abi::HEADER_DEV_NAME, text(device));
    nest(abi::HEADER, &[name])
}
