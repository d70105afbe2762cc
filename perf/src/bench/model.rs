//! What a benchmark found: the JSON that it writes, and all that its tables and plots are made of.
//!
//! Every sample is kept. Medians, spreads and ratios are derived here and nowhere else, so that no two pictures of a run differ.

mod derive;

use serde::{Deserialize, Serialize};

pub use derive::{Ratio, Summary, median};

use super::machine::Machine;

/// Version of the JSON. A change that a reader of the old one would misread bumps it.
pub const SCHEMA: u32 = 1;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of tweed.
    pub version: String,
    /// When it began, RFC 3339, UTC.
    pub began: String,
    /// How long it took, seconds.
    pub seconds: f64,
    /// Where.
    pub machine: Machine,
    /// Times that every contender had its turn.
    pub rounds: u32,
    /// Everyone asked, in the order of tables; those who could not come are here too.
    pub contenders: Vec<Entrant>,
    /// What was measured, in the order of tables.
    pub measures: Vec<Measure>,
    /// What became of the packets of a flood.
    pub floods: Vec<Flood>,
    /// What a reader has to know before believing a figure: noise, few rounds, an interrupted run.
    pub remarks: Vec<String>,
}

/// Who takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entrant {
    /// Its name in tables.
    pub name: String,
    /// What it is, one line.
    pub what: String,
    /// Why it could not take part, and what would help.
    pub absent: Option<String>,
}

/// One question, asked of every contender in every round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Unique and stable, for those who compare runs: `pods.tcp`, `veth.encap`.
    pub id: String,
    /// Measures of one group share a section: `TCP goodput`.
    pub group: String,
    /// Heading: `Goodput of TCP flows, pod to pod`.
    pub title: String,
    /// How it was measured, so that another could repeat it.
    pub how: String,
    /// Unit of the samples: `Gbit/s`, `kpps`, `us`, `CPU s / M packets`.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
    /// What the underlay was like.
    pub wire: Wire,
    /// What varies within the measure; `None`: nothing, one point each.
    pub axis: Option<Axis>,
    /// Contender by contender, point by point.
    pub cells: Vec<Cell>,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Rates.
    More,
    /// Times, costs.
    Less,
}

/// What the underlay was like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wire {
    /// As a cable: 1,500 bytes at most and nothing left for the NIC to do.
    Plain,
    /// The same, and the receiving NIC may coalesce (GRO on the underlay's veth).
    Gro,
    /// Super-packets and partial checksums cross it whole, as no cable lets them.
    Offloads,
}

/// What varies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// `Frame size`, `Flows`.
    pub title: String,
    /// `B`, empty for counts.
    pub unit: String,
    /// Whether equal factors are equal distances.
    pub log: bool,
}

/// One contender at one point of the axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Its [`Entrant::name`].
    pub contender: String,
    /// Where on the axis; `None` when there is none.
    pub x: Option<f64>,
    /// By round; `None` for a round that gave none.
    pub samples: Vec<Option<f64>>,
    /// What else was seen, a line each and each line once: retransmissions, why a sample is missing.
    pub notes: Vec<String>,
}

/// Conservation: where the packets of one flood were seen, from the generator to the sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flood {
    /// Its [`Entrant::name`].
    pub contender: String,
    /// Which flood: `64 B, pod to pod, as fast as one core can send`.
    pub title: String,
    /// In the order of the way. The first is the generator, the last the sink.
    pub stations: Vec<Station>,
}

/// A place where packets are counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Station {
    /// `node 1: overlay port of the engine`.
    pub place: String,
    /// Packets that came this far.
    pub packets: u64,
    /// Of those missing since the station before: by the name of the counter that has them.
    pub lost: Vec<Loss>,
}

/// Packets that a counter has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// `rx-ring-full`, `softnet dropped`.
    pub reason: String,
    /// How many.
    pub packets: u64,
}
