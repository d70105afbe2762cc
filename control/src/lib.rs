//! The control plane.

#![forbid(unsafe_code)]

// Which device carries the tunnel.
pub mod choice;
// From leases, next hops and devices to the engine's tables.
pub mod compile;
// `tweed-control doctor`: what this node lacks, and what to type.
pub mod doctor;
// Which pods are kept out of the overlay.
pub mod fence;
// Which node owns which pod subnet, and how packets reach it.
pub mod lease;
// Masquerading, and accepting what is forwarded between pods.
pub mod masquerade;
// The kernel's devices, addresses, routes and neighbours.
pub mod netlink;
// The loop that joins everything.
pub mod reconcile;
// Replacing a small file atomically and durably.
pub mod replace;
// What the command line, the environment and node.toml come to.
pub mod settings;
// Which adjacency slot belongs to which peer.
pub mod slots;
// What survives a restart: the VTEP MAC and the last subnet.
pub mod state;
// `control.json`: what control knows.
pub mod status;
// Text in columns.
pub mod table;
// `subnet.env`, which the CNI plugin reads.
pub mod subnet_env;
// From flanneld's kernel device to the engine, and back.
pub mod takeover;
