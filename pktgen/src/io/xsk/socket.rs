//! Opens a socket on a queue and makes its two halves.
//!
//! Invariant: what [`open`] returns is bound, and its UMEM's frames are divided between the halves. The XDP program is
//! not libxdp's but [`Taker`](crate::io::take::Taker)'s.

#![expect(
    unsafe_code,
    reason = "makes the rings of xsk-rs: see the protocol in io/xsk.rs"
)]

use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::net::xdp::XdpOptionsFlags;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use xsk_rs::config::{BindFlags, FrameSize, LibxdpFlags, QueueSize, SocketConfig, UmemConfig};
use xsk_rs::socket::Fd;
use xsk_rs::umem::{CompQueue, FillQueue, Umem};
use xsk_rs::{FrameDesc, RxQueue, Socket, TxQueue};

use super::refusal::{Cause, Refusal, Stage, errno_of};
use super::{Binding, CHUNK, RX_FRAMES, TX_FRAMES, XskRx, XskTx};
use crate::error::Result;
use crate::io::{Interface, Mode, link, netns};

/// Frames that one sendto may send in copy mode, `__u32`, 32 to the entries of the tx ring. Linux 6.17,
/// include/uapi/linux/if_xdp.h; not in libc yet.
const XDP_MAX_TX_SKB_BUDGET: libc::c_int = 9;

/// What the kernel charges a socket for an skb with the longest of our frames, bytes, rounded up. The default send
/// buffer holds some two hundred small ones, of a ring of 2048.
const SKB_CHARGE: usize = 8192;

/// How often, and after which pause, a busy queue is tried.
const BUSY_TRIES: u32 = 20;
const BUSY_PAUSE: Duration = Duration::from_millis(25);

/// Rings and frames, not yet divided.
struct Bound {
    umem: Umem,
    frames: Vec<FrameDesc>,
    tx: TxQueue,
    rx: RxQueue,
    fill: FillQueue,
    completion: CompQueue,
}

/// Opens a socket on a queue. The receive half gets nothing until a [`Taker`](crate::io::take::Taker) directs frames to
/// it. `rx` tells whether to give the kernel frames to receive into.
///
/// # Errors
/// The queue does not exist, is taken, or cannot do the mode.
pub fn open(interface: &Interface, queue: u32, mode: Mode, rx: bool) -> Result<(XskTx, XskRx)> {
    let link = link::find(interface)?;
    let refusal = Refusal {
        interface,
        queue,
        mode,
    };
    let queues = if rx { link.rx_queues } else { link.tx_queues };
    if queue >= queues {
        return Err(refusal.no_such_queue(if rx { "receive" } else { "transmit" }, queues));
    }
    raise_memlock();
    let bound = netns::inside(interface.netns.as_deref(), || {
        patiently(|| bind(&interface.name, queue, mode))
    })?
    .map_err(|(stage, cause)| refusal.at(stage, cause.as_ref()))?;
    let options = |cause: io::Error| refusal.at(Stage::Options, &cause);
    let socket = duplicate(bound.rx.fd()).map_err(options)?;
    let is_zero_copy = (sockopt::xdp_options(&socket))
        .map_err(|errno| options(errno.into()))?
        .contains(XdpOptionsFlags::XDP_OPTIONS_ZEROCOPY);
    let binding = match mode {
        _ if is_zero_copy => Binding::ZeroCopy,
        Mode::Generic => Binding::Generic,
        _ => Binding::Copy,
    };
    set_send_options(socket.as_fd());

    let mut free = bound.frames;
    let mut fill = free.split_off(TX_FRAMES as usize);
    // A zero-copy device receives into the fill ring's frames also what it hands to the kernel: without any, the queue
    // would be dead for the machine's own traffic.
    if !rx && !is_zero_copy {
        fill.clear();
    }
    let sends = queue < link.tx_queues;
    let (tx_socket, tx) = (duplicate(bound.tx.fd()), (bound.tx, bound.completion));
    let tx_socket = tx_socket.map_err(options)?;
    // SAFETY: rings and UMEM come from one `bind`; the frames are its first TX_FRAMES, and `fill` has the others.
    let tx = unsafe { XskTx::new(bound.umem.clone(), tx, tx_socket, binding, sends, free) };
    // SAFETY: likewise; the fill ring has RX_FRAMES entries, and there are no more frames.
    let rx = unsafe { XskRx::new(bound.umem, (bound.rx, bound.fill), socket, binding, fill) };
    Ok((tx, rx))
}

/// Tries again while the queue is busy, for a while: the kernel lets go of a queue some time after the last descriptor
/// of its socket was closed (net/xdp/xsk_buff_pool.c, xp_release_deferred), and runs follow each other.
fn patiently<T>(
    mut attempt: impl FnMut() -> std::result::Result<T, (Stage, Cause)>,
) -> std::result::Result<T, (Stage, Cause)> {
    for _ in 1..BUSY_TRIES {
        match attempt() {
            Err((_, cause)) if errno_of(cause.as_ref()) == Some(Errno::BUSY) => {
                std::thread::sleep(BUSY_PAUSE);
            }
            other => return other,
        }
    }
    attempt()
}

/// Makes a UMEM and binds a socket to the queue, in the calling thread's network namespace.
fn bind(name: &str, queue: u32, mode: Mode) -> std::result::Result<Bound, (Stage, Cause)> {
    let (umem, frames) = make_umem().map_err(|cause| (Stage::Umem, cause))?;
    let (tx, rx, rings) =
        make_socket(&umem, name, queue, mode).map_err(|cause| (Stage::Bind, cause))?;
    let Some((fill, completion)) = rings else {
        return Err((Stage::Bind, "no fill and completion ring".into()));
    };
    Ok(Bound {
        umem,
        frames,
        tx,
        rx,
        fill,
        completion,
    })
}

fn make_umem() -> std::result::Result<(Umem, Vec<FrameDesc>), Cause> {
    let config = UmemConfig::builder()
        .frame_size(FrameSize::new(CHUNK)?)
        .fill_queue_size(QueueSize::new(RX_FRAMES)?)
        .comp_queue_size(QueueSize::new(TX_FRAMES)?)
        .build()?;
    let frames = NonZeroU32::new(TX_FRAMES + RX_FRAMES).ok_or("no frames")?;
    Ok(Umem::new(config, frames, false)?)
}

type Rings = (TxQueue, RxQueue, Option<(FillQueue, CompQueue)>);

fn make_socket(
    umem: &Umem,
    name: &str,
    queue: u32,
    mode: Mode,
) -> std::result::Result<Rings, Cause> {
    let how = match mode {
        // Without either flag the kernel tries zero-copy and falls back to copying (net/xdp/xsk_buff_pool.c,
        // xp_assign_dev).
        Mode::Auto => BindFlags::empty(),
        Mode::ZeroCopy => BindFlags::XDP_ZEROCOPY,
        Mode::Copy | Mode::Generic => BindFlags::XDP_COPY,
    };
    let config = SocketConfig::builder()
        .rx_queue_size(QueueSize::new(RX_FRAMES)?)
        .tx_queue_size(QueueSize::new(TX_FRAMES)?)
        .libxdp_flags(LibxdpFlags::XSK_LIBXDP_FLAGS_INHIBIT_PROG_LOAD)
        .bind_flags(how | BindFlags::XDP_USE_NEED_WAKEUP)
        .build();
    // SAFETY: the UMEM is new, so no other socket shares it and its queue.
    let rings = unsafe { Socket::new(config, umem, &name.parse()?, queue) };
    Ok(rings?)
}

/// A descriptor of our own for a socket of xsk-rs: closed with its half, usable without unsafe code.
fn duplicate(fd: &Fd) -> io::Result<OwnedFd> {
    // SAFETY: an `Fd` is only to be had by reference to a queue, which keeps its socket open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd.as_raw_fd()) };
    borrowed.try_clone_to_owned()
}

/// Lets a whole ring of frames be on its way at once, and be sent by one call. Without either, sending is slower but
/// right: older kernels and ordinary users have to do so.
fn set_send_options(socket: BorrowedFd<'_>) {
    let _ = sockopt::set_socket_send_buffer_size_force(socket, TX_FRAMES as usize * SKB_CHARGE);
    let budget: u32 = TX_FRAMES;
    // SAFETY: reads four bytes of a variable that lives through the call.
    let _ = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_XDP,
            XDP_MAX_TX_SKB_BUDGET,
            (&raw const budget).cast(),
            size_of::<u32>() as libc::socklen_t,
        )
    };
}

/// Memory of a UMEM is locked, and counted where CAP_IPC_LOCK is missing. What cannot be raised the bind will tell.
fn raise_memlock() {
    let need = u64::from(TX_FRAMES + RX_FRAMES) * u64::from(CHUNK);
    let Rlimit { current, maximum } = getrlimit(Resource::Memlock);
    if current.is_some_and(|current| current < need) {
        let unlimited = Rlimit {
            current: None,
            maximum: None,
        };
        let _ = setrlimit(Resource::Memlock, unlimited).or_else(|_| {
            let current = maximum;
            setrlimit(Resource::Memlock, Rlimit { current, maximum })
        });
    }
}
