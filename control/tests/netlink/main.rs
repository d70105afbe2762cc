//! Control against a real kernel: everything here runs in network namespaces of its own and needs root.

/// The whole daemon over the file source.
mod control;
/// Masquerade rules.
mod masquerade;
/// Namespaces that clean up after themselves.
mod netns;
/// Underlay, routes and neighbours.
mod next_hop;
/// The fence around lost subnets.
mod rule;
/// Thousands of peers.
mod scale;
/// Devices of a former flanneld.
mod takeover;
/// The veth pair.
mod uplink;
