//! What fuzzing of leases has ever found or reached, again, in every test run: see `fuzz/src/lib.rs`.

#[path = "../../fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../fuzz/src/lease.rs"]
mod lease;

#[test]
fn leases_keys_and_configurations() {
    corpus::replay("lease", lease::check);
}
