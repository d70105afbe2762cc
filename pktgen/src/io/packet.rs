//! AF_PACKET sockets: any interface, a system call per burst (packet(7)). Here is what takes unsafe code: the
//! address, the options that are AF_PACKET's own, and recvmmsg(2). `tx` and `rx` are made of these.
//!
//! # Safety
//! The kernel reads or writes memory by pointers that we give it, only during a call. Every pointer is made from a
//! reference that lives across the call it is for, and every length is that of what the reference is to. Nothing is
//! kept: when a call has returned the kernel knows no address of ours.
#![expect(
    unsafe_code,
    reason = "AF_PACKET's address, options and recvmmsg: no safe crate has them"
)]

mod rx;
mod tx;

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::from_mut;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::{BURST, FRAME_ROOM, Interface, link, netns};
use crate::error::{Failure, Result};

pub use rx::{PacketRx, open_rx};
pub use tx::{PacketTx, open_tx};

/// Which frames a socket receives (linux include/uapi/linux/if_ether.h): none, all.
const NOTHING: u16 = 0;
const ETH_P_ALL: u16 = libc::ETH_P_ALL as u16;

/// A socket in the interface's namespace, bound to nothing yet: it receives nothing.
fn open(interface: &Interface) -> Result<OwnedFd> {
    let opened = netns::inside(interface.netns.as_deref(), || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)
    })?;
    opened.map_err(|errno| {
        let why = match errno {
            rustix::io::Errno::PERM => format!("{errno}; it takes CAP_NET_RAW: run as root"),
            _ => errno.to_string(),
        };
        Failure::environment(format!("{}: AF_PACKET socket", link::title(interface)), why)
    })
}

/// Binds it to an interface, to receive frames of `protocol`.
fn bind(socket: BorrowedFd<'_>, index: u32, protocol: u16) -> io::Result<()> {
    // SAFETY: sockaddr_ll is a C struct of integers, for which zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index.cast_signed();
    let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    let pointer = from_mut(&mut address).cast::<libc::sockaddr>();
    // SAFETY: the pointer is to `address`, which lives here, and the length is its size. The kernel only reads.
    ok(unsafe { libc::bind(socket.as_raw_fd(), pointer, len) })
}

/// Sets an option of SOL_PACKET.
fn set(socket: BorrowedFd<'_>, option: libc::c_int, mut value: u32) -> io::Result<()> {
    let len = size_of::<u32>() as libc::socklen_t;
    let pointer = from_mut(&mut value).cast::<libc::c_void>();
    let fd = socket.as_raw_fd();
    // SAFETY: the pointer is to `value`, which lives here, and the length is its size. The kernel only reads.
    ok(unsafe { libc::setsockopt(fd, libc::SOL_PACKET, option, pointer, len) })
}

/// Reads an option of SOL_PACKET of up to two words; what the kernel does not fill is 0.
fn get(socket: BorrowedFd<'_>, option: libc::c_int) -> io::Result<[u32; 2]> {
    let mut value = [0u32; 2];
    let mut len = size_of::<[u32; 2]>() as libc::socklen_t;
    let pointer = from_mut(&mut value).cast::<libc::c_void>();
    let fd = socket.as_raw_fd();
    // SAFETY: the pointer is to `value`, of as many bytes as `len` says, both living here; the kernel writes at most
    // that many, and any bytes are a value.
    ok(unsafe { libc::getsockopt(fd, libc::SOL_PACKET, option, pointer, &raw mut len) })?;
    Ok(value)
}

/// Receives the frames that are there: each into its part of `buffers` ([`FRAME_ROOM`] bytes), its length on the wire
/// into `lens`. How many; `WouldBlock` for none. A frame that is longer than its part is cut, its length is not.
fn receive(
    socket: BorrowedFd<'_>,
    buffers: &mut [u8],
    lens: &mut [usize; BURST],
) -> io::Result<usize> {
    let mut parts = [libc::iovec {
        iov_base: std::ptr::null_mut(),
        iov_len: 0,
    }; BURST];
    // SAFETY: mmsghdr is a C struct of pointers and integers, for which zero is a value.
    let mut headers: [libc::mmsghdr; BURST] = [unsafe { zeroed() }; BURST];
    let mut count = 0;
    let each = (buffers.chunks_exact_mut(FRAME_ROOM)).zip(parts.iter_mut().zip(&mut headers));
    for (buffer, (part, header)) in each {
        part.iov_len = buffer.len();
        part.iov_base = buffer.as_mut_ptr().cast();
        header.msg_hdr.msg_iov = from_mut(part);
        header.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    // Asked for by MSG_TRUNC: the length on the wire.
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    let (fd, first, forever) = (
        socket.as_raw_fd(),
        headers.as_mut_ptr(),
        std::ptr::null_mut(),
    );
    // SAFETY: `first` is the first of `count` headers, each with a pointer to a part of its own, which points to a
    // buffer of its own of `iov_len` bytes. `headers` and `parts` live here and `buffers` is borrowed mutably until
    // we return. No header has a place for an address or for control data, no time limit is given.
    let received = unsafe { libc::recvmmsg(fd, first, count, flags as _, forever) };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    for (len, header) in lens.iter_mut().zip(&headers).take(received) {
        *len = header.msg_len as usize;
    }
    Ok(received)
}

/// What a call returned, as a result.
fn ok(returned: libc::c_int) -> io::Result<()> {
    if returned == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    /// Datagrams are to recvmmsg what frames are: each in its buffer, cut where it is too long, and its length told.
    #[test]
    fn each_goes_into_its_buffer() {
        let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        let long = vec![7; FRAME_ROOM + 80];
        for datagram in [&[1, 2, 3][..], &long, &[], &[4]] {
            sender.send(datagram).unwrap();
        }
        let mut buffers = vec![0xa5; 6 * FRAME_ROOM];
        let mut lens = [99; BURST];
        let received = receive(receiver.as_fd(), &mut buffers, &mut lens).unwrap();
        assert_eq!(
            (received, &lens[..5]),
            (4, &[3, FRAME_ROOM + 80, 0, 1, 99][..])
        );
        assert_eq!(buffers[..4], [1, 2, 3, 0xa5]);
        assert_eq!(buffers[FRAME_ROOM..2 * FRAME_ROOM], long[..FRAME_ROOM]);
        assert_eq!(buffers[2 * FRAME_ROOM..2 * FRAME_ROOM + 2], [0xa5; 2]);
        assert_eq!(buffers[3 * FRAME_ROOM..3 * FRAME_ROOM + 2], [4, 0xa5]);
        let none = receive(receiver.as_fd(), &mut buffers, &mut lens).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn options_of_others_are_refused() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(get(socket.as_fd(), libc::PACKET_STATISTICS).is_err());
        assert!(set(socket.as_fd(), libc::PACKET_QDISC_BYPASS, 1).is_err());
        assert!(bind(socket.as_fd(), 1, NOTHING).is_err());
    }
}
