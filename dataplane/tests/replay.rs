//! What fuzzing of the packet path has ever found or reached, again, in every test run: see `fuzz/src/lib.rs`.

#[path = "../../fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../fuzz/src/decap.rs"]
mod decap;
#[path = "../../fuzz/src/encap.rs"]
mod encap;
mod support;
#[path = "../../fuzz/src/turn.rs"]
mod turn;

#[test]
fn sequences_of_frames_through_a_worker() {
    corpus::replay("turn", turn::check);
}

#[test]
fn frames_from_the_wire() {
    corpus::replay("decap", decap::check);
}

#[test]
fn frames_from_pods() {
    corpus::replay("encap", encap::check);
}
