//! Somebody writes into the tables segment while a worker runs on it: noise in the bank in use, in the generation, in the
//! readers' lines. What the worker does with packets is then wrong; but it neither panics nor hangs, and no chunk is lost.

mod support;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use contract::stats::{PortCounter, PortCounters};
use fastrand::Rng;
use support::dual::{Over, carried, dual_tables, kernel6_frames};
use support::{POD, Rig, UNDERLAY, UPLINK, kernel_frames};

/// Of the file, bytes: see `contract::tables::layout`.
const BANKS: u64 = 64 << 10;
const BANK: u64 = 543_952_896;
const HEAD: u64 = 4096;
const META: u64 = 1_052_672;
const LINES: u64 = 1_576_960;
const HEADS: u64 = 5_771_264;
const LPM: u64 = 7_081_984;
/// The slots of 10.244.0.0/16 and fd00::/16 in their roots.
const ROOT4: u64 = HEAD + 4 * 0x0af4;
const ROOT6: u64 = HEAD + 4 * (65_536 + 0xfd00);

/// What the tables use of a bank: where it is, bytes.
const USED: [(u64, usize); 7] = [
    (0, HEAD as usize),
    (ROOT4, 4),
    (ROOT6, 4),
    (META, 8 * 8),
    (LINES, 8 * 64),
    (HEADS, 8 * 20),
    (LPM, 8192),
];

/// Who writes where only control may.
struct Vandal {
    file: File,
    rng: Rng,
    whole: Vec<(u64, Vec<u8>)>,
}

impl Vandal {
    fn new(rig: &Rig, seed: u64) -> Vandal {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(rig.tables_path())
            .unwrap();
        let read = |(at, len): (u64, usize)| {
            let mut bytes = vec![0; len];
            // The first generation is in the second bank.
            file.read_exact_at(&mut bytes, BANKS + BANK + at).unwrap();
            (at, bytes)
        };
        let whole = USED.map(read).to_vec();
        Vandal {
            file,
            rng: Rng::with_seed(seed),
            whole,
        }
    }

    /// One store of noise somewhere that matters.
    fn scribble(&mut self) {
        let rng = &mut self.rng;
        let mut noise = [0; 64];
        rng.fill(&mut noise);
        let bank = BANKS + BANK * rng.u64(..2);
        let (at, len) = match rng.u8(..10) {
            // The generation, which says the bank; then the readers' lines.
            0 => (4096, 8),
            1 => (4096 + 64 * rng.u64(1..40), 8),
            2 => (bank + rng.u64(..HEAD - 64), rng.usize(1..64)),
            // The roots' slots in use and others, the first adjacencies, the first lines of the tries.
            3 => (bank + [ROOT4, ROOT6][rng.usize(..2)], 4),
            4 => (bank + HEAD + rng.u64(..META - HEAD - 64), 64),
            5 => (bank + META + 8 * rng.u64(..8), rng.usize(1..8)),
            6 => (bank + LINES + 64 * rng.u64(..8), rng.usize(1..64)),
            7 => (bank + HEADS + 20 * rng.u64(..8), rng.usize(1..20)),
            _ => (bank + LPM + 4 * rng.u64(..512), rng.usize(1..8)),
        };
        self.file.write_all_at(&noise[..len], at).unwrap();
    }

    /// Both banks as they were, so that the next noise meets tables that are used.
    fn restore(&self) {
        for (at, bytes) in &self.whole {
            for bank in [BANKS, BANKS + BANK] {
                self.file.write_all_at(bytes, bank + at).unwrap();
            }
        }
    }
}

/// Frames of both sides, as they were sent; of those with IPv6 some.
fn frames() -> [Vec<(u8, Vec<u8>)>; 2] {
    let mut outer = kernel_frames();
    outer.extend(kernel6_frames().into_iter().step_by(7));
    let inner = outer.iter().map(|frame| carried(frame).to_vec());
    let ports = [UPLINK, POD].into_iter().cycle();
    [
        ports.zip(inner).collect(),
        outer
            .iter()
            .map(|frame| (UNDERLAY, frame.clone()))
            .collect(),
    ]
}

/// Packets through; whatever leaves is taken, and nothing is expected of it.
fn burst(rig: &mut Rig, frames: &[Vec<(u8, Vec<u8>)>; 2]) {
    for (port, frame) in frames.iter().flatten() {
        rig.deliver(*port, frame);
    }
    rig.settle();
    for port in [UNDERLAY, UPLINK, POD] {
        rig.kernel[usize::from(port)].collect(|_| ());
    }
    rig.settle();
}

/// The worker went on, through good tables and bad ones.
fn conserved(rig: &Rig) {
    // `counters` compares received with forwarded and dropped.
    let all = [UNDERLAY, UPLINK, POD].map(|port| rig.counters(port));
    let forwarded: u64 = all
        .iter()
        .map(|port| port.count(PortCounter::Forwarded))
        .sum();
    let dropped: u64 = all.iter().map(PortCounters::dropped).sum();
    assert!(forwarded > 1000 && dropped > 1000, "{forwarded}, {dropped}");
}

#[test]
fn noise_between_turns() {
    between_turns(Over::V4);
    between_turns(Over::V6);
}

fn between_turns(over: Over) {
    let mut rig = Rig::new(&dual_tables(1, over));
    let (mut vandal, frames) = (Vandal::new(&rig, 3), frames());
    for _ in 0..500 {
        vandal.restore();
        for _ in 0..6 {
            vandal.scribble();
            burst(&mut rig, &frames);
        }
    }
    conserved(&rig);
}

/// The same from another thread: a turn sees words that change while it reads them.
#[test]
fn noise_during_turns() {
    during_turns(Over::V4);
    during_turns(Over::V6);
}

fn during_turns(over: Over) {
    let mut rig = Rig::new(&dual_tables(1, over));
    let (mut vandal, frames) = (Vandal::new(&rig, 4), frames());
    let stop = Arc::new(AtomicBool::new(false));
    let stores = Arc::new(AtomicU64::new(0));
    let writer = {
        let (stop, stores) = (stop.clone(), stores.clone());
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                vandal.restore();
                for _ in 0..6 {
                    vandal.scribble();
                }
                stores.fetch_add(6, Ordering::Relaxed);
            }
        })
    };
    // Until both have done enough, whichever of them the machine favours.
    let mut bursts = 0;
    while bursts < 1_000 || stores.load(Ordering::Relaxed) < 10_000 {
        burst(&mut rig, &frames);
        bursts += 1;
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    conserved(&rig);
}
