//! A stream as it was written becomes a [`Stream`] that can be sent.

use std::net::Ipv4Addr;

use super::fields::word;
use super::flows::{PROTOS, Proto, flows, transport};
use super::number::whole;
use super::problem::{At, Problem, ProfileError};
use super::range::{Addresses, addresses};
use super::raw::{RawStream, RawVxlan, read};
use super::size::{MOST, WEIGHTS};
use super::{Ip, Mac, Size, Stream, Vxlan};
use crate::frame::FCS_LEN;
use crate::frame::build::len_of;

/// Characters of a name: it heads a column of the report.
const NAME: usize = 64;

/// flannel's port; the RFC's is 4789.
const VXLAN_PORT: u16 = 8472;

/// Locally administered addresses for frames inside a tunnel that name none.
const INNER: [Mac; 2] = [Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2])];

const FALSE_TRUE: [(&str, bool); 2] = [("false", false), ("true", true)];

/// The stream at `at`, which has index `index`.
pub fn stream(at: At, index: usize, raw: &RawStream) -> Result<Stream, ProfileError> {
    let proto = read(at, "proto", &raw.proto, |text| word(text, &PROTOS))?.unwrap_or(Proto::Udp);
    let ip = ip(at, raw)?;
    let transport = transport(at, raw, proto)?;
    let flows = flows(at, raw, &ip, &transport)?;
    let vxlan = raw.vxlan.as_ref().map(|raw| vxlan(at, raw)).transpose()?;
    let src_mac = read(at, "src_mac", &raw.src_mac, source_mac)?;
    let mut stream = Stream {
        name: read(at, "name", &raw.name, name)?.unwrap_or_else(|| format!("stream {index}")),
        weight: read(at, "weight", &raw.weight, |text| whole(text, WEIGHTS))?.unwrap_or(1),
        src_mac,
        dst_mac: read(at, "dst_mac", &raw.dst_mac, str::parse)?,
        ip,
        ttl: read(at, "ttl", &raw.ttl, |text| whole(text, 1..=255))?.unwrap_or(64),
        tos: read(at, "tos", &raw.tos, |text| whole(text, 0..=255))?.unwrap_or(0),
        transport,
        flows,
        size: Size::Fixed(MOST),
        vxlan,
    };
    let least = (len_of(&stream) + FCS_LEN) as u16;
    let size = read(at, "size", &raw.size, |text| Size::parse(text, least));
    stream.size = size
        .map_err(|error| ProfileError {
            problem: format!(
                "{}; bytes with FCS, at least {least} for {}",
                error.problem,
                kind(&stream, proto)
            ),
            ..error
        })?
        .unwrap_or(Size::Fixed(least));
    Ok(stream)
}

/// What decides how small a frame can be.
fn kind(stream: &Stream, proto: Proto) -> String {
    let (proto, version) = match (proto, &stream.ip) {
        (Proto::Udp, Ip::V4 { .. }) => ("UDP", 4),
        (Proto::Udp, Ip::V6 { .. }) => ("UDP", 6),
        (Proto::Tcp, Ip::V4 { .. }) => ("TCP", 4),
        (Proto::Tcp, Ip::V6 { .. }) => ("TCP", 6),
        (Proto::Icmp, Ip::V4 { .. }) => ("ICMP", 4),
        (Proto::Icmp, Ip::V6 { .. }) => ("ICMP", 6),
    };
    let tunnel = stream.vxlan.as_ref().map_or("", |_| " in a tunnel");
    format!("{proto} over IPv{version}{tunnel}")
}

fn ip(at: At, raw: &RawStream) -> Result<Ip, ProfileError> {
    let dst = read(at, "dst", &raw.dst, addresses)?.ok_or_else(|| {
        at.error(
            "dst",
            "missing; where packets go: an address, A-B or a CIDR block",
        )
    })?;
    let src = read(at, "src", &raw.src, addresses)?.ok_or_else(|| {
        let family = match dst {
            Addresses::V4(_) => "IPv4",
            Addresses::V6(_) => "IPv6",
        };
        at.error(
            "src",
            match raw.vxlan {
                None => format!(
                    "missing; the sending interface has no {family} address that could stand for it"
                ),
                Some(_) => format!(
                    "missing; a packet in a tunnel has a source of its own, an {family} address"
                ),
            },
        )
    })?;
    match (src, dst) {
        (Addresses::V4(src), Addresses::V4(dst)) => Ok(Ip::V4 { src, dst }),
        (Addresses::V6(src), Addresses::V6(dst)) => Ok(Ip::V6 { src, dst }),
        (Addresses::V4(src), Addresses::V6(_)) => {
            let problem = format!(
                "{}; an IPv6 address, as {} is one",
                src.start(),
                at.key("dst")
            );
            Err(at.error("src", problem))
        }
        (Addresses::V6(src), Addresses::V4(_)) => {
            let problem = format!(
                "{}; an IPv4 address, as {} is one",
                src.start(),
                at.key("dst")
            );
            Err(at.error("src", problem))
        }
    }
}

fn vxlan(at: At, raw: &RawVxlan) -> Result<Vxlan, ProfileError> {
    let vni = read(at, "vxlan.vni", &raw.vni, |text| whole(text, 0..=0xff_ffff))?;
    let src = read(at, "vxlan.src", &raw.src, vtep)?;
    let dst = read(at, "vxlan.dst", &raw.dst, vtep)?;
    let port = read(at, "vxlan.port", &raw.port, |text| whole(text, 1..=65_535))?;
    let inner_src_mac = read(at, "vxlan.inner_src_mac", &raw.inner_src_mac, source_mac)?;
    let inner_dst_mac = read(at, "vxlan.inner_dst_mac", &raw.inner_dst_mac, str::parse)?;
    let checksum = read(at, "vxlan.checksum", &raw.checksum, |text| {
        word(text, &FALSE_TRUE)
    })?;
    let missing = |name, what: &str| at.error(name, format!("missing; {what}"));
    // What only the user can know is missed before what the interface could have given.
    let vni = vni.ok_or_else(|| {
        let what = "the tunnel's network identifier, 0 to 16777215";
        missing("vxlan.vni", what)
    })?;
    let dst = dst.ok_or_else(|| {
        let what = "the IPv4 address of the VTEP that decapsulates";
        missing("vxlan.dst", what)
    })?;
    let src = src.ok_or_else(|| {
        let what = "the sending interface has no IPv4 address that could stand for it";
        missing("vxlan.src", what)
    })?;
    Ok(Vxlan {
        vni,
        src,
        dst,
        port: port.unwrap_or(VXLAN_PORT),
        inner_src_mac: inner_src_mac.unwrap_or(INNER[0]),
        inner_dst_mac: inner_dst_mac.unwrap_or(INNER[1]),
        checksum: checksum.unwrap_or(false),
    })
}

fn vtep(text: &str) -> Result<Ipv4Addr, Problem> {
    let address = text.trim().parse();
    address.map_err(|_| {
        Problem::not(
            text,
            "a VTEP's address",
            "one IPv4 address, as 192.168.64.2",
        )
    })
}

fn source_mac(text: &str) -> Result<Mac, Problem> {
    let mac: Mac = text.parse()?;
    if mac.is_group() {
        let range = "a single station's address: the lowest bit of the first byte is 0";
        return Err(Problem::new(text, range));
    }
    Ok(mac)
}

/// Names stand in tables and in plots.
fn name(text: &str) -> Result<String, Problem> {
    let len = text.chars().count();
    if !(1..=NAME).contains(&len) || text.chars().any(char::is_control) {
        let range = format!("1 to {NAME} characters, none of them a control character");
        return Err(Problem::new(text, range));
    }
    Ok(text.to_owned())
}
