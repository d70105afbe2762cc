//! A run directory with an engine in it, written as the engine writes it; and what the server makes of it.

use std::path::Path;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use contract::stats::{
    BoundMode, DropReason, EngineStats, PortCounter, PortCounters, PortState, PortStatus,
    WorkerCounter, WorkerCounters, monotonic_ns,
};
use contract::tables::PortKind;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tempfile::TempDir;

use super::routes::{Shared, router};
use super::sampler::Readings;
use super::token::Token;
use super::view::{State, View};
use crate::stats::Source;

/// An engine of two workers and two ports, and control's status.
pub struct Node {
    pub dir: TempDir,
    pub engine: Option<EngineStats>,
}

pub const CONTROL: &str = r#"{
    "generation": 7, "own": {"state": "held", "subnet": "10.244.1.0/24"},
    "peers": [
        {"slot": 2, "public_ip": "192.168.77.2", "subnets": ["10.244.2.0/24"]},
        {"slot": 3, "public_ip": "192.168.77.3", "subnets": ["10.244.3.0/24"], "obstacle": "does not answer ARP"}
    ]
}"#;

impl Node {
    /// Nothing runs.
    pub fn empty() -> Self {
        Node {
            dir: tempfile::tempdir().unwrap(),
            engine: None,
        }
    }

    /// All is well.
    pub fn running() -> Self {
        let mut node = Node::empty();
        node.start();
        node.control(CONTROL);
        node
    }

    pub fn start(&mut self) {
        let engine = EngineStats::create(&self.path().join("stats"), 2, 1_000_000_000).unwrap();
        engine.set_port(0, &port("eth0", PortState::Up, PortKind::Underlay));
        engine.set_port(1, &port("tweed0x", PortState::Up, PortKind::Uplink));
        for index in 0..2 {
            let mut worker = engine.worker(index);
            let mut underlay = PortCounters::default();
            underlay.add(PortCounter::RxPackets, 10);
            underlay.add(PortCounter::RxBytes, 1000);
            underlay.add(PortCounter::Forwarded, 9);
            underlay.drop(DropReason::InnerSource);
            worker.commit_port(0, &underlay);
            worker.peer_rx(2, 500);
            worker.residence(1500);
            worker.residence(3_000_000);
            worker.commit(&counters(7));
        }
        engine.beat();
        self.engine = Some(engine);
    }

    pub fn control(&self, text: &str) {
        std::fs::write(self.path().join("control.json"), text).unwrap();
    }

    pub fn commit(&self, worker: usize, counters: &WorkerCounters) {
        self.engine
            .as_ref()
            .unwrap()
            .worker(worker)
            .commit(counters);
    }

    pub fn set_port(&self, index: usize, status: &PortStatus) {
        self.engine.as_ref().unwrap().set_port(index, status);
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn view(&self, before: Option<&View>) -> View {
        View::new(
            Source::open(self.path()).map(|mut source| source.read()),
            before,
        )
    }
}

pub fn port(name: &str, state: PortState, kind: PortKind) -> PortStatus {
    PortStatus {
        state,
        kind: Some(kind),
        mode: BoundMode::Copy,
        ifindex: 7,
        queues: 2,
        name: name.into(),
        error: String::new(),
    }
}

/// A worker that uses this generation and has just committed.
pub fn counters(generation: u64) -> WorkerCounters {
    let mut own = WorkerCounters::default();
    own.add(WorkerCounter::BusyCycles, 1_500_000_000);
    own.add(WorkerCounter::IdleCycles, 500_000_000);
    own.set(WorkerCounter::Generation, generation);
    own.set(WorkerCounter::HeartbeatNs, monotonic_ns());
    own
}

/// A server on a node.
struct Server {
    service: TowerToHyperService<axum::Router>,
}

impl Server {
    fn new(node: &Node, token: Option<&str>, any_host: bool) -> Self {
        let token = token.map(|text| {
            let path = node.path().join("token");
            std::fs::write(&path, text).unwrap();
            Token::read(&path).unwrap()
        });
        let readings = Readings::start(node.path(), || ()).unwrap();
        Server {
            service: TowerToHyperService::new(router(Shared::new(readings, token, any_host))),
        }
    }

    fn ask(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, String, String) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            use hyper::service::Service;
            let response = self.service.call(request).await.unwrap();
            let kind = response
                .headers()
                .get(header::CONTENT_TYPE)
                .map_or("", |kind| kind.to_str().unwrap())
                .to_owned();
            let policy = response
                .headers()
                .get(header::CONTENT_SECURITY_POLICY)
                .unwrap()
                .to_str()
                .unwrap();
            assert!(
                policy.contains("default-src 'none'") && !policy.contains("unsafe"),
                "{policy}"
            );
            let status = response.status();
            let body = to_bytes(response.into_body(), 10_000_000).await.unwrap();
            (status, kind, String::from_utf8(body.to_vec()).unwrap())
        })
    }
}

#[test]
fn each_path_answers_what_it_says() {
    let node = Node::running();
    let server = Server::new(&node, None, false);
    let (status, kind, text) = server.ask("/metrics", &[]);
    assert_eq!(
        (status, &*kind),
        (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(
        text.contains("# TYPE tweed_port_receive_bytes_total counter\n"),
        "{text}"
    );
    let (_, kind, text) = server.ask(
        "/metrics",
        &[(
            "accept",
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
        )],
    );
    assert_eq!(
        kind,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(text.ends_with("# EOF\n"), "{text}");
    let (_, kind, text) = server.ask("/api/stats", &[]);
    let stats: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&*kind, &stats["conservation"]["received"]),
        ("application/json", &Value::from(20))
    );
    assert_eq!(server.ask("/api/history", &[]).2, "[]");
    assert_eq!(server.ask("/healthz", &[]).0, StatusCode::OK);
    let (status, _, text) = server.ask("/readyz", &[]);
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(
        text.contains("192.168.77.3 is not sent to: does not answer ARP"),
        "{text}"
    );
    for (path, kind, content) in super::assets::ALL {
        let (status, told, text) = server.ask(path, &[]);
        assert_eq!(
            (status, &*told, &*text),
            (StatusCode::OK, *kind, *content),
            "{path}"
        );
    }
    assert_eq!(server.ask("/nonesuch", &[]).0, StatusCode::NOT_FOUND);
}

#[test]
fn the_page_names_nothing_that_is_not_served() {
    let paths: Vec<&str> = super::assets::ALL
        .iter()
        .map(|(path, ..)| path.trim_start_matches('/'))
        .collect();
    let page = super::assets::ALL[0].2;
    for attribute in ["src=\"", "href=\""] {
        for link in page
            .split(attribute)
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
        {
            assert!(
                paths.contains(&link) || ["metrics", "api/stats", "readyz"].contains(&link),
                "{link}"
            );
        }
    }
    for (path, _, content) in super::assets::ALL
        .iter()
        .filter(|(path, ..)| !path.contains("vendor"))
    {
        // The policy forbids what is inline, so it would silently do nothing.
        assert!(
            !content.contains("style=\"") && !content.contains("onclick="),
            "{path}"
        );
        for import in content
            .split(" from \"./")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
        {
            assert!(paths.contains(&import), "{path} imports {import}");
        }
    }
}

#[test]
fn without_the_token_there_are_no_numbers_and_no_words() {
    let node = Node::running();
    let server = Server::new(&node, Some("0123456789abcdef"), true);
    let good = [("authorization", "Bearer 0123456789abcdef")];
    for path in ["/metrics", "/api/stats", "/api/history", "/events"] {
        for wrong in [&[][..], &[("authorization", "Bearer 0123456789abcdee")]] {
            let (status, _, text) = server.ask(path, wrong);
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
            assert!(!text.contains("192.168"), "{text}");
        }
        if path != "/events" {
            assert_eq!(server.ask(path, &good).0, StatusCode::OK, "{path}");
        }
    }
    assert_eq!(server.ask("/readyz", &[]).2, "{\"ok\":true}\n");
    assert!(server.ask("/readyz", &good).2.contains("192.168.77.3"));
    assert_eq!(server.ask("/", &[]).0, StatusCode::OK);
}

#[test]
fn a_name_that_was_rebound_is_not_answered() {
    let node = Node::running();
    let open = Server::new(&node, None, false);
    assert_eq!(
        open.ask("/metrics", &[("host", "localhost:9460")]).0,
        StatusCode::OK
    );
    for path in ["/metrics", "/", "/events"] {
        assert_eq!(
            open.ask(path, &[("host", "evil.example")]).0,
            StatusCode::MISDIRECTED_REQUEST
        );
    }
    let guarded = Server::new(&node, None, true);
    assert_eq!(
        guarded.ask("/metrics", &[("host", "node1.example")]).0,
        StatusCode::OK
    );
}

#[test]
fn where_no_engine_ever_was_everything_still_answers() {
    let node = Node::empty();
    let server = Server::new(&node, None, false);
    let (status, _, text) = server.ask("/api/stats", &[]);
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("is tweed-dataplane running"), "{text}");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.ask(path, &[]).0, StatusCode::SERVICE_UNAVAILABLE);
    }
    let (_, _, text) = server.ask("/metrics", &[]);
    assert!(
        text.contains("tweed_engine_up 0\n")
            && text.contains("tweed_engine_state{state=\"absent\"} 1\n"),
        "{text}"
    );
}

#[test]
fn an_engine_that_comes_later_is_found_and_a_scrape_does_not_wait_for_the_second() {
    let mut node = Node::empty();
    let server = Server::new(&node, None, false);
    assert!(
        server
            .ask("/metrics", &[])
            .2
            .contains("tweed_engine_up 0\n")
    );
    node.start();
    // The first answer may still be fresh from before.
    let found = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        server
            .ask("/metrics", &[])
            .2
            .contains("tweed_engine_up 1\n")
    });
    assert!(found, "the engine was not noticed");
}

#[test]
fn the_moment_of_death_is_told_once_and_stays() {
    let node = Node::empty();
    let first = node.view(None);
    let second = node.view(Some(&first));
    assert_eq!(first.state, State::Absent);
    assert!(first.down_since_ms.is_some());
    assert_eq!(first.down_since_ms, second.down_since_ms);
    let node = Node::running();
    assert_eq!(node.view(Some(&second)).down_since_ms, None);
}

#[test]
fn a_point_has_the_rates_of_the_wire_and_the_reasons_that_moved() {
    let node = Node::running();
    let before = node.view(None);
    assert_eq!(before.point, None);
    let mut uplink = PortCounters::default();
    uplink.add(PortCounter::RxPackets, 3);
    (0..3).for_each(|_| uplink.drop(DropReason::NoRoute));
    let mut worker = node.engine.as_ref().unwrap().worker(1);
    worker.commit_port(1, &uplink);
    let mut underlay = PortCounters::default();
    underlay.add(PortCounter::RxPackets, 30);
    underlay.add(PortCounter::RxBytes, 3000);
    underlay.add(PortCounter::Forwarded, 29);
    underlay.drop(DropReason::InnerSource);
    worker.commit_port(0, &underlay);
    let now = node.view(Some(&before));
    let interval = now.report.as_ref().unwrap().interval_s.unwrap();
    let point = now.point.unwrap();
    let per_second = |n: f64| n / interval;
    assert_eq!(
        (point.rx_pps, point.rx_bps),
        (per_second(20.0), 8.0 * per_second(2000.0))
    );
    assert_eq!((point.tx_pps, point.forwarded_pps), (0.0, per_second(20.0)));
    assert_eq!(
        point.drops.into_iter().collect::<Vec<_>>(),
        [("no-route", per_second(3.0))]
    );
    assert_eq!(point.dropped_pps, per_second(3.0));
    assert_eq!(point.busy.len(), 2);
}
