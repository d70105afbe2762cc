//! Headers between nodes.
//!
//! Each header is a `#[repr(C)]` view over bytes in network order, without alignment: `ref_from_prefix` checks the length
//! once and field access cannot panic afterwards. What a field may hold is checked by whoever decides on it (`encap`,
//! `decap`), for here every bit pattern is a header.

mod checksum;
mod ethernet;
mod ipv4;
mod ipv6;
mod tcp;
mod udp;
mod vxlan;

pub use checksum::{Sum, update};
pub use ethernet::{EtherType, Ethernet, Mac};
pub use ipv4::{Ecn, Ipv4, Protocol};
pub use ipv6::Ipv6;
pub use tcp::{Tcp, TcpFlags};
pub use udp::Udp;
pub use vxlan::{Rewrite4, Rewrite6, Vxlan};
