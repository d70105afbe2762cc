//! A report for people: what was asked, what came of it, what to know before believing it.
//!
//! A headline, then one block for each thing that there is; blocks without content are left out. Names are
//! [cleaned](super::grid::clean), numbers of any value have a text ([`units`](super::units)).

mod times;
mod traffic;
mod verdict;

use super::grid::{Look, WIDTH, clean, paint, short};
use super::units::{bytes, count, ns, seconds};
use super::{Port, Report};

/// Widest name in a column.
const NAME: usize = 14;

/// Ports listed one by one.
const PORTS: usize = 8;

/// The final tables of a run, with or without colour.
pub fn render(report: &Report, coloured: bool) -> String {
    let mut out = headline(report, coloured);
    // What a search found is its result; the counts beside it are those of one trial.
    let counts = match report.mode.as_str() {
        "ndr" => "Last trial",
        _ => "Result",
    };
    for (title, body) in [
        ("Throughput (RFC 2544)", verdict::ndr(report, coloured)),
        (counts, traffic::result(report, coloured)),
        ("Streams", traffic::streams(report, coloured)),
        ("Latency", times::latency(report, coloured)),
        ("Pacing", times::pacing(report, coloured)),
        ("Clock", clock(report)),
        ("Notes", notes(report)),
    ] {
        if !body.is_empty() {
            out += &format!("\n{}\n{body}", paint(title, Look::Bold, coloured));
        }
    }
    out
}

/// Several runs, a row each; empty for fewer than two.
pub fn compare(runs: &[(String, Report)], coloured: bool) -> String {
    if runs.len() < 2 {
        return String::new();
    }
    format!(
        "\n{}\n{}",
        paint("Comparison", Look::Bold, coloured),
        verdict::comparison(runs, coloured)
    )
}

fn headline(report: &Report, coloured: bool) -> String {
    let run = report
        .run
        .map_or(String::new(), |run| format!("  run {run}"));
    let mut out = format!(
        "{}{run}  {}  {}\n",
        paint(
            &format!("tweed-pktgen {}", clean(&report.mode)),
            Look::Bold,
            coloured
        ),
        clean(&report.started),
        seconds(report.seconds),
    );
    let setup = &report.setup;
    let mut lines = Vec::new();
    let machine = &report.machine;
    if machine.cpus != 0 {
        let virtual_one =
            machine
                .hypervisor
                .as_ref()
                .map_or(String::new(), |by| match by.as_str() {
                    // It is one, and does not tell whose.
                    "yes" => ", virtual".into(),
                    by => format!(", virtual ({})", clean(by)),
                });
        lines.push(format!(
            "machine  {}, {} CPUs, {}, Linux {}{virtual_one}",
            machine.cpu,
            machine.cpus,
            bytes(machine.memory),
            machine.kernel
        ));
    }
    lines.extend(setup.ports.iter().take(PORTS).map(port));
    if setup.ports.len() > PORTS {
        lines.push(format!(
            "         and {} queues more",
            setup.ports.len() - PORTS
        ));
    }
    if !setup.rate.is_empty() {
        lines.push(format!(
            "asked    rate {}, burst {}, time stamps of the {} departure, seed {}",
            setup.rate,
            setup.burst,
            if setup.stamp == "intended" {
                "intended"
            } else {
                "actual"
            },
            setup.seed
        ));
    }
    for line in lines {
        out += &format!("  {}\n", short(&line, WIDTH - 2));
    }
    out
}

fn port(port: &Port) -> String {
    let netns = port
        .netns
        .as_ref()
        .map_or(String::new(), |netns| format!("@{netns}"));
    let core = port
        .core
        .map_or(String::new(), |core| format!(", CPU {core}"));
    let speed = port.speed.map_or(String::new(), |mbit| {
        format!(", {}", super::units::bits(f64::from(mbit) * 1e6))
    });
    format!(
        "{:<8} {}{netns} ({}{speed}), {}, queue {}{core}, MTU {}",
        port.role, port.interface, port.driver, port.io, port.queue, port.mtu
    )
}

/// What times mean, in words.
fn clock(report: &Report) -> String {
    let clock = &report.clock;
    if clock.source.is_empty() {
        return String::new();
    }
    let tsc = clock
        .tsc_hz
        .map_or(String::new(), |hz| format!(" ({:.3} GHz)", hz as f64 / 1e9));
    let mut text = format!(
        "{}{tsc}: a reading is right to ±{} and takes {}.",
        clock.source,
        ns(clock.error_ns as f64),
        ns(clock.read_ns as f64)
    );
    if report
        .received
        .as_ref()
        .is_some_and(|received| received.streams.iter().any(|s| s.latency.is_some()))
    {
        text += &format!(
            " A latency compares two readings, ±{} together; it is the path's only if sender and receiver ran on this \
             machine, or on one whose packets came back to it.",
            ns(clock.error_ns.saturating_mul(2) as f64)
        );
        text += match report.setup.stamp.as_str() {
            "intended" => {
                " It counts from when the schedule wanted a packet to leave: waiting for a sender that was held up is \
                 in it."
            }
            _ => " It counts from when the packet was written: waiting before that is not in it.",
        };
    }
    wrap(&text, "  ")
}

fn notes(report: &Report) -> String {
    report.notes.iter().map(|note| wrap(note, "  - ")).collect()
}

/// Lines of at most [`WIDTH`] columns, the first beginning with `mark`, the others indented as far.
fn wrap(text: &str, mark: &str) -> String {
    let text = clean(text);
    let (mut out, mut line) = (String::new(), mark.to_owned());
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out += &line;
            out.push('\n');
            line = " ".repeat(mark.chars().count());
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line += word;
        empty = false;
    }
    out + &line + "\n"
}

fn plain(text: String) -> (String, Look) {
    (text, Look::Plain)
}

fn blank() -> (String, Look) {
    plain(String::new())
}

/// A count that should be zero: red if it is not.
fn fault(value: u64) -> (String, Look) {
    (
        count(value),
        if value == 0 { Look::Plain } else { Look::Red },
    )
}

#[cfg(test)]
mod tests;
