//! Interfaces, workers and queues: what was typed of an end, as a [`TxSide`] or [`RxSide`].

use super::groups::{OneEnd, OneIo, QueueIo, ReceivingArgs, SendIo, TakeChoice, XdpMode};
use crate::error::{Failure, Result};
use crate::io::{Interface, Io, Mode, Take};
use crate::profile::Profile;
use crate::run::plan::{Place, RxSide, TxIo};

/// VXLAN ports that a receiver has room for.
const PORTS: usize = 4;

/// Most workers of an end: they have four bits in a packet.
const WORKERS: usize = 16;

/// The interface, in the namespace that a flag names if it names none itself.
pub fn interface(typed: Interface, netns: Option<&str>) -> Interface {
    Interface {
        netns: typed.netns.or(netns.map(Into::into)),
        ..typed
    }
}

impl OneEnd {
    /// The interface, in the namespace that `--netns` names if it names none itself.
    pub fn interface(self) -> Interface {
        interface(self.interface, self.netns.as_deref())
    }
}

/// Of an end: how many workers, where. `prefix` is what its flags begin with, `--` or `--tx-`.
pub struct Workers<'a> {
    /// What its flags begin with.
    pub prefix: &'static str,
    /// How many.
    pub count: Option<u8>,
    /// Which queues.
    pub queues: &'a [u32],
    /// Which CPUs.
    pub cores: &'a [usize],
    /// Whether frames cross by AF_XDP: nothing else has queues to choose.
    pub xdp: bool,
}

impl Workers<'_> {
    /// A place for each.
    ///
    /// # Errors
    /// Lists that do not fit the number, a queue twice, queues where there are none.
    pub fn places(&self) -> Result<Vec<Place>> {
        let Workers {
            prefix,
            queues,
            cores,
            ..
        } = *self;
        let lists = [("queues", queues.len()), ("cores", cores.len())];
        let longest = queues.len().max(cores.len()).max(1);
        let count = self.count.map_or(longest, usize::from);
        if count > WORKERS {
            return Err(usage(format!("{prefix}workers: {count}; 1 to {WORKERS}")));
        }
        for (name, len) in lists {
            if len != 0 && len != count {
                return Err(usage(format!(
                    "{prefix}{name}: a list of {len}; one for each of the {count} workers ({prefix}workers)"
                )));
            }
        }
        if !queues.is_empty() && !self.xdp {
            return Err(usage(format!(
                "{prefix}queues: only with {prefix}io xdp; others have no queue to choose"
            )));
        }
        for (place, queue) in queues.iter().enumerate() {
            if queues[..place].contains(queue) {
                return Err(usage(format!(
                    "{prefix}queues: {queue} twice; each worker has a queue of its own"
                )));
            }
        }
        let place = |index: usize| Place {
            queue: queues.get(index).copied().unwrap_or(index as u32),
            core: cores.get(index).copied(),
        };
        Ok((0..count).map(place).collect())
    }
}

impl<T: clap::ValueEnum + Copy + Into<SendIo> + Send + Sync + 'static> OneIo<T> {
    /// The workers of the only end.
    ///
    /// # Errors
    /// Lists that do not fit the number, a queue twice, queues where there are none.
    pub fn places(&self) -> Result<Vec<Place>> {
        let workers = Workers {
            prefix: "--",
            count: self.workers,
            queues: &self.queues,
            cores: &self.cores,
            xdp: self.io.into() == SendIo::Xdp,
        };
        workers.places()
    }

    /// The only end's way.
    ///
    /// # Errors
    /// A mode for what is no AF_XDP socket.
    pub fn io(&self) -> Result<TxIo> {
        let io = self.io.into();
        if self.mode.is_some() && io != SendIo::Xdp {
            return Err(usage(
                "--mode: only with --io xdp; others have no modes".into(),
            ));
        }
        Ok(sending(io, self.mode))
    }
}

impl From<QueueIo> for SendIo {
    fn from(io: QueueIo) -> Self {
        match io {
            QueueIo::Xdp => SendIo::Xdp,
            QueueIo::Packet => SendIo::Packet,
        }
    }
}

/// The way out.
pub fn sending(io: SendIo, mode: Option<XdpMode>) -> TxIo {
    match io {
        SendIo::Xdp => TxIo::Queue(receiving(QueueIo::Xdp, mode)),
        SendIo::Packet => TxIo::Queue(Io::Packet),
        SendIo::XdpLive => TxIo::Live,
    }
}

/// The way in.
pub fn receiving(io: QueueIo, mode: Option<XdpMode>) -> Io {
    match io {
        QueueIo::Packet => Io::Packet,
        QueueIo::Xdp => Io::Xdp(match mode {
            None | Some(XdpMode::Auto) => Mode::Auto,
            Some(XdpMode::ZeroCopy) => Mode::ZeroCopy,
            Some(XdpMode::Copy) => Mode::Copy,
            Some(XdpMode::Generic) => Mode::Generic,
        }),
    }
}

impl ReceivingArgs {
    /// The receiving end; it also looks behind the VXLAN ports of `profile`.
    ///
    /// # Errors
    /// More VXLAN ports than it has room for.
    pub fn side(
        &self,
        interface: Interface,
        io: Io,
        workers: Vec<Place>,
        profile: Option<&Profile>,
    ) -> Result<RxSide> {
        let tunnels = profile.iter().flat_map(|profile| &profile.streams);
        let sent = tunnels.filter_map(|stream| stream.vxlan.as_ref().map(|vxlan| vxlan.port));
        let mut vxlan_ports = Vec::new();
        for port in self.vxlan_port.iter().copied().chain(sent) {
            if !vxlan_ports.contains(&port) {
                vxlan_ports.push(port);
            }
        }
        if vxlan_ports.len() > PORTS {
            let ports: Vec<_> = vxlan_ports.iter().map(u16::to_string).collect();
            return Err(usage(format!(
                "--vxlan-port: {}; at most {PORTS}, those of the streams included",
                ports.join(",")
            )));
        }
        Ok(RxSide {
            interface,
            io,
            workers,
            take: match self.take {
                TakeChoice::Ours => Take::Ours,
                TakeChoice::All => Take::All,
            },
            vxlan_ports,
            busy: self.busy,
        })
    }
}

/// A usage failure.
pub fn usage(text: String) -> Failure {
    Failure::Usage(text)
}
