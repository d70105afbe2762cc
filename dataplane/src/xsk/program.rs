//! The XDP program on a device: ours, or pass (`bpf/steer.bpf.c`).
//!
//! One for a device, with a map of one socket per queue. Attaching it alone changes nothing, for a queue without a socket
//! passes; traffic is ours from [`Program::set_socket`] to [`Program::unset_socket`] or the drop. So the way up is sockets,
//! program, `set_socket`; the way down is the reverse, and a process that dies skips all of it: the attachment is a bpf link,
//! which the kernel removes with its last descriptor. Nothing is pinned; /sys/fs/bpf need not exist.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use aya::maps::{Array, MapData, MapError, XskMap};
use aya::programs::links::FdLink;
use aya::programs::{Xdp, XdpMode};
use aya::{Ebpf, EbpfError, EbpfLoader};
use rustix::io::Errno;

use super::{BindMode, Device, DeviceError};

/// The object that build.rs compiled, aligned for the ELF reader.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/steer.bpf.o"));

/// Which frames a device gives to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole packets of the tunnel to our VTEP; all else stays with the kernel.
    Underlay,
    /// Every frame.
    Overlay,
}

/// Where the tunnel's packets are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vtep {
    /// Our underlay address; unspecified: none.
    pub ip4: Ipv4Addr,
    /// Our IPv6 underlay address; unspecified: none.
    pub ip6: Ipv6Addr,
    /// UDP destination port.
    pub dport: u16,
    /// Bytes of the longest frame that fits in a chunk: [`Umem::receive_room`](super::Umem::receive_room).
    pub longest: u16,
    /// Protocol above IPv4: UDP, or IP in IP, which has no port. Above IPv6 there is only UDP.
    pub protocol: u8,
}

impl Vtep {
    /// `struct vtep` of the program: network byte order, but for the length.
    fn to_bytes(self) -> [u8; 28] {
        let mut bytes = [0; 28];
        let fields = [
            &self.ip4.octets()[..],
            &self.dport.to_be_bytes(),
            &self.longest.to_ne_bytes(),
            &[self.protocol, 0, 0, 0],
            &self.ip6.octets(),
        ];
        bytes
            .iter_mut()
            .zip(fields.into_iter().flatten())
            .for_each(|(to, from)| *to = *from);
        bytes
    }
}

/// Why a program cannot be attached or told something.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// No such device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Something else is attached.
    #[error(
        "interface {interface} has an XDP program already (id {id}; `bpftool prog show id {id}` tells whose); stop what \
         attached it, or `ip link set {interface} {} off`", if *.is_generic { "xdpgeneric" } else { "xdp" }
    )]
    Taken {
        /// The device.
        interface: String,
        /// The program's id.
        id: u32,
        /// Whether it is generic.
        is_generic: bool,
    },
    /// The driver cannot run XDP at this MTU.
    #[error(
        "the driver of interface {interface} cannot run XDP with an MTU of {mtu} here or at the far end ({errno}); lower the \
         MTU (3498 fits everywhere), or set underlay.mode = \"generic\" for slow generic XDP"
    )]
    Mtu {
        /// The device.
        interface: String,
        /// Its MTU.
        mtu: u32,
        /// What the kernel said.
        errno: Errno,
    },
    /// The driver has no XDP, and native was asked for.
    #[error(
        "the driver of interface {interface} has no native XDP ({errno}); set underlay.mode = \"auto\" or \"generic\" for \
         generic XDP"
    )]
    NoNative {
        /// The device.
        interface: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// Not allowed to.
    #[error(
        "not permitted to load an XDP program for interface {interface}; run as root, or with CAP_BPF, CAP_NET_ADMIN and \
         CAP_PERFMON"
    )]
    NotPermitted {
        /// The device.
        interface: String,
    },
    /// A link is not to be had.
    #[error(
        "this kernel cannot attach XDP to interface {interface} by a bpf link; tweed needs Linux 5.10 or later"
    )]
    NoLink {
        /// The device.
        interface: String,
    },
    /// The object does not load.
    #[error("cannot load the XDP program for interface {interface}: {source}")]
    Load {
        /// The device.
        interface: String,
        /// What aya or the verifier said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Attaching failed otherwise.
    #[error("cannot attach the XDP program to interface {interface}: {source}")]
    Attach {
        /// The device.
        interface: String,
        /// What the kernel said.
        source: Box<aya::programs::ProgramError>,
    },
    /// A map refused.
    #[error("cannot write the {map} map of the XDP program on interface {interface}: {source}")]
    Map {
        /// The device.
        interface: String,
        /// Which map.
        map: &'static str,
        /// What the kernel said.
        source: Box<MapError>,
    },
}

/// A program on a device; dropping it detaches.
pub struct Program {
    interface: String,
    is_generic: bool,
    vtep: Array<MapData, [u8; 28]>,
    sockets: XskMap<MapData>,
    /// Held to be closed.
    _link: FdLink,
}

impl Program {
    /// Loads the program for `kind` and attaches it to `interface`, in the calling thread's network namespace.
    ///
    /// `Auto` takes native XDP if the driver has any, else generic; `ZeroCopy` and `Copy` insist on native. Nothing is taken
    /// from the kernel before [`set_socket`](Self::set_socket), and for the underlay [`set_vtep`](Self::set_vtep).
    pub fn attach(interface: &str, kind: Kind, mode: BindMode) -> Result<Program, ProgramError> {
        let device = Device::find(interface)?;
        if let Some(there) = device.program {
            let (interface, id, is_generic) = (interface.into(), there.id, there.is_generic);
            return Err(ProgramError::Taken {
                interface,
                id,
                is_generic,
            });
        }
        let load =
            |source: Box<dyn std::error::Error + Send + Sync>| match os_error(source.as_ref()) {
                Some(Errno::PERM | Errno::ACCESS) => ProgramError::NotPermitted {
                    interface: interface.into(),
                },
                _ => ProgramError::Load {
                    interface: interface.into(),
                    source,
                },
            };
        // No BTF of the running kernel is needed: the program touches no kernel structure.
        let mut object = EbpfLoader::new()
            .btf(None)
            .load(OBJECT)
            .map_err(|e: EbpfError| load(e.into()))?;
        let name = match kind {
            Kind::Underlay => "underlay",
            Kind::Overlay => "overlay",
        };
        let program = object
            .program_mut(name)
            .ok_or_else(|| load(format!("no program {name} in the object").into()))?;
        let program: &mut Xdp = program
            .try_into()
            .map_err(|e: aya::programs::ProgramError| load(e.into()))?;
        program.load().map_err(|e| load(e.into()))?;

        let (link, is_generic) = match mode {
            BindMode::Generic => (attach(program, &device, XdpMode::Skb)?, true),
            BindMode::ZeroCopy | BindMode::Copy => {
                (attach(program, &device, XdpMode::Driver)?, false)
            }
            // The last two are no modes of AF_XDP, and no port of theirs comes here.
            BindMode::Auto | BindMode::Tun | BindMode::Udp => {
                match attach(program, &device, XdpMode::Driver) {
                    Err(ProgramError::NoNative { .. }) => {
                        (attach(program, &device, XdpMode::Skb)?, true)
                    }
                    native => (native?, false),
                }
            }
        };
        Ok(Program {
            interface: interface.into(),
            is_generic,
            vtep: take(&mut object, "vtep", interface)?,
            sockets: take(&mut object, "sockets", interface)?,
            _link: link,
        })
    }

    /// Whether it runs on socket buffers, after the driver, and not in the driver.
    pub fn is_generic(&self) -> bool {
        self.is_generic
    }

    /// The device it is on.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Gives the frames of a queue to the socket that is bound there ([`Xsk::fd`](super::Xsk::fd)).
    pub fn set_socket(&mut self, queue: u32, socket: BorrowedFd<'_>) -> Result<(), ProgramError> {
        self.sockets
            .set(queue, socket.as_raw_fd(), 0)
            .map_err(map_error("sockets", &self.interface))
    }

    /// Leaves the frames of a queue to the kernel. Closing the socket does the same.
    pub fn unset_socket(&mut self, queue: u32) -> Result<(), ProgramError> {
        self.sockets
            .unset(queue)
            .map_err(map_error("sockets", &self.interface))
    }

    /// Says what is ours on the underlay, at any time. Of no effect on an overlay program.
    pub fn set_vtep(&mut self, vtep: &Vtep) -> Result<(), ProgramError> {
        self.vtep
            .set(0, vtep.to_bytes(), 0)
            .map_err(map_error("vtep", &self.interface))
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("interface", &self.interface)
            .field("is_generic", &self.is_generic)
            .finish_non_exhaustive()
    }
}

/// Attaches by a link. aya falls back to netlink where links are not known; that attachment would outlive us, so it is undone.
fn attach(program: &mut Xdp, device: &Device, mode: XdpMode) -> Result<FdLink, ProgramError> {
    let interface = || device.name.clone();
    let link = program
        .attach_to_if_index(device.index, mode)
        .map_err(|source| match os_error(&source) {
            // Lost a race for the device: who has it now?
            Some(Errno::BUSY | Errno::EXIST) => match Device::find(&device.name) {
                Ok(Device {
                    program: Some(there),
                    ..
                }) => ProgramError::Taken {
                    interface: interface(),
                    id: there.id,
                    is_generic: there.is_generic,
                },
                _ => ProgramError::Attach {
                    interface: interface(),
                    source: source.into(),
                },
            },
            Some(errno @ Errno::RANGE) => ProgramError::Mtu {
                interface: interface(),
                mtu: device.mtu,
                errno,
            },
            Some(errno @ Errno::OPNOTSUPP) if mode == XdpMode::Driver => ProgramError::NoNative {
                interface: interface(),
                errno,
            },
            Some(Errno::PERM | Errno::ACCESS) => ProgramError::NotPermitted {
                interface: interface(),
            },
            _ => ProgramError::Attach {
                interface: interface(),
                source: source.into(),
            },
        })?;
    let link = program.take_link(link);
    let link = link.map_err(|source| ProgramError::Attach {
        interface: interface(),
        source: source.into(),
    })?;
    FdLink::try_from(link).map_err(|_| ProgramError::NoLink {
        interface: interface(),
    })
}

/// Takes a map out of the object, as the type that the program has for it.
fn take<T>(object: &mut Ebpf, name: &'static str, interface: &str) -> Result<T, ProgramError>
where
    T: TryFrom<aya::maps::Map, Error = MapError>,
{
    let map = object
        .take_map(name)
        .ok_or_else(|| MapError::InvalidName { name: name.into() });
    map.and_then(T::try_from)
        .map_err(map_error(name, interface))
}

fn map_error(map: &'static str, interface: &str) -> impl Fn(MapError) -> ProgramError {
    move |source| ProgramError::Map {
        interface: interface.into(),
        map,
        source: source.into(),
    }
}

/// The errno at the root of an error of aya's.
fn os_error(error: &(dyn std::error::Error + 'static)) -> Option<Errno> {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<std::io::Error>();
        if let Some(errno) = io.and_then(Errno::from_io_error) {
            return Some(errno);
        }
        next = error.source();
    }
    None
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_vtep_is_written_as_the_program_reads_it() {
        let vtep = Vtep {
            ip4: Ipv4Addr::new(192, 0, 2, 1),
            ip6: "2001:db8::1".parse().unwrap(),
            dport: 8472,
            longest: 1742,
            protocol: 17,
        };
        let longest = 1742_u16.to_ne_bytes();
        let expected = [
            &[192, 0, 2, 1][..],
            &[0x21, 0x18, longest[0], longest[1], 17, 0, 0, 0],
            &[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ];
        assert_eq!(vtep.to_bytes().as_slice(), expected.concat());
    }
}
