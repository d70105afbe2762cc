//! What the kernel knows of a device: index, MTU, whether it is up, and the XDP program on it.
//!
//! One rtnetlink question (RTM_GETLINK by name) in the namespace of the calling thread. Asked before anything is bound or
//! attached, so that an error can say what is wrong and not only which number came back.
//! Layout: <https://docs.kernel.org/userspace-api/netlink/intro.html>, `linux/if_link.h`.

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::abi;

/// A device of the calling thread's network namespace, as it was when asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// The kernel's index.
    pub index: u32,
    /// Bytes of the largest packet (without the Ethernet header).
    pub mtu: u32,
    /// Whether it is administratively up. A socket cannot be bound to a device that is down.
    pub is_up: bool,
    /// Whether it has a carrier: a cable, or for a TUN a queue that somebody has attached. A device that is down shows none.
    pub has_carrier: bool,
    /// Queues in use; `None` if the driver does not tell.
    pub queues: Option<u32>,
    /// The XDP program on it.
    pub program: Option<AttachedProgram>,
}

/// An XDP program on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachedProgram {
    /// Its id, as `bpftool prog show id` takes it.
    pub id: u32,
    /// Whether it runs on socket buffers, after the driver.
    pub is_generic: bool,
}

/// Why a device cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// Nothing by that name.
    #[error(
        "there is no interface {0:?} in this network namespace; `ip link` lists them (underlay.interface, overlay.device)"
    )]
    Missing(String),
    /// The question could not be asked, or the answer is none.
    #[error("cannot ask the kernel about interface {interface:?}: {operation}: {errno}")]
    Netlink {
        /// The device.
        interface: String,
        /// Which step.
        operation: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
}

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_PROG_ID: u16 = 4;
const IFLA_XDP_DRV_PROG_ID: u16 = 5;
const IFLA_XDP_SKB_PROG_ID: u16 = 6;
const XDP_ATTACHED_SKB: u8 = 2;
const IFF_UP: u32 = 1;
const IFF_LOWER_UP: u32 = 1 << 16;

/// `struct nlmsghdr`, then `struct ifinfomsg`.
const HEADERS: usize = 16 + 16;
/// The high bits say that an attribute is nested or in network order.
const ATTRIBUTE_TYPE: u16 = 0x3fff;

impl Device {
    /// Asks about `interface`.
    pub fn find(interface: &str) -> Result<Device, DeviceError> {
        let failed = |operation| {
            move |errno| match errno {
                Errno::NODEV => DeviceError::Missing(interface.into()),
                errno => DeviceError::Netlink {
                    interface: interface.into(),
                    operation,
                    errno,
                },
            }
        };
        if interface.is_empty() || interface.len() >= libc::IFNAMSIZ {
            return Err(DeviceError::Missing(interface.into()));
        }
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            // NETLINK_ROUTE is protocol 0, which rustix spells as none.
            None,
        )
        .map_err(failed("netlink socket"))?;
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&socket, &question(interface), SendFlags::empty(), &kernel)
            .map_err(failed("RTM_GETLINK"))?;
        // An answer of a plain device is some 2 KB; one with many virtual functions does not carry them unless asked to.
        let mut answer = vec![0; 32 << 10];
        let (len, _) = rustix::net::recv(&socket, answer.as_mut_slice(), RecvFlags::empty())
            .map_err(failed("answer"))?;
        let device = parse(answer.get(..len).unwrap_or_default()).map_err(failed("RTM_GETLINK"))?;
        let any = rustix::net::socket_with(
            AddressFamily::INET,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(failed("socket"))?;
        Ok(Device {
            queues: abi::queues(any.as_fd(), interface),
            ..device
        })
    }
}

fn question(interface: &str) -> Vec<u8> {
    let name = [interface.as_bytes(), &[0]].concat();
    let attribute = 4 + name.len();
    let mut message = Vec::with_capacity(HEADERS + attribute + 3);
    message.extend(((HEADERS + attribute) as u32).to_ne_bytes());
    message.extend(RTM_GETLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    message.resize(HEADERS, 0); // sequence, port and `struct ifinfomsg`: any device
    message.extend((attribute as u16).to_ne_bytes());
    message.extend(IFLA_IFNAME.to_ne_bytes());
    message.extend(name);
    message.resize(message.len().next_multiple_of(4), 0);
    message
}

fn parse(message: &[u8]) -> Result<Device, Errno> {
    match u16_at(message, 4).ok_or(Errno::BADMSG)? {
        NLMSG_ERROR => {
            let code = u32_at(message, 16).ok_or(Errno::BADMSG)?.cast_signed();
            return Err(Errno::from_raw_os_error(code.saturating_neg()));
        }
        RTM_NEWLINK => {}
        _ => return Err(Errno::BADMSG),
    }
    let flags = u32_at(message, 24).ok_or(Errno::BADMSG)?;
    let mut device = Device {
        name: String::new(),
        index: u32_at(message, 20).ok_or(Errno::BADMSG)?,
        mtu: 0,
        is_up: flags & IFF_UP != 0,
        has_carrier: flags & IFF_LOWER_UP != 0,
        queues: None,
        program: None,
    };
    for (kind, value) in Attributes(message.get(HEADERS..).ok_or(Errno::BADMSG)?) {
        match kind {
            IFLA_IFNAME => {
                device.name = String::from_utf8_lossy(value).trim_end_matches('\0').into()
            }
            IFLA_MTU => device.mtu = u32_at(value, 0).ok_or(Errno::BADMSG)?,
            IFLA_XDP => device.program = attached(value),
            _ => {}
        }
    }
    Ok(device)
}

fn attached(nested: &[u8]) -> Option<AttachedProgram> {
    let (mut id, mut is_generic) = (None, false);
    for (kind, value) in Attributes(nested) {
        match kind {
            IFLA_XDP_ATTACHED => is_generic = value.first() == Some(&XDP_ATTACHED_SKB),
            // With programs in two modes there is no plain id, but one for each.
            IFLA_XDP_PROG_ID | IFLA_XDP_DRV_PROG_ID | IFLA_XDP_SKB_PROG_ID => {
                id = id.or(u32_at(value, 0))
            }
            _ => {}
        }
    }
    id.map(|id| AttachedProgram { id, is_generic })
}

/// Type and value of each netlink attribute; ends at the first that is not whole.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let len = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & ATTRIBUTE_TYPE;
        let value = self.0.get(4..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    #[cfg(not(miri))]
    fn loopback_is_a_device() {
        let lo = Device::find("lo").unwrap();
        assert_eq!(
            (lo.name.as_str(), lo.index, lo.mtu, lo.program),
            ("lo", 1, 65536, None)
        );
    }

    #[test]
    #[cfg(not(miri))]
    fn a_name_that_nothing_has_is_missing() {
        for name in ["tweed-none", "", "a-name-longer-than-fifteen-bytes"] {
            let error = Device::find(name).unwrap_err();
            assert!(
                matches!(&error, DeviceError::Missing(missing) if missing == name),
                "{error}"
            );
        }
    }

    #[test]
    fn a_program_in_the_answer_is_told_with_its_id() {
        let attribute = |kind: u16, value: &[u8]| {
            let mut bytes = [(4 + value.len() as u16).to_ne_bytes(), kind.to_ne_bytes()].concat();
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let nested = [
            attribute(IFLA_XDP_ATTACHED, &[2]),
            attribute(IFLA_XDP_SKB_PROG_ID, &77u32.to_ne_bytes()),
        ]
        .concat();
        let mut message = vec![0; HEADERS];
        message[4..6].copy_from_slice(&RTM_NEWLINK.to_ne_bytes());
        message[20] = 9;
        message.extend(attribute(IFLA_IFNAME, b"eth0\0"));
        message.extend(attribute(IFLA_XDP | 0x8000, &nested));
        let device = parse(&message).unwrap();
        assert_eq!(
            (device.name.as_str(), device.index, device.is_up),
            ("eth0", 9, false)
        );
        assert_eq!(
            device.program,
            Some(AttachedProgram {
                id: 77,
                is_generic: true
            })
        );
    }

    proptest! {
        #[test]
        fn any_answer_is_parsed_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), link: bool) {
            if let (true, Some(kind)) = (link, bytes.get_mut(4..6)) {
                kind.copy_from_slice(&RTM_NEWLINK.to_ne_bytes());
            }
            let _ = parse(&bytes);
        }
    }
}
