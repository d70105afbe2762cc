//! `tweed-pktgen replay`: sends what a capture holds, in its order, with its gaps or at a rate.
//!
//! One worker, for the order is the point. The schedule is fixed in advance (`timetable`), as every sender's here: a
//! frame that is late shifts none of those after it.

mod send;
mod timetable;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use self::send::Work;
use self::timetable::Timetable;
use crate::clock::Clock;
use crate::error::{Failure, Result};
use crate::frame::{FCS_LEN, WIRE_OVERHEAD};
use crate::io::link::{self, Link};
use crate::io::{Io, packet, xsk};
use crate::profile::{Rate, Stop};
use crate::report::{self, Distribution, Pacing, Report, SCHEMA, Sent, Setup, machine, moment};
use crate::run::capture::Capture;
use crate::run::cores;
use crate::run::ends::{TxEnd, TxQueue};
use crate::run::interrupt;
use crate::run::plan::{Place, ReplayPlan, Stamp, Timing, TxIo};
use crate::run::sender::View;
use crate::run::session::{LEAD_NS, Run};
use crate::run::watch::{Sums, Tick};

/// How often this thread looks.
const LOOK: Duration = Duration::from_millis(5);

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &ReplayPlan) -> Result<()> {
    let place = worker(plan)?;
    let capture = Capture::read(&plan.file)?;
    let interrupt = interrupt::stop_flag();
    let started = moment::text(SystemTime::now());
    let link = link::find_connected(&plan.side.interface)?;
    fits(&capture, &link, &plan.file)?;
    let times = Timetable::new(&capture, plan.timing, &link)?;
    let mut end = TxEnd {
        interface: plan.side.interface.clone(),
        queues: vec![(open(plan, place)?, place)],
        link,
        macs: Vec::new(),
    };
    let orders = send::Orders {
        capture: &capture,
        times: &times,
        count: (plan.loops).map(|loops| u64::from(loops) * capture.count() as u64),
        stop: &interrupt,
    };
    let mut clock = Clock::start();
    let start_ns = clock.now() + LEAD_NS;
    let view = View::default();
    let mut timeline = Vec::new();
    let work = std::thread::scope(|scope| -> Result<Work> {
        let (orders, view, mut own) = (&orders, &view, clock.clone());
        let (queue, _) = &mut end.queues[0];
        let worker = std::thread::Builder::new().name("replay".into());
        let worker = worker.spawn_scoped(scope, move || {
            if let Some(id) = place.core {
                core_affinity::set_for_current(core_affinity::CoreId { id });
            }
            match queue {
                TxQueue::Xsk(tx) => send::send(tx.as_mut(), orders, start_ns, &mut own, view),
                TxQueue::Packet(tx) => send::send(tx.as_mut(), orders, start_ns, &mut own, view),
                TxQueue::Live => unreachable!("refused above"),
            }
        });
        let worker = worker.map_err(|e| Failure::environment("cannot start a worker thread", e))?;
        let mut tick = Tick::new(start_ns);
        let (mut watch, run) = (
            super::watch(&plan.output, false),
            described(&times, orders.count),
        );
        while !worker.is_finished() {
            std::thread::sleep(LOOK);
            let sums = Sums {
                sent: view.frames.load(Ordering::Relaxed),
                sent_bytes: view.bytes.load(Ordering::Relaxed),
                ..Sums::default()
            };
            if let Some(moment) = tick.take(clock.now(), sums, Vec::new) {
                watch.second(&moment, &run);
                timeline.push(moment.second);
            }
        }
        let work = worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        work.map_err(|error| {
            Failure::environment(format!("sending {}", plan.file.display()), error)
        })
    })?;
    let (sent, seconds) = sent(&work, &times, plan.timing);
    let report = Report {
        schema: SCHEMA,
        mode: "replay".into(),
        tool: super::TOOL.into(),
        started,
        seconds,
        machine: machine::here(),
        setup: Setup {
            command: plan.output.command.clone(),
            rate: match plan.timing {
                Timing::Captured(factor) => format!("as captured, x{factor}"),
                Timing::Rate(rate) => rate.to_string(),
            },
            pps: times.pps(),
            burst: 1,
            ports: end.ports(),
            ..Setup::default()
        },
        clock: clock.describe([work.clock_error_ns]),
        sent: Some(sent),
        timeline,
        notes: notes(&capture, plan, &work),
        ..Report::default()
    };
    report::deliver(&report, &plan.output)
}

/// The one worker.
fn worker(plan: &ReplayPlan) -> Result<Place> {
    if plan.side.io == TxIo::Live {
        return Err(Failure::Usage(
            "--io xdp-live: its program makes frames of its own and cannot send a capture's; --io xdp, --io packet"
                .into(),
        ));
    }
    match plan.side.workers[..] {
        [place] => Ok(place),
        ref places => Err(Failure::Usage(format!(
            "--workers {}: a replay keeps the capture's order, which takes one worker; 1",
            places.len()
        ))),
    }
}

fn open(plan: &ReplayPlan, place: Place) -> Result<TxQueue> {
    cores::check(&[place])?;
    let interface = &plan.side.interface;
    Ok(match plan.side.io {
        TxIo::Queue(Io::Packet) => TxQueue::Packet(Box::new(packet::open_tx(interface)?)),
        TxIo::Queue(Io::Xdp(mode)) => {
            TxQueue::Xsk(Box::new(xsk::open(interface, place.queue, mode, false)?.0))
        }
        TxIo::Live => unreachable!("refused above"),
    })
}

/// Whether the interface takes frames as long as the capture's: up to the MTU and an Ethernet header, with a VLAN tag
/// or without.
fn fits(capture: &Capture, link: &Link, file: &Path) -> Result<()> {
    const ETHERNET: usize = 14;
    for index in 0..capture.count() {
        let (frame, _) = capture.frame(index);
        let tagged = matches!(frame[12..14], [0x81, 0x00] | [0x88, 0xa8]);
        let room = link.mtu as usize + ETHERNET + if tagged { 4 } else { 0 };
        if frame.len() > room {
            return Err(Failure::Environment(format!(
                "{}: packet {} has {} bytes, and the interface's MTU of {} lets {room} pass; a larger MTU \
                 (`ip link set IF mtu {}`), or a capture without such packets",
                file.display(),
                index + 1,
                frame.len(),
                link.mtu,
                frame.len() - ETHERNET
            )));
        }
    }
    Ok(())
}

/// A run as the live line knows it.
fn described(times: &Timetable<'_>, count: Option<u64>) -> Run {
    Run {
        number: None,
        pps: times.pps(),
        stop: count.map_or(Stop::Never, Stop::Count),
        stamp: Stamp::Departure,
        settle_ns: 0,
        idle_ns: None,
        join: false,
        loss: None,
    }
}

/// What was sent, and in how many seconds: with the gap behind the last frame, as every frame has one.
fn sent(work: &Work, times: &Timetable<'_>, timing: Timing) -> (Sent, f64) {
    let (first, last) = work.span_ns;
    let behind = times.pps().map_or(0.0, |pps| 1.0 / pps);
    let seconds = (last - first) as f64 / 1e9 + behind;
    let bytes = work.bytes + work.frames * FCS_LEN as u64;
    let mut sent = Sent {
        frames: work.frames.saturating_sub(work.unfinished),
        bytes,
        unfinished: work.unfinished,
        ring_full: work.ring_full,
        ..Sent::default()
    };
    if work.frames > 0 && seconds > 0.0 {
        sent.pps = sent.frames as f64 / seconds;
        sent.bits_l2 = bytes as f64 * 8.0 / seconds;
        sent.bits_wire = (bytes + work.frames * WIRE_OVERHEAD as u64) as f64 * 8.0 / seconds;
    }
    let paced = !matches!(timing, Timing::Rate(Rate::Max)) && work.frames > 1;
    if paced && work.wanted_ns > 0 {
        let gaps = (work.frames - 1) as f64;
        let wanted_pps = gaps * 1e9 / work.wanted_ns as f64;
        sent.pacing = Some(Pacing {
            wanted_pps,
            error: work.wanted_ns as f64 / ((last - first) as f64).max(1.0) - 1.0,
            lag: Distribution::of(&work.lag),
            gap: Distribution::of(&work.gap),
            gap_stdev: work.gap.stdev(),
        });
    }
    (sent, seconds)
}

fn notes(capture: &Capture, plan: &ReplayPlan, work: &Work) -> Vec<String> {
    let mut notes = vec![format!(
        "{}: {} packets, {} bytes, {} s; replayed {:.2} times",
        plan.file.display(),
        capture.count(),
        capture.bytes(),
        capture.span_ns() as f64 / 1e9,
        work.frames as f64 / capture.count() as f64
    )];
    let captured = matches!(plan.timing, Timing::Captured(_));
    if captured && capture.back() > 0 {
        notes.push(format!(
            "{} packets were captured earlier than the one before them in the file; they left right behind it",
            capture.back()
        ));
    }
    if captured && capture.span_ns() == 0 && work.frames > 1 {
        notes.push(
            "all packets of the capture have one time: they left as fast as they could".into(),
        );
    }
    notes
}
