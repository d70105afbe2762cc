//! What must hold for any bytes, one module for each thing that reads them. `check` panics when it does not.
//!
//! The targets give these functions to libFuzzer (`make fuzzers`); `dataplane/tests/replay.rs`, `contract/tests/replay.rs`,
//! `pktgen/tests/replay.rs` and `control/tests/hostile.rs` give them the committed corpus, with a stable compiler, in every `cargo test`.

/// `node.toml`.
pub mod config;
/// A frame from the wire.
pub mod decap;
/// A frame from the pod side.
pub mod encap;
/// Leases: keys and values of etcd, the network configuration, the lease file.
pub mod lease;
/// A packet from a TUN, cut and put together.
pub mod offload;
/// A frame, through the load generator's eyes.
pub mod pktgen;
/// The memory of a tables segment.
pub mod tables;
/// A whole worker.
pub mod turn;

#[path = "../../pktgen/tests/kinds/mod.rs"]
mod kinds;
#[path = "../../dataplane/tests/support/mod.rs"]
mod support;

/// What seeds are made of.
pub mod frames {
    /// What the kernel's vxlan devices sent.
    pub fn outer_frames() -> Vec<Vec<u8>> {
        crate::support::kernel_frames()
    }

    /// The same with IPv6 inside, outside, or both.
    pub fn outer6_frames() -> Vec<Vec<u8>> {
        crate::support::dual::kernel6_frames()
    }

    /// What such a frame carries.
    pub fn carried(frame: &[u8]) -> &[u8] {
        crate::support::dual::carried(frame)
    }

    /// The same frames without their outer headers.
    pub fn inner_frames() -> Vec<Vec<u8>> {
        let mut frames = outer_frames();
        for frame in &mut frames {
            frame.drain(..crate::support::model::OUTER);
        }
        frames
    }

    /// Short segments that the kernel made, each with the header that asks for it to be cut again.
    pub fn super_packets() -> Vec<Vec<u8>> {
        let capture = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../dataplane/tests/data/kernel-gso.pcap"
        );
        let mut packets = crate::support::read_pcap(std::path::Path::new(capture));
        packets.retain(|packet| packet.len() < 1000);
        for packet in &mut packets {
            let (ip_len, protocol, tcp) = match packet[0] >> 4 {
                4 => (packet[0] % 16 * 4, packet[9], 1),
                _ => (40, packet[6], 4),
            };
            let (gso_type, offset) = if protocol == 17 { (5, 6) } else { (tcp, 16) };
            let header = [1, gso_type, 0, 0, 30, 0, ip_len, 0, offset, 0];
            packet.splice(..0, header);
        }
        packets
    }
}
