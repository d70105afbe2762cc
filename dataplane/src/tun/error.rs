//! Why a TUN cannot be opened, and what to do.

use std::io;

use rustix::io::Errno;

/// A TUN device cannot be the uplink.
#[derive(Debug, thiserror::Error)]
pub enum TunError {
    /// Another engine has its queues: the host's packets would be spread over both.
    #[error(
        "{interface} has queues attached already; is another tweed-dataplane running? `fuser -v /dev/net/tun` shows who"
    )]
    Busy {
        /// The device.
        interface: String,
    },
    /// Administratively down.
    #[error("{interface} is down; `ip link set {interface} up`, which tweed-control does")]
    Down {
        /// The device.
        interface: String,
    },
    /// There is a device of this name, and it is none.
    #[error(
        "{interface} is no TUN device with several queues; start tweed-control with overlay.kind = \"tun\", or remove the \
         device"
    )]
    NoTun {
        /// The device.
        interface: String,
    },
    /// Not allowed to.
    #[error("not permitted to attach to {interface}; run as root, or with CAP_NET_ADMIN")]
    NotPermitted {
        /// The device.
        interface: String,
    },
    /// Anything else.
    #[error(
        "cannot attach a queue to {interface}: {source}; it needs /dev/net/tun (`modprobe tun`)"
    )]
    Failed {
        /// The device.
        interface: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl TunError {
    /// What an error of the kernel's means for this device.
    pub(super) fn of(interface: &str) -> impl Fn(io::Error) -> TunError {
        let interface = interface.to_owned();
        move |source| {
            let interface = interface.clone();
            match Errno::from_io_error(&source) {
                Some(Errno::INVAL | Errno::BUSY) => TunError::NoTun { interface },
                Some(Errno::PERM | Errno::ACCESS) => TunError::NotPermitted { interface },
                _ => TunError::Failed { interface, source },
            }
        }
    }
}
