//! Flow numbers, and the addresses and ports that belong to them.

use crate::profile::Stream;

/// What varies between the flows of a stream, each as its value in the headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowFields {
    /// Offset from the first source address.
    pub src: u32,
    /// Offset from the first destination address.
    pub dst: u32,
    /// Source port, or ICMP identifier.
    pub sport: u16,
    /// Destination port; 0 for ICMP.
    pub dport: u16,
}

/// The fields of flow `flow` of `stream` ([`crate::profile::Flows`] has the order).
pub fn fields(stream: &Stream, flow: u32) -> FlowFields {
    let _ = (stream, flow);
    todo!()
}
