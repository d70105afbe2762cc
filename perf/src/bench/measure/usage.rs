//! What all CPUs did together: /proc/stat (proc(5)), from one look to another.

use std::time::Instant;

use crate::bench::Result;
use crate::lab::LabError;

/// Ticks a second of /proc/stat: USER_HZ, which is 100 wherever Linux runs on x86-64.
const TICKS: f64 = 100.0;

/// A look at the clock of the CPUs.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    at: Instant,
    ticks: Ticks,
    cpus: u32,
}

/// The fields of the first line that are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    all: u64,
    idle: u64,
    steal: u64,
}

/// Between two looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spent {
    /// CPU-seconds of all CPUs in which there was anything to do: all but idle and iowait.
    pub busy: f64,
    /// Share of all CPUs' time that the hypervisor gave to others.
    pub stolen: f64,
    /// Length of the time, seconds.
    pub seconds: f64,
}

impl Usage {
    /// Looks.
    pub fn now() -> Result<Self> {
        let path = "/proc/stat";
        let text = std::fs::read_to_string(path).map_err(LabError::io(format!("read {path}")))?;
        let (ticks, cpus) = parse(&text).ok_or_else(|| LabError::parse("/proc/stat", &text))?;
        Ok(Usage {
            at: Instant::now(),
            ticks,
            cpus,
        })
    }

    /// What was spent since an earlier look.
    pub fn since(&self, earlier: &Usage) -> Spent {
        let seconds = self.at.duration_since(earlier.at).as_secs_f64();
        spent(&earlier.ticks, &self.ticks, self.cpus, seconds)
    }
}

/// Busy is what is left of the time when idle is taken off: the kernel times idling exactly, and only samples the rest.
fn spent(earlier: &Ticks, later: &Ticks, cpus: u32, seconds: f64) -> Spent {
    let between = |field: fn(&Ticks) -> u64| field(later).saturating_sub(field(earlier)) as f64;
    let all = between(|ticks| ticks.all);
    Spent {
        busy: (f64::from(cpus) * seconds - between(|ticks| ticks.idle) / TICKS).max(0.0),
        stolen: match all {
            0.0 => 0.0,
            all => between(|ticks| ticks.steal) / all,
        },
        seconds,
    }
}

/// The sum of all CPUs, and how many there are.
fn parse(text: &str) -> Option<(Ticks, u32)> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line
        .split_whitespace()
        .map(|field| field.parse().ok())
        .collect::<Option<_>>()?;
    // user nice system idle iowait irq softirq steal; guests' time is in user and nice already.
    let [user, nice, system, idle, iowait, irq, softirq, steal] = *fields.first_chunk()?;
    let each = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
    Some((
        Ticks {
            all: user + nice + system + idle + iowait + irq + softirq + steal,
            idle: idle + iowait,
            steal,
        },
        text.lines().filter(each).count() as u32,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  10 0 20 100 5 0 7 8 3 0\ncpu0 5 0 10 50 3 0 3 4 0 0\ncpu1 5 0 10 50 2 0 4 4 0 0\nintr 1\n";

    #[test]
    fn guests_are_not_counted_twice() {
        let (ticks, cpus) = parse(STAT).unwrap();
        assert_eq!(cpus, 2);
        assert_eq!(
            ticks,
            Ticks {
                all: 150,
                idle: 105,
                steal: 8
            }
        );
        assert_eq!(parse("cpu  1 2 3\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn busy_is_what_was_not_idle() {
        let earlier = Ticks::default();
        let later = Ticks {
            all: 200,
            idle: 150,
            steal: 2,
        };
        let spent = spent(&earlier, &later, 2, 1.0);
        assert_eq!((spent.busy, spent.stolen), (0.5, 0.01));
    }

    #[test]
    fn this_machine_tells() {
        let earlier = Usage::now().unwrap();
        let spent = Usage::now().unwrap().since(&earlier);
        assert!((0.0..=1.0).contains(&spent.stolen));
    }
}
