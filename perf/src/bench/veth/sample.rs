//! One look at one contender: ready, generator on, settled, two counts, generator off.

use std::thread::sleep;
use std::time::Duration;

use serde::Serialize;

use super::contender::{Contender, Drops};
use super::counter::Counter;
use super::generator::Generator;
use super::plan::{Leg, Mix};
use crate::bench::Result;
use crate::bench::tools::Tools;
use crate::lab::LabError;

/// From the first frame to the first count: caches, rings and clocks have found their level by then.
const SETTLE: Duration = Duration::from_millis(300);
/// Longest wait for the first frame.
const PATIENCE: u32 = 50;

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// The direction.
    pub leg: Leg,
    /// Bytes of the pods' frames, Ethernet header included.
    pub size: usize,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Frames a second that arrived.
    pub arrived: f64,
    /// Frames a second that were sent to the device under test.
    pub offered: f64,
    /// Frames that the device under test dropped and counted meanwhile, by reason.
    pub drops: Drops,
}

/// Measures one case for `time`.
pub fn measure(
    contender: &mut dyn Contender,
    counter: &mut Counter,
    tools: &Tools,
    case: Case,
    mix: Mix,
    time: Duration,
) -> Result<Sample> {
    let Case { leg, size } = case;
    let len = contender.arrives_len(leg, size);
    let running = contender.start(leg)?;
    let mut generator = Generator::start(tools, contender.rig(), leg, size, mix)?;
    wait_first(counter, len, &mut generator)?;
    sleep(SETTLE);
    let (first, earlier) = (counter.count(len)?, contender.drops());
    sleep(time);
    let (last, later) = (counter.count(len)?, contender.drops());
    let offered = generator.stop()?;
    contender.stop(running)?;
    Ok(Sample {
        arrived: last.rate_since(first),
        offered,
        drops: since(&earlier, later),
    })
}

fn since(earlier: &Drops, later: Drops) -> Drops {
    let new = |(reason, count)| (reason, count - earlier.get(reason).unwrap_or(&0));
    later
        .into_iter()
        .map(new)
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn wait_first(counter: &mut Counter, len: usize, generator: &mut Generator) -> Result<()> {
    let before = counter.count(len)?;
    for _ in 0..PATIENCE {
        sleep(Duration::from_millis(100));
        generator.check_running()?;
        if counter.count(len)?.frames > before.frames {
            return Ok(());
        }
    }
    Err(LabError::Unexpected(format!(
        "no frame of {len} bytes arrived in 5 s: the device under test does not forward"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_from_before_do_not_count() {
        let earlier = Drops::from([("port-down", 5), ("no-route", 1)]);
        let later = Drops::from([("port-down", 5), ("no-route", 3), ("ttl-exceeded", 2)]);
        assert_eq!(
            since(&earlier, later),
            Drops::from([("no-route", 2), ("ttl-exceeded", 2)])
        );
    }
}
