//! Everything that crosses a boundary, and nothing else: the headers that nodes exchange, the memory that tweed's
//! processes share, the device that both open, and the configuration file they have in common. No sockets, no threads. `control` and `dataplane`
//! both depend on this crate and never on each other.

// `node.toml`, one file for both daemons.
pub mod config;
// What the dataplane observed: counters and states in shared memory.
pub mod stats;
// What control desires: ports, adjacencies and routes in shared memory.
pub mod tables;
// The uplink's TUN device, as both daemons open it.
pub mod tun;
// Headers between nodes.
pub mod wire;
