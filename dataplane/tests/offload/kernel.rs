//! The same packets through a real kernel: from one TUN to another, in a namespace.
//!
//! ```text
//!   near (10.244.1.1, fd77::9) ---- the kernel forwards ---- far (10.244.2.1, fd77:1::9)
//! ```
//!
//! Where `far` takes nothing off the kernel's hands, the kernel segments; where it takes everything, packets pass whole.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Duration;

use contract::tun::{Offloads, attach, offload};
use dataplane::offload::{Gro, VnetHeader};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use zerocopy::{FromBytes, IntoBytes};

use crate::golden::{capture, cases, read, write};
use crate::packets::{Recipe, coalesce, segments};

/// How long a packet may take before the test is given up.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Namespace(pub String);

impl Namespace {
    pub fn new(what: &str) -> Namespace {
        let namespace = Namespace(format!("tw-{what}-{}", std::process::id()));
        run(&format!("ip netns add {}", namespace.0));
        namespace
    }

    /// Runs `f` on a thread in the namespace.
    pub fn inside<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.0)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                f()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).output();
    }
}

pub fn run(command: &str) {
    let words: Vec<_> = command.split_whitespace().collect();
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {error}");
}

/// Both devices, up, with routes between them.
fn devices() -> (File, File) {
    connect(attach("near").unwrap(), attach("far").unwrap())
}

/// The same over queues that are open.
pub fn connect(near: File, far: File) -> (File, File) {
    let set = |path: &str, value: &str| std::fs::write(format!("/proc/sys/net/{path}"), value);
    set("ipv4/ip_forward", "1").unwrap();
    set("ipv6/conf/all/forwarding", "1").unwrap();
    for path in ["ipv4/conf/all/rp_filter", "ipv4/conf/default/rp_filter"] {
        set(path, "0").unwrap();
    }
    for (device, n) in [("near", 1), ("far", 2)] {
        run(&format!("ip link set {device} addrgenmode none"));
        run(&format!("ip link set {device} mtu 1500 up"));
        run(&format!("ip addr add 10.244.{n}.1/24 dev {device}"));
        let six = ["fd77::9/64", "fd77:1::9/64"][n - 1];
        run(&format!("ip -6 addr add {six} dev {device} nodad"));
    }
    (near, far)
}

/// The next packet of ours from a device; the kernel's own (router advertisements and the like) are passed over.
pub fn next(device: &mut File) -> (VnetHeader, Vec<u8>) {
    let mut buffer = vec![0; 70_000];
    loop {
        match device.read(&mut buffer) {
            Ok(len) => {
                let (vnet, packet) = VnetHeader::read_from_prefix(&buffer[..len]).unwrap();
                let ours = match packet[0] >> 4 {
                    4 => packet[12..16] == [10, 244, 1, 5],
                    _ => packet[8..24] == [0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
                };
                if ours {
                    return (vnet, packet.to_vec());
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let patience = PATIENCE.try_into().unwrap();
                let mut fds = [PollFd::new(device, PollFlags::IN)];
                let ready = poll(&mut fds, Some(&patience)).unwrap();
                assert_eq!(ready, 1, "no packet within {PATIENCE:?}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

pub fn send(device: &mut File, vnet: &VnetHeader, packet: &[u8]) {
    let all = [vnet.as_bytes(), packet].concat();
    assert_eq!(device.write(&all).unwrap(), all.len());
}

/// As it must leave the near side: forwarding takes a hop.
pub fn one_hop_before(recipe: &Recipe) -> Recipe {
    Recipe {
        ttl: recipe.ttl + 1,
        ..recipe.clone()
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_kernel_makes_our_segments_and_takes_our_packets() {
    let namespace = Namespace::new("gso");
    namespace.inside(|| {
        let (mut near, mut far) = devices();
        offload(&far, Offloads::None).unwrap();
        let mut kernel = Vec::new();
        for (_, recipe) in cases() {
            let (vnet, packet) = one_hop_before(&recipe).build();
            send(&mut near, &vnet, &packet);
            for _ in recipe.segments() {
                let (vnet, segment) = next(&mut far);
                assert_eq!((vnet.flags, vnet.gso_type), (0, 0));
                kernel.push(segment);
            }
        }
        if std::env::var_os("TWEED_CAPTURE").is_some() {
            write(&capture(), &kernel);
        }
        // Not one by one: a difference is shown by the test that needs no root.
        assert!(
            read(&capture()) == kernel,
            "TWEED_CAPTURE=1 writes the capture anew"
        );

        let taken = offload(&far, Offloads::TcpAndUdp).unwrap();
        assert_eq!(taken, Offloads::TcpAndUdp);
        for (what, recipe) in cases() {
            let (vnet, packet) = one_hop_before(&recipe).build();
            // What it hands over is cut as what it was given.
            send(&mut near, &vnet, &packet);
            let (handed, whole) = next(&mut far);
            assert_eq!(handed.gso_type, vnet.gso_type, "{what}");
            assert_eq!(segments(&handed, &whole), recipe.segments(), "{what}");
            // What we put together it takes, as one packet where it was put together.
            let burst = segments(&vnet, &packet);
            let mut ours = Vec::new();
            for group in coalesce(&mut Gro::new(true), &burst) {
                send(&mut near, &group.vnet, &group.packet);
                let (handed, whole) = next(&mut far);
                assert_eq!(handed.gso_type, group.vnet.gso_type, "{what}");
                ours.extend(segments(&handed, &whole));
            }
            assert_eq!(ours, recipe.segments(), "{what}");
        }
    });
}
