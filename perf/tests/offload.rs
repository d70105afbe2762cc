//! Offloads on the underlay: on, off, and what a kernel's vxlan device leaves to a network card that never comes.
//!
//! Over a veth with its offloads on, which is how nodes that are containers see each other, a kernel node's packets cross
//! whole, up to 64 KiB, and with checksums that are only begun. A kernel is told so beside the packet; our sockets are not.

mod common;

use common::{in_a_lab, settle};
use perf::lab::capture::Capture;
use perf::lab::traffic::{Bulk, UdpEcho};
use perf::lab::{FlannelNode, Lab, Namespace, Node, NodeConfig, Pod, Result, TweedNode, expect};

/// What the underlay's devices take off the kernel's hands.
const WIRE: &str = "tx off, tso off, gso off, gro off";
const WIRE_AND_GRO: &str = "tx off, tso off, gso off, gro on";
const MEMORY: &str = "tx on, tso on, gso on, gro on";

/// Two tweed nodes, one over UDP sockets and one over AF_XDP, beside a kernel node; a pod on each.
struct Trio {
    x: Pod,
    y: Pod,
    z: Pod,
    t1: TweedNode,
    t2: TweedNode,
    f3: FlannelNode,
}

impl Trio {
    fn build(lab: &Lab, uplinks: [&'static str; 2]) -> Result<Self> {
        let node = |host, mode, overlay| {
            let mut node = lab.tweed_stopped(host)?;
            node.configure(&NodeConfig {
                mode,
                overlay,
                ..NodeConfig::eth0(1)
            })?;
            node.start()?;
            Ok(node)
        };
        let t1 = node(1, "udp", uplinks[0])?;
        let t2 = node(2, "auto", uplinks[1])?;
        let f3 = lab.flannel(3, "10.244.203.0/24")?;
        let (x, y, z) = (t1.pod()?, t2.pod()?, f3.pod()?);
        settle(lab, &[&x, &y, &z])?;
        Ok(Trio {
            x,
            y,
            z,
            t1,
            t2,
            f3,
        })
    }

    /// Switches features of the NICs, at both ends of each cable.
    fn offload(&self, lab: &Lab, features: &str) -> Result<()> {
        let nodes: [&Node; 3] = [&self.t1, &self.t2, &self.f3];
        for node in nodes {
            for feature in features.split(", ") {
                let set = |ns: &Namespace, device: &str| {
                    ns.run(&format!("ethtool -K {device} {feature}"))
                };
                // Opposite an XDP program a veth refuses to segment later, whatever is asked.
                let _ = set(lab.underlay().switch(), node.name());
                let _ = set(node.ns(), "eth0");
            }
        }
        let state = self.f3.ns().run("ethtool -k eth0")?;
        let tso = features.contains("tso on");
        let is = format!(
            "tcp-segmentation-offload: {}",
            if tso { "on" } else { "off" }
        );
        expect(state.contains(&is), || format!("{features}: {state}"))
    }

    /// Both ways between each tweed node and the kernel's, and between the two.
    fn transfer(&self, bulk: &Bulk) -> Result<()> {
        let Trio { x, y, z, .. } = self;
        for (from, to) in [(x, z), (z, x), (y, z), (z, y), (x, y), (y, x)] {
            bulk.run(from, to, to.ip)?;
        }
        Ok(())
    }
}

fn offloads_do_not_matter(uplinks: [&'static str; 2]) {
    in_a_lab(|lab| {
        let trio = Trio::build(lab, uplinks)?;
        let (much, little) = (
            Bulk::random(lab.directory(), 64 << 20)?,
            Bulk::random(lab.directory(), 8 << 20)?,
        );
        for (features, bulk) in [(MEMORY, &much), (WIRE, &little), (WIRE_AND_GRO, &little)] {
            println!("{features}");
            trio.offload(lab, features)?;
            trio.transfer(bulk)?;
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn bulk_arrives_whatever_the_underlay_takes_off_the_kernels_hands() {
    offloads_do_not_matter(["tun", "veth"]);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn and_so_it_does_with_the_other_uplinks() {
    offloads_do_not_matter(["veth", "tun"]);
}

/// What a pod receives has no wrong checksum, and begun is only what was put together of several packets: as at a kernel node.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn what_pods_receive_has_checksums_as_good_as_from_a_kernel_node() {
    in_a_lab(|lab| {
        let trio = Trio::build(lab, ["tun", "tun"])?;
        let Trio { x, y, z, .. } = &trio;
        let bulk = Bulk::random(lab.directory(), 2 << 20)?;
        for features in [MEMORY, WIRE] {
            trio.offload(lab, features)?;
            for (from, to) in [(z, x), (z, y), (x, z), (y, x)] {
                let filter = format!("src host {}", from.ip);
                let capture = Capture::start(to, "eth0", &filter)?;
                bulk.run(from, to, to.ip)?;
                for len in [1, 1000, 1422] {
                    UdpEcho { len, count: 10 }.run(from, to, to.ip)?;
                }
                let sums = capture.stop()?.sums()?;
                let what = format!("{features}, {} to {}", from.name, to.name);
                println!(
                    "{what}: {} complete, {} begun",
                    sums.complete,
                    sums.begun.len()
                );
                expect(sums.wrong == 0 && sums.complete >= 30, || {
                    format!("{what}: {sums:?}")
                })?;
            }
        }
        Ok(())
    });
}
