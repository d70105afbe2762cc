//! Whether the engine forwards, as far as its stats tell. They are all that control knows of it.

use std::path::Path;
use std::time::Duration;

use contract::stats::{BoundMode, PortState, PortStatus, Snapshot, StatsReader};
use contract::tables::{Port, PortKind};

/// The engine's main thread gives a sign twenty times a second. It opens devices itself, which takes a driver some seconds at
/// worst: silent for so long means not ready, and no more.
const SILENCE: Duration = Duration::from_secs(1);

/// What the engine says now; `None` if there is none.
pub fn snapshot(stats: &Path) -> Option<Snapshot> {
    let snapshot = StatsReader::open(stats).ok()?.snapshot();
    (Duration::from_nanos(snapshot.silent_ns) < SILENCE).then_some(snapshot)
}

/// Whether it has all these ports open, but for an underlay that waits for the UDP port; else why not.
pub fn ready(stats: &Path, ports: &[Port]) -> Result<(), String> {
    match snapshot(stats) {
        Some(snapshot) => has_open(&snapshot, ports),
        None => Err("tweed-dataplane does not run; start it".into()),
    }
}

fn has_open(snapshot: &Snapshot, ports: &[Port]) -> Result<(), String> {
    for (number, port) in ports.iter().enumerate() {
        let status = snapshot.ports.iter().find(|(it, _)| *it == number);
        let status = status.map(|(_, status)| status);
        match status.filter(|status| status.name == port.name) {
            Some(status) if status.state == PortState::Up => {}
            Some(status) if port.kind == PortKind::Underlay && status.is_taken() => {}
            Some(status) if status.state == PortState::Failed => {
                return Err(format!("{} is not open: {}", port.name, status.error));
            }
            _ => return Err(format!("{} is not open yet", port.name)),
        }
    }
    Ok(())
}

/// Whether nothing is steered into it any more, or it has ended.
pub fn is_relieved(stats: &Path) -> bool {
    let carries = |status: &PortStatus| {
        status.kind == Some(PortKind::Underlay)
            && status.state == PortState::Up
            && status.mode != BoundMode::None
    };
    snapshot(stats).is_none_or(|now| !now.ports.iter().any(|(_, status)| carries(status)))
}

/// Whether it has closed all its ports, or has ended.
pub fn has_let_go(stats: &Path) -> bool {
    snapshot(stats).is_none_or(|snapshot| {
        let mut ports = snapshot.ports.iter();
        ports.all(|(_, status)| status.state != PortState::Up)
    })
}
