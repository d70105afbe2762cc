//! `tweed-pktgen`: loads a network path with packets that it recognises again, and measures what arrives, how late, in
//! what order.
//!
//! It is a tool to measure others with, so it shares no code with tweed's engine: AF_XDP by xsk-rs, headers by etherparse.
//! A packet's way: [`profile`] says what to send, [`frame`] builds it, [`run`] paces it out through [`io`]; on the other
//! side [`frame::classify`] recognises it and [`account`] counts it; [`report`] tells.

pub mod account;
pub mod cli;
pub mod clock;
pub mod error;
pub mod frame;
pub mod io;
pub mod mode;
pub mod pace;
pub mod profile;
pub mod report;
pub mod run;
