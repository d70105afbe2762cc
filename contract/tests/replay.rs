//! What fuzzing of the tables and of `node.toml` has ever found or reached, again, in every test run: see `fuzz/src/lib.rs`.

#[path = "../../fuzz/src/config.rs"]
mod config;
#[path = "../../fuzz/src/corpus.rs"]
mod corpus;
#[allow(dead_code, reason = "the packet path's tests use the rest")]
#[path = "../../dataplane/tests/support/golden.rs"]
mod support;
#[path = "../../fuzz/src/tables.rs"]
mod tables;

#[test]
fn mangled_tables() {
    corpus::replay("tables", tables::check);
}

#[test]
fn configurations() {
    corpus::replay("config", config::check);
}
