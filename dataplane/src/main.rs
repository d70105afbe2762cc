//! `tweed-dataplane`: the packet engine.
fn main() {}
