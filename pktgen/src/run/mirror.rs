//! A reflector: a worker for each queue, sending back what came in by it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::bounded;
use crossbeam::utils::CachePadded;

use super::ends::{self, RxEnd, RxQueue};
use super::plan::{Place, RxSide};
use super::sender::View;
use super::watch::{Sums, Tick, Watch};
use super::workers::spawn;
use crate::account::Account;
use crate::clock::Clock;
use crate::error::{Failure, Result};
use crate::frame::FCS_LEN;
use crate::frame::classify::{Seen, classify};
use crate::frame::swap::swap;
use crate::io::link;
use crate::io::packet::{self, PacketTx};
use crate::io::xsk::XskTx;
use crate::io::{BURST, FRAME_ROOM, Rx, Tx};
use crate::profile::Stop;
use crate::run::plan::Stamp;
use crate::run::session::Run;

/// How long it looks before it sleeps, and how long it sleeps at most.
const LOOK_NS: u64 = 100_000;
const SLEEP_MS: u16 = 10;

/// How often the main thread looks.
const LOOK: Duration = Duration::from_millis(20);

/// An open reflector.
pub struct Mirror {
    /// Where frames come in.
    pub rx: RxEnd,
    /// The sending half of each queue, in the order of `rx.queues`.
    tx: Vec<Back>,
    /// Its clock.
    pub clock: Clock,
}

enum Back {
    Xsk(Box<XskTx>),
    Packet(Box<PacketTx>),
}

/// What it came to.
#[derive(Debug, Default)]
pub struct Reflected {
    /// What came, as a receiver counts it: the losses of the way here can be told.
    pub account: Account,
    /// Frames sent back.
    pub frames: u64,
    /// Their bytes with FCS.
    pub bytes: u64,
    /// Frames that were not sent back, for the ring was full.
    pub full: u64,
    /// First and last arrival, nanoseconds.
    pub span_ns: Option<(u64, u64)>,
    /// Second by second.
    pub timeline: Vec<crate::report::Second>,
    /// Errors of the clocks, nanoseconds.
    pub clock_errors_ns: Vec<u64>,
}

impl Mirror {
    /// Opens it.
    ///
    /// # Errors
    /// See [`ends::open`].
    pub fn open(side: &RxSide) -> Result<Self> {
        let (mut rx, halves) = ends::open_rx(side)?;
        let mut tx: Vec<Back> = halves
            .into_iter()
            .map(|(_, half)| Back::Xsk(Box::new(half)))
            .collect();
        while tx.len() < rx.queues.len() {
            tx.push(Back::Packet(Box::new(packet::open_tx(&side.interface)?)));
        }
        rx.direct()?;
        Ok(Mirror {
            rx,
            tx,
            clock: Clock::start(),
        })
    }

    /// Reflects until `stop_ns` have passed or it is interrupted.
    ///
    /// # Errors
    /// A queue failed.
    pub fn run(
        &mut self,
        stop_ns: Option<u64>,
        interrupt: &AtomicBool,
        watch: &mut dyn Watch,
    ) -> Result<Reflected> {
        let stop = AtomicBool::new(false);
        let views: Vec<CachePadded<View>> =
            self.tx.iter().map(|_| CachePadded::default()).collect();
        let (done_tx, done) = bounded(self.tx.len());
        let start_ns = self.clock.now();
        let (base, ports) = (self.clock.clone(), &self.rx.side.vxlan_ports);
        let mut reflected = Reflected::default();
        std::thread::scope(|scope| -> Result<()> {
            let _stops = Stops(&stop);
            let workers = self.rx.queues.iter_mut().zip(&mut self.tx).zip(&views);
            let mut running = 0;
            for (((queue, place), back), view) in workers {
                let (done, stop, mut clock) = (done_tx.clone(), &stop, base.clone());
                let Place { core, .. } = *place;
                spawn(scope, "reflect", core, move || {
                    let clock = &mut clock;
                    let work = match (queue, back) {
                        (RxQueue::Xsk(rx), Back::Xsk(tx)) => {
                            reflect(rx.as_mut(), tx.as_mut(), ports, clock, stop, view)
                        }
                        (RxQueue::Xsk(rx), Back::Packet(tx)) => {
                            reflect(rx.as_mut(), tx.as_mut(), ports, clock, stop, view)
                        }
                        (RxQueue::Packet(rx), Back::Xsk(tx)) => {
                            reflect(rx.as_mut(), tx.as_mut(), ports, clock, stop, view)
                        }
                        (RxQueue::Packet(rx), Back::Packet(tx)) => {
                            reflect(rx.as_mut(), tx.as_mut(), ports, clock, stop, view)
                        }
                    };
                    let _ = done.send(work);
                })?;
                running += 1;
            }
            let run = described(stop_ns);
            let mut tick = Tick::new(start_ns);
            while running > 0 {
                if let Ok(work) = done.recv_timeout(LOOK) {
                    running -= 1;
                    let name = link::title(&self.rx.interface);
                    reflected.add(
                        work.map_err(|e| Failure::environment(format!("reflecting on {name}"), e))?,
                    );
                }
                let now = self.clock.now();
                let over = stop_ns.is_some_and(|ns| now >= start_ns + ns);
                if over || interrupt.load(Ordering::Relaxed) {
                    stop.store(true, Ordering::Relaxed);
                }
                if let Some(moment) = tick.take(now, sums(&views), Vec::new) {
                    watch.second(&moment, &run);
                    reflected.timeline.push(moment.second);
                }
            }
            Ok(())
        })?;
        Ok(reflected)
    }
}

impl Reflected {
    fn add(&mut self, work: Reflected) {
        self.account.merge(&work.account);
        self.frames += work.frames;
        self.bytes += work.bytes;
        self.full += work.full;
        self.span_ns = match (self.span_ns, work.span_ns) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.clock_errors_ns.extend(work.clock_errors_ns);
    }
}

/// Reflects what comes by one queue. The frame is copied from the receiving to the sending half of the socket: some tens of
/// nanoseconds, for halves that need to know nothing of each other.
fn reflect<R: Rx, T: Tx>(
    rx: &mut R,
    tx: &mut T,
    vxlan_ports: &[u16],
    clock: &mut Clock,
    stop: &AtomicBool,
    view: &View,
) -> io::Result<Reflected> {
    let mut burst = vec![(0, [0; FRAME_ROOM]); BURST];
    let mut work = Reflected::default();
    let mut busy_at = clock.now();
    while !stop.load(Ordering::Relaxed) {
        let mut count = 0;
        rx.receive(|frame| {
            let now = clock.now();
            let seen = classify(frame, work.account.run, vxlan_ports);
            work.account.record(seen, frame.len(), now);
            let Some((len, copy)) = burst.get_mut(count).filter(|_| seen != Seen::Foreign) else {
                return;
            };
            *len = frame.len().min(FRAME_ROOM);
            copy[..*len].copy_from_slice(&frame[..*len]);
            swap(&mut copy[..*len], vxlan_ports);
            busy_at = now;
            count += 1;
        })?;
        if count == 0 {
            // Takes back what was sent, so that there is room when something comes.
            tx.outstanding()?;
            if clock.now() - busy_at > LOOK_NS {
                rx.wait(SLEEP_MS)?;
            }
            continue;
        }
        let mut next = burst[..count].iter();
        let mut bytes = 0;
        let sent = tx.send(count, |room| {
            let Some((len, frame)) = next.next() else {
                return 0;
            };
            room[..*len].copy_from_slice(&frame[..*len]);
            bytes += (len + FCS_LEN) as u64;
            *len
        })?;
        work.full += (count - sent) as u64;
        work.frames += sent as u64;
        work.bytes += bytes;
        view.frames.store(work.frames, Ordering::Relaxed);
        view.bytes.store(work.bytes, Ordering::Relaxed);
        work.span_ns = Some((work.span_ns.map_or(busy_at, |(first, _)| first), busy_at));
    }
    work.clock_errors_ns.push(clock.error_ns());
    Ok(work)
}

/// For the live line: what comes is what goes.
fn sums(views: &[CachePadded<View>]) -> Sums {
    let frames = views
        .iter()
        .map(|view| view.frames.load(Ordering::Relaxed))
        .sum();
    let bytes = views
        .iter()
        .map(|view| view.bytes.load(Ordering::Relaxed))
        .sum();
    Sums {
        sent: frames,
        sent_bytes: bytes,
        received: frames,
        received_bytes: bytes,
    }
}

/// For the live line.
fn described(stop_ns: Option<u64>) -> Run {
    Run {
        number: None,
        pps: None,
        stop: stop_ns.map_or(Stop::Never, Stop::After),
        stamp: Stamp::Departure,
        settle_ns: 0,
        idle_ns: None,
        join: false,
        loss: None,
    }
}

struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
