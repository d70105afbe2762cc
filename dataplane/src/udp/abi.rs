//! What rustix has no name for: datagrams with control messages of the IP and UDP layers, many in one call.
//!
//! A control message is a `struct cmsghdr` and its data, padded to eight bytes. Those sent are written as fields of a struct,
//! those received are read as bytes; only the calls themselves are unsafe.
//!
//! # Safety
//!
//! [`Outgoing`] holds pointers with the lifetime of what they were made of. The kernel reads through them during the call, and
//! keeps none. [`receive`] passes pointers to locals and to the caller's buffer, with their exact sizes.
#![expect(unsafe_code, reason = "sendmmsg, recvmsg and a socket option")]

use std::io::{IoSlice, IoSliceMut};
use std::marker::PhantomData;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;
use zerocopy::IntoBytes;

/// `struct cmsghdr` without data: a length of eight bytes, level and type.
const HEADER: usize = 16;
/// Bytes for what may come with a datagram: two control messages, and room for one that we did not ask for.
const RECEIVED: usize = 96;

/// A control message of up to eight bytes of data.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Control {
    len: usize,
    level: libc::c_int,
    kind: libc::c_int,
    data: [u8; 8],
}

impl Control {
    fn new<const N: usize>(level: libc::c_int, kind: libc::c_int, value: [u8; N]) -> Self {
        let mut data = [0; 8];
        data.iter_mut().zip(value).for_each(|(to, from)| *to = from);
        Control {
            len: HEADER + N,
            level,
            kind,
            data,
        }
    }
}

/// Where a message goes, and how.
#[derive(Clone, Copy)]
pub(super) struct Envelope {
    to: libc::sockaddr_in,
    control: [Control; 2],
    controls: usize,
}

impl Envelope {
    /// To `dst` with this TOS byte. With a segment length the kernel cuts the message into datagrams of so many bytes
    /// (UDP_SEGMENT, Linux 4.18), else it is one datagram.
    pub(super) fn new(dst: SocketAddrV4, tos: u8, segment: Option<u16>) -> Self {
        let mut envelope = Envelope {
            to: libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: dst.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(dst.ip().octets()),
                },
                sin_zero: [0; 8],
            },
            control: [Control::default(); 2],
            controls: 0,
        };
        // Zero is what the socket sends anyway.
        if tos != 0 {
            envelope.add(Control::new(libc::SOL_IP, libc::IP_TOS, [tos]));
        }
        if let Some(len) = segment {
            envelope.add(Control::new(
                libc::SOL_UDP,
                libc::UDP_SEGMENT,
                len.to_ne_bytes(),
            ));
        }
        envelope
    }

    fn add(&mut self, control: Control) {
        if let Some(slot) = self.control.get_mut(self.controls) {
            *slot = control;
            self.controls += 1;
        }
    }
}

/// A message ready for the kernel: `struct mmsghdr`, which lives no longer than what it points to.
#[repr(transparent)]
pub(super) struct Outgoing<'a> {
    header: libc::mmsghdr,
    _borrows: PhantomData<(&'a Envelope, &'a [IoSlice<'a>])>,
}

impl<'a> Outgoing<'a> {
    /// The bytes of `parts`, one after the other, under an envelope.
    pub(super) fn new(envelope: &'a Envelope, parts: &'a [IoSlice<'a>]) -> Self {
        let control = match envelope.controls {
            0 => std::ptr::null_mut(),
            _ => (&raw const envelope.control).cast_mut().cast(),
        };
        Outgoing {
            header: libc::mmsghdr {
                msg_hdr: libc::msghdr {
                    msg_name: (&raw const envelope.to).cast_mut().cast(),
                    msg_namelen: size_of::<libc::sockaddr_in>() as libc::socklen_t,
                    // `IoSlice` has the layout of `struct iovec` by its documentation.
                    msg_iov: parts.as_ptr().cast_mut().cast(),
                    msg_iovlen: parts.len(),
                    msg_control: control,
                    msg_controllen: envelope.controls * size_of::<Control>(),
                    msg_flags: 0,
                },
                msg_len: 0,
            },
            _borrows: PhantomData,
        }
    }
}

/// Sends messages in order; gives the number that went. An error is that of the first one.
pub(super) fn send(socket: BorrowedFd<'_>, messages: &mut [Outgoing<'_>]) -> Result<usize, Errno> {
    // SAFETY: the headers and all that they point to live through the call; `Outgoing` is a `struct mmsghdr`.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            messages.as_mut_ptr().cast(),
            messages.len() as libc::c_uint,
            libc::MSG_DONTWAIT,
        )
    };
    usize::try_from(sent).map_err(|_| last_error())
}

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Incoming {
    /// Bytes written to the buffer.
    pub(super) len: usize,
    /// Who sent it.
    pub(super) from: SocketAddr,
    /// TOS byte, or traffic class, of the outer header.
    pub(super) tos: u8,
    /// Bytes of each datagram that the kernel put together (UDP_GRO), the last may be shorter; `None`: it is one.
    pub(super) segment: Option<usize>,
}

/// `struct sockaddr_in` or `struct sockaddr_in6`, as the kernel writes it.
#[repr(C, align(8))]
#[derive(Default)]
struct Name([u8; size_of::<libc::sockaddr_in6>()]);

impl Name {
    /// Both begin with the family and the port; then IPv4 has its address, IPv6 flow information and its address.
    fn address(&self) -> SocketAddr {
        let [f0, f1, p0, p1, a, b, c, d, rest @ ..] = self.0;
        let port = u16::from_be_bytes([p0, p1]);
        let six = rest.first_chunk::<16>();
        match (libc::c_int::from(u16::from_ne_bytes([f0, f1])), six) {
            (libc::AF_INET6, Some(ip)) => (Ipv6Addr::from(*ip), port).into(),
            _ => (Ipv4Addr::new(a, b, c, d), port).into(),
        }
    }
}

/// Takes what is there without waiting for it.
pub(super) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Incoming, Errno> {
    let mut from = Name::default();
    // Words, for control messages are aligned to them.
    let mut control = [0u64; RECEIVED / 8];
    let mut parts = [IoSliceMut::new(buffer)];
    let mut header = libc::msghdr {
        msg_name: (&raw mut from).cast(),
        msg_namelen: size_of_val(&from) as libc::socklen_t,
        // `IoSliceMut` has the layout of `struct iovec` by its documentation.
        msg_iov: parts.as_mut_ptr().cast(),
        msg_iovlen: parts.len(),
        msg_control: control.as_mut_ptr().cast(),
        msg_controllen: size_of_val(&control),
        msg_flags: 0,
    };
    // SAFETY: the header and all that it points to live through the call, and sizes are told.
    let len = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
    let len = usize::try_from(len).map_err(|_| last_error())?;
    let mut incoming = Incoming {
        len,
        from: from.address(),
        tos: 0,
        segment: None,
    };
    let told = control.as_bytes().get(..header.msg_controllen);
    read_controls(told.unwrap_or_default(), &mut incoming);
    Ok(incoming)
}

/// Reads the control messages that came with a datagram.
fn read_controls(mut controls: &[u8], incoming: &mut Incoming) {
    while let Some((len, rest)) = controls.split_first_chunk::<8>()
        && let Some((level, rest)) = rest.split_first_chunk::<4>()
        && let Some((kind, _)) = rest.split_first_chunk::<4>()
    {
        let len = usize::from_ne_bytes(*len);
        let Some(data) = controls.get(HEADER..len) else {
            return;
        };
        match (i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind)) {
            (libc::SOL_IP, libc::IP_TOS) => incoming.tos = data.first().copied().unwrap_or(0),
            (libc::SOL_IPV6, libc::IPV6_TCLASS) => {
                let class = data
                    .first_chunk::<4>()
                    .map(|class| i32::from_ne_bytes(*class));
                incoming.tos = class.unwrap_or(0) as u8;
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                let segment = data.first_chunk::<4>().map(|len| i32::from_ne_bytes(*len));
                incoming.segment = segment
                    .and_then(|len| usize::try_from(len).ok())
                    .filter(|len| *len > 0);
            }
            _ => {}
        }
        let Some(next) = controls.get(len.next_multiple_of(8)..) else {
            return;
        };
        controls = next;
    }
}

/// Has the kernel give consecutive datagrams of one sender and length in one piece (Linux 5.0).
pub(super) fn set_gro(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    let on: libc::c_int = 1;
    // SAFETY: `on` lives through the call, and its size is told.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_GRO,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if status < 0 {
        Err(last_error())
    } else {
        Ok(())
    }
}

fn last_error() -> Errno {
    let last = std::io::Error::last_os_error();
    Errno::from_io_error(&last).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Incoming {
        Incoming {
            len: 0,
            from: (Ipv4Addr::UNSPECIFIED, 0).into(),
            tos: 0,
            segment: None,
        }
    }

    #[test]
    fn a_name_is_of_either_family() {
        let mut name = Name::default();
        name.0[..8].copy_from_slice(&[2, 0, 0x21, 0x18, 192, 0, 2, 1]);
        assert_eq!(name.address(), "192.0.2.1:8472".parse().unwrap());
        let six = [10, 0, 0x21, 0x18, 9, 9, 9, 9, 0xfd, 0x77];
        name.0[..10].copy_from_slice(&six);
        name.0[23] = 2;
        assert_eq!(name.address(), "[fd77::2]:8472".parse().unwrap());
    }

    #[test]
    fn controls_that_are_cut_or_lie_are_no_controls() {
        let mut two = Vec::new();
        two.extend(17usize.to_ne_bytes());
        two.extend(libc::SOL_IP.to_ne_bytes());
        two.extend(libc::IP_TOS.to_ne_bytes());
        two.extend([0x03, 0, 0, 0, 0, 0, 0, 0]);
        two.extend(20usize.to_ne_bytes());
        two.extend(libc::SOL_UDP.to_ne_bytes());
        two.extend(libc::UDP_GRO.to_ne_bytes());
        two.extend(1480i32.to_ne_bytes());
        let mut read = nothing();
        read_controls(&two, &mut read);
        assert_eq!((read.tos, read.segment), (3, Some(1480)));
        for cut in 0..two.len() {
            read_controls(&two[..cut], &mut nothing());
        }
        for len in [0usize, 3, 15, 16, 1 << 40, usize::MAX, usize::MAX - 7] {
            two[..8].copy_from_slice(&len.to_ne_bytes());
            let mut read = nothing();
            read_controls(&two, &mut read);
            assert_eq!(read, nothing(), "a length of {len}");
        }
    }
}
