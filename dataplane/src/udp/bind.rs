//! The tunnel's sockets: whose the port is, and options.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};

use contract::stats::TAKEN;
use rustix::io::Errno;
use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use thiserror::Error;

use super::abi;

/// Bytes of datagrams that may wait in a socket, the kernel's book-keeping not counted. As much as an AF_XDP ring of 2,048
/// frames holds: less drops a TCP window that came at once, more is only delay.
const BUFFER: usize = 4 << 20;

/// The tunnel's socket cannot be had.
#[derive(Debug, Error)]
pub enum UdpError {
    /// Another owns the port.
    #[error(
        "UDP {address} is taken: {taken}. If it is flannel's device, stop flanneld and let tweed-control take it over; see other \
         devices with `ip -d link show type vxlan`, and processes with `ss -ulpn sport = :{}`", address.port(), taken = TAKEN
    )]
    Taken {
        /// Our tunnel address.
        address: SocketAddr,
    },
    /// The address is not on this host, or another failure.
    #[error(
        "cannot bind UDP {address}: {source}; is the address of underlay.public_ip on this node?"
    )]
    Bind {
        /// Our tunnel address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A socket does not take an option.
    #[error("cannot set {option} on a UDP socket: {source}; tweed needs Linux 5.9 or later")]
    Option {
        /// Which.
        option: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

fn refused(option: &'static str) -> impl Fn(Errno) -> UdpError {
    move |errno| UdpError::Option {
        option,
        source: errno.into(),
    }
}

/// Sockets on the tunnel address, one for each worker: the kernel spreads flows over them by their hash.
///
/// The first is bound alone, so that another owner of the port is found even if he would share it with us. No socket can
/// be bound beside one that does not share, such as a kernel vxlan device's: it is refused instead of eating half of the
/// traffic.
pub(super) fn tunnel(address: SocketAddr, count: usize) -> Result<Vec<OwnedFd>, UdpError> {
    let share = |socket: &OwnedFd| {
        sockopt::set_socket_reuseport(socket, true).map_err(refused("SO_REUSEPORT"))
    };
    let mut sockets: Vec<OwnedFd> = Vec::with_capacity(count);
    for number in 0..count {
        let socket = open(address)?;
        if number > 0 {
            share(&socket)?;
        }
        bind(&socket, address)?;
        if number == 0 && count > 1 {
            share(&socket)?;
        }
        if address.is_ipv4() {
            sockopt::set_ip_recvtos(&socket, true).map_err(refused("IP_RECVTOS"))?;
        } else {
            sockopt::set_ipv6_recvtclass(&socket, true).map_err(refused("IPV6_RECVTCLASS"))?;
        }
        // Beyond net.core.rmem_max if we may (CAP_NET_ADMIN), else as far as that goes. What a short buffer drops the kernel
        // counts (`RcvbufErrors` in `nstat`): no reason to refuse.
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, BUFFER));
        sockets.push(socket);
    }
    Ok(sockets)
}

/// Has the kernel put together what comes in by a socket.
pub(super) fn gather(socket: &OwnedFd) -> Result<(), UdpError> {
    abi::set_gro(socket.as_fd()).map_err(refused("UDP_GRO"))
}

/// Sockets that only send, on ports of their own.
pub(super) fn senders(own: Ipv4Addr, count: usize) -> Result<Vec<OwnedFd>, UdpError> {
    let any_port = SocketAddrV4::new(own, 0).into();
    let sender = |_| {
        let socket = open(any_port)?;
        // Before it is bound, so that nothing finds it larger.
        sockopt::set_socket_recv_buffer_size(&socket, 1).map_err(refused("SO_RCVBUF"))?;
        // As flannel's kernel sends: narrow paths may fragment (FLANNEL.md T10), and what they say of their MTU is left alone.
        sockopt::set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DONT)
            .map_err(refused("IP_MTU_DISCOVER"))?;
        sockopt::set_ip_ttl(&socket, 64).map_err(refused("IP_TTL"))?;
        let _ = sockopt::set_socket_send_buffer_size_force(&socket, BUFFER)
            .or_else(|_| sockopt::set_socket_send_buffer_size(&socket, BUFFER));
        bind(&socket, any_port)?;
        Ok(socket)
    };
    (0..count).map(sender).collect()
}

fn open(address: SocketAddr) -> Result<OwnedFd, UdpError> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    rustix::net::socket_with(family, SocketType::DGRAM, flags, None).map_err(|errno| {
        UdpError::Bind {
            address,
            source: errno.into(),
        }
    })
}

fn bind(socket: &OwnedFd, address: SocketAddr) -> Result<(), UdpError> {
    rustix::net::bind(socket, &address).map_err(|errno| match errno {
        Errno::ADDRINUSE => UdpError::Taken { address },
        errno => UdpError::Bind {
            address,
            source: errno.into(),
        },
    })
}
