//! Groups of flags that several subcommands share, each under a heading of its own in `--help`.
//!
//! Doc comments are the text of `--help`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{interface, netns};
use crate::io::Interface;

/// One interface.
#[derive(Args, Debug)]
#[command(next_help_heading = "Interface")]
pub struct OneEnd {
    /// An interface, and the network namespace it is in if not this one
    #[arg(short, long, value_name = "IFACE[@NETNS]", value_parser = interface)]
    pub interface: Interface,
    /// Namespace of an interface without @NETNS: a name that `ip netns list` shows
    #[arg(long, value_name = "NAME", value_parser = netns)]
    pub netns: Option<String>,
}

/// How frames cross, at one interface.
#[derive(Args, Debug)]
#[command(next_help_heading = "Interface")]
pub struct OneIo<T: ValueEnum + Send + Sync + 'static> {
    /// How frames cross between this program and the kernel
    #[arg(long, value_name = "IO", value_enum, default_value = "xdp")]
    pub io: T,
    /// How an AF_XDP socket is bound; auto: the first of the others that works
    #[arg(long, value_name = "MODE", value_enum)]
    pub mode: Option<XdpMode>,
    /// Workers, one queue each, 1 to 16 [default: as many as queues or cores, or 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub workers: Option<u8>,
    /// Their queues, e.g. 0,1 [default: 0, 1, ...]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub queues: Vec<u32>,
    /// The CPUs they are pinned to, e.g. 2,3 [default: none]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub cores: Vec<usize>,
}

/// Two interfaces, or one twice.
#[derive(Args, Debug)]
#[command(next_help_heading = "Interfaces")]
pub struct TwoEnds {
    /// Where packets leave, and the network namespace it is in if not this one
    #[arg(long, value_name = "IFACE[@NETNS]", value_parser = interface)]
    pub tx: Interface,
    /// Where they are expected; the same as --tx if the far end reflects (latency is the round trip then)
    #[arg(long, value_name = "IFACE[@NETNS]", value_parser = interface)]
    pub rx: Interface,
    /// Namespace of interfaces without @NETNS: a name that `ip netns list` shows
    #[arg(long, value_name = "NAME", value_parser = netns)]
    pub netns: Option<String>,
    /// How frames leave
    #[arg(long, value_name = "IO", value_enum, default_value = "xdp")]
    pub tx_io: SendIo,
    /// How frames come
    #[arg(long, value_name = "IO", value_enum, default_value = "xdp")]
    pub rx_io: QueueIo,
    /// How AF_XDP sockets are bound, at both ends; auto: the first of the others that works
    #[arg(long, value_name = "MODE", value_enum)]
    pub mode: Option<XdpMode>,
    /// Sending workers, one queue each, 1 to 16 [default: as many as queues or cores, or 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub tx_workers: Option<u8>,
    /// Receiving workers, one queue each
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub rx_workers: Option<u8>,
    /// Queues of the sending workers, e.g. 0,1 [default: 0, 1, ...]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub tx_queues: Vec<u32>,
    /// Queues of the receiving workers
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub rx_queues: Vec<u32>,
    /// The CPUs that sending workers are pinned to, e.g. 2,3 [default: none]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub tx_cores: Vec<usize>,
    /// The CPUs that receiving workers are pinned to
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub rx_cores: Vec<usize>,
}

/// What a sender takes besides.
#[derive(Args, Debug)]
#[command(next_help_heading = "Sending")]
pub struct SendingArgs {
    /// Gateway: its Ethernet address is the destination [default: that of the first --dst, by the routes]
    #[arg(long, value_name = "ADDR")]
    pub via: Option<IpAddr>,
}

/// Which time packets carry.
#[derive(Args, Debug)]
#[command(next_help_heading = "Sending")]
pub struct StampArgs {
    /// The time that packets carry: when they were due, or when they were written. With `departure` a sender that is
    /// held up hides it (coordinated omission). At --rate max nothing is due, and it is `departure`
    #[arg(long, value_name = "WHICH", value_enum, default_value = "intended")]
    pub stamp: StampChoice,
}

/// What a receiver takes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Receiving")]
pub struct ReceivingArgs {
    /// Frames taken away from the kernel: ours, plain or in VXLAN; or all but ARP and neighbour discovery
    #[arg(long, value_name = "WHICH", value_enum, default_value = "ours")]
    pub take: TakeChoice,
    /// UDP ports behind which to look for VXLAN, up to 4; those of the streams are added
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "4789,8472",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub vxlan_port: Vec<u16>,
    /// Never sleep: no wake-up is part of the latency, and a CPU is used up
    #[arg(long)]
    pub busy: bool,
}

/// The keys of a run, all text.
#[derive(Args, Debug)]
#[command(next_help_heading = "Traffic")]
pub struct RunArgs {
    /// A profile: streams and all that follows in a TOML file. Flags of this group go before what it says
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// max, 100kpps, 1Gbit (frames with FCS), 1Gbit-wire (also preamble and gap), 50% (of the link)
    /// [default: max; latency: 10kpps]
    #[arg(long, value_name = "RATE")]
    pub rate: Option<String>,
    /// Frames that leave together [default: 1, evenly spread]
    #[arg(long, value_name = "N")]
    pub burst: Option<String>,
    /// Bytes behind the signature: zeros, increment, random, 0xa5 [default: increment]
    #[arg(long, value_name = "PATTERN")]
    pub payload: Option<String>,
    /// Of everything random; reports have it, so that a run can be repeated [default: random]
    #[arg(long, value_name = "N")]
    pub seed: Option<String>,
}

/// When a run ends.
#[derive(Args, Debug)]
#[command(next_help_heading = "Traffic")]
pub struct StopArgs {
    /// Send for so long (10s, 500ms, 2m), or forever [default: forever; latency: 10s]
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,
    /// Send so many frames, all workers together
    #[arg(long, value_name = "N")]
    pub count: Option<String>,
}

/// The keys of one stream, all text.
#[derive(Args, Debug)]
#[command(next_help_heading = "Packets (one stream; several in a --profile)")]
pub struct StreamArgs {
    /// udp, tcp (headers only, no connection) or icmp (echo requests) [default: udp]
    #[arg(long, value_name = "PROTO")]
    pub proto: Option<String>,
    /// Source addresses: one, A-B or a CIDR block [default: the interface's own]
    #[arg(long, value_name = "RANGE")]
    pub src: Option<String>,
    /// Destination addresses
    #[arg(long, value_name = "RANGE")]
    pub dst: Option<String>,
    /// Source ports: one or A-B [default: 1024, or 1024-65535 with --flows of 2 and more]
    #[arg(long, value_name = "RANGE")]
    pub sport: Option<String>,
    /// Destination ports [default: 9, discard]
    #[arg(long, value_name = "RANGE")]
    pub dport: Option<String>,
    /// Identifiers of echo requests [default: as --sport]
    #[arg(long, value_name = "RANGE")]
    pub id: Option<String>,
    /// Flows, 1 to 1000000: combinations of the ranges, --sport varying fastest, then --dst, --src, --dport [default:
    /// all combinations of the ranges given]
    #[arg(long, value_name = "N")]
    pub flows: Option<String>,
    /// Which flow comes next: round-robin or random [default: round-robin]
    #[arg(long, value_name = "ORDER")]
    pub order: Option<String>,
    /// Frame sizes with FCS, up to 3524: 64, 64-1518, imix, 7:4:1 (weights of 64, 594, 1518), 64:7,594:4 (sizes and
    /// weights) [default: the least that holds the headers]
    #[arg(long, value_name = "SIZE")]
    pub size: Option<String>,
    /// TTL or hop limit, 1 to 255 [default: 64]
    #[arg(long, value_name = "N")]
    pub ttl: Option<String>,
    /// Type of service or traffic class, 0 to 255: 0xb8 is DSCP EF [default: 0]
    #[arg(long, value_name = "N")]
    pub tos: Option<String>,
    /// Ethernet source [default: the interface's]
    #[arg(long, value_name = "MAC")]
    pub src_mac: Option<String>,
    /// Ethernet destination [default: the next hop's, asked for]
    #[arg(long, value_name = "MAC")]
    pub dst_mac: Option<String>,
    /// Inside VXLAN with this network identifier, 0 to 16777215; sizes and MACs are the outer frame's then
    #[arg(long, value_name = "VNI", help_heading = TUNNEL)]
    pub vxlan: Option<String>,
    /// Outer source address [default: the interface's own]
    #[arg(long, value_name = "ADDR", help_heading = TUNNEL)]
    pub vtep_src: Option<String>,
    /// Outer destination address: the VTEP that decapsulates
    #[arg(long, value_name = "ADDR", help_heading = TUNNEL)]
    pub vtep_dst: Option<String>,
    /// Outer UDP destination port [default: 8472, flannel's; 4789 by RFC 7348]
    #[arg(long, value_name = "PORT", help_heading = TUNNEL)]
    pub vxlan_dport: Option<String>,
    /// Compute the outer UDP checksum [default: it is zero]
    #[arg(long, help_heading = TUNNEL)]
    pub vxlan_checksum: bool,
    /// Inner Ethernet source [default: 02:00:00:00:00:01]
    #[arg(long, value_name = "MAC", help_heading = TUNNEL)]
    pub inner_src_mac: Option<String>,
    /// Inner Ethernet destination, most often the VTEP's own [default: 02:00:00:00:00:02]
    #[arg(long, value_name = "MAC", help_heading = TUNNEL)]
    pub inner_dst_mac: Option<String>,
}

const TUNNEL: &str = "Tunnel around them";

/// Where results go.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Print the report as JSON, with all that is needed to repeat the run
    #[arg(long)]
    pub json: bool,
    /// Save the same JSON in a file (for `tweed-pktgen report`)
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// No line every second
    #[arg(long)]
    pub quiet: bool,
}

/// Ways in and out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum QueueIo {
    /// AF_XDP sockets
    Xdp,
    /// AF_PACKET sockets: any interface, slower
    Packet,
}

/// Ways out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SendIo {
    /// AF_XDP sockets
    Xdp,
    /// AF_PACKET sockets: any interface, slower
    Packet,
    /// The kernel makes the frames (XDP live frames, Linux 5.18): fastest on a veth
    XdpLive,
}

/// Ways to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum XdpMode {
    /// The first that works
    Auto,
    /// The NIC reads and writes our memory
    ZeroCopy,
    /// The driver runs the XDP program, the kernel copies
    Copy,
    /// The network stack runs the XDP program: any interface
    Generic,
}

/// See [`Stamp`](crate::run::plan::Stamp).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "as Stamp")]
pub enum StampChoice {
    Intended,
    Departure,
}

/// See [`Take`](crate::io::Take).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "as Take")]
pub enum TakeChoice {
    Ours,
    All,
}
