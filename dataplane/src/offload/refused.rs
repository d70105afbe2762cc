//! Why a packet from a TUN is not segmented.

/// What is wrong with it. The port that read it counts it under the drop reason that says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is shorter than the headers or the length that it claims.
    #[error("the packet is shorter than it claims")]
    Truncated,
    /// Version, header length and total length of the IP header contradict each other.
    #[error("the IP header contradicts itself")]
    IpHeader,
    /// The IPv4 header checksum is wrong.
    #[error("the IPv4 header checksum is wrong")]
    IpChecksum,
    /// The packet and what the virtio header asks for (segmentation, a checksum) contradict each other.
    #[error("the packet is not what its virtio header says")]
    Offload,
}
