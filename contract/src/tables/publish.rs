//! How a bank changes hands: one writer, many readers, nobody waits for a reader to get through.
//!
//! Generation g is in bank g & 1. Each reader's line says the oldest generation that the reader may still read:
//!
//! - A reader that holds g may stay there as long as it likes. When it finds g + 1 published, it moves on, and its line says
//!   that it has left g behind. In between it costs a load per turn.
//! - The writer overwrites the bank of g - 1 to make g + 1 once no line says less than g. So it is never more than one
//!   generation ahead of anybody, and what a reader holds, or can find, is not being written.
//! - A reader that enters says "anything" (0) first and only then looks for the generation. Between those two, and between
//!   the writer's store of the generation and its look at the lines, stands a sequentially consistent fence: either the
//!   writer sees the newcomer, or the newcomer sees the newest generation, which the writer will not overwrite before it
//!   looks at the lines again (this is Dekker's argument).
//! - A reader that is dead does not count. Who is alive is the caller's knowledge (docs/decisions/0001-reader-liveness.md).
//!
//! The writer may die at any point: what it had not published is unreachable, and the next writer starts the same bank over.
//! This file touches atomics only, so that loom can run it: this crate's own test build does under `--cfg loom`, while crates
//! that depend on it and run loom on something of theirs get the real thing.

#[cfg(all(loom, test))]
use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(not(all(loom, test)))]
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Threads that can read at the same time, of all processes: a worker each, and some for those who look.
pub const MAX_READERS: usize = if cfg!(all(loom, test)) { 2 } else { 64 };

/// A reader that holds nothing.
pub(super) const IDLE: u64 = u64::MAX;
/// A reader about to find out what it holds: nothing may be overwritten.
const ANY: u64 = 0;

/// The shared words. A reader writes its own line, once for each generation; the generation has a line to itself.
#[repr(C, align(64))]
pub(super) struct Handover {
    generation: Padded,
    readers: [Padded; MAX_READERS],
}

#[repr(C, align(64))]
struct Padded(AtomicU64);

/// A reader still holds the bank that the next generation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Its line's index.
    pub reader: usize,
    /// The generation it may be reading.
    pub held: u64,
}

impl Handover {
    /// Bytes from the start to a reader's line.
    #[cfg(not(all(loom, test)))]
    pub const fn line_offset(reader: usize) -> usize {
        std::mem::offset_of!(Handover, readers) + reader * size_of::<Padded>()
    }

    /// The latest generation, for those who do not read it.
    pub fn generation(&self) -> u64 {
        self.generation.0.load(Ordering::Relaxed)
    }

    /// The next generation, if its bank may be overwritten now. Then it may until [`publish`](Self::publish): readers only
    /// move towards the latest generation. Asked about readers in the way only.
    pub fn next(&self, is_alive: impl Fn(usize) -> bool) -> Result<u64, Busy> {
        let latest = self.generation();
        fence(Ordering::SeqCst); // after the store of this generation, by us or by a writer before us
        for (reader, line) in self.readers.iter().enumerate() {
            // What the reader did with the bank happened before it said so.
            let held = line.0.load(Ordering::Acquire);
            if held < latest && is_alive(reader) {
                return Err(Busy { reader, held });
            }
        }
        Ok(latest.wrapping_add(1))
    }

    /// Makes a generation the latest. Its bank is complete.
    pub fn publish(&self, generation: u64) {
        self.generation.0.store(generation, Ordering::Release);
    }

    /// Starts to read: the generation to use.
    pub fn enter(&self, reader: usize) -> u64 {
        let line = &self.readers[reader].0;
        line.store(ANY, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let latest = self.generation.0.load(Ordering::Acquire);
        line.store(latest, Ordering::Release);
        latest
    }

    /// Reads on: the generation to use from now on. Whatever was read before is left behind.
    #[inline(always)]
    pub fn advance(&self, reader: usize, held: u64) -> u64 {
        let latest = self.generation.0.load(Ordering::Acquire);
        if latest != held {
            self.readers[reader].0.store(latest, Ordering::Release);
        }
        latest
    }

    /// Stops to read.
    pub fn leave(&self, reader: usize) {
        self.readers[reader].0.store(IDLE, Ordering::Release);
    }
}

#[cfg(all(test, loom))]
mod tests {
    //! A bank is a cell that loom watches: an access that overlaps a write fails the model.

    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;
    use loom::thread;

    struct Model {
        handover: Handover,
        banks: [UnsafeCell<u64>; 2],
        alive: [AtomicBool; MAX_READERS],
    }

    // Sound if the protocol is: that is what the model finds out.
    #[expect(
        unsafe_code,
        reason = "the cells are shared under the protocol under test"
    )]
    // SAFETY: loom reports every access to a cell that the protocol does not order.
    unsafe impl Sync for Model {}

    impl Model {
        fn new() -> Arc<Model> {
            let line = || Padded(AtomicU64::new(0));
            Arc::new(Model {
                handover: Handover {
                    generation: line(),
                    readers: [line(), line()],
                },
                banks: [UnsafeCell::new(0), UnsafeCell::new(0)],
                alive: [AtomicBool::new(false), AtomicBool::new(false)],
            })
        }

        #[expect(unsafe_code, reason = "reads a cell under the protocol")]
        fn read(&self, generation: u64) {
            let held = self.banks[(generation & 1) as usize].with(|bank| {
                // SAFETY: this generation is held; loom checks that nobody writes.
                unsafe { *bank }
            });
            assert_eq!(held, generation);
        }

        /// What the kernel does for a reader that locks its line, and for the writer that probes the lock.
        fn lock(&self, reader: usize) {
            self.alive[reader].store(true, Ordering::SeqCst);
        }

        #[expect(unsafe_code, reason = "writes a cell under the protocol")]
        fn try_publish(&self) -> bool {
            let is_alive = |reader: usize| self.alive[reader].load(Ordering::SeqCst);
            let Ok(next) = self.handover.next(is_alive) else {
                return false;
            };
            self.banks[(next & 1) as usize].with_mut(|bank| {
                // SAFETY: no reader holds this bank; loom checks.
                unsafe { *bank = next };
            });
            self.handover.publish(next);
            true
        }
    }

    #[test]
    fn a_newcomer_and_the_writer_do_not_meet() {
        loom::model(|| {
            let model = Model::new();
            let reader = {
                let model = model.clone();
                thread::spawn(move || {
                    model.lock(0);
                    let held = model.handover.enter(0);
                    model.read(held);
                    let held = model.handover.advance(0, held);
                    model.read(held);
                    model.handover.leave(0);
                    let held = model.handover.enter(0);
                    model.read(held);
                })
            };
            for _ in 0..3 {
                model.try_publish();
            }
            reader.join().unwrap();
            // It holds what is latest or what came before; nothing of it is in the way of one more.
            let before = model.handover.generation();
            while model.try_publish() {
                assert!(model.handover.generation() <= before + 2);
            }
        });
    }

    #[test]
    fn two_readers_hold_two_generations() {
        // Three threads: every schedule with up to three preemptions. All of them, which also pass, take six minutes.
        let mut few = loom::model::Builder::new();
        few.preemption_bound = Some(3);
        few.check(|| {
            let model = Model::new();
            let readers: Vec<_> = (0..2)
                .map(|reader| {
                    let model = model.clone();
                    thread::spawn(move || {
                        model.lock(reader);
                        let held = model.handover.enter(reader);
                        model.read(held);
                        let held = model.handover.advance(reader, held);
                        model.read(held);
                    })
                })
                .collect();
            model.try_publish();
            model.try_publish();
            for reader in readers {
                reader.join().unwrap();
            }
        });
    }

    #[test]
    fn a_dead_reader_is_no_obstacle_and_its_line_can_be_taken_over() {
        loom::model(|| {
            let model = Model::new();
            // Dead since generation 0, which its line still holds.
            model.handover.enter(0);
            let newcomer = {
                let model = model.clone();
                thread::spawn(move || {
                    model.lock(0);
                    let held = model.handover.enter(0);
                    model.read(held);
                })
            };
            assert!(
                model.try_publish(),
                "generation 1 needs the bank that generation 0 is not in"
            );
            model.try_publish();
            model.try_publish();
            newcomer.join().unwrap();
        });
    }

    #[test]
    fn a_writer_takes_over_from_one_that_died_before_it_published() {
        loom::model(|| {
            let model = Model::new();
            let reader = {
                let model = model.clone();
                thread::spawn(move || {
                    model.lock(0);
                    let held = model.handover.enter(0);
                    model.read(held);
                    let held = model.handover.advance(0, held);
                    model.read(held);
                })
            };
            let first = {
                let model = model.clone();
                thread::spawn(move || {
                    model.try_publish();
                    // Dies while it fills the idle bank.
                    if let Ok(next) = model
                        .handover
                        .next(|reader| model.alive[reader].load(Ordering::SeqCst))
                    {
                        model.banks[(next & 1) as usize].with_mut(|_| {});
                    }
                })
            };
            first.join().unwrap();
            model.try_publish();
            reader.join().unwrap();
        });
    }
}
