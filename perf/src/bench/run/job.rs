//! One task of the run: a probe over one kind of wire, or a way through the veth stage.

use std::time::Duration;

use super::field::Field;
use super::schedule::{Seat, Task};
use super::through::Through;
use crate::bench::Result;
use crate::bench::measure::{Figures, Probe};
use crate::bench::model::{Measure, Wire};

/// What a look at a network takes besides its time: starting it and the tools, and their ends.
const AROUND: Duration = Duration::from_millis(400);

/// Something to ask.
pub enum Job {
    /// Of two pods.
    Pods {
        /// What lies between their nodes.
        wire: Wire,
        /// The question.
        probe: Box<dyn Probe>,
    },
    /// Of one core.
    Veth(Through),
}

impl Job {
    /// Whether `--only` means it: an id of its measures, the beginning of one up to a dot, or a group.
    pub fn is_meant(&self, only: &[String]) -> bool {
        let meant = |measure: &Measure, word: &str| {
            let rest = measure.id.strip_prefix(word);
            let begins = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            begins || measure.group.eq_ignore_ascii_case(word)
        };
        let measures = Task::<Field>::measures(self);
        let any = |word: &String| measures.iter().any(|measure| meant(measure, word.trim()));
        only.is_empty() || only.iter().any(any)
    }

    /// The kind of wire that it needs networks over.
    pub fn wire(&self) -> Option<Wire> {
        match self {
            Job::Pods { wire, .. } => Some(*wire),
            Job::Veth(_) => None,
        }
    }
}

impl Task<Field> for Job {
    fn measures(&self) -> Vec<Measure> {
        match self {
            Job::Pods { probe, .. } => probe.measures(),
            Job::Veth(through) => vec![through.measure()],
        }
    }

    fn points(&self) -> Vec<Option<f64>> {
        match self {
            Job::Pods { probe, .. } => probe.points(),
            Job::Veth(through) => through.points(),
        }
    }

    fn seats(&self, field: &Field) -> Vec<Seat> {
        match self {
            Job::Pods { wire, .. } => field.pods_seats(*wire),
            Job::Veth(through) => field.veth_seats(&through.contenders, &through.peers()),
        }
    }

    fn expected(&self) -> Duration {
        match self {
            Job::Pods { probe, .. } => probe.time() + AROUND,
            Job::Veth(through) => through.expected(),
        }
    }

    fn look(
        &self,
        field: &mut Field,
        contender: &str,
        x: Option<f64>,
        last: bool,
    ) -> Result<Figures> {
        match self {
            Job::Pods { wire, probe } => field.ask(probe.as_ref(), *wire, contender, x, last),
            Job::Veth(through) => through.look(field, contender, x),
        }
    }
}
