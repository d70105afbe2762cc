//! From accounts to what the report says.
//!
//! What was lost is known exactly where the sender's count is (`latency`, `ndr`, joined reports); a receiver alone
//! knows it only up to the highest number that it saw of each lane. Invariant: frames = received + duplicates +
//! corrupted + foreign.

use super::{Account, StreamAccount};
use crate::frame::WIRE_OVERHEAD;
use crate::frame::signature::Lane;
use crate::io::Missed;
use crate::report::{Received, ReceivedStream};

/// What must be known besides the account.
#[derive(Clone, Debug, Default)]
pub struct Ending<'a> {
    /// Frames sent on each lane, if known.
    pub sent: Option<&'a [(Lane, u64)]>,
    /// Names of the streams, as far as known.
    pub names: &'a [String],
    /// What rates are computed from.
    pub seconds: f64,
    /// The receiver came later than the sender: [`Sequences::missing`](super::sequence::Sequences::missing).
    pub join: bool,
    /// What never came to the account, all queues together.
    pub missed: Missed,
    /// Highest acceptable loss, a fraction.
    pub bound: Option<f64>,
}

/// The receiver's part of the report, of all workers' accounts [merged](Account::merged).
pub fn received(account: &Account, ending: &Ending) -> Received {
    let empty = StreamAccount::default();
    let highest = |sent: &[(Lane, u64)]| sent.iter().map(|(lane, _)| lane.stream() + 1).max();
    let streams = (account.streams.len())
        .max(ending.sent.and_then(highest).unwrap_or(0))
        .max(ending.names.len().min(Lane::MAX));
    let streams: Vec<ReceivedStream> = (0..streams)
        .map(|index| stream(index, account.streams.get(index).unwrap_or(&empty), ending))
        .collect();
    let sum = |what: fn(&ReceivedStream) -> u64| streams.iter().map(what).sum::<u64>();
    let (first, duplicates) = (sum(|s| s.received), sum(|s| s.duplicates));
    let (lost, bytes) = (sum(|s| s.lost), sum(|s| s.bytes));
    let strays: u64 = account.streams.iter().map(StreamAccount::strays).sum();
    let sent = match ending.sent {
        Some(sent) => sent.iter().map(|(_, frames)| frames).sum(),
        None => first + lost,
    };
    let ours = (first + duplicates) as f64;
    let rate = |amount: f64| {
        if ending.seconds > 0.0 {
            amount / ending.seconds
        } else {
            0.0
        }
    };
    Received {
        frames: account.frames,
        bytes: account.bytes,
        pps: rate(ours),
        bits_l2: rate(bytes as f64 * 8.0),
        bits_wire: rate((bytes as f64 + ours * WIRE_OVERHEAD as f64) * 8.0),
        received: first,
        lost,
        loss: fraction(lost, sent),
        bound: ending.bound,
        duplicates,
        reordered: sum(|s| s.reordered),
        corrupted: sum(|s| s.corrupted) + account.corrupted,
        foreign: account.foreign + strays,
        left: ending.missed.left,
        overrun: ending.missed.overrun,
        streams,
    }
}

/// `part` of `whole`, 0 of nothing.
pub fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn stream(index: usize, account: &StreamAccount, ending: &Ending) -> ReceivedStream {
    let lost = match ending.sent {
        Some(sent) => (sent.iter().filter(|(lane, _)| lane.stream() == index))
            .map(|(lane, frames)| {
                let seen = account.lanes.iter().find(|(known, _)| known == lane);
                frames.saturating_sub(seen.map_or(0, |(_, sequences)| sequences.received()))
            })
            .sum(),
        None => account.sum(|sequences| sequences.missing(ending.join)),
    };
    ReceivedStream {
        name: match ending.names.get(index) {
            Some(name) => name.clone(),
            None => format!("stream {index}"),
        },
        received: account.received(),
        bytes: account.bytes,
        lost,
        duplicates: account.duplicates(),
        reordered: account.reordered(),
        corrupted: account.corrupted,
        latency: account.latency.distribution(),
        jitter_ns: account.latency.jitter_ns(),
        future: account.latency.future(),
    }
}

/// What a reader should know about the account before believing it.
pub fn remarks(account: &Account, ending: &Ending) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut say = |count: u64, text: &str| {
        if count != 0 {
            remarks.push(format!("{count} {text}"));
        }
    };
    say(
        ending.missed.overrun,
        "frames were lost between the kernel and the receiver, which was too slow: the loss is not the path's; give \
         it more workers (--workers), cores of their own (--cores) or a lower rate",
    );
    let sum = |what: fn(&StreamAccount) -> u64| account.streams.iter().map(what).sum::<u64>();
    say(
        sum(StreamAccount::strays),
        "intact packets lie far from all other sequence numbers (forged, or of the same run number by chance) and \
         count as foreign",
    );
    say(
        account.other_runs,
        "intact packets are of another run and count as foreign; --run chooses the run to count",
    );
    say(
        sum(|stream| stream.sum(|lane| lane.unjudged())),
        "packets of flows beyond the memory for order count as in order",
    );
    say(
        sum(|stream| stream.latency.future()),
        "packets were stamped later than they came: sender and receiver do not share a clock, and latencies mean \
         nothing",
    );
    remarks
}
