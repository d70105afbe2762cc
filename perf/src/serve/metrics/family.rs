//! A metric family as a value: what is exported is decided in plain data, and only printed by prometheus-client.
//!
//! Invariant: within a family no two series have the same labels, for a scrape with a series twice is refused whole.
//! Names follow <https://prometheus.io/docs/practices/naming/>: base units, the unit last, `_total` added to counters
//! by the encoder.

use std::collections::BTreeMap;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// Label names and values, in the order they are printed.
pub type Labels = Vec<(&'static str, String)>;

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows while the engine lives.
    Counter,
    /// Goes both ways.
    Gauge,
    /// Labels alone.
    Info,
    /// Counts by upper bound.
    Histogram,
}

/// One series' value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number: printed exactly, however large.
    Whole(u64),
    /// Seconds and the like.
    Real(f64),
    /// Of an info.
    Nothing,
    /// Sum, and counts by upper bound (not cumulative); the last bound is infinite.
    Buckets { sum: f64, counts: Vec<(f64, u64)> },
}

/// A family.
#[derive(Clone, Debug)]
pub struct Family {
    /// Without `tweed_`, unit and `_total`.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Base unit, the name's last word.
    pub unit: Option<Unit>,
    /// Kind of all its series.
    pub kind: Kind,
    series: BTreeMap<Labels, Value>,
}

impl Family {
    /// A family without series.
    pub fn new(kind: Kind, name: &'static str, unit: Option<Unit>, help: &'static str) -> Self {
        Family {
            name,
            help,
            unit,
            kind,
            series: BTreeMap::new(),
        }
    }

    /// Adds a series. Where two claim the same labels whole numbers add up, and of others the last stands.
    pub fn push<const N: usize>(&mut self, labels: [(&'static str, &str); N], value: Value) {
        let labels = labels
            .map(|(name, value)| (name, value.to_owned()))
            .to_vec();
        match (self.series.get_mut(&labels), value) {
            (Some(Value::Whole(sum)), Value::Whole(more)) => *sum = sum.wrapping_add(more),
            (_, value) => drop(self.series.insert(labels, value)),
        }
    }
}

/// What tests ask of it.
#[cfg(test)]
impl Family {
    /// The name that queries use.
    pub fn full_name(&self) -> String {
        let unit = self
            .unit
            .as_ref()
            .map_or(String::new(), |unit| format!("_{}", unit.as_str()));
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        format!("tweed_{}{unit}{suffix}", self.name)
    }

    /// The label names of its series.
    pub fn labels(&self) -> Vec<&'static str> {
        let first = self.series.keys().next();
        first.map_or(Vec::new(), |labels| {
            labels.iter().map(|(name, _)| *name).collect()
        })
    }

    /// Its series.
    pub fn series(&self) -> impl Iterator<Item = (&Labels, &Value)> {
        self.series.iter()
    }
}

/// Families in the order they are printed; those without a series are left out.
#[derive(Debug)]
pub struct Families(pub Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        for family in self.0.iter().filter(|family| !family.series.is_empty()) {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Info => MetricType::Info,
                Kind::Histogram => MetricType::Histogram,
            };
            let unit = family.unit.as_ref();
            let mut metric = encoder.encode_descriptor(family.name, family.help, unit, kind)?;
            for (labels, value) in &family.series {
                match family.kind {
                    Kind::Info => metric.encode_info(labels)?,
                    _ if labels.is_empty() => print(&mut metric, family.kind, value)?,
                    kind => print(&mut metric.encode_family(labels)?, kind, value)?,
                }
            }
        }
        Ok(())
    }
}

fn print(metric: &mut MetricEncoder, kind: Kind, value: &Value) -> Result<(), std::fmt::Error> {
    match (kind, value) {
        (Kind::Counter, Value::Whole(n)) => metric.encode_counter::<NoLabelSet, _, f64>(n, None),
        (Kind::Counter, Value::Real(x)) => metric.encode_counter::<NoLabelSet, _, f64>(x, None),
        (_, Value::Whole(n)) => metric.encode_gauge(n),
        (_, Value::Real(x)) => metric.encode_gauge(x),
        (_, Value::Buckets { sum, counts }) => {
            let count = counts
                .iter()
                .fold(0u64, |all, (_, n)| all.saturating_add(*n));
            metric.encode_histogram::<NoLabelSet>(*sum, count, counts, None)
        }
        (_, Value::Nothing) => Ok(()),
    }
}
