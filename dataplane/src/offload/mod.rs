//! What a network card does for the kernel, done here: segmentation on the way out (GSO), coalescing on the way in (GRO).
//!
//! A TUN with IFF_VNET_HDR hands over packets of up to 64 KiB and takes such packets back, each behind a [`VnetHeader`] that
//! says how to cut it. [`Super`] cuts one into packets that fit the path; [`Gro`] puts the packets of a burst together
//! again. Both are functions over bytes: no device, no frame, no allocation.
//!
//! The bytes are the kernel's (`tcp_gso_segment`, `__udp_gso_segment`, `inet_gso_segment`, `tcp_gro_receive`,
//! `udp_gro_receive_segment`, `inet_gro_flush`; Linux 6.18), held to it by captures in `tests/data`.

mod gro;
mod gso;
mod headers;
mod refused;
mod vnet;

pub use gro::{GRO_PACKETS, Gro, Group, Groups, Head, Packet, Part};
pub use gso::Super;
pub(crate) use headers::{Headers, Transport, Version};
pub use refused::Refused;
pub use vnet::VnetHeader;
