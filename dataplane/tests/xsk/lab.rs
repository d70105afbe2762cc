//! Two namespaces and two veth pairs, gone when the value is; packet sockets in them.
#![expect(unsafe_code, reason = "rustix has no address type for packet sockets")]

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rustix::net::{RecvFlags, SendFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The topology of `main.rs`.
pub struct Lab {
    number: String,
}

impl Lab {
    /// Builds it, devices up, with as many queues as `queues`. Nothing sends by itself: no IPv6, no ARP (static neighbours).
    pub fn new(queues: u32) -> Lab {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let lab = Lab { number };
        let (node, peer) = (lab.node(), lab.peer());
        for name in [&node, &peer] {
            ip(&format!("netns add {name}"));
            lab.inside(name, || {
                std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").unwrap();
                std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
            });
        }
        for (pair, subnet) in [("a", 1), ("b", 2)] {
            let many = format!("numrxqueues {queues} numtxqueues {queues}");
            ip(&format!(
                "link add {pair}0 netns {node} {many} type veth peer name {pair}1 netns {peer} {many}"
            ));
            for (end, name) in [(0, &node), (1, &peer)] {
                ip(&format!(
                    "-n {name} link set {pair}{end} address 02:00:00:00:0{subnet}:0{end}"
                ));
                ip(&format!(
                    "-n {name} addr add 192.0.2.{subnet}{end}/31 dev {pair}{end}"
                ));
                ip(&format!("-n {name} link set {pair}{end} up"));
            }
        }
        lab
    }

    /// Where the engine's devices are.
    pub fn node(&self) -> String {
        format!("tw-xsk-n{}", self.number)
    }

    /// Where the far ends are.
    pub fn peer(&self) -> String {
        format!("tw-xsk-p{}", self.number)
    }

    /// Runs `f` on a thread in the engine's namespace; what it opens stays there.
    pub fn in_node<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        self.inside(&self.node(), f)
    }

    /// Runs `f` on a thread in the peer's namespace.
    pub fn in_peer<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        self.inside(&self.peer(), f)
    }

    fn inside<T: Send>(&self, name: &str, f: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{name}")).unwrap();
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

    /// A packet socket on a device of the peer: the wire.
    pub fn wire(&self, device: &str) -> PacketSocket {
        self.in_peer(|| PacketSocket::on(device))
    }

    /// A packet socket on a device of the node: what its kernel gets.
    pub fn kernel(&self, device: &str) -> PacketSocket {
        self.in_node(|| PacketSocket::on(device))
    }

    /// A command in the peer's namespace; whether it succeeded.
    pub fn run_in_peer(&self, command: &str) -> bool {
        let all = format!("netns exec {} {command}", self.peer());
        Command::new("ip")
            .args(all.split_whitespace())
            .output()
            .unwrap()
            .status
            .success()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in [self.node(), self.peer()] {
            let _ = Command::new("ip").args(["netns", "del", &name]).output();
        }
    }
}

/// Runs one `ip` command.
pub fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Sends and receives whole frames on a device.
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    fn on(device: &str) -> PacketSocket {
        let every = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: no pointer is passed.
        let fd = unsafe {
            libc::socket(
                libc::AF_PACKET,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC,
                every.into(),
            )
        };
        assert!(
            fd >= 0,
            "packet socket: {}",
            std::io::Error::last_os_error()
        );
        // SAFETY: just opened, and nobody else has it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let index = dataplane::xsk::Device::find(device).unwrap().index;
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: every,
            sll_ifindex: index as i32,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let len = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the address lives through the call, and its size is told.
        let status = unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), len) };
        assert_eq!(
            status,
            0,
            "bind to {device}: {}",
            std::io::Error::last_os_error()
        );
        PacketSocket(fd)
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) {
        rustix::net::send(&self.0, frame, SendFlags::empty()).unwrap();
    }

    /// The frames that came since the last look, without those it sent itself.
    pub fn received(&self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut buffer = vec![0; 65536];
        while let Ok((len, _)) =
            rustix::net::recv(&self.0, buffer.as_mut_slice(), RecvFlags::DONTWAIT)
        {
            frames.push(buffer[..len].to_vec());
        }
        frames
    }
}
