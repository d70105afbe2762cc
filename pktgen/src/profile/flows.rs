//! Ports and flows of a stream: what varies, and that there is enough of it for as many flows as were asked for.

use super::number::whole;
use super::problem::{At, ProfileError};
use super::range::numbers;
use super::raw::{RawStream, read};
use super::{Flows, Ip, Order, Transport};

/// Most flows of a stream.
const MOST: u64 = 1_000_000;

/// First source port of a stream that names none: those below need privileges on most systems.
const FIRST_SPORT: u16 = 1024;

/// The discard service (RFC 863).
const DISCARD: u16 = 9;

/// Which transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proto {
    /// UDP.
    Udp,
    /// TCP's shape.
    Tcp,
    /// Echo requests.
    Icmp,
}

/// Words for them.
pub const PROTOS: [(&str, Proto); 3] = [
    ("udp", Proto::Udp),
    ("tcp", Proto::Tcp),
    ("icmp", Proto::Icmp),
];

/// The transport of `raw`.
pub fn transport(at: At, raw: &RawStream, proto: Proto) -> Result<Transport, ProfileError> {
    let wanted = count(at, raw)?;
    let varying = if wanted.is_some_and(|wanted| wanted > 1) {
        FIRST_SPORT..=u16::MAX
    } else {
        FIRST_SPORT..=FIRST_SPORT
    };
    let foreign: &[_] = if proto == Proto::Icmp {
        &[("sport", &raw.sport), ("dport", &raw.dport)]
    } else {
        &[("id", &raw.id)]
    };
    if let Some((name, Some(value))) = foreign.iter().find(|(_, key)| key.is_some()) {
        let has = if proto == Proto::Icmp {
            format!("icmp has no ports, its {} varies instead", at.key("id"))
        } else {
            format!(
                "only icmp has an identifier, others have {}",
                at.key("sport")
            )
        };
        return Err(at.error(name, format!("{value}; {has}")));
    }
    let sport = read(at, "sport", &raw.sport, numbers)?.unwrap_or(varying.clone());
    let dport = read(at, "dport", &raw.dport, numbers)?.unwrap_or(DISCARD..=DISCARD);
    Ok(match proto {
        Proto::Udp => Transport::Udp { sport, dport },
        Proto::Tcp => Transport::Tcp { sport, dport },
        Proto::Icmp => Transport::Icmp {
            id: read(at, "id", &raw.id, numbers)?.unwrap_or(varying),
        },
    })
}

/// The flows of `raw`. Without a number there is one for each combination of the ranges: a range that was typed is not
/// ignored.
pub fn flows(
    at: At,
    raw: &RawStream,
    ip: &Ip,
    transport: &Transport,
) -> Result<Flows, ProfileError> {
    let spans = spans(ip, transport);
    let combinations: u128 = spans.iter().map(|(_, span)| u128::from(*span)).product();
    let count = match count(at, raw)? {
        Some(count) => count,
        None if combinations <= MOST.into() => combinations as u64,
        None => {
            let problem = format!(
                "missing; the ranges have {combinations} combinations, of which 1 to {MOST} can be used"
            );
            return Err(at.error("flows", problem));
        }
    };
    if u128::from(count) > combinations {
        return Err(at.error("flows", too_many(at, count, &spans, combinations)));
    }
    Ok(Flows {
        count: count as u32,
        order: read(at, "order", &raw.order, str::parse)?.unwrap_or(Order::RoundRobin),
    })
}

fn count(at: At, raw: &RawStream) -> Result<Option<u64>, ProfileError> {
    read(at, "flows", &raw.flows, |text| whole(text, 1..=MOST))
}

/// Keys that vary, in the order in which they do, and how many values each has.
fn spans(ip: &Ip, transport: &Transport) -> Vec<(&'static str, u64)> {
    // Both families vary the low 32 bits only.
    let low = |first: u128, last: u128| (last - first) as u64 + 1;
    let (src, dst) = match ip {
        Ip::V4 { src, dst } => {
            let span = |range: &std::ops::RangeInclusive<std::net::Ipv4Addr>| {
                low(range.start().to_bits().into(), range.end().to_bits().into())
            };
            (span(src), span(dst))
        }
        Ip::V6 { src, dst } => {
            let span = |range: &std::ops::RangeInclusive<std::net::Ipv6Addr>| {
                low(range.start().to_bits(), range.end().to_bits())
            };
            (span(src), span(dst))
        }
    };
    let (first, dport) = match transport {
        Transport::Udp { sport, dport } | Transport::Tcp { sport, dport } => {
            (("sport", sport.len()), Some(("dport", dport.len() as u64)))
        }
        Transport::Icmp { id } => (("id", id.len()), None),
    };
    let first = (first.0, first.1 as u64);
    let mut spans = vec![first, ("dst", dst), ("src", src)];
    spans.extend(dport);
    spans
}

/// Says which range to widen: the first that has room enough.
fn too_many(at: At, count: u64, spans: &[(&str, u64)], combinations: u128) -> String {
    let parts: Vec<_> = spans
        .iter()
        .map(|(name, span)| format!("{} has {span}", at.key(name)))
        .collect();
    let mut text = format!("{count}; 1 to {combinations}, for {}", parts.join(", "));
    for (name, span) in spans {
        let others = combinations / u128::from(*span);
        let needed = u128::from(count).div_ceil(others);
        let room = match *name {
            "src" | "dst" => 1 << 32,
            _ => 1 << 16,
        };
        if needed <= room {
            text.push_str(&format!(": widen {} to {needed} or more", at.key(name)));
            break;
        }
    }
    text
}
