//! The same for programs: one object per line, told apart by `event`.

use serde::Serialize;
use serde_json::Value;

use super::decode::{Packet, protocol_name};
use super::frame::Frame;
use super::names::Peer;

/// `"event": "frame"`.
#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    /// Nanoseconds since 1970.
    time_ns: u64,
    worker: usize,
    /// Place in the worker's sequence of records.
    number: u64,
    /// `null`: the engine made it.
    port_in: &'a Option<String>,
    /// `null`: it was dropped before it was decided.
    port_out: &'a Option<String>,
    /// `forwarded` or `dropped`.
    verdict: &'static str,
    reason: Option<&'static str>,
    peer: &'a Option<Peer>,
    /// Bytes of the whole frame.
    length: u16,
    outer: Option<Headers<'a>>,
    vni: Option<u32>,
    inner: Option<Headers<'a>>,
    /// Of a frame without an IP packet.
    ethertype: Option<u16>,
}

#[derive(Serialize)]
struct Headers<'a> {
    src: String,
    dst: String,
    protocol: String,
    sport: Option<u16>,
    dport: Option<u16>,
    ttl: u8,
    length: usize,
    info: &'a str,
}

/// A frame.
pub fn frame(frame: &Frame) -> String {
    let reason = frame.reason();
    text(&Line {
        event: "frame",
        time_ns: frame.unix_ns,
        worker: frame.worker,
        number: frame.record.number,
        port_in: &frame.port_in,
        port_out: &frame.port_out,
        verdict: if reason.is_none() {
            "forwarded"
        } else {
            "dropped"
        },
        reason,
        peer: &frame.peer,
        length: frame.record.meta.len,
        outer: frame.decoded.outer.as_ref().map(headers),
        vni: frame.decoded.vni,
        inner: frame.decoded.inner.as_ref().map(headers),
        ethertype: frame.decoded.ethertype,
    })
}

/// Any other event: its name and its values.
pub fn event<const N: usize>(name: &str, values: [(&str, Value); N]) -> String {
    let mut object = serde_json::Map::from_iter([("event".to_owned(), name.into())]);
    object.extend(values.map(|(key, value)| (key.to_owned(), value)));
    text(&object)
}

fn headers(packet: &Packet) -> Headers<'_> {
    Headers {
        src: packet.src.to_string(),
        dst: packet.dst.to_string(),
        protocol: protocol_name(packet.protocol),
        sport: packet.sport,
        dport: packet.dport,
        ttl: packet.ttl,
        length: packet.len,
        info: &packet.info,
    }
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings and integers always serialize")
}
