//! The slow path: datagrams that the XDP program leaves to the kernel.
//!
//! A peer whose path is narrower than our MTU sends its outer packets in fragments, for the outer header carries no DF
//! (FLANNEL.md T10). Fragments after the first have no UDP header to steer by, so the XDP program passes them all; the
//! kernel reassembles them, in memory that it bounds (`net.ipv4.ipfrag_high_thresh`), and hands the datagram to the socket
//! that owns the tunnel port: ours. It enters the engine as a frame on a memory port of worker 0, behind the outer headers
//! it would have had, and is judged by `decap` like any other.
//!
//! The socket also keeps the port: a kernel vxlan device that wants it is refused instead of eating half of the traffic.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use contract::wire::{EtherType, Ethernet, Ipv4, Mac, Protocol, Sum, Udp};
use thiserror::Error;
use zerocopy::IntoBytes;

use crate::wake::Wake;
use crate::xsk::KernelSide;

/// How often the thread looks whether it shall end.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a full ring gets to drain before the next try.
const FULL: Duration = Duration::from_micros(100);
/// Ethernet, IPv4 and UDP in front of the payload.
const HEADERS: usize = Ethernet::LEN + Ipv4::LEN + Udp::LEN;

/// The tunnel's socket cannot be had.
#[derive(Debug, Error)]
pub enum SlowPathError {
    /// Another owns the port.
    #[error(
        "UDP {address} is taken: another tunnel owns it. Stop flanneld and remove its device (`ip -d link show type vxlan`, \
         `ip link del flannel.1`), or see who holds it with `ss -ulpn sport = :{}`", address.port()
    )]
    Taken {
        /// Our tunnel address.
        address: SocketAddrV4,
    },
    /// No thread.
    #[error("cannot start the slow path's thread: {0}")]
    Thread(std::io::Error),
    /// The address is not on this host, or another failure.
    #[error(
        "cannot bind UDP {address}: {source}; is the address of underlay.public_ip on this node?"
    )]
    Bind {
        /// Our tunnel address.
        address: SocketAddrV4,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running slow path; it ends when dropped.
pub struct SlowPath {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SlowPath {
    /// Binds the tunnel address. Done before anything is steered, for it tells whether the port is ours to use.
    pub fn bind(address: SocketAddrV4) -> Result<UdpSocket, SlowPathError> {
        let bind = || -> std::io::Result<UdpSocket> {
            let socket = UdpSocket::bind(address)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(socket)
        };
        bind().map_err(|source| match source.kind() {
            ErrorKind::AddrInUse => SlowPathError::Taken { address },
            _ => SlowPathError::Bind { address, source },
        })
    }

    /// Feeds what the socket receives into `port` and wakes its worker.
    pub fn start(
        socket: UdpSocket,
        port: KernelSide,
        wake: Arc<Wake>,
    ) -> Result<Self, SlowPathError> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("slow-path".into())
            .spawn(move || feed(&socket, port, &wake, &stopped))
            .map_err(SlowPathError::Thread)?;
        Ok(SlowPath {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for SlowPath {
    /// Ends the thread; the memory port's other side goes with it, so that the worker's side can be closed.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn feed(socket: &UdpSocket, mut port: KernelSide, wake: &Wake, stop: &AtomicBool) {
    let own = match socket.local_addr() {
        Ok(SocketAddr::V4(own)) => own,
        // Bound to IPv4 above.
        _ => return,
    };
    let mut payload = vec![0; usize::from(u16::MAX)];
    while !stop.load(Ordering::Relaxed) {
        // A timeout is a look at `stop`; other errors are reports about what somebody else sent (ICMP), and pass.
        let Ok((len, SocketAddr::V4(peer))) = socket.recv_from(&mut payload) else {
            continue;
        };
        // One that is longer than a chunk is cut: `decap` sees that its lengths do not agree, and counts it.
        let room = port.room() - HEADERS;
        let (Some(headers), Some(payload)) =
            (headers(peer, own, len), payload.get(..len.min(room)))
        else {
            continue;
        };
        // When the ring is full, the kernel keeps what comes meanwhile in the socket's buffer, and counts what that cannot
        // hold (`RcvbufErrors` in `nstat`).
        while !port.deliver_parts(&[&headers, payload]) && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(FULL);
        }
        wake.wake();
    }
}

/// The headers that the datagram would have had in one piece. The kernel verified its checksum, so it carries none.
fn headers(peer: SocketAddrV4, own: SocketAddrV4, len: usize) -> Option<[u8; HEADERS]> {
    let udp_len = u16::try_from(len + Udp::LEN).ok()?;
    let total_len = udp_len.checked_add(Ipv4::LEN as u16)?;
    let octets = |address: &Ipv4Addr| address.octets();
    let ethernet = Ethernet {
        dst: Mac::default(),
        src: Mac::default(),
        ethertype: EtherType::IPV4,
    };
    let mut ip = Ipv4 {
        version_ihl: Ipv4::VERSION_IHL,
        tos: 0,
        total_len: total_len.into(),
        id: 0.into(),
        flags_offset: 0.into(),
        ttl: 64,
        protocol: Protocol::UDP,
        checksum: [0; 2],
        src: octets(peer.ip()),
        dst: octets(own.ip()),
    };
    ip.checksum = Sum::of(ip.as_bytes()).checksum();
    let udp = Udp {
        sport: peer.port().into(),
        dport: own.port().into(),
        len: udp_len.into(),
        checksum: [0; 2],
    };
    let mut headers = [0; HEADERS];
    let fields = ethernet
        .as_bytes()
        .iter()
        .chain(ip.as_bytes())
        .chain(udp.as_bytes());
    headers
        .iter_mut()
        .zip(fields)
        .for_each(|(byte, field)| *byte = *field);
    Some(headers)
}
