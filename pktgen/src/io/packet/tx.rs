//! The sending side.
//!
//! Invariant: a frame that was written is sent, in order. What the kernel would not take now waits in its buffer, and
//! nothing is written before that is gone; so a sequence number is never spent on a frame that does not leave.
//!
//! What the kernel promises: when the call returns, the driver has the frame or has refused it, and that is told (ENOBUFS,
//! upon which the frame is offered again). What a driver drops without telling is in the interface's tx_dropped alone.
//! Nor is it told when the last bit has left, which is later by the length of the driver's own ring at most. So
//! [`Tx::outstanding`] counts the frames that wait here, and those only.
//! Queueing disciplines are passed by (PACKET_QDISC_BYPASS, Linux 3.14): a generator is not to be shaped (on veth,
//! which has none, the rate is the same with and without); a tcpdump on the sending interface does not see the frames
//! then. The kernel picks the transmit queue by the CPU.
#![forbid(unsafe_code)]

use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, send, sendmmsg, sockopt};

use super::super::{BURST, FRAME_ROOM, Interface, Tx, link};
use super::{NOTHING, bind, open, set};
use crate::error::{Failure, Result};

/// Bytes of frames that may be on their way through the kernel: more than any driver's ring holds, 4,096 large ones.
const SEND_BUFFER: usize = 16 << 20;

/// Sends raw frames.
pub struct PacketTx {
    socket: OwnedFd,
    /// [`BURST`] buffers of [`FRAME_ROOM`] bytes.
    buffers: Box<[u8]>,
    /// Lengths of the frames in them.
    lens: [usize; BURST],
    /// Buffers whose frames wait.
    waiting: Range<usize>,
    /// For errors.
    name: String,
    mtu: u32,
}

/// A sender on `interface`.
///
/// # Errors
/// No permission, no such interface, nothing at its other end.
pub fn open_tx(interface: &Interface) -> Result<PacketTx> {
    let link = link::find_connected(interface)?;
    let name = link::title(interface);
    let socket = open(interface)?;
    // Beyond the limit of net.core.wmem_max if we may.
    sockopt::set_socket_send_buffer_size_force(&socket, SEND_BUFFER)
        .or_else(|_| sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER))
        .map_err(io::Error::from)
        .and_then(|()| bind(socket.as_fd(), link.index, NOTHING))
        .map_err(|error| Failure::environment(format!("{name}: AF_PACKET socket"), error))?;
    // A kernel that cannot pass the queueing discipline by sends through it.
    let _ = set(socket.as_fd(), libc::PACKET_QDISC_BYPASS, 1);
    Ok(PacketTx {
        socket,
        buffers: vec![0; BURST * FRAME_ROOM].into_boxed_slice(),
        lens: [0; BURST],
        waiting: 0..0,
        name,
        mtu: link.mtu,
    })
}

impl Tx for PacketTx {
    fn prepare(&mut self, body: &[u8]) {
        for buffer in self.buffers.chunks_exact_mut(FRAME_ROOM) {
            for (byte, of) in buffer.iter_mut().zip(body) {
                *byte = *of;
            }
        }
    }

    fn send(
        &mut self,
        want: usize,
        mut write: impl FnMut(&mut [u8]) -> usize,
    ) -> io::Result<usize> {
        self.flush()?;
        if !self.waiting.is_empty() {
            return Ok(0);
        }
        let want = want.min(BURST);
        let buffers = self.buffers.chunks_exact_mut(FRAME_ROOM);
        for (buffer, len) in buffers.zip(&mut self.lens).take(want) {
            *len = write(buffer).min(FRAME_ROOM);
        }
        self.waiting = 0..want;
        self.flush()?;
        Ok(want)
    }

    fn outstanding(&mut self) -> io::Result<usize> {
        self.flush()?;
        Ok(self.waiting.len())
    }
}

impl PacketTx {
    /// Offers what waits to the kernel, as far as it takes it.
    fn flush(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            match self.offer() {
                Ok(taken) => self.waiting.start += taken,
                // A full driver's ring, a full send buffer, a signal.
                Err(Errno::NOBUFS | Errno::AGAIN | Errno::INTR) => break,
                Err(errno) => return Err(self.explain(errno)),
            }
        }
        Ok(())
    }

    /// One call; how many frames it took.
    fn offer(&self) -> rustix::io::Result<usize> {
        let frames = self.buffers.chunks_exact(FRAME_ROOM).zip(&self.lens);
        let frames = (frames.skip(self.waiting.start).take(self.waiting.len()))
            .map(|(buffer, len)| &buffer[..*len]);
        // Headers of a burst cost as much as a frame, so a frame that goes alone has none.
        if self.waiting.len() == 1 {
            for frame in frames {
                send(&self.socket, frame, SendFlags::DONTWAIT)?;
            }
            return Ok(1);
        }
        let parts: Vec<_> = frames.map(|frame| [IoSlice::new(frame)]).collect();
        let mut controls: [_; BURST] = std::array::from_fn(|_| SendAncillaryBuffer::default());
        let mut headers: Vec<_> = (parts.iter().zip(&mut controls))
            .map(|(part, control)| MMsgHdr::new(part, control))
            .collect();
        sendmmsg(&self.socket, &mut headers, SendFlags::DONTWAIT)
    }

    fn explain(&self, errno: Errno) -> io::Error {
        let name = &self.name;
        let text = match errno {
            Errno::MSGSIZE => {
                let len = self.lens.get(self.waiting.start).copied().unwrap_or(0);
                format!(
                    "{name}: a frame of {len} bytes is too long for its MTU of {} (and 14 of Ethernet header): \
                     smaller frames, or a larger MTU",
                    self.mtu
                )
            }
            Errno::NETDOWN | Errno::NXIO | Errno::NODEV => {
                format!("{name} went down or away during the run ({errno})")
            }
            _ => format!("{name}: sending: {errno}"),
        };
        io::Error::new(io::Error::from(errno).kind(), text)
    }
}
