//! The page of metrics, whole and complete.

use std::collections::BTreeSet;

use contract::stats::{DropReason, PortCounter, PortState, WorkerCounter};
use contract::tables::PortKind;

use super::super::tests::{Node, port};
use super::family::{Kind, Value};
use super::{classic, families, openmetrics, port as port_families, worker};

/// Of a node where every family has a series.
fn all() -> Vec<super::Family> {
    families(&Node::running().view(None))
}

/// The lines of one family.
fn lines(text: &str, name: &str) -> Vec<String> {
    let of_it = |line: &&str| {
        line.trim_start_matches("# HELP ")
            .trim_start_matches("# TYPE ")
            .starts_with(name)
    };
    text.lines().filter(of_it).map(str::to_owned).collect()
}

#[test]
fn a_counter_a_gauge_an_info_and_a_histogram_read_like_this() {
    let text = openmetrics(&Node::running().view(None));
    assert_eq!(
        lines(&text, "tweed_port_receive_bytes"),
        [
            "# HELP tweed_port_receive_bytes Bytes received, Ethernet header included, frame check sequence not.",
            "# TYPE tweed_port_receive_bytes counter",
            "tweed_port_receive_bytes_total{worker=\"0\",port=\"eth0\"} 1000",
            "tweed_port_receive_bytes_total{worker=\"1\",port=\"eth0\"} 1000",
        ]
    );
    assert_eq!(
        lines(&text, "tweed_worker_busy_seconds"),
        [
            "# HELP tweed_worker_busy_seconds Time in turns that received frames.",
            "# TYPE tweed_worker_busy_seconds counter",
            "tweed_worker_busy_seconds_total{worker=\"0\"} 1.5",
            "tweed_worker_busy_seconds_total{worker=\"1\"} 1.5",
        ]
    );
    assert_eq!(
        lines(&text, "tweed_port_up"),
        [
            "# HELP tweed_port_up 1 when a port that control wants is bound on all workers' queues; 0 when it cannot be.",
            "# TYPE tweed_port_up gauge",
            "tweed_port_up{port=\"eth0\",kind=\"underlay\",mode=\"copy\"} 1",
            "tweed_port_up{port=\"tweed0x\",kind=\"uplink\",mode=\"copy\"} 1",
        ]
    );
    let build = format!(
        "tweed_build_info{{version=\"{}\"}} 1",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(lines(&text, "tweed_build")[2], build);
    let residence = lines(&text, "tweed_worker_residence_seconds_");
    let first: Vec<&str> = residence
        .iter()
        .map(String::as_str)
        .filter(|line| line.contains("worker=\"0\""))
        .collect();
    assert_eq!(
        first[1],
        "tweed_worker_residence_seconds_count{worker=\"0\"} 2"
    );
    for line in [
        "le=\"0.000001\",worker=\"0\"} 0",
        "le=\"0.000002\",worker=\"0\"} 1",
        "le=\"0.005\",worker=\"0\"} 2",
        "le=\"+Inf\",worker=\"0\"} 2",
    ] {
        assert!(
            first.iter().any(|l| l.ends_with(line)),
            "{line} is not among {first:#?}"
        );
    }
}

#[test]
fn every_counter_and_reason_is_there_with_what_it_counts() {
    let node = Node::running();
    let names: BTreeSet<&str> = families(&node.view(None))
        .iter()
        .map(|family| family.name)
        .collect();
    for counter in PortCounter::ALL {
        assert!(
            names.contains(port_families::name(*counter)),
            "{}",
            counter.name()
        );
    }
    for counter in WorkerCounter::ALL
        .iter()
        .filter(|counter| **counter != WorkerCounter::HeartbeatTsc)
    {
        assert!(
            worker::name(*counter).is_some_and(|name| names.contains(name)),
            "{}",
            counter.name()
        );
    }
    let told: Vec<_> = PortCounter::ALL
        .iter()
        .map(|c| port_families::name(*c))
        .collect();
    // `receive` and `receive_packets` differ by their unit.
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len());
    let text = openmetrics(&node.view(None));
    for reason in DropReason::ALL {
        let count = u64::from(*reason == DropReason::InnerSource);
        for worker in 0..2 {
            let name = reason.name();
            let line = format!(
                "tweed_port_dropped_packets_total{{worker=\"{worker}\",port=\"eth0\",reason=\"{name}\"}} {count}\n"
            );
            assert!(text.contains(&line), "{line}");
        }
    }
}

#[test]
fn every_family_has_a_series_and_a_name_of_its_own() {
    let all = all();
    let names: BTreeSet<String> = all.iter().map(super::Family::full_name).collect();
    assert_eq!(names.len(), all.len());
    for family in &all {
        assert!(
            family.series().next().is_some(),
            "{} is never shown",
            family.name
        );
        assert!(family.help.ends_with('.'), "{}", family.help);
    }
}

#[test]
fn the_older_text_names_each_family_as_its_samples_are_named() {
    let text = classic(&openmetrics(&Node::running().view(None)));
    let mut declared = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            declared = rest.split(' ').next().unwrap().to_owned();
            assert!(!rest.ends_with(" info"), "{rest}");
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let histogram = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix));
            assert!(
                name == declared || histogram == Some(&declared),
                "{line} below {declared}"
            );
        }
    }
    assert!(!text.contains("# EOF") && !text.contains("# UNIT"));
}

#[test]
fn hostile_names_stay_inside_their_quotes() {
    let node = Node::running();
    node.set_port(0, &port("a\"} 1\nx 2\\", PortState::Up, PortKind::Underlay));
    node.control(r#"{"peers": [{"slot": 2, "public_ip": "\"}\n"}, {"slot": 3, "public_ip": "\"}\n"}, {}, {}]}"#);
    let text = openmetrics(&node.view(None));
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.starts_with("tweed_"), "{line}");
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(seen.insert(series.to_owned()), "{series} is there twice");
    }
}

#[test]
fn two_ports_of_one_name_are_not_joined() {
    let node = Node::running();
    node.set_port(1, &port("eth0", PortState::Up, PortKind::Uplink));
    let text = openmetrics(&node.view(None));
    assert!(
        text.contains("tweed_port_receive_packets_total{worker=\"0\",port=\"0\"} 10\n"),
        "{text}"
    );
}

#[test]
fn a_mangled_segment_is_numbers_not_panics() {
    let node = Node::running();
    let file = std::fs::File::options()
        .write(true)
        .open(node.path().join("stats"))
        .unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xfe; 200_000], 24).unwrap();
    let view = node.view(None);
    assert!(openmetrics(&view).ends_with("# EOF\n"));
    serde_json::from_str::<serde_json::Value>(super::super::message::Message::new(view).event())
        .unwrap();
}

#[test]
fn the_histogram_never_tells_less_than_was_measured() {
    let node = Node::running();
    let sample = node.view(None).sample.unwrap();
    let residence = &sample.snapshot.workers[0].residence;
    let Value::Buckets { sum, counts } = worker::buckets(residence) else {
        panic!("not a histogram")
    };
    assert_eq!(
        counts.iter().map(|(_, n)| n).sum::<u64>(),
        residence.count()
    );
    assert!((sum - 3.0015e-3).abs() < 3.0015e-3 / 32.0, "{sum}");
    assert_eq!(counts.last().unwrap(), &(f64::INFINITY, 0));
}

/// The names of metrics in a text of queries.
fn queried(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c| !is_name(c));
    words
        .filter(|word| word.starts_with("tweed_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn dashboards_and_alerts_ask_only_for_what_there_is() {
    let all = all();
    let known: BTreeSet<String> = all
        .iter()
        .flat_map(|family| {
            let name = family.full_name();
            match family.kind {
                Kind::Histogram => ["_bucket", "_sum", "_count"]
                    .map(|suffix| format!("{name}{suffix}"))
                    .to_vec(),
                _ => vec![name],
            }
        })
        .collect();
    for (file, text) in [
        (
            "grafana/tweed.json",
            include_str!("../../../../configs/grafana/tweed.json"),
        ),
        (
            "prometheus/tweed.rules.yml",
            include_str!("../../../../configs/prometheus/tweed.rules.yml"),
        ),
    ] {
        let queried = queried(text);
        assert!(queried.len() > 5, "{file} asks for little: {queried:?}");
        let unknown: Vec<_> = queried.difference(&known).collect();
        assert!(unknown.is_empty(), "{file} asks for {unknown:?}");
    }
}

#[test]
fn the_docs_list_each_metric_as_it_is() {
    let page = include_str!("../../../../docs/dashboards.md");
    let mut lacking = String::new();
    for family in all() {
        let labels: Vec<String> = family
            .labels()
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let kind = format!("{:?}", family.kind).to_lowercase();
        let row = format!(
            "| `{}` | {kind} | {} | {} |\n",
            family.full_name(),
            labels.join(" "),
            family.help
        );
        if !page.contains(&row) {
            lacking += &row;
        }
    }
    assert!(
        lacking.is_empty(),
        "docs/dashboards.md lacks the rows:\n{lacking}"
    );
}
