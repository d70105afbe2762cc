//! `tweed-perf serve` on a node of the lab: read by a real Prometheus, and by a person with a real browser.

#[path = "serve/browser.rs"]
mod browser;
mod common;
#[path = "serve/server.rs"]
mod server;

use std::path::Path;

use browser::Browser;
use common::{in_a_lab, settle};
use perf::lab::traffic::{Iperf, PingStream};
use perf::lab::{
    FlannelNode, Lab, Pod, Process, Result, TweedNode, expect, run, wait_for, wait_until,
};
use perf::stats::totals;
use serde_json::Value;
use server::{Server, ask, status};

/// In the cluster's network and in nobody's lease: nodes draw from the first hundred free subnets.
const NOWHERE: &str = "10.244.255.9";

/// A tweed node and a kernel node, a pod on each.
struct Pair {
    x: Pod,
    z: Pod,
    t1: TweedNode,
    _f2: FlannelNode,
}

impl Pair {
    fn build(lab: &Lab) -> Result<Self> {
        let t1 = lab.tweed(1)?;
        let f2 = lab.flannel(2, "10.244.202.0/24")?;
        let (x, z) = (t1.pod()?, f2.pod()?);
        settle(lab, &[&x, &z])?;
        Ok(Pair { x, z, t1, _f2: f2 })
    }

    /// Packets to where no lease is: each is a drop that the pod is told of.
    fn lose(&self, count: u32) -> Result<()> {
        let line = format!("ping -n -q -c {count} -i 0.01 -W 0.1 {NOWHERE}");
        // Nobody answers, so ping fails.
        let _ = self.x.ns.run(&line);
        Ok(())
    }
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The value of an instant query at a Prometheus in the node's namespace; `None` while there is none.
fn query(t1: &TweedNode, expression: &str) -> Option<f64> {
    let mut curl = t1.ns().command("curl");
    curl.args([
        "-sS",
        "-G",
        "http://127.0.0.1:9090/api/v1/query",
        "--data-urlencode",
    ]);
    let answer: Value =
        serde_json::from_str(&run(curl.arg(format!("query={expression}"))).ok()?).ok()?;
    answer["data"]["result"][0]["value"][1]
        .as_str()?
        .parse()
        .ok()
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn prometheus_reads_what_the_engine_counted() {
    in_a_lab(|lab| {
        let pair = Pair::build(lab)?;
        let t1 = &pair.t1;
        let _server = Server::start(t1, &[])?;
        let configs = repository().join("configs/prometheus");
        let text = std::fs::read_to_string(configs.join("prometheus.yml"))
            .expect("the config is in the tree");
        // As it stands, only faster.
        let text = text.replace("scrape_interval: 15s", "scrape_interval: 250ms");
        let text = text.replace("evaluation_interval: 15s", "evaluation_interval: 1s");
        let home = t1.directory().join("prometheus");
        std::fs::create_dir(&home).expect("a fresh directory");
        std::fs::write(home.join("prometheus.yml"), text).expect("writable");
        std::fs::copy(
            configs.join("tweed.rules.yml"),
            home.join("tweed.rules.yml"),
        )
        .expect("the rules are in the tree");
        run(std::process::Command::new("promtool")
            .args(["check", "config"])
            .arg(home.join("prometheus.yml")))?;
        let mut command = t1.ns().command("prometheus");
        command
            .arg(format!(
                "--config.file={}",
                home.join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                home.join("data").display()
            ))
            .arg("--web.listen-address=127.0.0.1:9090");
        let _prometheus = Process::start(
            "prometheus",
            command,
            &t1.directory().join("prometheus.log"),
        )?;

        let stream = PingStream::start(&pair.x, pair.z.ip)?;
        let rate = "sum(rate(tweed_port_receive_packets_total{port=\"eth0\"}[10s]))";
        let seen = wait_for("a packet rate in Prometheus", 60, || {
            query(t1, rate).filter(|rate| *rate > 10.0)
        })?;
        stream.stop()?;
        println!("Prometheus saw {seen:.0} packets/s on the underlay");
        pair.lose(20)?;

        // Background packets may come between two looks; that all sums agree at one moment is what is waited for.
        let report = wait_for("Prometheus to have the engine's own sums", 60, || {
            let report = totals(&t1.run_dir()).ok()?;
            let sums = &report.conservation;
            let agree = [
                ("sum(tweed_port_receive_packets_total)", sums.received),
                ("sum(tweed_port_forwarded_packets_total)", sums.forwarded),
                ("sum(tweed_port_dropped_packets_total)", sums.dropped),
                (
                    "sum(tweed_peer_transmit_packets_total)",
                    report
                        .peers
                        .iter()
                        .map(|peer| peer.counters.tx_packets)
                        .sum(),
                ),
            ];
            agree
                .iter()
                .all(|(sum, own)| query(t1, sum) == Some(*own as f64))
                .then_some(report)
        })?;
        let lost = query(
            t1,
            "sum(tweed_port_dropped_packets_total{reason=\"no-route\"})",
        );
        expect(lost >= Some(20.0), || {
            format!("{lost:?} packets without a route, 20 were sent")
        })?;
        expect(report.conservation.received > 20, || {
            "hardly anything was counted".into()
        })?;
        expect(query(t1, "up{job=\"tweed\"}") == Some(1.0), || {
            "the scrape is not clean".into()
        })?;
        expect(
            query(t1, "sum(tweed_worker_busy_seconds_total)") > Some(0.0),
            || "no busy time".into(),
        )?;
        expect(
            query(t1, "count(ALERTS{alertstate=\"firing\"})").is_none(),
            || "an alert fires though all is well".into(),
        )
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn promtool_finds_nothing_wrong_with_the_metrics() {
    in_a_lab(|lab| {
        let pair = Pair::build(lab)?;
        let _server = Server::start(&pair.t1, &[])?;
        let metrics = ask(&pair.t1, "metrics", &[])?;
        let path = pair.t1.directory().join("metrics.txt");
        std::fs::write(&path, metrics).expect("writable");
        let script = format!("promtool check metrics < {} 2>&1", path.display());
        let said = run(std::process::Command::new("sh").args(["-c", &script]))?;
        expect(said.trim().is_empty(), || said)?;
        let rules = repository().join("configs/prometheus/tweed.rules.yml");
        run(std::process::Command::new("promtool")
            .args(["check", "rules"])
            .arg(rules))
        .map(drop)
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_probes_tell_the_truth_across_a_death() {
    in_a_lab(|lab| {
        let mut pair = Pair::build(lab)?;
        let _server = Server::start(&pair.t1, &[])?;
        let is = |t1: &TweedNode, path: &str, code: u16| status(t1, path) == Some(code);
        wait_until("the node to be ready", 30, || is(&pair.t1, "readyz", 200))?;
        expect(is(&pair.t1, "healthz", 200), || {
            "ready and not healthy".into()
        })?;

        pair.t1.kill_dataplane()?;
        wait_until("the death to be told", 30, || is(&pair.t1, "healthz", 503))?;
        let words = ask(&pair.t1, "readyz", &[])?;
        expect(words.contains("the engine is gone"), || words)?;
        let metrics = ask(&pair.t1, "metrics", &[])?;
        expect(
            metrics.contains("tweed_engine_state{state=\"gone\"} 1"),
            || metrics,
        )?;

        pair.t1.start_dataplane()?;
        wait_until("the node to be ready again", 30, || {
            is(&pair.t1, "readyz", 200)
        })?;
        pair.t1.ns().ip("link delete tweed0")?;
        lab.wait_reach(&pair.x, pair.z.ip)?;
        wait_until("the new uplink to be taken up", 30, || {
            is(&pair.t1, "readyz", 200)
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn tls_and_token_guard_an_address_of_the_network() {
    in_a_lab(|lab| {
        let pair = Pair::build(lab)?;
        let t1 = &pair.t1;
        let refusal = Server::refusal(t1, &["--listen", "192.168.77.1:9460"])?;
        expect(
            refusal.contains("--token-file") && refusal.contains("--insecure"),
            || refusal,
        )?;
        let (token, cert, key) = (
            t1.directory().join("token"),
            t1.directory().join("cert.pem"),
            t1.directory().join("key.pem"),
        );
        std::fs::write(&token, "0123456789abcdef0123456789abcdef\n").expect("writable");
        run(std::process::Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ])
            .args([
                "-subj",
                "/CN=t1",
                "-addext",
                "subjectAltName=IP:192.168.77.1",
            ])
            .args([&"-keyout".into(), &key, &"-out".into(), &cert]))?;
        let path = |path: &Path| path.display().to_string();
        let options = [
            "--listen",
            "192.168.77.1:9460",
            "--token-file",
            &path(&token),
            "--tls-cert",
            &path(&cert),
            "--tls-key",
            &path(&key),
        ];
        let _server = Server::start(t1, &options)?;
        let other = &pair._f2;
        let curl = |arguments: &[&str]| {
            let mut curl = other.ns().command("curl");
            run(curl
                .args(["-sS", "--cacert", &path(&cert), "-w", "\n%{http_code}"])
                .args(arguments))
        };
        let text = curl(&[
            "-H",
            "Authorization: Bearer 0123456789abcdef0123456789abcdef",
            "https://192.168.77.1:9460/metrics",
        ])?;
        expect(
            text.contains("tweed_engine_up 1") && text.ends_with("200"),
            || text,
        )?;
        let text = curl(&["https://192.168.77.1:9460/metrics"])?;
        expect(text.ends_with("401"), || text)?;
        // Plain HTTP gets nothing.
        expect(curl(&["http://192.168.77.1:9460/healthz"]).is_err(), || {
            "plain HTTP was answered".into()
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn clients_that_never_finish_keep_nobody_out() {
    in_a_lab(|lab| {
        let pair = Pair::build(lab)?;
        let _server = Server::start(&pair.t1, &[])?;
        // A hundred that say half a request, and pages that never read.
        let held: Vec<_> = pair
            .t1
            .ns()
            .inside(|| {
                let connect = || std::net::TcpStream::connect("127.0.0.1:9460");
                let say = |text: &'static str| {
                    move |mut stream: std::net::TcpStream| {
                        std::io::Write::write_all(&mut stream, text.as_bytes()).map(|()| stream)
                    }
                };
                let slow = (0..40).map(|_| {
                    connect().and_then(say("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: "))
                });
                let deaf = (0..70).map(|_| {
                    connect().and_then(say("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"))
                });
                slow.chain(deaf).collect::<std::io::Result<Vec<_>>>()
            })?
            .expect("connections are accepted");
        expect(
            ask(&pair.t1, "metrics", &[])?.contains("tweed_engine_up 1"),
            || "no metrics".into(),
        )?;
        expect(status(&pair.t1, "events") == Some(503), || {
            "a page more than there is room for".into()
        })?;
        drop(held);
        wait_until("room for a page again", 30, || {
            status(&pair.t1, "events") == Some(200)
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_page_lives_in_a_real_browser() {
    in_a_lab(|lab| {
        let mut pair = Pair::build(lab)?;
        let _server = Server::start(&pair.t1, &[])?;
        let mut browser = Browser::start(pair.t1.ns(), lab.directory())?;
        browser.look(1200, 1000, false)?;
        let stream = PingStream::start(&pair.x, pair.z.ip)?;
        let base = "http://127.0.0.1:9460/";
        browser.open(base)?;
        browser.wait("document.getElementById('engine').dataset.state === 'running'")?;
        browser.wait("/^[1-9]/.test(document.getElementById('tx-pps').textContent)")?;
        // Live: what was received goes on growing without the page being loaded again.
        browser.eval("window.first = document.getElementById('conservation').textContent")?;
        browser.wait("window.first !== document.getElementById('conservation').textContent")?;
        expect(
            browser.eval("document.querySelectorAll('canvas').length")? == 4,
            || "charts are missing".into(),
        )?;
        browser.wait("document.getElementById('chart-packets').getAttribute('aria-label').startsWith('to the wire ')")?;

        pair.lose(200)?;
        browser.wait("document.getElementById('drop-table').innerText.includes('no-route')")?;
        browser.wait("document.getElementById('chart-drops').getAttribute('aria-label').includes('no-route')")?;
        let peers = browser.text("peer-table")?;
        expect(peers.contains("192.168.77.2"), || peers)?;
        pictures(&mut browser, &pair)?;

        pair.t1.kill_dataplane()?;
        browser.wait("document.getElementById('banner').innerText.startsWith('down since')")?;
        pair.t1.start_dataplane()?;
        browser.wait("document.getElementById('banner').hidden && document.getElementById('engine').dataset.state === 'running'")?;
        stream.stop()?;

        // Offline: it asked nobody but us. And nothing on the console, also not of the content policy.
        let foreign: Vec<_> = browser
            .requests
            .iter()
            .filter(|url| !url.starts_with(base) && *url != "about:blank")
            .collect();
        expect(foreign.is_empty(), || {
            format!("the page asks elsewhere: {foreign:?}")
        })?;
        expect(browser.complaints.is_empty(), || {
            browser.complaints.join("\n")
        })
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_page_asks_for_the_token_and_switches_its_colours() {
    in_a_lab(|lab| {
        let pair = Pair::build(lab)?;
        let token = pair.t1.directory().join("token");
        std::fs::write(&token, "0123456789abcdef").expect("writable");
        let _server = Server::start(&pair.t1, &["--token-file", &token.display().to_string()])?;
        let mut browser = Browser::start(pair.t1.ns(), lab.directory())?;
        browser.look(1200, 900, false)?;
        browser.open("http://127.0.0.1:9460/")?;
        browser.wait("!document.getElementById('login').hidden")?;
        let enter = |token: &str| {
            format!(
                "document.getElementById('token').value = '{token}'; document.querySelector('#login button').click()"
            )
        };
        browser.eval(&enter("wrong"))?;
        browser.wait("document.getElementById('refused').textContent")?;
        browser.eval(&enter("0123456789abcdef"))?;
        browser.wait("document.getElementById('engine').dataset.state === 'running'")?;
        let ground = "getComputedStyle(document.body).backgroundColor";
        let light = browser.eval(ground)?;
        browser.eval("document.getElementById('theme').click()")?;
        expect(browser.eval(ground)? != light, || {
            "the switch changes nothing".into()
        })?;
        // A link with the token in its fragment is as good, and the token does not stay in the bar.
        browser.eval("sessionStorage.clear()")?;
        browser.open("about:blank")?;
        browser.open("http://127.0.0.1:9460/#token=0123456789abcdef")?;
        browser.wait(
            "document.getElementById('engine')?.dataset.state === 'running' && !location.hash",
        )
    });
}

/// Light, dark, and as wide as a phone: no page is wider than its window. With TWEED_SCREENSHOTS they go there, for
/// the docs.
fn pictures(browser: &mut Browser, pair: &Pair) -> Result<()> {
    let shown = std::env::var_os("TWEED_SCREENSHOTS");
    if shown.is_some() {
        // Something to look at.
        Iperf::udp(20, 40).run(&pair.x, &pair.z, pair.z.ip)?;
        Iperf::tcp(40).run(&pair.z, &pair.x, pair.x.ip)?;
        pair.lose(100)?;
    }
    for (name, width, height, dark) in [
        ("light", 1200, 1000, false),
        ("dark", 1200, 1000, true),
        ("phone", 390, 844, false),
    ] {
        browser.look(width, height, dark)?;
        // Charts are drawn anew in the frame after the one that the window grew or shrank in.
        browser.eval(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
        )?;
        let wide = browser.eval("document.documentElement.scrollWidth")?;
        expect(wide.as_u64() <= Some(u64::from(width)), || {
            format!("{name}: {wide} wide in {width}")
        })?;
        if let Some(directory) = &shown {
            browser.eval("new Promise((done) => setTimeout(done, 1500))")?;
            browser.screenshot(&Path::new(directory).join(format!("serve-{name}.png")))?;
        }
    }
    browser.look(1200, 1000, false)
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn serve_without_an_engine_waits_for_it() {
    in_a_lab(|lab| {
        let mut t1 = lab.tweed_stopped(1)?;
        let _server = Server::start(&t1, &[])?;
        expect(status(&t1, "healthz") == Some(503), || {
            "healthy without an engine".into()
        })?;
        expect(status(&t1, "api/stats") == Some(503), || {
            "numbers without an engine".into()
        })?;
        t1.start()?;
        wait_until("the engine to be found", 30, || {
            status(&t1, "readyz") == Some(200)
        })?;
        let pod = t1.pod()?;
        wait_until("a loss to be told", 30, || {
            // Each time anew: the pod's bridge may not forward yet.
            let _ = pod.ns.run(&format!("ping -n -q -c 1 -W 0.1 {NOWHERE}"));
            let stats = ask(&t1, "api/stats", &[]).ok();
            let stats: Value = stats
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default();
            let ports = stats["ports"].as_array().into_iter().flatten();
            ports
                .filter_map(|port| port["drops"]["no-route"].as_u64())
                .sum::<u64>()
                > 0
        })
    });
}
