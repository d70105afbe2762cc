//! Which device carries the tunnel, and which address others send to: flannel's rules (main.go, pkg/ipmatch/match.go), as a pure
//! function of the node's devices, addresses and routes.
//!
//! In order: the interfaces by name or address; the patterns, each on all addresses and then on all names; the way to an
//! address. The first that leads to a device with an address is taken. With none of them configured: the device that has
//! `public_ip`, or that of the default route. Only control chooses; the engine opens the device that the tables name.

use std::net::Ipv4Addr;

use contract::config::{DeviceRef, Pattern, Underlay};
use thiserror::Error;

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The kernel's number for it.
    pub index: u32,
    /// Its name.
    pub name: String,
}

/// An IPv4 address of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whose it is.
    pub device: u32,
    /// The device's own side of it.
    pub ip: Ipv4Addr,
    /// Set by hand, not leased.
    pub permanent: bool,
    /// In a subnet in which another one is the first. (For IPv6 the same bit means temporary.)
    pub secondary: bool,
    /// Not to be used for new connections.
    pub deprecated: bool,
}

/// What there is to choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Devices, by index; without our own uplink, which must never carry itself.
    pub devices: Vec<Device>,
    /// Addresses, in the kernel's order.
    pub addresses: Vec<Address>,
    /// The device of the preferred default route.
    pub default_device: Option<u32>,
    /// The kernel's answer about `can_reach`: device and source address; or its "no", in words.
    pub reach: Option<Result<(u32, Option<Ipv4Addr>), String>>,
}

/// What is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The device.
    pub device: u32,
    /// Source of outer packets: an address of the device.
    pub address: Ipv4Addr,
    /// What peers send to: the same, or what `public_ip` says if that is an address in front of this node.
    pub public_ip: Ipv4Addr,
}

/// Why nothing could be chosen.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ChoiceError {
    /// Nothing that is configured leads to a device with an address.
    #[error("no device for the underlay: {tried}; this node has: {present}")]
    NoInterface {
        /// What was tried, and why not.
        tried: String,
        /// The devices that could be named, with their addresses.
        present: String,
    },
    /// No device was configured and no default route tells one.
    #[error(
        "this node has no IPv4 default route to tell the underlay device; set underlay.interface (--iface) to one of: {present}"
    )]
    NoDefaultRoute {
        /// The devices that could be named, with their addresses.
        present: String,
    },
    /// The device has no address to publish.
    #[error(
        "underlay device {0} has no IPv4 address that other nodes could send to; give it one, or choose another device"
    )]
    NoAddress(String),
    /// `public_ip` alone names the device, and no device has it.
    #[error(
        "no device has the address {public_ip} of underlay.public_ip (--public-ip); if it stands for this node behind NAT, name the \
         device with underlay.interface (--iface); this node has: {present}"
    )]
    NotHere {
        /// As configured.
        public_ip: Ipv4Addr,
        /// The devices that could be named, with their addresses.
        present: String,
    },
}

/// Chooses.
pub fn choose(config: &Underlay, node: &Node) -> Result<Choice, ChoiceError> {
    let (device, address) = node.device_and_address(config)?;
    let Some(public_ip) = config.public_ip else {
        return Ok(Choice {
            device,
            address,
            public_ip: address,
        });
    };
    // flannel would send from the first address all the same; but we take only what is sent to the address that we send from.
    let here = node.addresses_of(device).any(|a| a.ip == public_ip);
    Ok(Choice {
        device,
        address: if here { public_ip } else { address },
        public_ip,
    })
}

/// A device and the address of it that led there or is to be used.
type Found = (u32, Ipv4Addr);

impl Node {
    fn device_and_address(&self, config: &Underlay) -> Result<Found, ChoiceError> {
        let mut refusals = Vec::new();
        let mut take = |attempt: Result<Found, Refusal>| {
            attempt.map_err(|refusal| refusals.push(refusal)).ok()
        };
        for wanted in &config.interfaces {
            if let Some(found) = take(self.by_reference(wanted)) {
                return Ok(found);
            }
        }
        for pattern in &config.patterns {
            if let Some(found) = take(self.by_pattern(pattern)) {
                return Ok(found);
            }
        }
        if let (Some(target), Some(answer)) = (config.can_reach, &self.reach)
            && let Some(found) = take(self.by_reach(target, answer))
        {
            return Ok(found);
        }
        let present = self.present();
        match refusals.as_slice() {
            [] => match config.public_ip {
                Some(public_ip) => self
                    .by_address(public_ip)
                    .ok_or(ChoiceError::NotHere { public_ip, present }),
                None => {
                    let device = self
                        .default_device
                        .ok_or(ChoiceError::NoDefaultRoute { present })?;
                    let first = self.first_address(device);
                    first.map_err(|_| ChoiceError::NoAddress(self.name(device)))
                }
            },
            [Refusal::NoAddress(name)] => Err(ChoiceError::NoAddress(name.clone())),
            refusals => {
                let tried: Vec<_> = refusals.iter().map(Refusal::text).collect();
                let tried = tried.join(", ");
                Err(ChoiceError::NoInterface { tried, present })
            }
        }
    }

    fn by_reference(&self, wanted: &DeviceRef) -> Result<Found, Refusal> {
        match wanted {
            DeviceRef::Address(ip) => self
                .by_address(*ip)
                .ok_or_else(|| Refusal::Other(format!("no device has the address {ip}"))),
            DeviceRef::Name(name) => {
                let device = self.devices.iter().find(|device| device.name == *name);
                let device =
                    device.ok_or_else(|| Refusal::Other(format!("{name} does not exist")))?;
                self.first_address(device.index)
            }
        }
    }

    /// Whatever the address is: who names it wants it.
    fn by_address(&self, ip: Ipv4Addr) -> Option<Found> {
        let mut devices = self.devices.iter().map(|device| device.index);
        devices
            .find(|device| self.addresses_of(*device).any(|a| a.ip == ip))
            .map(|device| (device, ip))
    }

    fn by_pattern(&self, pattern: &Pattern) -> Result<Found, Refusal> {
        for device in &self.devices {
            let addresses = self.preferred(device.index);
            if let Some(ip) = addresses.iter().find(|ip| pattern.matches(&ip.to_string())) {
                return Ok((device.index, *ip));
            }
        }
        let named = self.devices.iter().find(|d| pattern.matches(&d.name));
        match named {
            Some(device) => self.first_address(device.index),
            None => Err(Refusal::Other(format!(
                "no address and no name matches {:?}",
                pattern.as_str()
            ))),
        }
    }

    fn by_reach(
        &self,
        target: Ipv4Addr,
        answer: &Result<(u32, Option<Ipv4Addr>), String>,
    ) -> Result<Found, Refusal> {
        match answer {
            Ok((device, Some(source))) => Ok((*device, *source)),
            Ok((device, None)) => self.first_address(*device),
            Err(why) => Err(Refusal::Other(format!("no way to {target}: {why}"))),
        }
    }

    fn first_address(&self, device: u32) -> Result<Found, Refusal> {
        match self.preferred(device).first() {
            Some(ip) => Ok((device, *ip)),
            None => Err(Refusal::NoAddress(self.name(device))),
        }
    }

    /// The addresses of a device that others could send to, best first; the kernel's order among equals.
    fn preferred(&self, device: u32) -> Vec<Ipv4Addr> {
        let mut usable: Vec<_> = self
            .addresses_of(device)
            .filter(|address| {
                let ip = address.ip;
                let nobody = ip.is_unspecified() || ip.is_broadcast() || ip.is_multicast();
                !(address.deprecated || nobody || ip.is_loopback())
            })
            .collect();
        usable.sort_by_key(|address| {
            (
                address.ip.is_link_local(),
                !address.permanent,
                address.secondary,
            )
        });
        usable.iter().map(|address| address.ip).collect()
    }

    fn addresses_of(&self, device: u32) -> impl Iterator<Item = &Address> {
        let addresses = self.addresses.iter();
        addresses.filter(move |address| address.device == device)
    }

    fn name(&self, device: u32) -> String {
        let found = self.devices.iter().find(|d| d.index == device);
        found.map_or_else(|| device.to_string(), |device| device.name.clone())
    }

    /// `eth0 (10.0.0.1), eth1`: what could be configured instead.
    fn present(&self) -> String {
        let others = self.devices.iter().filter(|device| device.name != "lo");
        let texts: Vec<_> = others
            .map(|device| {
                let addresses = self.preferred(device.index);
                let addresses: Vec<_> = addresses.iter().map(Ipv4Addr::to_string).collect();
                match addresses.as_slice() {
                    [] => device.name.clone(),
                    addresses => format!("{} ({})", device.name, addresses.join(", ")),
                }
            })
            .collect();
        match texts.as_slice() {
            [] => "none".into(),
            texts => texts.join(", "),
        }
    }
}

/// Why one attempt came to nothing.
enum Refusal {
    NoAddress(String),
    Other(String),
}

impl Refusal {
    fn text(&self) -> String {
        match self {
            Refusal::NoAddress(name) => format!("{name} has no IPv4 address"),
            Refusal::Other(text) => text.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
