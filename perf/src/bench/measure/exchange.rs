//! Request and response: a small message over one TCP connection, its echo, and the next. What a database's client feels.
//!
//! Two threads of this process, for what stands between them is the network and nothing else: no tool's own loop. Each
//! message waits for the echo of the one before, so nothing queues, and what is measured is wake-ups and the path.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use super::{Figures, Moment, Probe, measure};
use crate::bench::Result;
use crate::bench::model::{Better, Measure, Wire};
use crate::bench::pods::Network;
use crate::lab::{LabError, Pod};

/// Bytes of a message: netperf's TCP_RR sends 1; 64 is nearer to a request, and costs the same.
const MESSAGE: usize = 64;
/// Silence after which the connection is broken.
const PATIENCE: Duration = Duration::from_secs(5);
/// Share of the time at the start that does not count: slow start, caches, sleepy workers.
const WARM_UP: f64 = 0.1;

/// Messages to and fro.
pub struct Exchange {
    /// The underlay.
    pub wire: Wire,
    /// How long.
    pub time: Duration,
}

impl Probe for Exchange {
    fn measures(&self) -> Vec<Measure> {
        let how = format!(
            "{MESSAGE} bytes and their echo over one TCP connection, one at a time, for {:.1} s; from before the write to \
             after the read of the echo.",
            self.time.as_secs_f64()
        );
        [("p50", "median"), ("p99", "99 %")]
            .map(|(name, share)| {
                measure(
                    self.wire,
                    &format!("rr.{name}"),
                    &format!("Request and response over TCP, {share}"),
                    "us",
                    Better::Less,
                )
                .in_group("Request and response", &how)
            })
            .into()
    }

    fn time(&self) -> Duration {
        self.time
    }

    fn look(&self, network: &dyn Network, _: Moment) -> Result<Figures> {
        let mut times = exchange(network.pods(), self.time)?;
        times.sort_unstable();
        match (percentile(&times, 0.5), percentile(&times, 0.99)) {
            (Some(p50), Some(p99)) => Ok(Figures::of([p50, p99].map(micros))),
            _ => Err(LabError::Unexpected("no echo came back in time".to_owned())),
        }
    }
}

/// Round trips from the first pod to the second, in the order they were made.
fn exchange([from, to]: [&Pod; 2], time: Duration) -> Result<Vec<Duration>> {
    let failed = |what: &str| LabError::io(format!("{what} {}", to.ip));
    let listener = (to.ns)
        .inside(|| TcpListener::bind((to.ip, 0)))?
        .map_err(failed("listen on"))?;
    let address = listener.local_addr().map_err(failed("listen on"))?;
    let client = (from.ns)
        .inside(|| TcpStream::connect_timeout(&address, PATIENCE))?
        .map_err(failed("connect to"))?;
    let (server, _) = listener.accept().map_err(failed("accept on"))?;
    std::thread::scope(|scope| {
        let echo = scope.spawn(|| answer(server));
        let asked = scope.spawn(|| ask(client, time));
        let times = asked.join().unwrap_or_else(|panic| resume_unwind(panic));
        let echoed = echo.join().unwrap_or_else(|panic| resume_unwind(panic));
        let times = times.map_err(failed("exchange messages with"))?;
        echoed.map_err(failed("echo messages on"))?;
        Ok(times)
    })
}

fn ask(mut stream: TcpStream, time: Duration) -> io::Result<Vec<Duration>> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut message = [0x55; MESSAGE];
    let mut times = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < time {
        let sent = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        let took = sent.elapsed();
        if begin.elapsed() > time.mul_f64(WARM_UP) {
            times.push(took);
        }
    }
    Ok(times)
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut message = [0; MESSAGE];
    loop {
        match stream.read_exact(&mut message) {
            Ok(()) => stream.write_all(&message)?,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// The smallest value that this share of the sorted ones does not exceed (nearest rank).
fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_nearest_rank() {
        let times: Vec<_> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!(percentile(&times, 0.5), Some(Duration::from_micros(100)));
        assert_eq!(percentile(&times, 0.99), Some(Duration::from_micros(198)));
        assert_eq!(
            percentile(&times[..1], 0.99),
            Some(Duration::from_micros(1))
        );
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn messages_cross_a_loopback() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let echo = std::thread::spawn(|| answer(server));
        let times = ask(client, Duration::from_millis(200)).unwrap();
        assert!(!times.is_empty());
        echo.join().unwrap().unwrap();
    }
}
