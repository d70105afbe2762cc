//! A device that is open as a port: an AF_XDP socket on a queue of it for each worker and the program that steers into them; a
//! TUN with a queue attached for each worker; or a UDP socket for each worker, on no device.
//!
//! On the way up the program is told last of the sockets, when workers hold their rings and have filled them; on the way
//! down it goes first. In between, and whenever the engine is dead, frames pass to the kernel.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use contract::config::Config;
use contract::stats::{BoundMode, PortState, PortStatus};
use contract::tables::{Node, Port, PortKind, Tunnel};
use contract::wire::Protocol;
use thiserror::Error;

use crate::threads::WorkerHandle;
use crate::tun::{Tun, TunError};
use crate::udp::{DeviceGro, Udp, UdpError};
use crate::xsk::{
    BindMode, Binding, Device, DeviceError, Kind, Program, ProgramError, Umem, Vtep, Xsk, XskError,
};

/// Ethernet header: what a device's MTU does not count.
const ETHERNET: usize = 14;
/// Time between two questions whether the device is still there.
const ASK: Duration = Duration::from_secs(1);

/// Why a device cannot be a port.
#[derive(Debug, Error)]
pub enum OpenError {
    /// It is not there, or not to be asked.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A socket cannot be bound.
    #[error(transparent)]
    Socket(#[from] XskError),
    /// A TUN has no queue for us.
    #[error(transparent)]
    Tun(#[from] TunError),
    /// The program cannot be attached.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A UDP socket cannot be had.
    #[error(transparent)]
    Udp(#[from] UdpError),
    /// The tables ask for a kind of port that this engine does not have.
    #[error(
        "{interface} is to be opened in a way that this engine does not know; run the same version of tweed-control and tweed-dataplane"
    )]
    Kind {
        /// The device.
        interface: String,
    },
    /// A socket carries only what has a UDP port.
    #[error(
        "{interface} cannot be opened over UDP: the cluster's backend has no UDP port; set underlay.mode = \"auto\""
    )]
    NoPort {
        /// The device.
        interface: String,
    },
    /// Its frames do not fit in a chunk.
    #[error("{interface} has an MTU of {mtu}, but a chunk holds {room} bytes; {remedy}")]
    Mtu {
        /// The device.
        interface: String,
        /// Its MTU.
        mtu: u32,
        /// Longest frame.
        room: usize,
        /// What to do.
        remedy: &'static str,
    },
}

impl OpenError {
    /// Whether AF_XDP cannot be had at all, as long as device, rights and kernel are what they are. What another has, what is
    /// down or gone, and a queue that is one too many are for the next try, or for whoever reads the message.
    pub fn is_lasting(&self) -> bool {
        match self {
            OpenError::Socket(error) => matches!(
                error,
                XskError::NoAfXdp(_)
                    | XskError::NotPermitted { .. }
                    | XskError::Memlock { .. }
                    | XskError::Mtu { .. }
            ),
            OpenError::Program(error) => matches!(
                error,
                ProgramError::NotPermitted { .. }
                    | ProgramError::NoLink { .. }
                    | ProgramError::Load { .. }
                    | ProgramError::Mtu { .. }
            ),
            OpenError::Mtu { .. } => true,
            OpenError::Device(_)
            | OpenError::Tun(_)
            | OpenError::Udp(_)
            | OpenError::NoPort { .. }
            | OpenError::Kind { .. } => false,
        }
    }
}

/// An open device.
pub struct OpenPort {
    program: Option<Program>,
    /// The tunnel address that UDP sockets are bound to.
    address: Option<SocketAddrV4>,
    /// Why it is not bound as would be best.
    why: String,
    device: Device,
    kind: PortKind,
    mode: BoundMode,
    queues: u32,
    vtep: Option<Vtep>,
    /// Bytes of the longest frame that every worker can receive.
    longest: u16,
    asked: Instant,
    /// GRO that was off before, under UDP sockets.
    gro: Option<DeviceGro>,
}

impl OpenPort {
    /// Opens a device as port `number` in the way that `port` says, and hands each worker its part. `pod_mtu`: the largest
    /// packet that the pod side takes, bytes.
    pub fn open(
        number: u8,
        port: &Port,
        node: &Node,
        pod_mtu: u16,
        config: &Config,
        workers: &[WorkerHandle],
    ) -> Result<OpenPort, OpenError> {
        let device = Device::find(&port.name)?;
        if port.mode != BindMode::Udp {
            for worker in workers {
                fits(&device, &worker.umem)?;
            }
        }
        match (port.mode, port.kind) {
            (BindMode::Tun, PortKind::Uplink | PortKind::Pod) => {
                Self::open_tun(number, port, device, workers)
            }
            (BindMode::Udp, PortKind::Underlay) => {
                Self::open_udp(number, port, device, node, pod_mtu, workers)
            }
            (BindMode::Tun | BindMode::Udp, _) => Err(OpenError::Kind {
                interface: port.name.clone(),
            }),
            _ => Self::open_sockets(number, port, device, node, config, workers),
        }
    }

    /// Attaches a queue for each worker. There is nothing to steer: what the kernel routes there, a queue gets.
    fn open_tun(
        number: u8,
        port: &Port,
        device: Device,
        workers: &[WorkerHandle],
    ) -> Result<OpenPort, OpenError> {
        let interface = || port.name.clone();
        if !device.is_up {
            let interface = interface();
            return Err(TunError::Down { interface }.into());
        }
        // A TUN that was told to stay has a carrier just while it has queues.
        if device.has_carrier {
            let interface = interface();
            return Err(TunError::Busy { interface }.into());
        }
        let queues = Tun::open(&port.name, workers.len(), number)?;
        for (worker, tun) in workers.iter().zip(queues) {
            worker.open(number, port.kind, tun);
        }
        Ok(OpenPort::new(port, device, BoundMode::Tun, workers))
    }

    /// Binds a socket on the tunnel address for each worker. The kernel routes what they send: the device gives its name.
    fn open_udp(
        number: u8,
        port: &Port,
        device: Device,
        node: &Node,
        pod_mtu: u16,
        workers: &[WorkerHandle],
    ) -> Result<OpenPort, OpenError> {
        if !node.tunnel.has_port() {
            let interface = port.name.clone();
            return Err(OpenError::NoPort { interface });
        }
        let address = tunnel_address(node);
        let sockets = Udp::bind(address, workers.len())?;
        let ends = sockets
            .into_iter()
            .map(|socket| Udp::underlay(socket, address, number, pod_mtu))
            .collect::<Result<Vec<_>, _>>()?;
        for (worker, udp) in workers.iter().zip(ends) {
            worker.open(number, port.kind, udp);
        }
        let gro = DeviceGro::switch_on(&port.name).unwrap_or_else(|error| {
            tracing::warn!(
                interface = port.name,
                "cannot switch GRO on ({error}): each datagram walks the kernel's stack alone, which costs a third of the goodput"
            );
            None
        });
        if gro.is_some() {
            tracing::info!(
                interface = port.name,
                "GRO was off and is on until this port closes"
            );
        }
        Ok(OpenPort {
            address: Some(address),
            gro,
            ..OpenPort::new(port, device, BoundMode::Udp, workers)
        })
    }

    /// Binds a socket for each worker, and steers.
    fn open_sockets(
        number: u8,
        port: &Port,
        device: Device,
        node: &Node,
        config: &Config,
        workers: &[WorkerHandle],
    ) -> Result<OpenPort, OpenError> {
        let kind = match port.kind {
            PortKind::Underlay => Kind::Underlay,
            PortKind::Uplink | PortKind::Pod => Kind::Overlay,
        };
        let mut program = Program::attach(&port.name, kind, port.mode)?;
        let mut sockets: Vec<Xsk> = Vec::with_capacity(workers.len());
        for worker in workers {
            let binding = Binding {
                interface: port.name.clone(),
                queue: worker.queue,
                mode: if program.is_generic() {
                    BindMode::Generic
                } else {
                    port.mode
                },
                ring_size: config.dataplane.ring_size,
                busy_poll: config.dataplane.busy_poll,
                port: number,
            };
            // Sockets bound so far have lent nothing yet: dropping them loses no chunk.
            sockets.push(Xsk::open(&worker.umem, &binding)?);
        }
        let mode = sockets
            .first()
            .map_or(BoundMode::None, |xsk| xsk.bound().mode);
        for (worker, xsk) in workers.iter().zip(&sockets) {
            if let Some(fd) = xsk.fd() {
                // The worker fills the ring within microseconds; a frame that comes before finds no chunk and is lost, as
                // one that came before the device was up.
                program.set_socket(worker.queue, fd)?;
            }
        }
        for (worker, xsk) in workers.iter().zip(sockets) {
            worker.open(number, port.kind, xsk);
        }
        let mut open = OpenPort {
            program: Some(program),
            ..OpenPort::new(port, device, mode, workers)
        };
        open.steer(node);
        Ok(open)
    }

    /// Open, and nothing to steer.
    fn new(port: &Port, device: Device, mode: BoundMode, workers: &[WorkerHandle]) -> Self {
        OpenPort {
            program: None,
            address: None,
            why: String::new(),
            device,
            kind: port.kind,
            mode,
            queues: workers.len() as u32,
            vtep: None,
            longest: workers
                .iter()
                .map(|worker| worker.umem.receive_room())
                .min()
                .and_then(|room| room.try_into().ok())
                .unwrap_or(u16::MAX),
            asked: Instant::now(),
            gro: None,
        }
    }

    /// The same, and why it was opened so, for its status.
    pub fn because(self, why: String) -> Self {
        OpenPort { why, ..self }
    }

    /// Whether it has the tunnel's UDP port.
    pub fn is_udp(&self) -> bool {
        self.address.is_some()
    }

    /// Whether it is bound to another address than the tunnel's now is.
    pub fn is_elsewhere(&self, node: &Node) -> bool {
        self.address
            .is_some_and(|address| address != tunnel_address(node))
    }

    /// Tells the program where tunnel datagrams are sent, if that is news.
    pub fn steer(&mut self, node: &Node) {
        let vtep = vtep(node, self.longest);
        if self.kind != PortKind::Underlay || self.vtep == Some(vtep) {
            return;
        }
        match self.program.as_mut().map(|program| program.set_vtep(&vtep)) {
            // Tried again at the next look.
            Some(Err(error)) => tracing::error!("{error}"),
            _ => self.vtep = Some(vtep),
        }
    }

    /// Whether the device is not what was opened any more: gone, or another one under its name. Asks the kernel once a
    /// second at most.
    pub fn is_gone(&mut self) -> bool {
        if self.asked.elapsed() < ASK {
            return false;
        }
        self.asked = Instant::now();
        match Device::find(&self.device.name) {
            Ok(now) => now.index != self.device.index,
            Err(error) => matches!(error, DeviceError::Missing(_)),
        }
    }

    /// Says what it got.
    pub fn status(&self, status: PortStatus) -> PortStatus {
        PortStatus {
            state: PortState::Up,
            mode: self.mode,
            ifindex: self.device.index,
            queues: self.queues,
            error: self.why.clone(),
            ..status
        }
    }

    /// Gives the device's traffic back to the kernel; the sockets stay, so what was received is still forwarded.
    pub fn detach(&mut self) {
        self.program = None;
    }

    /// Takes the port from the workers and closes the sockets.
    pub fn close(mut self, number: u8, workers: &[WorkerHandle]) {
        self.detach();
        self.gro = None;
        for worker in workers {
            worker.close(number);
        }
    }
}

/// Where other nodes send to.
pub fn tunnel_address(node: &Node) -> SocketAddrV4 {
    SocketAddrV4::new(node.vtep_ip4, node.tunnel_dport)
}

/// What is ours on the underlay.
fn vtep(node: &Node, longest: u16) -> Vtep {
    let (ip4, ip6, protocol) = match node.tunnel {
        Tunnel::Vxlan | Tunnel::VxlanGbp => (node.vtep_ip4, node.vtep_ip6, Protocol::UDP),
        Tunnel::Udp => (node.vtep_ip4, Ipv6Addr::UNSPECIFIED, Protocol::UDP),
        Tunnel::Ipip => (node.vtep_ip4, Ipv6Addr::UNSPECIFIED, Protocol::IPIP),
        Tunnel::None => (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED, Protocol::UDP),
    };
    Vtep {
        ip4,
        ip6,
        dport: node.tunnel_dport,
        longest,
        protocol,
    }
}

/// A frame of the device must fit in a chunk: one that does not is dropped by the kernel, uncounted by us.
fn fits(device: &Device, umem: &Umem) -> Result<(), OpenError> {
    let room = umem.receive_room();
    if device.mtu as usize + ETHERNET <= room {
        return Ok(());
    }
    let remedy = if umem.chunk_size() < 4096 {
        "set dataplane.chunk_size = 4096"
    } else {
        "lower the device's MTU: frames in several chunks are not supported"
    };
    Err(OpenError::Mtu {
        interface: device.name.clone(),
        mtu: device.mtu,
        room,
        remedy,
    })
}
