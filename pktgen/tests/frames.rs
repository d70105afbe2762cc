//! Frames: what is built is valid by the judgement of others (etherparse, tshark) and by ours; what is damaged is seen.

mod kinds;

#[path = "frames/built.rs"]
mod built;
#[path = "frames/damaged.rs"]
mod damaged;
#[path = "frames/dissected.rs"]
mod dissected;
#[path = "frames/flows.rs"]
mod flows;
#[path = "frames/foreign.rs"]
mod foreign;
#[path = "frames/least.rs"]
mod least;
