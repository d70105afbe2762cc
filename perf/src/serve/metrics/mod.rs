//! `/metrics`: everything the engine counts, by Prometheus' conventions.
//!
//! Counters are exported as the engine keeps them, per worker and port, and never as sums: sums are exact when
//! whoever asks makes them, and a worker that stands out stays visible. The completeness of the list is held by the
//! compiler (each module matches its contract enum without a default arm) and by tests that walk every `ALL`.

mod classic;
mod control;
mod engine;
mod family;
mod peer;
mod port;
mod worker;

#[cfg(test)]
mod tests;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

pub use classic::classic;
use family::Families;
pub use family::Family;

use super::view::View;

/// Every family, those without a series included.
pub fn families(view: &View) -> Vec<Family> {
    let mut families = engine::families(view);
    families.extend(control::families(view));
    families.extend(worker::families(view.sample.as_ref()));
    families.extend(port::families(view.sample.as_ref()));
    families.extend(peer::families(view));
    families
}

/// OpenMetrics text.
pub fn openmetrics(view: &View) -> String {
    let mut registry = Registry::with_prefix("tweed");
    registry.register_collector(Box::new(Families(families(view))));
    let mut text = String::new();
    text::encode(&mut text, &registry).expect("writing to a string never fails");
    text
}
