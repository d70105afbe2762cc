//! Segmentation and coalescing: literal packets, properties, the kernel's own segments, hostile input.

mod gro;
mod gso;
mod packets;
mod properties;
