//! Why a socket cannot be opened on a queue: each cause with the device, the queue and what to do about it.

use rustix::io::Errno;

use super::DeviceError;

/// Why a socket cannot be opened on a queue.
#[derive(Debug, thiserror::Error)]
pub enum XskError {
    /// No such device, or it cannot be asked about.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The device is down.
    #[error(
        "interface {interface} is down, and a socket cannot be bound to it; `ip link set {interface} up`"
    )]
    Down {
        /// The device.
        interface: String,
    },
    /// The device has fewer queues.
    #[error(
        "interface {interface} has {} in use, there is no queue {queue}; give it more (`ethtool -L {interface} combined N`, \
         or rx N tx N for a veth) or take the [[worker]] away", count(.queues)
    )]
    NoQueue {
        /// The device.
        interface: String,
        /// The queue asked for.
        queue: u32,
        /// Queues in use, if the driver tells.
        queues: Option<u32>,
    },
    /// A packet of the device's MTU does not fit in a chunk.
    #[error(
        "interface {interface} has an MTU of {mtu}, but a chunk of {chunk_size} bytes takes packets up to {longest}; \
         `ip link set {interface} mtu {longest}` or less, or dataplane.chunk_size = 4096"
    )]
    Mtu {
        /// The device.
        interface: String,
        /// Its MTU.
        mtu: u32,
        /// Bytes of a chunk.
        chunk_size: usize,
        /// Longest packet that fits.
        longest: usize,
    },
    /// Another socket has the queue.
    #[error(
        "queue {queue} of interface {interface} is taken by another AF_XDP socket (EBUSY); is another tweed-dataplane or VPP \
         running? `ss --xdp -p` (iproute2) shows whose it is"
    )]
    Busy {
        /// The device.
        interface: String,
        /// The queue.
        queue: u32,
    },
    /// Not allowed to.
    #[error(
        "not permitted to open an AF_XDP socket on interface {interface} ({operation}); run as root, or with CAP_NET_RAW, \
         CAP_NET_ADMIN and CAP_BPF"
    )]
    NotPermitted {
        /// The device.
        interface: String,
        /// Which step.
        operation: &'static str,
    },
    /// The UMEM cannot be locked in memory.
    #[error(
        "the kernel will not pin {len} bytes of UMEM for interface {interface} ({errno}); raise the limit \
         (`ulimit -l unlimited`, LimitMEMLOCK=infinity in a systemd unit) or lower dataplane.frames"
    )]
    Memlock {
        /// The device.
        interface: String,
        /// Bytes of UMEM.
        len: usize,
        /// What the kernel said.
        errno: Errno,
    },
    /// Zero-copy was asked for, and the driver cannot.
    #[error(
        "interface {interface} cannot do zero-copy on queue {queue} ({errno}); set underlay.mode = \"copy\", or \"auto\" to \
         take what there is"
    )]
    NoZeroCopy {
        /// The device.
        interface: String,
        /// The queue.
        queue: u32,
        /// What the kernel said.
        errno: Errno,
    },
    /// Busy polling was asked for, and cannot be had.
    #[error(
        "interface {interface}, queue {queue}: busy polling refused ({errno}); it needs Linux 5.11 and CAP_NET_ADMIN, or \
         set dataplane.busy_poll = false"
    )]
    NoBusyPoll {
        /// The device.
        interface: String,
        /// The queue.
        queue: u32,
        /// What the kernel said.
        errno: Errno,
    },
    /// The kernel has no AF_XDP.
    #[error(
        "this kernel has no AF_XDP sockets ({0}); tweed needs CONFIG_XDP_SOCKETS and Linux 5.10 or later"
    )]
    NoAfXdp(Errno),
    /// Too many ports for one region.
    #[error(
        "queue {queue} of interface {interface}: a worker serves at most 255 ports at once; close one before"
    )]
    TooManyPorts {
        /// The device.
        interface: String,
        /// The queue.
        queue: u32,
    },
    /// Anything else.
    #[error("{operation} on queue {queue} of interface {interface}: {source}")]
    Failed {
        /// Which step.
        operation: &'static str,
        /// The device.
        interface: String,
        /// The queue.
        queue: u32,
        /// What the kernel said.
        source: std::io::Error,
    },
}

fn count(queues: &Option<u32>) -> String {
    match queues {
        Some(1) => "1 queue".into(),
        Some(queues) => format!("{queues} queues"),
        None => "fewer queues".into(),
    }
}
