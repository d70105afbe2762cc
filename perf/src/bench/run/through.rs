//! The veth stage as a task: frames a second through one core, along one axis.

use std::time::Duration;

use super::field::Field;
use crate::bench::Result;
use crate::bench::measure::Figures;
use crate::bench::model::{Axis, Better, Measure, Wire};
use crate::bench::veth::{Case, Leg, Mix, Sample};

/// Peers where they do not vary.
pub const PEERS: u16 = 256;
/// Frame size where it does not vary: the smallest, where a packet's price shows best.
const SIZE: usize = 64;
/// What a look takes besides its time: the device under test and the generator start, settle and end.
const AROUND: Duration = Duration::from_millis(850);

/// A way through one core.
pub struct Through {
    /// The direction.
    pub leg: Leg,
    /// What varies.
    pub along: Along,
    /// Between the two counts.
    pub time: Duration,
    /// Who is asked.
    pub contenders: Vec<&'static str>,
}

/// What varies.
pub enum Along {
    /// Bytes of the pods' frames.
    Sizes(Vec<usize>),
    /// Other nodes, each with a route of its own.
    Peers(Vec<u16>),
    /// Different flows among the frames.
    Flows(Vec<u32>),
}

impl Through {
    /// What it feeds.
    pub fn measure(&self) -> Measure {
        let leg = self.leg.name();
        let (suffix, by, title, unit, log) = match self.along {
            Along::Sizes(_) => ("", "frame size", "Frame size", "B", false),
            Along::Peers(_) => ("-peers", "routes", "Routes and peers", "", true),
            Along::Flows(_) => ("-flows", "flows", "Flows", "", true),
        };
        let others = match self.along {
            Along::Sizes(_) => format!("{PEERS} peers, each frame of a random flow"),
            Along::Peers(_) => format!("{SIZE} B, each frame of a random flow to a random peer"),
            Along::Flows(_) => format!("{SIZE} B, {PEERS} peers"),
        };
        Measure {
            id: format!("veth.{leg}{suffix}"),
            group: format!("One core, {by}"),
            title: format!("Frames through one core, {leg}, by {by}"),
            how: format!(
                "XDP live frames into a veth from one core, the contender alone on the other, a count of what leaves the \
                 second veth for {:.1} s; {others}.",
                self.time.as_secs_f64()
            ),
            unit: "kpps".to_owned(),
            better: Better::More,
            wire: Wire::Plain,
            axis: Some(Axis {
                title: title.to_owned(),
                unit: unit.to_owned(),
                log,
            }),
            cells: Vec::new(),
        }
    }

    /// Where on the axis.
    pub fn points(&self) -> Vec<Option<f64>> {
        match &self.along {
            Along::Sizes(sizes) => sizes.iter().map(|size| Some(*size as f64)).collect(),
            Along::Peers(peers) => peers.iter().map(|peers| Some((*peers).into())).collect(),
            Along::Flows(flows) => flows.iter().map(|flows| Some((*flows).into())).collect(),
        }
    }

    /// The numbers of peers that devices have to be built for.
    pub fn peers(&self) -> Vec<u16> {
        match &self.along {
            Along::Peers(peers) => peers.clone(),
            _ => vec![PEERS],
        }
    }

    /// About how long one look takes.
    pub fn expected(&self) -> Duration {
        self.time + AROUND
    }

    /// Looks at one contender.
    pub fn look(&self, field: &mut Field, contender: &str, x: Option<f64>) -> Result<Figures> {
        let (case, mix) = self.at(x.unwrap_or_default());
        let sample = field.sample(contender, case, mix, self.time)?;
        Ok(figures(&sample))
    }

    fn at(&self, x: f64) -> (Case, Mix) {
        let (mut case, mut mix) = (
            Case {
                leg: self.leg,
                size: SIZE,
            },
            Mix {
                peers: PEERS,
                flows: 0,
            },
        );
        match self.along {
            Along::Sizes(_) => case.size = x as usize,
            Along::Peers(_) => mix.peers = x as u16,
            Along::Flows(_) => mix.flows = x as u32,
        }
        (case, mix)
    }
}

fn figures(sample: &Sample) -> Figures {
    let drops = sample.drops.iter();
    let mut notes = vec![format!(
        "{:.0} kpps offered in the first round",
        sample.offered / 1e3
    )];
    notes.extend(drops.map(|(reason, count)| format!("dropped {count}: {reason}")));
    Figures {
        notes,
        ..Figures::of([sample.arrived / 1e3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(along: Along) -> Through {
        Through {
            leg: Leg::Encap,
            along,
            time: Duration::from_secs(1),
            contenders: Vec::new(),
        }
    }

    #[test]
    fn what_varies_varies_and_the_rest_does_not() {
        let (case, mix) = through(Along::Sizes(vec![64, 1400])).at(1400.0);
        assert_eq!((case.size, mix.peers, mix.flows), (1400, PEERS, 0));
        let (case, mix) = through(Along::Peers(vec![1])).at(1.0);
        assert_eq!((case.size, mix.peers, mix.flows), (SIZE, 1, 0));
        let (case, mix) = through(Along::Flows(vec![100_000])).at(100_000.0);
        assert_eq!((case.size, mix.peers, mix.flows), (SIZE, PEERS, 100_000));
    }

    #[test]
    fn devices_are_built_for_every_number_of_peers_asked_for() {
        assert_eq!(through(Along::Peers(vec![1, 1024])).peers(), [1, 1024]);
        assert_eq!(through(Along::Flows(vec![1])).peers(), [PEERS]);
    }
}
