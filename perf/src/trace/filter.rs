//! Which frames are shown. All conditions that are given must hold; addresses and ports are those of the pods' packet.

use clap::{Args, ValueEnum};
use contract::stats::DropReason;
use ipnet::IpNet;

use super::decode::PROTOCOLS;
use super::frame::Frame;

/// What to look for.
#[derive(Args, Clone, Debug, Default)]
pub struct Filter {
    /// Source of the pods' packet.
    #[arg(long, value_name = "ADDR[/LEN]", value_parser = network)]
    src: Option<IpNet>,
    /// Destination of the pods' packet.
    #[arg(long, value_name = "ADDR[/LEN]", value_parser = network)]
    dst: Option<IpNet>,
    /// Protocol of the pods' packet: icmp, tcp, udp, icmpv6, sctp, or a number.
    #[arg(long, value_name = "NAME", value_parser = protocol)]
    proto: Option<u8>,
    /// TCP or UDP source port of the pods' packet.
    #[arg(long, value_name = "PORT")]
    sport: Option<u16>,
    /// TCP or UDP destination port of the pods' packet.
    #[arg(long, value_name = "PORT")]
    dport: Option<u16>,
    /// The node at the other end: its subnet, its public IP or its slot, as `tweed-perf stats` shows them.
    #[arg(long, value_name = "PEER")]
    pub(super) peer: Option<String>,
    /// Only what was forwarded, or only what was dropped.
    #[arg(long)]
    verdict: Option<Verdict>,
    /// Only what was dropped for this reason; may be given more than once. docs/counters.md explains them.
    #[arg(long, value_name = "NAME", value_parser = reasons())]
    reason: Vec<String>,
    /// Only this worker's frames.
    #[arg(long, value_name = "INDEX")]
    worker: Option<usize>,
    /// Only what came in or left by this port: its device or its number.
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Verdict {
    Forwarded,
    Dropped,
}

impl Filter {
    /// Whether a frame is to be shown.
    pub fn matches(&self, frame: &Frame) -> bool {
        self.about(frame) && self.inner(frame)
    }

    fn about(&self, frame: &Frame) -> bool {
        let verdict = match frame.reason() {
            None => Verdict::Forwarded,
            Some(_) => Verdict::Dropped,
        };
        let meta = &frame.record.meta;
        let is_port = |wanted: &String| {
            let name = |name: &Option<String>| name.as_ref() == Some(wanted);
            let number = |number: Option<u8>| number.is_some() && wanted.parse().ok() == number;
            name(&frame.port_in)
                || name(&frame.port_out)
                || number(meta.port_in)
                || number(meta.port_out)
        };
        let is_peer = |wanted: &String| match &frame.peer {
            Some(peer) => peer.is_called(wanted),
            // Nobody that control knows, but an address is an address.
            None => {
                let outer = frame.decoded.outer.iter();
                outer
                    .flat_map(|outer| [outer.src, outer.dst])
                    .any(|at| at.to_string() == *wanted)
            }
        };
        self.verdict.is_none_or(|wanted| wanted == verdict)
            && self.worker.is_none_or(|wanted| wanted == frame.worker)
            && (self.reason.is_empty()
                || frame
                    .reason()
                    .is_some_and(|reason| self.reason.iter().any(|r| r == reason)))
            && self.port.as_ref().is_none_or(is_port)
            && self.peer.as_ref().is_none_or(is_peer)
    }

    fn inner(&self, frame: &Frame) -> bool {
        let Some(packet) = &frame.decoded.inner else {
            // There is no packet that the conditions could hold for.
            return self.src.is_none()
                && self.dst.is_none()
                && self.proto.is_none()
                && self.sport.is_none()
                && self.dport.is_none();
        };
        self.src.is_none_or(|net| net.contains(&packet.src))
            && self.dst.is_none_or(|net| net.contains(&packet.dst))
            && self.proto.is_none_or(|proto| proto == packet.protocol)
            && self.sport.is_none_or(|port| packet.sport == Some(port))
            && self.dport.is_none_or(|port| packet.dport == Some(port))
    }
}

/// An address is a network of its own.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || {
        text.parse()
            .ok()
            .map(|address: std::net::IpAddr| IpNet::from(address))
    };
    let network = text.parse().ok().or_else(address);
    network.ok_or_else(|| "an address, or a network like 10.244.1.0/24".to_owned())
}

fn protocol(text: &str) -> Result<u8, String> {
    let named = PROTOCOLS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    let number = named
        .map(|(_, number)| *number)
        .or_else(|| text.parse().ok());
    number.ok_or_else(|| "icmp, tcp, udp, icmpv6, sctp, or a number up to 255".to_owned())
}

fn reasons() -> clap::builder::PossibleValuesParser {
    DropReason::ALL
        .iter()
        .map(|reason| reason.name())
        .collect::<Vec<_>>()
        .into()
}
