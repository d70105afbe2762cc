//! More than anyone can carry: what arrives, and in the last round what was lost where, from the generator to the sink.

use std::time::Duration;

use super::pktgen::{FLOWS, Load, Report};
use super::{Figures, Moment, Probe, measure};
use crate::bench::Result;
use crate::bench::model::{Better, Flood, Loss, Measure, Station, Wire};
use crate::bench::pods::{self, Network};

/// Between two looks at counters that may still move, and how many looks at most.
const BETWEEN: Duration = Duration::from_millis(50);
const LOOKS: u32 = 40;

/// How the places of the sink's pod begin.
const SINK: &str = "pod 2";

/// As fast as one sender goes, by frame size.
pub struct Floods {
    /// Bytes of a frame, FCS included.
    pub sizes: Vec<u32>,
    /// How long.
    pub time: Duration,
}

impl Probe for Floods {
    fn measures(&self) -> Vec<Measure> {
        let how = format!(
            "tweed-pktgen from pod 1 as fast as it goes, {FLOWS} flows, for {:.1} s; what pod 2 received. Generator, both nodes \
             and sink share the machine's cores, and nothing waits for anything: where it is lost is told by the counters below.",
            self.time.as_secs_f64()
        );
        let flood = measure(
            Wire::Plain,
            "flood",
            "Delivered of a flood from pod to pod",
            "kpps",
            Better::More,
        );
        vec![
            flood
                .in_group("Flood", &how)
                .along("Frame size", "B", false),
        ]
    }

    fn points(&self) -> Vec<Option<f64>> {
        self.sizes.iter().map(|size| Some((*size).into())).collect()
    }

    fn time(&self) -> Duration {
        self.time
    }

    fn look(&self, network: &dyn Network, at: Moment) -> Result<Figures> {
        let size = at.x.unwrap_or(64.0) as u32;
        let load = Load {
            kpps: None,
            size,
            time: self.time,
        };
        let before = network.stations()?;
        let report = load.run(network.pods())?;
        let after = settled(network)?;
        let arrived = report.received.pps.unwrap_or(0.0) / 1e3;
        let sent = report.sent.pps.unwrap_or(0.0) / 1e3;
        let flood = || Flood {
            contender: network.name().to_owned(),
            title: format!("{size} B from pod to pod, as fast as one sender goes"),
            stations: stations(&report, &since(&before, &after)),
        };
        Ok(Figures {
            values: vec![Some(arrived)],
            notes: vec![format!("{sent:.0} kpps sent in the first round")],
            flood: at.last.then(flood),
        })
    }
}

/// The counters once nothing moves any more: on a busy machine the last packets are on their way for a while.
fn settled(network: &dyn Network) -> Result<Vec<pods::Station>> {
    let mut before = network.stations()?;
    for _ in 0..LOOKS {
        std::thread::sleep(BETWEEN);
        let now = network.stations()?;
        if now == before {
            break;
        }
        before = now;
    }
    Ok(before)
}

/// What the counters along the way gained. A place or a reason that was not there before began at 0.
fn since(before: &[pods::Station], after: &[pods::Station]) -> Vec<pods::Station> {
    let gained = |station: &pods::Station| {
        let empty = pods::Station::default();
        let earlier = before.iter().find(|other| other.place == station.place);
        let earlier = earlier.unwrap_or(&empty);
        let was = |reason: &str| {
            let mut lost = earlier.lost.iter();
            lost.find(|(other, _)| other == reason)
                .map_or(0, |(_, count)| *count)
        };
        pods::Station {
            place: station.place.clone(),
            packets: station.packets.saturating_sub(earlier.packets),
            lost: (station.lost.iter())
                .map(|(reason, count)| (reason.clone(), count.saturating_sub(was(reason))))
                .filter(|(_, count)| *count > 0)
                .collect(),
        }
    };
    after.iter().map(gained).collect()
}

/// The generator, the way, the sink.
fn stations(report: &Report, way: &[pods::Station]) -> Vec<Station> {
    let loss = |(reason, packets): (String, u64)| Loss { reason, packets };
    let station = |place: &str, packets, lost: Vec<(String, u64)>| Station {
        place: place.to_owned(),
        packets,
        lost: lost.into_iter().map(loss).collect(),
    };
    let sink = [
        ("the receiver's ring was full", report.received.overrun),
        ("damaged", report.received.corrupted),
    ];
    let sink = sink
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| (reason.to_owned(), count));
    let mut all = vec![station(
        "pod 1: generator",
        report.sent.frames + report.sent.unfinished,
        Vec::new(),
    )];
    all.extend(
        way.iter()
            .map(|here| station(&here.place, here.packets, here.lost.clone())),
    );
    all.push(station(
        &format!("{SINK}: sink"),
        report.received.received,
        sink.collect(),
    ));
    late(&mut all);
    all
}

/// What reached the sink's device, but not the sink: it had ended when the last packets came. Of what no counter has, as much as
/// its device saw too many; the rest of that is not the generator's (ARP).
fn late(stations: &mut [Station]) {
    let lost = |station: &Station| station.lost.iter().map(|loss| loss.packets).sum::<u64>();
    let all: u64 = stations.iter().map(lost).sum();
    let [first, .., door, sink] = stations else {
        return;
    };
    let missing = first.packets.saturating_sub(sink.packets + all);
    let beyond = door.packets.saturating_sub(sink.packets + lost(sink));
    let packets = missing.min(beyond);
    if packets > 0 && door.place.starts_with(SINK) {
        let reason = "came after the sink had ended".to_owned();
        sink.lost.push(Loss { reason, packets });
    }
}

#[cfg(test)]
mod tests {
    use super::super::pktgen::tests::report;
    use super::*;

    fn here(place: &str, packets: u64, lost: &[(&str, u64)]) -> pods::Station {
        pods::Station {
            place: place.to_owned(),
            packets,
            lost: lost
                .iter()
                .map(|(reason, count)| ((*reason).to_owned(), *count))
                .collect(),
        }
    }

    #[test]
    fn what_was_counted_before_the_flood_is_not_in_it() {
        let before = [here("a", 100, &[("full", 5), ("old", 3)])];
        let after = [
            here("a", 150, &[("full", 9), ("old", 3), ("new", 1)]),
            here("b", 7, &[]),
        ];
        assert_eq!(
            since(&before, &after),
            [here("a", 50, &[("full", 4), ("new", 1)]), here("b", 7, &[])]
        );
    }

    #[test]
    fn what_comes_too_late_is_not_lost_without_a_name() {
        // 1002 sent, 980 arrived, 10 lost at the sink by name; its device saw 5 more, of which 3 were never sent.
        let lost = |door: u64, on_the_way: u64| {
            let way = [
                here("node 1", 995, &[("ring full", on_the_way)]),
                here("pod 2: eth0 in", door, &[]),
            ];
            let all = stations(&report(0.02), &way);
            let sink = all.last().unwrap();
            sink.lost
                .iter()
                .map(|loss| loss.packets)
                .collect::<Vec<_>>()
        };
        assert_eq!(lost(995, 10), [7, 3, 2]);
        assert_eq!(lost(995, 12), [7, 3]);
        assert_eq!(lost(990, 7), [7, 3]);
    }

    #[test]
    fn a_flood_goes_from_the_generator_to_the_sink() {
        let way = [here("node 1", 995, &[("ring full", 7)])];
        let flood = Flood {
            contender: "tweed".to_owned(),
            title: String::new(),
            stations: stations(&report(0.02), &way),
        };
        assert_eq!(flood.stations.len(), 3);
        // 1002 sent, 980 arrived; 7 in the ring on the way, 7 in the receiver's, 3 damaged.
        assert_eq!(flood.unaccounted(), 5);
    }
}
