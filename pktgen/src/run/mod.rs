//! A run: workers pinned to their cores, one queue each, and a main thread that shows and collects.

mod attend;
pub mod capture;
pub mod cores;
pub mod ends;
pub mod interrupt;
pub mod lanes;
pub mod live;
pub mod mirror;
pub mod outcome;
pub mod plan;
pub mod receiver;
pub mod search;
pub mod sender;
pub mod session;
pub mod waiting;
pub mod watch;
mod workers;
