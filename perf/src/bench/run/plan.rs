//! What a whole run asks: the full matrix, and the short one.

use std::time::Duration;

use super::job::Job;
use super::through::{Along, Through};
use crate::bench::measure::{Cost, Exchange, Floods, Latency, Probe, Tcp, Udp};
use crate::bench::model::Wire;
use crate::bench::veth::{Leg, MAX_PEERS};

/// What decides the matrix.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The short one.
    pub short: bool,
    /// Of each look, in place of what each has.
    pub seconds: Option<Duration>,
    /// Whether iperf3 can send UDP super-packets.
    pub gso: bool,
    /// Contenders of the veth stage.
    pub veth: Vec<&'static str>,
}

impl Shape {
    /// Everything, in the order of tables.
    pub fn jobs(&self) -> Vec<Job> {
        let mut jobs = self.plain();
        if !self.short {
            for wire in [Wire::Gro, Wire::Offloads] {
                jobs.extend(self.bulk(wire));
            }
        }
        if !self.veth.is_empty() {
            jobs.extend(self.veth());
        }
        jobs
    }

    /// Pods over a wire that is like a cable.
    fn plain(&self) -> Vec<Job> {
        let wire = Wire::Plain;
        let (rates, sizes): (&[f64], &[u32]) = match self.short {
            true => (&[10.0, 50.0], &[64, 1400]),
            false => (&[10.0, 25.0, 50.0, 75.0, 100.0], &[64, 512, 1400]),
        };
        let mut jobs = self.bulk(wire);
        let rest: [Box<dyn Probe>; 4] = [
            Box::new(Exchange {
                wire,
                time: self.time(0.5, 1.5),
            }),
            Box::new(Latency {
                rates: rates.to_vec(),
                time: self.time(0.5, 1.5),
            }),
            Box::new(Cost {
                sizes: if self.short { vec![64] } else { vec![64, 1400] },
                time: self.time(0.5, 1.5),
            }),
            Box::new(Floods {
                sizes: sizes.to_vec(),
                time: self.time(0.5, 1.5),
            }),
        ];
        jobs.extend(rest.map(|probe| Job::Pods { wire, probe }));
        jobs
    }

    /// iperf3 over a wire.
    fn bulk(&self, wire: Wire) -> Vec<Job> {
        let time = match wire {
            Wire::Plain => self.time(1.0, 3.0),
            Wire::Gro | Wire::Offloads => self.time(1.0, 2.0),
        };
        let tcp = |flows, reverse| Tcp {
            wire,
            flows,
            reverse,
            time,
        };
        let udp = |gso| Udp { wire, gso, time };
        let mut probes: Vec<Box<dyn Probe>> =
            vec![Box::new(tcp(1, false)), Box::new(tcp(4, false))];
        if !self.short {
            probes.push(Box::new(tcp(1, true)));
        }
        probes.push(Box::new(udp(false)));
        if self.gso {
            probes.push(Box::new(udp(true)));
        }
        let job = |probe| Job::Pods { wire, probe };
        probes.into_iter().map(job).collect()
    }

    /// One core.
    fn veth(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        let time = self.time(0.5, 0.8);
        let mut add = |along: fn() -> Along| {
            for leg in Leg::ALL {
                jobs.push(Job::Veth(Through {
                    leg,
                    along: along(),
                    time,
                    contenders: self.veth.clone(),
                }));
            }
        };
        if self.short {
            add(|| Along::Sizes(vec![64, 1400]));
        } else {
            add(|| Along::Sizes(vec![64, 256, 512, 1024, 1400]));
            add(|| Along::Peers(vec![1, 32, MAX_PEERS]));
            add(|| Along::Flows(vec![1, 1_000, 1_000_000]));
        }
        jobs
    }

    fn time(&self, short: f64, full: f64) -> Duration {
        let seconds = if self.short { short } else { full };
        self.seconds.unwrap_or(Duration::from_secs_f64(seconds))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::field::Field;
    use super::super::schedule::Task;
    use super::*;

    fn shape(short: bool) -> Shape {
        Shape {
            short,
            seconds: None,
            gso: false,
            veth: vec!["a", "b", "c", "d"],
        }
    }

    fn ids(jobs: &[Job]) -> Vec<String> {
        jobs.iter()
            .flat_map(Task::<Field>::measures)
            .map(|measure| measure.id)
            .collect()
    }

    /// Time of five rounds with six networks.
    fn minutes(jobs: &[Job]) -> f64 {
        let round = |job: &Job| {
            let contenders = match job {
                Job::Pods { .. } => 6.0,
                Job::Veth(through) => through.contenders.len() as f64,
            };
            let points = Task::<Field>::points(job).len() as f64;
            Task::<Field>::expected(job).as_secs_f64() * points * contenders
        };
        jobs.iter().map(round).sum::<f64>() * 5.0 / 60.0
    }

    #[test]
    fn both_matrices_keep_to_their_time() {
        let (short, full) = (minutes(&shape(true).jobs()), minutes(&shape(false).jobs()));
        assert!(short < 10.0, "{short:.1} minutes");
        assert!(full < 45.0, "{full:.1} minutes");
    }

    #[test]
    fn no_two_measures_have_one_id() {
        for short in [true, false] {
            let all = ids(&shape(short).jobs());
            let different: BTreeSet<_> = all.iter().collect();
            assert_eq!(different.len(), all.len(), "{all:?}");
        }
    }

    #[test]
    fn what_is_asked_briefly_is_asked_at_length_too() {
        let full = ids(&shape(false).jobs());
        for id in ids(&shape(true).jobs()) {
            assert!(full.contains(&id), "{id}");
        }
    }

    #[test]
    fn only_takes_ids_beginnings_and_groups() {
        let count = |only: &[&str]| {
            let only: Vec<_> = only.iter().map(|word| (*word).to_owned()).collect();
            let jobs = shape(false).jobs();
            jobs.iter().filter(|job| job.is_meant(&only)).count()
        };
        assert_eq!(count(&["pods.tcp1"]), 1);
        assert_eq!(count(&["pods.tcp1-retransmits"]), 1);
        assert_eq!(count(&["veth"]), 6);
        assert_eq!(count(&["pods.latency"]), 1);
        assert_eq!(count(&["udp goodput"]), 3);
        assert_eq!(count(&["pod"]), 0);
        assert_eq!(count(&[]), shape(false).jobs().len());
    }

    #[test]
    fn super_packets_are_sent_where_the_tool_can() {
        let shape = Shape {
            gso: true,
            ..shape(true)
        };
        assert!(ids(&shape.jobs()).contains(&"pods.udp-gso".to_owned()));
    }
}
