//! Cycles and nanoseconds per packet: encap, decap and lookup, over memory rings.
//!
//! What is timed: whole turns of a worker (tables snapshot, receive 64 from the rx ring, every check of `encap` or `decap`,
//! lookup, rewrite, checksums, per-port and per-peer counters, stage, submit to the tx ring, completions, refill, commits).
//! What is not: the other side of the rings, which puts frames into chunks and takes them out between timed runs, and the
//! kernel's part of AF_XDP, of which there is none here. `lookup` is the table alone.
//!
//! Traffic: UDP, destinations (encap) or sources (decap) uniformly random over the routes, random ports; 4,096 chunks in
//! flight, so headers come from the second-level cache or beyond, as they do after a NIC has written them.
//!
//! `cargo bench -p tweed-dataplane` ; units are TSC cycles per packet, the table at the end has nanoseconds as well.

#[path = "../tests/support/mod.rs"]
mod support;
