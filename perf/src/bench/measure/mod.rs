//! What is asked of a pair of pods, each question a [`Probe`]: it names the measures that it feeds and looks at one network.
//!
//! ```text
//!   tcp        iperf3, TCP: goodput, retransmissions          latency   tweed-pktgen at a rate: how late, by percentile
//!   udp        iperf3, UDP: goodput, loss                     cost      the same, and what all CPUs spent on it
//!   exchange   a small message and its echo, over one TCP     flood     tweed-pktgen without a rate: what arrives, what is
//!              connection, again and again: how long                    lost where
//! ```

mod cost;
mod exchange;
mod flood;
mod latency;
mod pktgen;
mod tcp;
mod udp;
mod usage;

use std::time::Duration;

use super::Result;
use super::model::{Axis, Better, Flood, Measure, Wire};
use super::pods::Network;

pub use cost::Cost;
pub use exchange::Exchange;
pub use flood::Floods;
pub use latency::Latency;
pub use tcp::Tcp;
pub use udp::Udp;
pub use usage::{Spent, Usage};

/// A question that can be asked of every network.
pub trait Probe {
    /// The measures that it feeds, without cells.
    fn measures(&self) -> Vec<Measure>;

    /// The points of their axis; one `None` where they have none.
    fn points(&self) -> Vec<Option<f64>> {
        vec![None]
    }

    /// How long a look takes, less what it takes to get ready.
    fn time(&self) -> Duration;

    /// Looks at a network that is ready.
    fn look(&self, network: &dyn Network, at: Moment) -> Result<Figures>;
}

/// When and where on the axis a look is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// The point of the axis.
    pub x: Option<f64>,
    /// Whether this is the last round.
    pub last: bool,
    /// CPU-seconds that the machine spends in a second without any of this.
    pub idle: f64,
}

/// What one look gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// One for each measure of the probe, in their order.
    pub values: Vec<Option<f64>>,
    /// What else was seen, a line each.
    pub notes: Vec<String>,
    /// Where its packets were lost.
    pub flood: Option<Flood>,
}

impl Figures {
    /// Nothing but values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        Figures {
            values: values.into_iter().map(Some).collect(),
            ..Figures::default()
        }
    }
}

/// The name of a wire's stage, with which the ids of its measures begin.
pub fn stage(wire: Wire) -> &'static str {
    match wire {
        Wire::Plain => "pods",
        Wire::Gro => "pods-gro",
        Wire::Offloads => "pods-offloads",
    }
}

/// A measure to be filled; `name` is the part of its id behind the stage.
fn measure(wire: Wire, name: &str, title: &str, unit: &str, better: Better) -> Measure {
    Measure {
        id: format!("{}.{name}", stage(wire)),
        group: String::new(),
        title: title.to_owned(),
        how: String::new(),
        unit: unit.to_owned(),
        better,
        wire,
        axis: None,
        cells: Vec::new(),
    }
}

impl Measure {
    fn in_group(mut self, group: &str, how: &str) -> Self {
        (self.group, self.how) = (group.to_owned(), how.to_owned());
        self
    }

    fn along(mut self, title: &str, unit: &str, log: bool) -> Self {
        self.axis = Some(Axis {
            title: title.to_owned(),
            unit: unit.to_owned(),
            log,
        });
        self
    }
}

/// Whole seconds, rounded up: iperf3 knows no others.
fn whole(time: Duration) -> u32 {
    time.as_secs_f64().ceil().max(1.0) as u32
}
