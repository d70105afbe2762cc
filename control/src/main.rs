//! `tweed-control`: the control plane.
fn main() {}
