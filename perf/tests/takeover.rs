//! A node goes from flannel to tweed and back, as docs/migration.md has it: its commands are the script of this test.

mod common;

use common::{in_a_lab, lost_at_most, ping_both_sizes, settle};
use contract::stats::{PortState, StatsReader};
use ipnet::Ipv4Net;
use perf::lab::traffic::PingStream;
use perf::lab::{
    FlannelNode, Follower, Lab, LabError, Namespace, Node, NodeConfig, Pod, Result, TweedNode,
    binary, expect, lease, run, wait_until,
};
use serde_json::Value;

const GUIDE: &str = include_str!("../../docs/migration.md");

/// Probes that may be lost each way in a change: 100 ms.
const LOSS: u32 = 10;
/// Probes for what a change broke to show.
const AFTERMATH: usize = 50;

/// The commands of a section of the guide, without their remarks.
fn commands(section: &str) -> Vec<&'static str> {
    let start = GUIDE.find(&format!("\n## {section}\n")).expect("a section");
    let text = &GUIDE[start + 4..];
    let text = &text[..text.find("\n## ").unwrap_or(text.len())];
    let mut in_code = false;
    let mut commands = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if in_code {
            commands.push(line.split(" # ").next().unwrap_or(line).trim());
        }
    }
    commands
}

/// The node on its way.
struct Site {
    subnet: Ipv4Net,
    flannel: Option<FlannelNode>,
    tweed: Option<TweedNode>,
    flanneld: Option<Follower>,
}

impl Site {
    fn tweed(&mut self) -> Result<&mut TweedNode> {
        let missing = || LabError::Unexpected("flanneld was not stopped".into());
        self.tweed.as_mut().ok_or_else(missing)
    }

    fn node(&self) -> &Node {
        match (&self.flannel, &self.tweed) {
            (Some(flannel), _) => flannel,
            (None, Some(tweed)) => tweed,
            (None, None) => unreachable!("it is always one of them"),
        }
    }

    /// Does what an operator would by this command. Units are the lab's processes; the rest is run.
    fn run(&mut self, command: &str) -> Result<()> {
        println!("$ {command}");
        match command {
            "systemctl stop flanneld" => {
                let flannel = self.flannel.take().expect("it runs until it is stopped");
                self.tweed = Some(TweedNode::create(flannel.stop())?);
            }
            "systemctl start tweed-control tweed-dataplane" => {
                self.tweed()?.start_control()?;
                self.tweed()?.start_dataplane()?;
            }
            "systemctl stop tweed-control" => ended_well(self.tweed()?.stop_control()?)?,
            "systemctl stop tweed-dataplane" => ended_well(self.tweed()?.stop_dataplane()?)?,
            "systemctl start flanneld" => {
                let subnet = self.subnet;
                self.flanneld = Some(Follower::start(self.tweed()?, subnet)?);
            }
            "tweed-control --check" => {
                let config = NodeConfig::eth0(1).write(self.node())?;
                let mut command = self.node().ns().command(binary("tweed-control")?);
                run(command.arg("--check").env("TWEED_CONFIG", config))?;
            }
            "tweed-control release" => {
                let told = self.tweed()?.run("tweed-control", &["release"])?;
                expect(told.contains("flannel.1 carries"), || told)?;
            }
            "tweed-perf stats" => {
                wait_until("all ports to be up", 10, || self.has_all_ports())?;
                let node = self.tweed()?;
                let run_dir = node.run_dir();
                node.run(
                    "tweed-perf",
                    &["stats", "--run-dir", &run_dir.to_string_lossy()],
                )?;
            }
            "ip -d link show type vxlan" => {
                let gone = self.flannel.is_none();
                wait_until("flannel.1 as the guide has it", 20, || {
                    let said = self.node().ns().run(command);
                    said.is_ok_and(|said| said.is_empty() == gone)
                })?;
            }
            other => {
                let unknown = format!("the guide has a command that is not tested: {other}");
                return Err(LabError::Unexpected(unknown));
            }
        }
        Ok(())
    }

    /// The underlay, the uplink, and the socket on the tunnel's port.
    fn has_all_ports(&self) -> bool {
        let path = self.tweed.as_ref().map(|node| node.run_dir().join("stats"));
        let reader = path.and_then(|path| StatsReader::open(&path).ok());
        reader.is_some_and(|reader| {
            let ports = reader.snapshot().ports;
            ports.len() == 3 && ports.iter().all(|(_, it)| it.state == PortState::Up)
        })
    }
}

fn ended_well(status: std::process::ExitStatus) -> Result<()> {
    expect(status.success(), || format!("it ended with {status}"))
}

/// Runs a section of the guide under a ping every 10 ms each way.
fn walk(site: &mut Site, section: &str, here: &Pod, there: &Pod) -> Result<()> {
    let out = PingStream::start(here, there.ip)?;
    let back = PingStream::start(there, here.ip)?;
    out.wait_more(20)?;
    back.wait_more(20)?;
    for command in commands(section) {
        site.run(command)?;
    }
    out.wait_more(AFTERMATH)?;
    back.wait_more(AFTERMATH)?;
    lost_at_most(&format!("{section}, out"), &out.stop()?, LOSS)?;
    lost_at_most(&format!("{section}, in"), &back.stop()?, LOSS)?;
    ping_both_sizes(here, there, 62)?;
    ping_both_sizes(there, here, 62)
}

/// All that the kernel has of the overlay, in an order of its own, without the numbers that devices get by chance.
fn kernel(ns: &Namespace) -> Result<Vec<(&'static str, Vec<String>)>> {
    let questions = [
        "ip -j -d link show dev flannel.1",
        "ip -j -d addr show dev flannel.1",
        "ip -j -d neigh show dev flannel.1",
        "bridge -j -d fdb show dev flannel.1",
        "ip -j -d route show table all",
        "ip -j -br link show",
    ];
    questions
        .into_iter()
        .map(|question| {
            let said = ns.run(question)?;
            let answers: Vec<Value> =
                serde_json::from_str(&said).map_err(|_| LabError::parse("JSON", &said))?;
            let mut answers: Vec<_> = answers
                .into_iter()
                .map(|mut answer| {
                    if let Some(fields) = answer.as_object_mut() {
                        fields.remove("ifindex");
                        fields.remove("link_index");
                    }
                    answer.to_string()
                })
                .collect();
            answers.sort();
            Ok((question, answers))
        })
        .collect()
}

/// The number of the last change in etcd, of whatever key.
fn revision(lab: &Lab, subnet: Ipv4Net) -> Result<String> {
    let fields = lab
        .etcd()
        .ctl(&["get", &lease::key(subnet), "-w", "fields"])?;
    let line = fields.lines().find(|line| line.starts_with("\"Revision\""));
    line.map(str::to_owned)
        .ok_or_else(|| LabError::parse("etcd's revision", &fields))
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_node_goes_from_flannel_to_tweed_and_back_unnoticed() {
    in_a_lab(|lab| {
        let f1 = lab.flannel(1, "10.244.201.0/24")?;
        let f2 = lab.flannel(2, "10.244.202.0/24")?;
        let (x, y) = (f1.pod()?, f2.pod()?);
        settle(lab, &[&x, &y])?;
        let subnet = f1.subnet();
        let before = (kernel(f1.ns())?, revision(lab, subnet)?);
        let mut site = Site {
            subnet,
            flannel: Some(f1),
            tweed: None,
            flanneld: None,
        };

        walk(&mut site, "There", &x, &y)?;
        walk(&mut site, "Back", &x, &y)?;

        // Renewals are all that may be written, and at these times there is none: no watch has seen anything.
        let after = (kernel(site.tweed()?.ns())?, revision(lab, subnet)?);
        expect(before.1 == after.1, || {
            format!("etcd was written to: {} became {}", before.1, after.1)
        })?;
        for (was, is) in before.0.iter().zip(&after.0) {
            expect(was == is, || {
                format!("flanneld made {was:#?}\nand it was given back as {is:#?}")
            })?;
        }
        Ok(())
    });
}
