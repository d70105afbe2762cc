//! The devices under test with their rigs and counters, for as long as a benchmark runs: a set of them for each number of peers,
//! for tables are filled when a device is built.

use std::time::Duration;

use super::candidate::{CANDIDATES, WATCHED};
use super::contender::Contender;
use super::counter::Counter;
use super::plan::{Leg, Mix};
use super::sample::{self, Case, Sample};
use crate::bench::tools::Tools;
use crate::bench::{Result, cpu};
use crate::lab::LabError;

/// CPUs that the stage takes: the device's and the generator's.
const CPUS: usize = 2;

/// Devices under test, ready to be asked.
pub struct Stage {
    tools: Tools,
    stands: Vec<Stand>,
}

/// A device under test, or why there is none.
struct Stand {
    name: &'static str,
    peers: u16,
    device: std::result::Result<Device, String>,
}

struct Device {
    contender: Box<dyn Contender>,
    counter: Counter,
}

impl Stage {
    /// An empty one. Puts this thread above what is measured.
    pub fn new(tools: Tools) -> Result<Self> {
        let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get());
        if cpus < CPUS {
            return Err(LabError::Unexpected(format!(
                "the veth stage needs {CPUS} CPUs, one for the device under test and one for the generator; here is {cpus}"
            )));
        }
        cpu::watch()?;
        Ok(Stage {
            tools,
            stands: Vec::new(),
        })
    }

    /// Builds a candidate with so many peers; one that cannot be built is there as absent, with its reason.
    pub fn build(&mut self, name: &str, peers: u16) {
        let mut candidates = CANDIDATES.iter().chain([&WATCHED]);
        let Some(candidate) = candidates.find(|candidate| candidate.name == name) else {
            return;
        };
        let device = (candidate.build)(&self.tools, peers).and_then(|contender| {
            let counter = Counter::start(&self.tools, contender.rig())?;
            Ok(Device { contender, counter })
        });
        self.stands.push(Stand {
            name: candidate.name,
            peers,
            device: device.map_err(|error| error.to_string()),
        });
    }

    /// Those built with so many peers, and why some are not there.
    pub fn stands(&self, peers: u16) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        self.stands
            .iter()
            .filter(move |stand| stand.peers == peers)
            .map(|stand| (stand.name, stand.device.as_ref().err().map(String::as_str)))
    }

    /// Measures one case, with frames of this mix, for `time`.
    pub fn sample(&mut self, name: &str, case: Case, mix: Mix, time: Duration) -> Result<Sample> {
        let mut stands = self.stands.iter_mut();
        let stand = stands.find(|stand| stand.name == name && stand.peers == mix.peers);
        let device = match stand.map(|stand| &mut stand.device) {
            Some(Ok(device)) => device,
            Some(Err(reason)) => return Err(LabError::Unexpected(reason.clone())),
            None => {
                return Err(LabError::Unexpected(format!(
                    "{name} was not built for {} peers",
                    mix.peers
                )));
            }
        };
        let contender = device.contender.as_mut();
        sample::measure(contender, &mut device.counter, &self.tools, case, mix, time)
            .map_err(|error| named(name, case, error))
    }
}

fn named(contender: &str, case: Case, error: LabError) -> LabError {
    let Case { leg, size } = case;
    LabError::Unexpected(format!(
        "{contender}, {} leg, {size} B: {error}",
        Leg::name(leg)
    ))
}
