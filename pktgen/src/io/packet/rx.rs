//! The receiving side.
//!
//! It receives what the interface does, before the kernel's own protocols and without taking anything from them; not
//! what the interface sends (PACKET_IGNORE_OUTGOING, Linux 4.20), and what is for other addresses only if somebody
//! has set the interface promiscuous. A frame is given as it came, with two exceptions that the kernel makes before
//! us: VLAN tags that the driver stripped are missing (`ethtool -K IF rx-vlan-offload off`), and segments that GRO
//! merged come as one long frame (`ethtool -K IF gro off`). What is longer than [`FRAME_ROOM`] is given cut, so that
//! no reader takes it for intact.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt;

use super::super::{BURST, FRAME_ROOM, Interface, Missed, Rx, link};
use super::{ETH_P_ALL, bind, get, open, receive, set};
use crate::error::{Failure, Result};

/// Memory for frames that we have not fetched yet, bytes; the kernel counts some 800 for the smallest frame. At a
/// million a second it bridges a tenth of a second without us.
const RECEIVE_BUFFER: usize = 64 << 20;

/// Flows to receivers by their hash. A group does not ask its members whether to ignore what goes out (linux
/// net/packet/af_packet.c, fanout_add; the flag is of Linux 5.11).
const FANOUT: u32 = libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING;

/// Receives every frame that the interface does.
pub struct PacketRx {
    socket: OwnedFd,
    /// [`BURST`] buffers of [`FRAME_ROOM`] bytes.
    buffers: Box<[u8]>,
    lens: [usize; BURST],
    /// Frames that found no room. The kernel forgets its count as it tells it.
    overrun: u64,
    /// For errors.
    name: String,
}

/// A receiver on `interface`; `fanout` spreads the flows over `(index, of)` receivers that open the same interface,
/// in order.
///
/// # Errors
/// As [`open_tx`](super::open_tx), but it does without a carrier: the other end may come up later.
pub fn open_rx(interface: &Interface, fanout: Option<(u16, u16)>) -> Result<PacketRx> {
    let link = link::find(interface)?;
    let name = link::title(interface);
    let failed = |what: &str| {
        let what = format!("{name}: AF_PACKET socket: {what}");
        move |error: io::Error| Failure::environment(what, error)
    };
    let socket = open(interface)?;
    // Beyond the limit of net.core.rmem_max if we may.
    sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER)
        .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER))
        .map_err(|errno| failed("receive buffer")(errno.into()))?;
    set(socket.as_fd(), libc::PACKET_IGNORE_OUTGOING, 1)
        .map_err(failed("PACKET_IGNORE_OUTGOING (Linux 4.20)"))?;
    bind(socket.as_fd(), link.index, ETH_P_ALL).map_err(failed("bind"))?;
    let mut rx = PacketRx {
        socket,
        buffers: vec![0; BURST * FRAME_ROOM].into_boxed_slice(),
        lens: [0; BURST],
        overrun: 0,
        name: name.clone(),
    };
    if let Some((index, of)) = fanout {
        rx.join(interface, index).map_err(failed(&format!(
            "fanout, receiver {} of {of}",
            u32::from(index) + 1
        )))?;
    }
    Ok(rx)
}

/// Numbers of the fanout groups by interface: the first receiver has the kernel choose one that nobody has, the
/// others of the same interface join it.
static GROUPS: Mutex<Vec<(Interface, u32)>> = Mutex::new(Vec::new());

impl PacketRx {
    fn join(&mut self, interface: &Interface, index: u16) -> io::Result<()> {
        let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = self.socket.as_fd();
        if index == 0 {
            let unique = libc::PACKET_FANOUT_FLAG_UNIQUEID;
            set(socket, libc::PACKET_FANOUT, (FANOUT | unique) << 16)?;
            let [group, _] = get(socket, libc::PACKET_FANOUT)?;
            groups.retain(|(of, _)| of != interface);
            groups.push((interface.clone(), group & 0xffff));
            return Ok(());
        }
        let group = groups.iter().find(|(of, _)| of == interface);
        let (_, group) = group.ok_or_else(|| io::Error::other("the first is not open"))?;
        set(socket, libc::PACKET_FANOUT, group | FANOUT << 16)?;
        // What came between bind and here, a member of the group has got too.
        while self.receive(|_| ())? > 0 {}
        self.overrun = 0;
        get(self.socket.as_fd(), libc::PACKET_STATISTICS).map(drop)
    }

    fn explain(&self, error: &io::Error) -> io::Error {
        let text = format!("{}: receiving: {error}", self.name);
        io::Error::new(error.kind(), text)
    }
}

impl Rx for PacketRx {
    fn receive(&mut self, mut read: impl FnMut(&[u8])) -> io::Result<usize> {
        let received = match receive(self.socket.as_fd(), &mut self.buffers, &mut self.lens) {
            Ok(received) => received,
            Err(error) => {
                return match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
                    _ => Err(self.explain(&error)),
                };
            }
        };
        let frames = self.buffers.chunks_exact(FRAME_ROOM).zip(&self.lens);
        for (buffer, len) in frames.take(received) {
            read(&buffer[..(*len).min(FRAME_ROOM)]);
        }
        Ok(received)
    }

    fn wait(&mut self, timeout_ms: u16) -> io::Result<()> {
        let timeout = Timespec {
            tv_sec: i64::from(timeout_ms / 1000),
            tv_nsec: i64::from(timeout_ms % 1000) * 1_000_000,
        };
        // An error of the socket wakes too, and is told by the next receive.
        match poll(
            &mut [PollFd::new(&self.socket, PollFlags::IN)],
            Some(&timeout),
        ) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(self.explain(&errno.into())),
        }
    }

    fn missed(&mut self) -> io::Result<Missed> {
        // struct tpacket_stats: all packets, and those of them that were dropped.
        let [_, dropped] = get(self.socket.as_fd(), libc::PACKET_STATISTICS)
            .map_err(|error| self.explain(&error))?;
        self.overrun += u64::from(dropped);
        Ok(Missed {
            overrun: self.overrun,
            left: 0,
        })
    }
}
