//! The report for people.

use super::report::{Peer, Report};
use crate::table::{Columns, Tone, span};
use Tone::{Bad, Doubt, Good, Plain};
use contract::stats::Life;

/// The whole view.
pub fn render(report: &Report, coloured: bool) -> String {
    let mut text = summary(report, coloured);
    for (title, body) in [
        ("engine", ports(report, coloured)),
        ("peers", peers(report, coloured)),
        ("not used", skipped(report, coloured)),
        (
            "what is wrong",
            sentences(&report.verdict.problems, Bad, coloured),
        ),
        ("notes", sentences(&report.verdict.notes, Doubt, coloured)),
    ] {
        if !body.is_empty() {
            text += &format!("\n{title}\n{body}");
        }
    }
    text
}

fn summary(report: &Report, coloured: bool) -> String {
    let mut rows = Columns::new(coloured);
    let mut row = |name: &str, tone, value: String| rows.row([(Plain, name.into()), (tone, value)]);
    let verdict = match report.verdict.problems.len() {
        0 if report.verdict.whole => (Good, "all well".to_owned()),
        0 => (Plain, "all well, as far as can be seen".to_owned()),
        1 => (Bad, "something is wrong, see below".to_owned()),
        n => (Bad, format!("{n} things are wrong, see below")),
    };
    row("node", verdict.0, verdict.1);
    let control = &report.control;
    let heard = match control.state {
        Life::Running => format!("running, process {}", control.pid),
        life => format!(
            "{}, last heard of {} ago",
            life.name(),
            span(control.heard_s)
        ),
    };
    row("control", tone(control.state), heard);
    row("lease", lease_tone(report), lease(report));
    row(
        "public ip",
        Plain,
        format!(
            "{}, VTEP {}",
            shown(report.lease.public_ip.as_ref()),
            report.lease.vtep_mac
        ),
    );
    row("network", Plain, shown(report.network.as_ref()));
    if let Some(config) = &report.config {
        let vni = config.vni.map(|vni| format!(", VNI {vni}"));
        let port = config.port.map(|port| format!(", port {port}"));
        row(
            "backend",
            Plain,
            config.backend.clone() + &vni.unwrap_or_default() + &port.unwrap_or_default(),
        );
        row(
            "underlay",
            Plain,
            format!(
                "{}, MTU {}, mode {}",
                report.underlay, config.underlay_mtu, config.underlay_mode
            ),
        );
        row(
            "overlay",
            Plain,
            format!("{} ({}), MTU {}", config.uplink, config.overlay, report.mtu),
        );
    }
    let (source_tone, source) = source(report);
    row("leases from", source_tone, source);
    if let (Some(error), Some(ago)) = (&report.source.last_error, report.source.last_error_s) {
        row("last error", Plain, format!("{} ago: {error}", span(ago)));
    }
    let (routes_tone, routes) = routes(report);
    row("routes", routes_tone, routes);
    rows.render()
}

fn tone(life: Life) -> Tone {
    match life {
        Life::Running => Good,
        Life::Silent | Life::Gone => Bad,
    }
}

fn lease_tone(report: &Report) -> Tone {
    match report.lease.state {
        "held" if report.lease.remaining_s.is_none_or(|left| left > 0.0) => Good,
        _ => Bad,
    }
}

fn lease(report: &Report) -> String {
    let lease = &report.lease;
    let mut text = match lease.subnet {
        Some(subnet) => format!("{subnet} {}", lease.state),
        None => lease.state.to_owned(),
    };
    if let Some(loss) = &lease.loss {
        text += &format!(" ({loss})");
    }
    text += &format!(" for {}", span(lease.for_s));
    match lease.remaining_s {
        Some(left) if left > 0.0 => text + &format!(", {} left", span(left)),
        Some(left) => text + &format!(", over since {}", span(-left)),
        None if lease.state == "held" => text + ", without end",
        None => text,
    }
}

fn source(report: &Report) -> (Tone, String) {
    let source = &report.source;
    match (source.kind.as_str(), source.connected_s) {
        ("file", _) => (Plain, source.at.clone()),
        (_, Some(since)) => (
            Good,
            format!("etcd at {}, connected for {}", source.at, span(since)),
        ),
        (_, None) if source.at.is_empty() => (Bad, "etcd, not connected".into()),
        (_, None) => (Bad, format!("etcd, not connected; last to {}", source.at)),
    }
}

fn routes(report: &Report) -> (Tone, String) {
    let Some(routes) = &report.routes else {
        return (Bad, "the tables cannot be read".into());
    };
    let acknowledged = match &report.engine {
        Some(engine) if engine.state == Life::Running => {
            let (all, up) = (
                engine.generations.len(),
                engine
                    .generations
                    .iter()
                    .filter(|g| **g == routes.generation)
                    .count(),
            );
            format!("acknowledged by {up} of {all} workers")
        }
        _ => "no engine to acknowledge it".into(),
    };
    let text = format!(
        "{} of {} programmed, generation {}, {acknowledged}",
        routes.programmed, routes.expected, routes.generation
    );
    let whole = routes.programmed == routes.expected && routes.generation == routes.published;
    (if whole { Good } else { Bad }, text)
}

fn ports(report: &Report, coloured: bool) -> String {
    let Some(engine) = &report.engine else {
        return String::new();
    };
    let mut rows =
        Columns::new(coloured).heading(["port", "side", "state", "mode", "queues", "why"]);
    for port in &engine.ports {
        let state = match (engine.state, port.state) {
            (Life::Running, "up") => Good,
            _ => Bad,
        };
        rows.row([
            (Plain, port.name.clone()),
            (Plain, port.side.into()),
            (state, port.state.into()),
            (Plain, port.mode.into()),
            (Plain, port.queues.to_string()),
            (Plain, port.reason.clone()),
        ]);
    }
    rows.render()
}

fn peers(report: &Report, coloured: bool) -> String {
    let mut rows = Columns::new(coloured).heading([
        "peer", "subnets", "type", "path", "sent as", "mtu", "state", "for",
    ]);
    for Peer {
        state,
        for_s,
        status,
    } in &report.peers
    {
        let tone = match *state {
            "up" => Good,
            "left out" => Doubt,
            _ => Bad,
        };
        let subnets: Vec<String> = status.subnets.iter().map(ToString::to_string).collect();
        let path = match (&status.next_hop, &status.device) {
            (Some(hop), Some(device)) if status.next_hop == status.public_ip => {
                let _ = hop;
                format!("direct, {device}")
            }
            (Some(hop), Some(device)) => format!("via {hop}, {device}"),
            (Some(hop), None) => format!("via {hop}"),
            (None, _) => "-".into(),
        };
        rows.row([
            (Plain, shown(status.public_ip.as_ref())),
            (Plain, subnets.join(" ")),
            (Plain, status.backend.clone()),
            (Plain, path),
            (
                Plain,
                status.encapsulation.clone().unwrap_or_else(|| "-".into()),
            ),
            (Plain, shown(status.mtu.as_ref())),
            (tone, (*state).into()),
            (Plain, span(*for_s)),
        ]);
    }
    rows.render()
}

fn skipped(report: &Report, coloured: bool) -> String {
    let mut rows = Columns::new(coloured).heading(["key", "why"]);
    for skipped in &report.skipped {
        rows.row([
            (Plain, skipped.key.clone()),
            (Doubt, skipped.reason.clone()),
        ]);
    }
    rows.render()
}

fn sentences(texts: &[String], tone: Tone, coloured: bool) -> String {
    let mut rows = Columns::new(coloured);
    for text in texts {
        rows.row([(tone, text.clone())]);
    }
    rows.render()
}

fn shown<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "-".into(), ToString::to_string)
}
