//! The view for people: a [`Report`] in 80 columns. Colour is laid over whole lines, so it never moves a column.

use std::fmt::Write;

use contract::stats::{Life, PortCounter, WorkerCounter};

use super::grid::{Grid, paragraph, printable};
use super::number::{grouped, percent, rate, short, span};
use super::peer::Peer;
use super::port::Port;
use super::report::Report;
use crate::style::Style;

/// Peers that a table lists; `--json` has them all.
const PEERS: usize = 20;
/// Unused keys that a table lists.
const SKIPPED: usize = 5;

/// The whole view.
pub fn render(report: &Report, style: Style) -> String {
    let mut text = engine(report, style);
    let since = match report.interval_s {
        Some(seconds) => format!("per second, over the last {seconds:.1} s"),
        None => "totals since the engine's start".to_owned(),
    };
    for (title, body) in [
        ("workers", workers(report, style)),
        ("ports", ports(report, style)),
        ("drops", drops(report)),
        ("peers", peers(report)),
    ] {
        if !body.is_empty() {
            let _ = write!(text, "\n{}  {since}\n{body}", style.bold(title));
        }
    }
    text.push('\n');
    text.push_str(&conservation(report, style));
    text
}

/// What state the engine is in, in words.
pub fn life(report: &Report) -> String {
    let engine = &report.engine;
    let (pid, silent) = (engine.pid, span(engine.silent_s));
    match engine.state {
        Life::Running => format!("running, process {pid}, up {}", span(engine.uptime_s)),
        Life::Silent => {
            format!("silent for {silent}: process {pid} exists, but is stopped or stuck")
        }
        Life::Gone => format!("not running: process {pid} is gone, last heard of {silent} ago"),
    }
}

fn engine(report: &Report, style: Style) -> String {
    let running = report.engine.state == Life::Running;
    let mut text = format!("engine   {}\n", style.verdict(running, &life(report)));
    let Some(control) = &report.control else {
        return text;
    };
    let summary = format!(
        "lease {}, generation {}, {} peers, {} of them unreachable",
        control.lease, control.generation, control.peers, control.unreachable
    );
    text += &paragraph("control  ", &summary);
    if !control.alive {
        let silent = span(control.silent_s);
        let line = format!(
            "that is what it last said, {silent} ago: start tweed-control, for nothing that changes comes through"
        );
        let line = paragraph("         ", &line);
        text += &(style.verdict(false, line.trim_end()) + "\n");
    }
    if let Some(trouble) = &control.trouble {
        let line = paragraph("         ", trouble);
        text += &(style.verdict(false, line.trim_end()) + "\n");
    }
    for skipped in control.skipped.iter().take(SKIPPED) {
        let line = format!("{} is not used: {}", skipped.key, skipped.reason);
        text += &paragraph("         ", &line);
    }
    if let more @ 1.. = control.skipped.len().saturating_sub(SKIPPED) {
        let _ = writeln!(text, "         and {more} other keys are not used");
    }
    text
}

fn workers(report: &Report, style: Style) -> String {
    let mut grid = Grid::new(
        0,
        [
            "#",
            "cpu",
            "queue",
            "busy",
            "asleep",
            "turns",
            "generation",
            "frames",
            "free",
            "in rings",
        ],
    );
    for worker in &report.workers {
        let count = |counter| worker.counters.count(counter);
        let turns = worker.turns_per_s.map(rate);
        grid.row([
            worker.index.to_string(),
            count(WorkerCounter::Cpu).to_string(),
            count(WorkerCounter::Queue).to_string(),
            percent(worker.busy),
            percent(worker.asleep),
            turns.unwrap_or_else(|| short(count(WorkerCounter::Turns))),
            count(WorkerCounter::Generation).to_string(),
            count(WorkerCounter::Frames).to_string(),
            count(WorkerCounter::FramesFree).to_string(),
            count(WorkerCounter::FramesInRings).to_string(),
        ]);
    }
    if report.workers.is_empty() {
        return String::new();
    }
    let mut text = grid.render();
    // Of an engine that does not run, none does.
    let running = report.engine.state == Life::Running;
    for worker in report
        .workers
        .iter()
        .filter(|worker| running && worker.is_silent())
    {
        let silent = span(worker.silent_s);
        let line = format!(
            "  worker {} has been silent for {silent}: it is stuck, or its CPU is taken",
            worker.index
        );
        text += &(style.verdict(false, &line) + "\n");
    }
    text
}

fn ports(report: &Report, style: Style) -> String {
    let sizes = match report.interval_s {
        Some(_) => ["rx bits", "tx bits"],
        None => ["rx bytes", "tx bytes"],
    };
    let [rx_size, tx_size] = sizes;
    let mut grid = Grid::new(
        4,
        [
            "#", "name", "side", "mode", "rx", rx_size, "tx", tx_size, "drops",
        ],
    );
    for port in &report.ports {
        let [rx, rx_size, tx, tx_size, drops] = port_numbers(port);
        let mode = if port.state == "up" {
            port.mode
        } else {
            port.state
        };
        grid.row([
            port.index.to_string(),
            port.name.clone(),
            port.side.to_owned(),
            mode.to_owned(),
            rx,
            rx_size,
            tx,
            tx_size,
            drops,
        ]);
    }
    if report.ports.is_empty() {
        return "  none: the tables name none yet; is tweed-control running?\n".to_owned();
    }
    let failed = report.ports.iter().filter(|port| !port.error.is_empty());
    failed.fold(grid.render(), |text, port| {
        let line = paragraph(&format!("  {}: ", printable(&port.name)), &port.error);
        text + &style.verdict(false, line.trim_end()) + "\n"
    })
}

fn port_numbers(port: &Port) -> [String; 5] {
    if let Some(now) = &port.per_second {
        return [
            now.rx_packets,
            now.rx_bits,
            now.tx_packets,
            now.tx_bits,
            now.dropped,
        ]
        .map(rate);
    }
    let count = |counter| port.counters.count(counter);
    [
        count(PortCounter::RxPackets),
        count(PortCounter::RxBytes),
        count(PortCounter::TxPackets),
        count(PortCounter::TxBytes),
        port.dropped,
    ]
    .map(short)
}

/// Each reason that took a frame, and what it means. Always totals: a loss does not stop mattering after a second.
fn drops(report: &Report) -> String {
    let mut text = String::new();
    for port in &report.ports {
        for (reason, count) in port.drops.iter().filter(|(_, count)| *count > 0) {
            let name = match port.name.as_str() {
                "" => format!("port {}", port.index),
                name => printable(name),
            };
            let first = format!("  {name:<10} {:>6}  {:<18} ", short(*count), reason.name());
            text += &paragraph(&first, reason.meaning());
        }
    }
    text
}

fn peers(report: &Report) -> String {
    let sizes = match report.interval_s {
        Some(_) => ["tx bits", "rx bits"],
        None => ["tx bytes", "rx bytes"],
    };
    let [tx_size, rx_size] = sizes;
    let mut grid = Grid::new(
        3,
        ["slot", "subnet", "public ip", "tx", tx_size, "rx", rx_size],
    );
    for peer in report.peers.iter().take(PEERS) {
        let [tx, tx_size, rx, rx_size] = peer_numbers(peer);
        let slot = peer.slot.map_or("-".to_owned(), |slot| slot.to_string());
        grid.row([slot, subnet(peer), address(peer), tx, tx_size, rx, rx_size]);
    }
    if report.peers.is_empty() {
        return String::new();
    }
    let mut text = grid.render();
    if let more @ 1.. = report.peers.len().saturating_sub(PEERS) {
        let _ = writeln!(text, "  and {more} with less traffic: --json lists them");
    }
    let unreachable = report.peers.iter().filter(|peer| peer.obstacle.is_some());
    for peer in unreachable.clone().take(PEERS) {
        let obstacle = peer.obstacle.as_deref().unwrap_or_default();
        text += &paragraph(
            &format!("  {} is not sent to: ", printable(&subnet(peer))),
            obstacle,
        );
    }
    if let more @ 1.. = unreachable.count().saturating_sub(PEERS) {
        let _ = writeln!(text, "  and {more} others are not sent to");
    }
    text
}

fn peer_numbers(peer: &Peer) -> [String; 4] {
    if let Some(now) = &peer.per_second {
        return [now.tx_packets, now.tx_bits, now.rx_packets, now.rx_bits].map(rate);
    }
    let total = &peer.counters;
    [
        total.tx_packets,
        total.tx_bytes,
        total.rx_packets,
        total.rx_bytes,
    ]
    .map(short)
}

fn subnet(peer: &Peer) -> String {
    match &peer.subnets[..] {
        [] => "-".to_owned(),
        [subnet] => subnet.clone(),
        [subnet, more @ ..] => format!("{subnet} +{}", more.len()),
    }
}

fn address(peer: &Peer) -> String {
    peer.public_ip.clone().unwrap_or_else(|| "-".to_owned())
}

fn conservation(report: &Report, style: Style) -> String {
    let sums = &report.conservation;
    let equation = format!(
        "received {} = forwarded {} + dropped {}",
        grouped(sums.received),
        grouped(sums.forwarded),
        grouped(sums.dropped)
    );
    let line = match sums.holds {
        true => equation,
        false => format!("{equation} does NOT hold, or chunks are missing: please report this"),
    };
    let line = paragraph("", &line);
    style.verdict(sums.holds, line.trim_end()) + "\n"
}
