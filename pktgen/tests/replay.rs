//! What fuzzing of the receiver has ever found or reached, again, in every test run: see `fuzz/src/lib.rs`. And, by the same checks,
//! a few hundred thousand mutants of it.

#[path = "../../fuzz/src/corpus.rs"]
mod corpus;
mod kinds;
#[path = "../../fuzz/src/pktgen.rs"]
mod pktgen;

use std::cell::RefCell;

use fastrand::Rng;

const MUTANTS: usize = 300_000;

#[test]
fn the_corpus() {
    corpus::replay("pktgen", pktgen::check);
}

/// The committed seeds are those that `cargo run --bin seeds` would write: frames of today's signature.
#[test]
fn seeds_are_of_today() {
    let committed = RefCell::new(Vec::new());
    corpus::replay("pktgen", |input| {
        committed.borrow_mut().push(input.to_vec())
    });
    for seed in pktgen::seeds() {
        assert!(
            committed.borrow().contains(&seed),
            "cargo run --bin seeds, in fuzz/: {seed:02x?}"
        );
    }
}

#[test]
fn mutants_of_the_corpus() {
    let corpus = RefCell::new(Vec::new());
    corpus::replay("pktgen", |input| corpus.borrow_mut().push(input.to_vec()));
    let corpus = corpus.into_inner();
    let mut rng = Rng::with_seed(1);
    for _ in 0..MUTANTS {
        let mut frame = rng.choice(&corpus).expect("files").clone();
        for _ in 0..rng.usize(1..5) {
            mutate(&mut frame, rng.choice(&corpus).expect("files"), &mut rng);
        }
        pktgen::check(&frame);
    }
}

/// One change: a byte, a bit, an interesting word, a shorter or longer frame, a part of another.
fn mutate(frame: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    let words = [
        [0x08, 0],
        [0x86, 0xdd],
        [0x81, 0],
        [0x21, 0x18],
        [0x74, 0x77],
        [0, 0],
        [0xff, 0xff],
    ];
    let at = rng.usize(..frame.len().max(1));
    let end = frame.len().min(at + 2);
    match (rng.u8(..8), frame.get_mut(at)) {
        (0 | 1, Some(byte)) => *byte = rng.u8(..),
        (2 | 3, Some(byte)) => *byte ^= 1 << rng.u8(..8),
        (4, Some(_)) => {
            frame[at..end].copy_from_slice(&words[rng.usize(..words.len())][..end - at])
        }
        (5, _) => frame.truncate(at),
        (6, _) => {
            let from = rng.usize(..other.len().max(1)).min(other.len());
            frame.truncate(at);
            frame.extend(&other[from..]);
        }
        _ => frame.extend((0..rng.usize(..10)).map(|_| rng.u8(..))),
    }
}
