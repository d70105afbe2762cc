//! The main thread. It starts the workers, then looks twenty times a second: are there new tables, does the set of ports that
//! they name differ from the ports that are open, is it time to stop? It opens and closes devices and hands their rings to
//! the workers; it never touches a packet.
//!
//! Level-triggered like control: each look compares what is desired with what is, by value, so nothing is lost with an event
//! and a failed port is simply tried again.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use contract::config::{BindMode, Config};
use contract::stats::{BoundMode, EngineStats, PortState, PortStatus, StatsError};
use contract::tables::{MAX_PORTS, Node, Port, PortKind, TablesReader, Tunnel, TunnelPort};
use thiserror::Error;

use crate::clock;
use crate::open_port::OpenPort;
use crate::threads::{WorkerError, WorkerHandle};
use crate::udp::{Udp, UdpError};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// Time between two looks while the tunnel's UDP port is awaited: nobody may have it for a moment.
const LOOK_OUT: Duration = Duration::from_millis(5);
/// Time between two tries to open a port that failed.
const RETRY: Duration = Duration::from_secs(1);
/// Numbers of the slow path's ports, over IPv4 and IPv6: the last, where no table has put a device so far.
const SLOW_PATH: [u8; 2] = [MAX_PORTS as u8 - 1, MAX_PORTS as u8 - 2];

/// Why the engine cannot run, or did not end well.
#[derive(Debug, Error)]
pub enum EngineError {
    /// No stats segment.
    #[error(transparent)]
    Stats(#[from] StatsError),
    /// A worker cannot be started.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The run directory cannot be made.
    #[error("cannot create node.run_dir {path}: {source}")]
    RunDir {
        /// The directory.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Frames are missing at the end: a bug of ours.
    #[error(
        "worker {worker} ended with {accounted} of {frames} frames accounted for; please report this"
    )]
    Lost {
        /// Index of the worker.
        worker: usize,
        /// Frames in its pool.
        accounted: usize,
        /// Frames that it was given.
        frames: usize,
    },
}

/// The engine's process.
pub struct Engine {
    config: Config,
    stats: EngineStats,
    workers: Vec<WorkerHandle>,
    tables: Option<TablesReader>,
    devices: Vec<Slot>,
    /// The addresses that the slow path's sockets are bound to, while there are any.
    slow: [Option<SocketAddr>; 2],
    /// Whether the tables say that the tunnel's UDP port will be ours in a moment.
    awaits: bool,
    /// What was last logged about the tables, so that a state is logged once.
    complaint: String,
}

/// What was last tried for a port number.
struct Slot {
    desired: Option<Port>,
    device: Option<OpenPort>,
    tried: Option<Instant>,
    status: PortStatus,
}

/// Where the slow path listens: see [`SLOW_PATH`].
fn slow_paths(node: &Node) -> [Option<SocketAddr>; 2] {
    if !node.tunnel_port.is_ours() {
        return [None; 2];
    }
    let dport = node.tunnel_dport;
    let at = |ip: IpAddr| (!ip.is_unspecified()).then(|| SocketAddr::new(ip, dport));
    match node.tunnel {
        Tunnel::Vxlan | Tunnel::VxlanGbp => [at(node.vtep_ip4.into()), at(node.vtep_ip6.into())],
        Tunnel::Udp => [at(node.vtep_ip4.into()), None],
        // Without a port there is no socket: outer fragments end in the kernel.
        Tunnel::Ipip | Tunnel::None => [None; 2],
    }
}

impl Engine {
    /// Starts the workers. They have no tables and no ports yet, and wait for both.
    pub fn start(config: Config) -> Result<Self, EngineError> {
        std::fs::create_dir_all(&config.run_dir).map_err(|source| EngineError::RunDir {
            path: config.run_dir.clone(),
            source,
        })?;
        let tsc_hz = clock::tsc_hz();
        let stats = EngineStats::create(&config.stats_path(), config.workers.len(), tsc_hz)?;
        let workers = (0..config.workers.len())
            .map(|index| WorkerHandle::start(index, &config, stats.worker(index), tsc_hz))
            .collect::<Result<Vec<_>, _>>()?;
        let devices = (0..MAX_PORTS)
            .map(|_| Slot {
                desired: None,
                device: None,
                tried: None,
                status: PortStatus::default(),
            })
            .collect();
        Ok(Engine {
            config,
            stats,
            workers,
            tables: None,
            devices,
            slow: [None; 2],
            awaits: false,
            complaint: String::new(),
        })
    }

    /// Looks until `stop` is set, then takes everything down and checks that every frame is accounted for.
    pub fn run(mut self, stop: &AtomicBool) -> Result<(), EngineError> {
        // Nobody listens unless systemd started us with Type=notify.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        while !stop.load(Ordering::Relaxed) {
            self.look();
            self.stats.beat();
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
            std::thread::sleep(if self.awaits { LOOK_OUT } else { LOOK });
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        tracing::info!("stopping: devices go back to the kernel, then frames in flight are sent");
        self.stop()
    }

    fn look(&mut self) {
        self.open_tables();
        let Some(tables) = &mut self.tables else {
            return;
        };
        let (node, ports) =
            match tables.read(|fib| fib.ports().map(|ports| (fib.node_value(), ports))) {
                Ok(desired) => desired,
                Err(error) => return self.complain(format!("tables ignored: {error}")),
            };
        self.awaits = node.tunnel_port == TunnelPort::Awaited;
        let pods = ports.iter().filter(|port| port.kind != PortKind::Underlay);
        let pod_mtu = pods.map(|port| port.mtu).min().unwrap_or(u16::MAX);
        let desires_udp = ports.iter().any(|port| port.mode == BindMode::Udp);
        if !desires_udp && !self.is_over_udp() {
            self.keep_slow_path(&node, pod_mtu);
        }
        // The underlay last: what is steered into it goes out by the others.
        let is_underlay = |number: &usize| {
            let port = ports.get(*number);
            port.is_some_and(|port| port.kind == PortKind::Underlay)
        };
        let (last, first): (Vec<_>, Vec<_>) = (0..MAX_PORTS).partition(is_underlay);
        for number in first.into_iter().chain(last) {
            self.keep_port(number as u8, ports.get(number), &node, pod_mtu);
        }
    }

    /// Opens the tables segment when there is one, and again when control has replaced the file.
    fn open_tables(&mut self) {
        if self
            .tables
            .as_ref()
            .is_some_and(|tables| !tables.is_replaced())
        {
            return;
        }
        let path = self.config.tables_path();
        let opened = TablesReader::open(&path).and_then(|reader| {
            // Made a moment ago and still empty: what stands goes on until there is something better.
            if self.tables.is_some() && reader.generation() == 0 {
                return Ok(None);
            }
            let workers = self
                .workers
                .iter()
                .map(|_| reader.worker())
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Some((reader, workers)))
        });
        let complaint = match opened {
            Ok(None) => return,
            Ok(Some((reader, workers))) => {
                for (worker, tables) in self.workers.iter().zip(workers) {
                    worker.use_tables(tables);
                }
                self.tables = Some(reader);
                format!("reading tables from {}", path.display())
            }
            // The old file, if any, stays in use: its last generation is the best there is.
            Err(error) => format!("no new tables: {error}"),
        };
        self.complain(complaint);
    }

    /// Logs a state of the tables, once.
    fn complain(&mut self, complaint: String) {
        if complaint != self.complaint {
            tracing::info!("{complaint}");
            self.complaint = complaint;
        }
    }

    /// Whether an open port has the tunnel's UDP port, so that there is no slow path beside it.
    fn is_over_udp(&self) -> bool {
        let open = self.devices.iter().filter_map(|slot| slot.device.as_ref());
        open.into_iter().any(OpenPort::is_udp)
    }

    /// The slow path: a UDP socket on the tunnel's port beside the AF_XDP sockets, read by the first worker; one for each
    /// address that we have.
    ///
    /// A peer whose path is narrower than our MTU sends its outer packets in fragments, for the outer header carries no DF
    /// (FLANNEL.md T10). Fragments after the first have no UDP header to steer by, so the XDP program passes them all; the
    /// kernel reassembles them, in memory that it bounds (`net.ipv4.ipfrag_high_thresh`), and this socket gets the datagram.
    /// What it cannot hold the kernel counts (`RcvbufErrors` in `nstat`).
    ///
    /// The socket also keeps the port: a kernel vxlan device that wants it is refused instead of eating half of the traffic.
    /// While it cannot be had, the underlay is not opened, unless the tables say that the port is [`TunnelPort::Awaited`]. Once
    /// it is given back there is no such socket.
    fn keep_slow_path(&mut self, node: &Node, pod_mtu: u16) {
        for (index, desired) in slow_paths(node).into_iter().enumerate() {
            let (Some(slow), Some(number)) = (self.slow.get(index), SLOW_PATH.get(index)) else {
                continue;
            };
            if *slow != desired {
                let number = *number;
                self.close_one_slow_path(index, number);
                match desired {
                    Some(address) => self.open_slow_path(index, number, address, pod_mtu),
                    None => self.set_status(number, PortStatus::default()),
                }
            }
        }
    }

    fn open_slow_path(&mut self, index: usize, number: u8, address: SocketAddr, pod_mtu: u16) {
        let Some(worker) = self.workers.first() else {
            return;
        };
        let mut status = PortStatus {
            kind: Some(PortKind::Underlay),
            name: match address {
                SocketAddr::V4(_) => "slow-path".into(),
                SocketAddr::V6(_) => "slow-path-v6".into(),
            },
            ..PortStatus::default()
        };
        let awaits = self.awaits;
        match Udp::bind(address, 1).map(|mut sockets| sockets.pop()) {
            Ok(Some(socket)) => {
                let udp = Udp::slow_path(socket, address, number, pod_mtu);
                worker.open(number, PortKind::Underlay, udp);
                if let Some(slow) = self.slow.get_mut(index) {
                    *slow = Some(address);
                }
                (status.state, status.mode, status.queues) = (PortState::Up, BoundMode::Udp, 1);
            }
            Ok(None) => return,
            // Its owner gives way once we forward: no failure, and tried again at the next look.
            Err(UdpError::Taken { .. }) if awaits => status = PortStatus::default(),
            Err(error) => (status.state, status.error) = (PortState::Failed, error.to_string()),
        }
        self.set_status(number, status);
    }

    fn close_one_slow_path(&mut self, index: usize, number: u8) {
        let slow = self.slow.get_mut(index).and_then(Option::take);
        if let (Some(_), Some(worker)) = (slow, self.workers.first()) {
            worker.close(number);
        }
    }

    /// Gives the tunnel's UDP port to the underlay itself.
    fn give_up_slow_path(&mut self) {
        for (index, number) in SLOW_PATH.into_iter().enumerate() {
            self.close_one_slow_path(index, number);
            self.set_status(number, PortStatus::default());
        }
    }

    /// Whether every socket of the slow path that is to be there is.
    fn has_slow_path(&self, node: &Node) -> bool {
        let desired = slow_paths(node);
        desired == self.slow && (desired != [None; 2] || !node.tunnel.has_port())
    }

    /// Opens a device. An underlay that was left to us and for which AF_XDP cannot be had is opened over UDP.
    fn open(
        &mut self,
        number: u8,
        port: &Port,
        node: &Node,
        pod_mtu: u16,
    ) -> Result<OpenPort, String> {
        let underlay = port.kind == PortKind::Underlay;
        if underlay && !node.tunnel_port.is_ours() {
            return Err(
                "the tunnel was given back to another; start tweed-control to have it again"
                    .to_owned(),
            );
        }
        if underlay && port.mode == BindMode::Udp {
            self.give_up_slow_path();
        } else if underlay {
            self.keep_slow_path(node, pod_mtu);
            if !self.has_slow_path(node) && node.tunnel_port == TunnelPort::Held {
                return Err(
                    "the tunnel's UDP port cannot be bound: see the port slow-path".to_owned(),
                );
            }
        }
        let opened = OpenPort::open(number, port, node, pod_mtu, &self.config, &self.workers);
        match opened {
            Err(error) if underlay && port.mode == BindMode::Auto && error.is_lasting() => {
                self.give_up_slow_path();
                let over_udp = Port {
                    mode: BindMode::Udp,
                    ..port.clone()
                };
                OpenPort::open(
                    number,
                    &over_udp,
                    node,
                    pod_mtu,
                    &self.config,
                    &self.workers,
                )
                .map(|open| open.because(format!("over UDP, for AF_XDP is not to be had: {error}")))
                .map_err(|second| format!("{error}; nor over UDP: {second}"))
            }
            opened => opened.map_err(|error| error.to_string()),
        }
    }

    /// Brings one port to what the tables desire.
    fn keep_port(&mut self, number: u8, desired: Option<&Port>, node: &Node, pod_mtu: u16) {
        let Some(slot) = self.devices.get_mut(usize::from(number)) else {
            return;
        };
        let changed = slot.desired.as_ref() != desired;
        let given_back = !node.tunnel_port.is_ours();
        let broken = (slot.device.as_mut()).is_some_and(|device| {
            device.is_gone() || device.is_elsewhere(node) || given_back && device.is_udp()
        });
        if (changed || broken)
            && let Some(device) = slot.device.take()
        {
            device.close(number, &self.workers);
        }
        slot.desired = desired.cloned();
        // A UDP port costs one call to ask for, and each moment that it is nobody's, packets are lost.
        let retry = if slot.status.is_taken() {
            Duration::ZERO
        } else {
            RETRY
        };
        let due = changed || broken || slot.tried.is_some_and(|tried| tried.elapsed() >= retry);
        let port = match (desired, &mut slot.device) {
            (None, _) if SLOW_PATH.contains(&number) => return,
            (None, _) => return self.set_status(number, PortStatus::default()),
            (Some(port), Some(device))
                if port.kind == PortKind::Underlay && node.tunnel_port == TunnelPort::Relieved =>
            {
                device.detach();
                let status = PortStatus {
                    mode: BoundMode::None,
                    error: "the kernel has its traffic again".into(),
                    ..slot.status.clone()
                };
                return self.set_status(number, status);
            }
            (Some(_), Some(device)) => return device.steer(node),
            (Some(_), None) if !due => return,
            (Some(port), None) => port,
        };
        let opened = self.open(number, port, node, pod_mtu);
        let status = PortStatus {
            kind: Some(port.kind),
            name: port.name.clone(),
            ..PortStatus::default()
        };
        let status = match &opened {
            Ok(device) => device.status(status),
            Err(error) => PortStatus {
                state: PortState::Failed,
                error: error.clone(),
                ..status
            },
        };
        if let Some(slot) = self.devices.get_mut(usize::from(number)) {
            slot.tried = opened.is_err().then(Instant::now);
            slot.device = opened.ok();
        }
        self.set_status(number, status);
    }

    /// Publishes a port's status, and logs it when it is another than before.
    fn set_status(&mut self, number: u8, status: PortStatus) {
        let Some(slot) = self.devices.get_mut(usize::from(number)) else {
            return;
        };
        if slot.status == status {
            return;
        }
        match status.state {
            PortState::Up if !status.error.is_empty() => tracing::warn!(
                port = number,
                name = status.name,
                mode = status.mode.name(),
                "port up, {}",
                status.error
            ),
            PortState::Up => tracing::info!(
                port = number,
                name = status.name,
                mode = status.mode.name(),
                "port up"
            ),
            PortState::Failed => tracing::error!(
                port = number,
                name = status.name,
                "port failed: {}",
                status.error
            ),
            PortState::Absent => {
                tracing::info!(port = number, name = slot.status.name, "port closed")
            }
        }
        self.stats.set_port(usize::from(number), &status);
        slot.status = status;
    }

    /// Programs first, so that the kernel has its traffic back; then each port, which sends what came in before; then the
    /// workers.
    fn stop(mut self) -> Result<(), EngineError> {
        let open = self
            .devices
            .iter_mut()
            .filter_map(|slot| slot.device.as_mut());
        open.for_each(OpenPort::detach);
        for (number, slot) in self.devices.iter_mut().enumerate() {
            if let Some(device) = slot.device.take() {
                device.close(number as u8, &self.workers);
            }
        }
        self.give_up_slow_path();
        for (index, worker) in self.workers.into_iter().enumerate() {
            let accounted = worker.stop()?;
            let frames = self.config.dataplane.frames as usize;
            if accounted != frames {
                return Err(EngineError::Lost {
                    worker: index,
                    accounted,
                    frames,
                });
            }
        }
        Ok(())
    }
}
