//! What the kernel takes that rustix has no name for: three socket options and one ethtool request.
//!
//! # Safety
//!
//! Each call passes a pointer to a local and its exact size; the kernel keeps neither.
#![expect(unsafe_code, reason = "raw socket options and an ioctl")]

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// Frames that one sendto sends in copy mode, by default and at least.
/// <https://github.com/torvalds/linux/blob/v6.17/net/xdp/xsk.c>
pub(super) const TX_BATCH_SIZE: u32 = 32;

/// <https://github.com/torvalds/linux/blob/v6.17/include/uapi/linux/if_xdp.h>
const XDP_MAX_TX_SKB_BUDGET: libc::c_int = 9;

/// <https://github.com/torvalds/linux/blob/v6.17/include/uapi/asm-generic/socket.h>
const SO_PREFER_BUSY_POLL: libc::c_int = 69;
/// The line after that.
const SO_BUSY_POLL_BUDGET: libc::c_int = 70;

/// How many microseconds a busy poll may look for frames. It is the value in the kernel's documentation; it counts only for
/// blocking calls, which we never make, but zero would turn busy polling off.
const BUSY_POLL_US: libc::c_int = 20;

/// Lets one sendto send up to `frames` frames (Linux 6.17). Copy mode only; not more than the tx ring holds.
pub(super) fn set_tx_budget(socket: BorrowedFd<'_>, frames: u32) -> Result<(), Errno> {
    set(
        socket,
        libc::SOL_XDP,
        XDP_MAX_TX_SKB_BUDGET,
        frames.cast_signed(),
    )
}

/// Lets the socket have `bytes` of skbs on their way, whatever `net.core.wmem_max` says. In copy mode each frame is an skb
/// until its device has sent it, and the default of 208 KiB is some ninety of them.
pub(super) fn set_send_buffer(socket: BorrowedFd<'_>, bytes: u32) -> Result<(), Errno> {
    set(
        socket,
        libc::SOL_SOCKET,
        libc::SO_SNDBUFFORCE,
        bytes.cast_signed(),
    )
}

/// Lets our system calls drive the device's NAPI, `budget` frames each, and keeps its interrupts off meanwhile (Linux 5.11).
/// <https://docs.kernel.org/networking/napi.html#busy-polling>
pub(super) fn set_busy_poll(socket: BorrowedFd<'_>, budget: u32) -> Result<(), Errno> {
    set(socket, libc::SOL_SOCKET, SO_PREFER_BUSY_POLL, 1)?;
    set(socket, libc::SOL_SOCKET, libc::SO_BUSY_POLL, BUSY_POLL_US)?;
    set(
        socket,
        libc::SOL_SOCKET,
        SO_BUSY_POLL_BUDGET,
        budget.cast_signed(),
    )
}

fn set(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> Result<(), Errno> {
    // SAFETY: `value` lives through the call, and its size is told.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    errno(status)
}

/// Queues in use on `interface`: those that a socket may be bound to. `None` if the driver does not tell.
/// The larger of receive and transmit queues counts: `xsk_reg_pool_at_qid` in
/// <https://github.com/torvalds/linux/blob/v6.17/net/xdp/xsk.c>.
pub(super) fn queues(socket: BorrowedFd<'_>, interface: &str) -> Option<u32> {
    const ETHTOOL_GCHANNELS: u32 = 0x3c;

    /// `struct ethtool_channels`
    #[repr(C)]
    #[derive(Default)]
    struct Channels {
        command: u32,
        max: [u32; 4],
        rx: u32,
        tx: u32,
        other: u32,
        combined: u32,
    }

    let mut name = [0; libc::IFNAMSIZ];
    if interface.len() >= name.len() {
        return None;
    }
    for (to, from) in name.iter_mut().zip(interface.bytes()) {
        *to = from.cast_signed();
    }
    let mut channels = Channels {
        command: ETHTOOL_GCHANNELS,
        ..Default::default()
    };
    let mut request = libc::ifreq {
        ifr_name: name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_data: (&raw mut channels).cast(),
        },
    };
    // SAFETY: the request names `channels`, which lives through the call and has the layout of the command in it.
    let status = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    errno(status).ok()?;
    Some(channels.combined + channels.rx.max(channels.tx)).filter(|queues| *queues > 0)
}

fn errno(status: libc::c_int) -> Result<(), Errno> {
    if status >= 0 {
        return Ok(());
    }
    let last = std::io::Error::last_os_error();
    Err(Errno::from_io_error(&last).unwrap_or(Errno::IO))
}
