//! A record with all that is known about it: what lines, JSON objects and filters are made of.

use contract::stats::{TraceRecord, TraceVerdict};

use super::decode::Decoded;
use super::names::{Names, Peer};

/// A frame that an engine recorded.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Nanoseconds since 1970.
    pub unix_ns: u64,
    /// Index of the worker.
    pub worker: usize,
    /// As it was in the ring.
    pub record: TraceRecord,
    /// Its headers.
    pub decoded: Decoded,
    /// Name of the port that it came in by; `None`: the engine made it.
    pub port_in: Option<String>,
    /// Name of the port that it left by or was to leave by.
    pub port_out: Option<String>,
    /// Whom it goes to or comes from.
    pub peer: Option<Peer>,
}

impl Frame {
    /// Names and decodes a record.
    pub fn new(record: TraceRecord, worker: usize, unix_ns: u64, names: &Names) -> Self {
        let meta = &record.meta;
        // It looks as it does on the wire of the port where it was last.
        let face = meta.port_out.or(meta.port_in);
        let underlay = face.is_some_and(|port| names.is_underlay(port));
        let decoded = Decoded::new(record.bytes(), underlay);
        let peer = names.peer(meta.peer).or_else(|| {
            // The engine proves the inner source before it names a peer. Of what it dropped before that, the outer source is
            // the best there is.
            let outer = decoded.outer.as_ref()?;
            (meta.verdict != TraceVerdict::Forwarded).then(|| names.peer_at(outer.src))?
        });
        Frame {
            unix_ns,
            worker,
            decoded,
            port_in: meta.port_in.map(|port| names.port(port)),
            port_out: meta.port_out.map(|port| names.port(port)),
            peer,
            record,
        }
    }

    /// Why it was dropped, if it was.
    pub fn reason(&self) -> Option<&'static str> {
        match self.record.meta.verdict {
            TraceVerdict::Forwarded => None,
            TraceVerdict::Dropped(reason) => Some(reason.name()),
        }
    }
}
