//! The TUN device that both daemons open: control makes it and lets go of it, the engine attaches a queue per worker.
//!
//! The flags are a contract: those of each queue that is attached become the device's, and one that was made for several
//! queues refuses a queue that does not say so. Neither netlink nor sysfs can make a TUN; these ioctls are the only way.
//! Source: <https://github.com/torvalds/linux/blob/v6.17/drivers/net/tun.c>, `tun_set_iff` and `set_offload`.
//!
//! # Safety
//! ioctl(2) with a descriptor that is open during the call, and an argument of the type that this command takes: an ifreq
//! that outlives the call, a pointer to an int that does, or a number.
#![expect(unsafe_code, reason = "no crate here wraps these ioctls")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

/// Where a queue is opened, before it belongs to any device.
const CLONE: &str = "/dev/net/tun";
/// Packets without an Ethernet header, behind a `virtio_net_hdr` each, over as many queues as are attached.
const FLAGS: libc::c_int =
    libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_MULTI_QUEUE;
/// Bytes of the `virtio_net_hdr` in front of each packet: the one without the number of merged buffers.
pub const VNET_HEADER: usize = 10;

/// What the kernel may leave to whoever reads from a TUN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offloads {
    /// Nothing: each packet is complete and at most of the device's MTU.
    None,
    /// Checksums, and TCP in segments.
    Tcp,
    /// UDP in segments as well: Linux 6.2.
    TcpAndUdp,
}

/// Attaches a queue to the device of this name in the thread's network namespace, which is made if there is none: it then goes
/// with its last queue, unless it was told to [`persist`]. The queue does not block; it is closed on exec.
pub fn attach(name: &str) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(CLONE)?;
    let request = request(name)?;
    // SAFETY: an open descriptor, and an ifreq that outlives the call.
    let attached = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &request) };
    succeeded(attached)?;
    let len = VNET_HEADER as libc::c_int;
    // SAFETY: an open descriptor, and an int that outlives the call.
    let sized = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETVNETHDRSZ, &len) };
    succeeded(sized)?;
    Ok(file)
}

/// Lets the device of this queue outlive its queues.
pub fn persist(queue: &File) -> io::Result<()> {
    let yes: libc::c_ulong = 1;
    // SAFETY: an open descriptor, and a number.
    succeeded(unsafe { libc::ioctl(queue.as_raw_fd(), libc::TUNSETPERSIST, yes) })
}

/// Says what the reader of this queue's device can do; gives what the kernel takes it at. The device's, not the queue's.
pub fn offload(queue: &File, most: Offloads) -> io::Result<Offloads> {
    let tcp = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
    let udp = libc::TUN_F_USO4 | libc::TUN_F_USO6;
    let set = |features: libc::c_uint| {
        let features = libc::c_ulong::from(features);
        // SAFETY: an open descriptor, and a number.
        succeeded(unsafe { libc::ioctl(queue.as_raw_fd(), libc::TUNSETOFFLOAD, features) })
    };
    match most {
        Offloads::None => set(0).map(|()| Offloads::None),
        Offloads::Tcp => set(tcp).map(|()| Offloads::Tcp),
        // EINVAL: bits that this kernel does not know.
        Offloads::TcpAndUdp => match set(tcp | udp) {
            Ok(()) => Ok(Offloads::TcpAndUdp),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                set(tcp).map(|()| Offloads::Tcp)
            }
            Err(error) => Err(error),
        },
    }
}

fn request(name: &str) -> io::Result<libc::ifreq> {
    let mut ifr_name = [0; libc::IFNAMSIZ];
    if name.is_empty() || name.len() >= ifr_name.len() || name.contains(['\0', '%']) {
        // A percent sign would be a pattern to the kernel.
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(libc::ifreq {
        ifr_name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_flags: FLAGS as libc::c_short,
        },
    })
}

fn succeeded(result: libc::c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_none_is_refused_before_the_kernel_sees_it() {
        for name in ["", "sixteen-letters-", "tun%d", "a\0b"] {
            assert_eq!(
                request(name).err().map(|error| error.kind()),
                Some(io::ErrorKind::InvalidInput),
                "{name:?}"
            );
        }
        let request = request("fifteen-letters").unwrap();
        assert_eq!(request.ifr_name.last(), Some(&0), "zero-terminated");
    }
}
