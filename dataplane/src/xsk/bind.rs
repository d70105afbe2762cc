//! A socket on a queue: the order of the calls, and what to do about each way they fail.
//!
//! socket, XDP_UMEM_REG, four ring sizes, XDP_MMAP_OFFSETS, four mmaps, bind; then XDP_OPTIONS tells what was got. The
//! device is asked about first (see [`Device`]), for bind answers EINVAL to a wrong queue and to much else.
//! <https://docs.kernel.org/networking/af_xdp.html>

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::xdp::{
    self, SocketAddrXdp, SocketAddrXdpFlags, XdpOptionsFlags, XdpUmemReg, XdpUmemRegFlags,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::device::{Device, DeviceError};
use super::error::XskError;
use super::ring::{Consumer, Producer};
use super::shared::Shared;
use super::socket::Rings;
use super::wakeup::{Socket, Wakeups};
use super::{BURST, BindMode, BoundMode, Hugepages, Umem, Xsk, abi};

/// Bytes of an Ethernet header, which an MTU does not count.
const ETHERNET: usize = 14;

/// The kernel frees a queue in a work item after its socket is gone, typically within a few milliseconds.
const QUEUE_FREED: Duration = Duration::from_millis(300);

/// Which queue to bind to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Device name, in the calling thread's network namespace.
    pub interface: String,
    /// Queue of the device.
    pub queue: u32,
    /// Zero-copy, copy, or what is to be had.
    pub mode: BindMode,
    /// Entries in each of the four rings: a power of two.
    pub ring_size: u32,
    /// Drive the device's NAPI from the worker (SO_PREFER_BUSY_POLL). Refused if the kernel cannot.
    pub busy_poll: bool,
    /// Number that received frames carry: [`Frame::port`](super::Frame::port).
    pub port: u8,
}

/// What a binding got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Device name; empty over plain memory.
    pub interface: String,
    /// The kernel's index of the device; 0 over plain memory.
    pub ifindex: u32,
    /// Queue of the device.
    pub queue: u32,
    /// How frames are moved. A socket cannot see whether the program on its device is generic: unless generic was asked for,
    /// `Copy` here may be that too, see [`Program::is_generic`](super::Program::is_generic).
    pub mode: BoundMode,
    /// Frames that one sendto can send in copy mode: the ring size where the kernel has XDP_MAX_TX_SKB_BUDGET, else 32.
    pub tx_budget: u32,
    /// Whether our calls drive the device.
    pub busy_poll: bool,
}

impl Bound {
    pub(super) fn memory() -> Self {
        Bound {
            interface: String::new(),
            ifindex: 0,
            queue: 0,
            mode: BoundMode::Memory,
            tx_budget: 0,
            busy_poll: false,
        }
    }
}

pub(super) fn too_many(binding: &Binding) -> XskError {
    XskError::TooManyPorts {
        interface: binding.interface.clone(),
        queue: binding.queue,
    }
}

impl Binding {
    /// Names an error of `operation` by what usually is the cause.
    fn failed(&self, operation: &'static str) -> impl Fn(Errno) -> XskError {
        let (interface, queue) = (self.interface.clone(), self.queue);
        move |errno| match errno {
            Errno::PERM | Errno::ACCESS => XskError::NotPermitted {
                interface: interface.clone(),
                operation,
            },
            Errno::NODEV => DeviceError::Missing(interface.clone()).into(),
            errno => XskError::Failed {
                operation,
                interface: interface.clone(),
                queue,
                source: errno.into(),
            },
        }
    }

    /// Finds what bind would refuse without saying why.
    fn check(&self, umem: &Umem) -> Result<Device, XskError> {
        let device = Device::find(&self.interface)?;
        let interface = || self.interface.clone();
        if !device.is_up {
            return Err(XskError::Down {
                interface: interface(),
            });
        }
        if device.queues.is_some_and(|queues| self.queue >= queues) {
            return Err(XskError::NoQueue {
                interface: interface(),
                queue: self.queue,
                queues: device.queues,
            });
        }
        let longest = umem.receive_room() - ETHERNET;
        if device.mtu as usize > longest {
            let (mtu, chunk_size) = (device.mtu, umem.chunk_size());
            return Err(XskError::Mtu {
                interface: interface(),
                mtu,
                chunk_size,
                longest,
            });
        }
        Ok(device)
    }
}

/// Opens and binds.
pub(super) fn open(umem: &Umem, binding: &Binding) -> Result<(Rings, Socket, Bound), XskError> {
    let device = binding.check(umem)?;
    let fd = rustix::net::socket_with(
        AddressFamily::XDP,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(|errno| match errno {
        Errno::AFNOSUPPORT => XskError::NoAfXdp(errno),
        errno => binding.failed("socket")(errno),
    })?;
    register(fd.as_fd(), umem, binding)?;
    let rings = map_rings(fd.as_fd(), binding)?;
    if binding.busy_poll {
        let (interface, queue) = (device.name.clone(), binding.queue);
        abi::set_busy_poll(fd.as_fd(), BURST as u32).map_err(|errno| XskError::NoBusyPoll {
            interface,
            queue,
            errno,
        })?;
    }
    // Room for a whole ring of skbs, each a chunk and its bookkeeping. Without CAP_NET_ADMIN, which the program needs anyway, the
    // default stays.
    let skbs = binding
        .ring_size
        .saturating_mul(umem.chunk_size() as u32 + 1024);
    let _ = abi::set_send_buffer(fd.as_fd(), skbs.min(i32::MAX as u32));
    // One sendto for all that tx can hold. Kernels before 6.17 do not know the option, and send 32.
    let budget = abi::set_tx_budget(fd.as_fd(), binding.ring_size)
        .map_or(abi::TX_BATCH_SIZE, |()| binding.ring_size);
    bind(fd.as_fd(), binding, &device)?;
    let options = sockopt::xdp_options(&fd).map_err(binding.failed("XDP_OPTIONS"))?;
    let is_zero_copy = options.contains(XdpOptionsFlags::XDP_OPTIONS_ZEROCOPY);
    let bound = Bound {
        interface: device.name,
        ifindex: device.index,
        queue: binding.queue,
        mode: match binding.mode {
            _ if is_zero_copy => BoundMode::ZeroCopy,
            BindMode::Generic => BoundMode::Generic,
            _ => BoundMode::Copy,
        },
        tx_budget: budget,
        busy_poll: binding.busy_poll,
    };
    let socket = Socket {
        fd,
        sends: !is_zero_copy,
        budget,
        busy_poll: binding.busy_poll,
        wakeups: Wakeups::default(),
    };
    Ok((rings, socket, bound))
}

/// Tells the kernel of the region, and how long the rings are.
fn register(socket: BorrowedFd<'_>, umem: &Umem, binding: &Binding) -> Result<(), XskError> {
    let (base, len) = umem.span();
    let registration = XdpUmemReg {
        addr: base.addr().get() as u64,
        len: len as u64,
        chunk_size: umem.chunk_size() as u32,
        headroom: umem.headroom(),
        flags: XdpUmemRegFlags::empty(),
        tx_metadata_len: 0,
    };
    sockopt::set_xdp_umem_reg(socket, registration).map_err(|errno| match errno {
        Errno::NOBUFS | Errno::NOMEM => XskError::Memlock {
            interface: binding.interface.clone(),
            len,
            errno,
        },
        errno => binding.failed("XDP_UMEM_REG")(errno),
    })?;
    let size = binding.ring_size;
    let rings = || {
        sockopt::set_xdp_umem_fill_ring_size(socket, size)?;
        sockopt::set_xdp_umem_completion_ring_size(socket, size)?;
        sockopt::set_xdp_rx_ring_size(socket, size)?;
        sockopt::set_xdp_tx_ring_size(socket, size)
    };
    rings().map_err(binding.failed("setting ring sizes (dataplane.ring_size, a power of two)"))
}

/// Maps the rings.
fn map_rings(socket: BorrowedFd<'_>, binding: &Binding) -> Result<Rings, XskError> {
    let offsets = sockopt::xdp_mmap_offsets(socket).map_err(binding.failed("XDP_MMAP_OFFSETS"))?;
    let size = binding.ring_size;
    let rings = || -> std::io::Result<Rings> {
        Ok(Rings {
            rx: Consumer::new(Shared::mapped(
                socket,
                xdp::XDP_PGOFF_RX_RING,
                &offsets.rx,
                size,
            )?),
            tx: Producer::new(Shared::mapped(
                socket,
                xdp::XDP_PGOFF_TX_RING,
                &offsets.tx,
                size,
            )?),
            fill: Producer::new(Shared::mapped(
                socket,
                xdp::XDP_UMEM_PGOFF_FILL_RING,
                &offsets.fr,
                size,
            )?),
            completion: Consumer::new(Shared::mapped(
                socket,
                xdp::XDP_UMEM_PGOFF_COMPLETION_RING,
                &offsets.cr,
                size,
            )?),
        })
    };
    rings().map_err(|source| XskError::Failed {
        operation: "mapping the rings",
        interface: binding.interface.clone(),
        queue: binding.queue,
        source,
    })
}

/// Binds, waiting a little for a queue that is being freed.
fn bind(socket: BorrowedFd<'_>, binding: &Binding, device: &Device) -> Result<(), XskError> {
    const PAUSE: Duration = Duration::from_millis(10);
    let flags = SocketAddrXdpFlags::XDP_USE_NEED_WAKEUP
        | match binding.mode {
            // Neither flag: the kernel tries zero-copy and falls back to copy by itself.
            BindMode::Auto | BindMode::Tun | BindMode::Udp => SocketAddrXdpFlags::empty(),
            BindMode::ZeroCopy => SocketAddrXdpFlags::XDP_ZEROCOPY,
            BindMode::Copy | BindMode::Generic => SocketAddrXdpFlags::XDP_COPY,
        };
    let address = SocketAddrXdp::new(flags, device.index, binding.queue);
    let (interface, queue) = (binding.interface.clone(), binding.queue);
    for _ in 0..QUEUE_FREED.div_duration_f32(PAUSE) as u32 {
        match rustix::net::bind(socket, &address) {
            Err(Errno::BUSY) => std::thread::sleep(PAUSE),
            bound => {
                return bound.map_err(|errno| match errno {
                    Errno::OPNOTSUPP if binding.mode == BindMode::ZeroCopy => {
                        XskError::NoZeroCopy {
                            interface,
                            queue,
                            errno,
                        }
                    }
                    Errno::INVAL if device.queues.is_none() => XskError::NoQueue {
                        interface,
                        queue,
                        queues: None,
                    },
                    Errno::NETDOWN => XskError::Down { interface },
                    errno => binding.failed("bind")(errno),
                });
            }
        }
    }
    Err(XskError::Busy { interface, queue })
}

/// Whether the device is through with the chunks of a socket that has just been closed. In copy mode nobody but the closed
/// socket touches them. A zero-copy device may still write to those it took from fill until the kernel has taken the queue
/// from it, in a work item; only then can another socket be bound there, so one is.
pub(super) fn is_released(bound: &Bound) -> bool {
    if bound.mode != BoundMode::ZeroCopy {
        return true;
    }
    let probe = Binding {
        interface: bound.interface.clone(),
        queue: bound.queue,
        mode: BindMode::Copy,
        ring_size: 64,
        busy_poll: false,
        port: 0,
    };
    // A region for each such close stays mapped: 4 KB.
    let Ok((umem, _)) = Umem::map(1, 4096, 0, Hugepages::Off) else {
        return false;
    };
    match Xsk::open(&umem, &probe) {
        Ok(probe) => {
            probe.close();
            true
        }
        // No device, no DMA.
        Err(XskError::Device(DeviceError::Missing(_))) => true,
        Err(_) => false,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn errors_name_object_and_remedy() {
        let binding = Binding {
            interface: "eth7".into(),
            queue: 3,
            mode: BindMode::Auto,
            ring_size: 64,
            busy_poll: false,
            port: 0,
        };
        let permission = binding.failed("socket")(Errno::PERM).to_string();
        assert!(
            permission.contains("eth7 (socket)") && permission.contains("CAP_NET_RAW"),
            "{permission}"
        );
        let gone = binding.failed("bind")(Errno::NODEV).to_string();
        assert!(
            gone.contains("\"eth7\"") && gone.contains("ip link"),
            "{gone}"
        );
        let odd = binding.failed("bind")(Errno::IO).to_string();
        assert!(odd.contains("bind on queue 3 of interface eth7"), "{odd}");
        let few = XskError::NoQueue {
            interface: "eth7".into(),
            queue: 3,
            queues: Some(1),
        }
        .to_string();
        assert!(
            few.contains("eth7 has 1 queue in use") && few.contains("ethtool -L eth7"),
            "{few}"
        );
    }
}
