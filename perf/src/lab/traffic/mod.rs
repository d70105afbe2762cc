//! What the tests send: pings, streams of pings, iperf3 runs, bulk transfers and datagrams.
//!
//! Each is a small value with a `run(from, to)`, and reports numbers; what numbers are good is the test's business.

mod bulk;
mod iperf;
mod ping;
mod stream;
mod talk;
mod udp;

pub use bulk::Bulk;
pub use iperf::{Iperf, IperfReport, Udp};
pub use ping::{Ping, PingReport};
pub use stream::{PingStream, StreamReport};
pub use talk::Talk;
pub use udp::UdpEcho;
