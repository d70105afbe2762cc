//! Where the contenders stand: everything that was built, and why the rest was not.

use std::time::Duration;

use super::schedule::Seat;
use crate::bench::Result;
use crate::bench::measure::{Figures, Moment, Probe, Usage};
use crate::bench::model::Wire;
use crate::bench::pods::{Candidate, Network};
use crate::bench::veth::{Case, Mix, Sample, Stage};
use crate::lab::LabError;

/// Built contenders.
#[derive(Default)]
pub struct Field {
    pods: Vec<Stand>,
    /// The veth stage; an error when this machine has no place for it.
    veth: Option<std::result::Result<Stage, String>>,
    /// CPU-seconds that the machine spends in a second in which nobody is asked.
    idle: f64,
}

/// A network over one kind of wire, or why there is none.
struct Stand {
    wire: Wire,
    name: &'static str,
    network: std::result::Result<Box<dyn Network>, String>,
}

impl Field {
    /// Builds a network; why, if it cannot be built.
    pub fn build_pods(&mut self, candidate: &Candidate, wire: Wire) -> Option<&str> {
        let network = (candidate.build)(wire).and_then(asleep);
        self.pods.push(Stand {
            wire,
            name: candidate.name,
            network: network.map_err(|error| error.to_string()),
        });
        let stand = self.pods.last()?;
        stand.network.as_ref().err().map(String::as_str)
    }

    /// Takes in the veth stage, or why there is none.
    pub fn set_veth(&mut self, stage: Result<Stage>) {
        self.veth = Some(stage.map_err(|error| error.to_string()));
    }

    /// The veth stage, if this machine has one.
    pub fn veth(&mut self) -> Option<&mut Stage> {
        self.veth.as_mut()?.as_mut().ok()
    }

    /// Measures what the machine spends when nobody is asked.
    pub fn rest(&mut self, time: Duration) -> Result<()> {
        let earlier = Usage::now()?;
        std::thread::sleep(time);
        let spent = Usage::now()?.since(&earlier);
        self.idle = spent.busy / spent.seconds;
        Ok(())
    }

    /// CPU-seconds that the machine spends in a second in which nobody is asked.
    pub fn idle(&self) -> f64 {
        self.idle
    }

    /// Places of all networks over a wire.
    pub fn pods_seats(&self, wire: Wire) -> Vec<Seat> {
        let stands = self.pods.iter().filter(|stand| stand.wire == wire);
        stands
            .map(|stand| Seat {
                name: stand.name.to_owned(),
                absent: stand.network.as_ref().err().cloned(),
            })
            .collect()
    }

    /// Places of these devices under test: absent where one of the numbers of peers could not be built.
    pub fn veth_seats(&self, names: &[&'static str], peers: &[u16]) -> Vec<Seat> {
        let reason = |name: &str| match &self.veth {
            Some(Ok(stage)) => peers
                .iter()
                .flat_map(|peers| stage.stands(*peers))
                .find_map(|(other, why)| why.filter(|_| other == name).map(str::to_owned)),
            Some(Err(error)) => Some(error.clone()),
            None => Some("the veth stage was not built".to_owned()),
        };
        let seat = |name: &&'static str| Seat {
            name: (*name).to_owned(),
            absent: reason(name),
        };
        names.iter().map(seat).collect()
    }

    /// Starts a network, asks it, and stops it again, whatever came of it.
    pub fn ask(
        &mut self,
        probe: &dyn Probe,
        wire: Wire,
        name: &str,
        x: Option<f64>,
        last: bool,
    ) -> Result<Figures> {
        let idle = self.idle;
        let mut stands = self.pods.iter_mut();
        let stand = stands.find(|stand| stand.wire == wire && stand.name == name);
        let Some(Ok(network)) = stand.map(|stand| stand.network.as_mut()) else {
            return Err(LabError::Unexpected(format!("{name} was not built")));
        };
        let looked = network
            .start()
            .and_then(|()| probe.look(network.as_ref(), Moment { x, last, idle }));
        let stopped = network.stop();
        let figures = looked?;
        stopped.map(|()| figures)
    }

    /// Measures a case of the veth stage.
    pub fn sample(&mut self, name: &str, case: Case, mix: Mix, time: Duration) -> Result<Sample> {
        match &mut self.veth {
            Some(Ok(stage)) => stage.sample(name, case, mix, time),
            _ => Err(LabError::Unexpected("there is no veth stage".to_owned())),
        }
    }
}

/// A network as it waits for its turn.
fn asleep(mut network: Box<dyn Network>) -> Result<Box<dyn Network>> {
    network.stop().map(|()| network)
}
