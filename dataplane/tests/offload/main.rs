//! Segmentation and coalescing: literal packets, properties, the kernel's own segments, hostile input.

mod golden;
mod gro;
mod gso;
mod kernel;
mod kernel_gro;
mod packets;
mod properties;
