//! A profile as TOML with all defaults written out: it goes into the report, so that the run can be repeated.
//!
//! Invariant: it reads back as the same profile, whatever the defaults are then.

use super::range::write;
use super::raw::{Raw, RawStream, RawVxlan};
use super::{Ip, Profile, Stop, Stream, Transport, Vxlan, duration};

impl Profile {
    /// The profile in effect, as a file that `--profile` takes. Ethernet addresses that the interface or a neighbour
    /// gives are left out.
    pub fn to_toml(&self) -> String {
        // Raw is two levels of tables with strings for keys and scalars for values: all of it is TOML.
        toml::to_string(&Raw::from(self)).unwrap_or_else(|error| format!("# {error}\n"))
    }
}

impl From<&Profile> for Raw {
    fn from(profile: &Profile) -> Self {
        let (duration, count) = match profile.stop {
            Stop::Never => (Some("forever".to_owned().into()), None),
            Stop::After(ns) => (Some(duration::write(ns).into()), None),
            Stop::Count(count) => (None, Some(count.into())),
        };
        Raw {
            origin: super::problem::Origin::File,
            rate: Some(profile.rate.to_string().into()),
            burst: Some(u64::from(profile.burst).into()),
            duration,
            count,
            payload: Some(profile.payload.to_string().into()),
            seed: Some(profile.seed.into()),
            stream: profile.streams.iter().map(RawStream::from).collect(),
        }
    }
}

impl From<&Stream> for RawStream {
    fn from(stream: &Stream) -> Self {
        let (src, dst) = match &stream.ip {
            Ip::V4 { src, dst } => (write(src), write(dst)),
            Ip::V6 { src, dst } => (write(src), write(dst)),
        };
        let (proto, sport, dport, id) = match &stream.transport {
            Transport::Udp { sport, dport } => ("udp", Some(sport), Some(dport), None),
            Transport::Tcp { sport, dport } => ("tcp", Some(sport), Some(dport), None),
            Transport::Icmp { id } => ("icmp", None, None, Some(id)),
        };
        RawStream {
            name: Some(stream.name.clone().into()),
            weight: Some(u64::from(stream.weight).into()),
            proto: Some(proto.to_owned().into()),
            src: Some(src.into()),
            dst: Some(dst.into()),
            sport: sport.map(|range| write(range).into()),
            dport: dport.map(|range| write(range).into()),
            id: id.map(|range| write(range).into()),
            flows: Some(u64::from(stream.flows.count).into()),
            order: Some(stream.flows.order.to_string().into()),
            size: Some(stream.size.to_string().into()),
            ttl: Some(u64::from(stream.ttl).into()),
            tos: Some(u64::from(stream.tos).into()),
            src_mac: stream.src_mac.map(|mac| mac.to_string().into()),
            dst_mac: stream.dst_mac.map(|mac| mac.to_string().into()),
            vxlan: stream.vxlan.as_ref().map(RawVxlan::from),
        }
    }
}

impl From<&Vxlan> for RawVxlan {
    fn from(vxlan: &Vxlan) -> Self {
        RawVxlan {
            vni: Some(u64::from(vxlan.vni).into()),
            src: Some(vxlan.src.to_string().into()),
            dst: Some(vxlan.dst.to_string().into()),
            port: Some(u64::from(vxlan.port).into()),
            inner_src_mac: Some(vxlan.inner_src_mac.to_string().into()),
            inner_dst_mac: Some(vxlan.inner_dst_mac.to_string().into()),
            checksum: Some(vxlan.checksum.into()),
        }
    }
}
