//! A frame on one line for people. Every name in it went through `printable`; everything else is numbers and our own words.

use std::fmt::Write;

use super::clock::time_of_day;
use super::decode::{Packet, protocol_name};
use super::frame::Frame;
use crate::style::Style;

/// `14:03:18.123456 w0 tweed0x > eth0  ok  10.244.2.0/24  192.168.77.1 > 192.168.77.2 vni 1 | 10.244.1.10 > ...`
pub fn line(frame: &Frame, style: Style) -> String {
    let port = |name: &Option<String>, none: &str| name.clone().unwrap_or_else(|| none.to_owned());
    let mut text = format!(
        "{} w{} {} > {} ",
        time_of_day(frame.unix_ns),
        frame.worker,
        port(&frame.port_in, "engine"),
        port(&frame.port_out, "-"),
    );
    text += &match frame.reason() {
        None => "ok".to_owned(),
        Some(reason) => style.verdict(false, &format!("DROP {reason}")),
    };
    if let Some(peer) = &frame.peer {
        let _ = write!(text, " peer {}", peer.name());
    }
    let decoded = &frame.decoded;
    if let Some(outer) = &decoded.outer {
        let _ = write!(text, " | {} > {}", outer.src, outer.dst);
        let _ = match (decoded.vni, outer.dport) {
            (Some(vni), Some(dport)) => write!(text, ":{dport} vni {vni}"),
            (_, Some(dport)) => write!(text, ":{dport}"),
            _ => write!(text, " {}", protocol_name(outer.protocol)),
        };
    }
    match (&decoded.inner, decoded.ethertype) {
        (Some(inner), _) => {
            let _ = write!(text, " | {}", packet(inner));
        }
        (None, Some(ethertype)) => {
            let _ = write!(text, " | ethertype {ethertype:#06x}");
        }
        (None, None) => {}
    }
    let _ = write!(text, " | {} bytes", frame.record.meta.len);
    text
}

fn packet(packet: &Packet) -> String {
    let end = |address: &dyn std::fmt::Display, port: Option<u16>| match port {
        Some(port) => format!("{address}:{port}"),
        None => address.to_string(),
    };
    let mut text = format!(
        "{} > {} {}",
        end(&packet.src, packet.sport),
        end(&packet.dst, packet.dport),
        protocol_name(packet.protocol)
    );
    if !packet.info.is_empty() {
        let _ = write!(text, " {}", packet.info);
    }
    let _ = write!(text, " ttl {} len {}", packet.ttl, packet.len);
    text
}
