//! flannel's backends other than vxlan: a packet under a shorter outer header, or under none (FLANNEL.md section 4).
//!
//! They are one shape: as many bytes of the adjacency's line as the encapsulation has, then what depends on the packet. The
//! VXLAN path hands over here once it knows that it is not meant, which costs it one compare each way.
//!
//! Bare packets (`host-gw`, DirectRouting) only ever leave here. Those that arrive are left to the kernel by the XDP program:
//! it has the route to our pods anyway, and so the engine takes nothing on the NIC that is not a tunnel's. The price: nobody
//! checks that such a packet comes from the node that holds its source's lease, as nobody does with flannel.

mod decap;
mod encap;

pub use decap::decap;
pub use encap::encap;
