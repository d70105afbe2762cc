//! How long bursts were held lately.
//!
//! One burst in 1,024 is timed, so an interval of a second has few samples or none: quantiles are of the last 30 to 60
//! seconds. Until that much was watched they are of all the time since the engine's start.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::stats::{Residence, Snapshot};

/// Age at which the younger base becomes the older one.
const ROTATE: u64 = Duration::from_secs(30).as_nanos() as u64;

/// Two older readings of each worker's histogram to count from.
#[derive(Default)]
pub struct Recent {
    rotated_ns: Option<u64>,
    /// By worker: the base in use, then the next one.
    bases: BTreeMap<usize, [Option<Residence>; 2]>,
}

impl Recent {
    /// Takes the readings of a new sample in.
    pub fn update(&mut self, snapshot: &Snapshot) {
        let now = snapshot.taken_ns;
        if self
            .rotated_ns
            .is_some_and(|rotated| now.saturating_sub(rotated) < ROTATE)
        {
            return;
        }
        self.rotated_ns = Some(now);
        for worker in &snapshot.workers {
            let [base, next] = self.bases.entry(worker.index).or_default();
            *base = next.replace(worker.residence.clone());
        }
    }

    /// What a worker's histogram counted lately.
    pub fn of(&self, worker: usize, now: &Residence) -> Residence {
        match self.bases.get(&worker) {
            Some([Some(base), _]) => now.since(base),
            _ => now.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::stats::{EngineStats, StatsReader};

    #[test]
    fn old_samples_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats");
        // Cycles are nanoseconds.
        let engine = EngineStats::create(&path, 1, 1_000_000_000).unwrap();
        let mut worker = engine.worker(0);
        let reader = StatsReader::open(&path).unwrap();
        let mut recent = Recent::default();
        let mut p50 = |cycles: u64, seconds: u64| {
            worker.residence(cycles);
            let mut snapshot = reader.snapshot();
            snapshot.taken_ns = seconds * 1_000_000_000;
            recent.update(&snapshot);
            let residence = recent.of(0, &snapshot.workers[0].residence);
            (residence.count(), residence.quantile_ns(0.0).unwrap())
        };
        assert_eq!(p50(10, 0), (1, 10.0));
        assert_eq!(p50(10, 20), (2, 10.0));
        // The first base is that of second 0.
        assert_eq!(p50(12, 31), (2, 10.0));
        assert_eq!(p50(13, 62), (1, 13.0));
    }
}
