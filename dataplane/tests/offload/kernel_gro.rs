//! Our coalescing beside the kernel's own: the same packets into a TUN whose queue has a NAPI, which gathers them (GRO), and out
//! of another that takes them whole.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use contract::tun::{Offloads, attach, offload};
use dataplane::offload::{Gro, VnetHeader};

use crate::gro::{changes, three};
use crate::kernel::{Namespace, connect, next, one_hop_before, run, send};
use crate::packets::{Recipe, SACK, coalesce, segments};

/// How long the kernel holds what may still grow, nanoseconds.
const FLUSH: u32 = 20_000_000;
/// Tries. The kernel lets go of what it held through a tick of its clock, so a machine that stalls makes smaller groups.
const TRIES: usize = 20;

/// A queue that feeds a NAPI: what `contract::tun::attach` asks for, and IFF_NAPI.
fn attach_with_napi(name: &str) -> File {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open("/dev/net/tun")
        .unwrap();
    let flags = libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_NAPI;
    let mut ifr_name = [0; libc::IFNAMSIZ];
    for (to, from) in ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    let request = libc::ifreq {
        ifr_name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_flags: flags as libc::c_short,
        },
    };
    #[expect(unsafe_code, reason = "no crate here wraps this ioctl")]
    // SAFETY: an open descriptor, and an ifreq that outlives the call.
    let attached = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &request) };
    assert_eq!(attached, 0, "{}", std::io::Error::last_os_error());
    file
}

/// What goes in, by name. What the two take differently is left out (see `join.rs`), and so is an identification that stands
/// still, for no TUN takes such a packet whole (NETIF_F_TSO_MANGLEID).
fn bursts() -> Vec<(&'static str, Vec<Recipe>)> {
    use contract::wire::TcpFlags as F;
    let plain = three().to_vec();
    let with = |change: &dyn Fn(&mut [Recipe])| {
        let mut recipes = plain.clone();
        change(&mut recipes);
        recipes
    };
    let all = |change: &dyn Fn(&mut Recipe)| with(&|recipes| recipes.iter_mut().for_each(change));
    let mut bursts = vec![
        ("plain", plain.clone()),
        ("over ipv6", all(&|r| r.v6 = true)),
        ("no options", all(&|r| r.tcp_options.clear())),
        (
            "a selective acknowledgement",
            all(&|r| r.tcp_options = SACK.to_vec()),
        ),
        ("options of ip", all(&|r| r.ip_options = vec![1; 4])),
        (
            "ece, ect and a closed window",
            all(&|r| (r.flags, r.tos, r.window) = (r.flags | F::ECE, 2, 0)),
        ),
        ("congestion met", all(&|r| r.tos = 3)),
        ("ids without df", all(&|r| r.dont_fragment = false)),
        ("push", with(&|r| r[1].flags |= F::PSH)),
        ("fin", with(&|r| r[1].flags |= F::FIN)),
        ("push at the end", with(&|r| r[2].flags |= F::PSH)),
        (
            "shorter",
            with(&|r| (r[1].payload, r[2].seq) = (99, r[2].seq - 1)),
        ),
        (
            "longer",
            with(&|r| (r[1].payload, r[2].seq) = (101, r[2].seq + 1)),
        ),
        (
            "an acknowledgement between",
            with(&|r| (r[1].payload, r[2].seq) = (0, r[1].seq)),
        ),
        (
            "sequence numbers that wrap",
            with(&|r| r.iter_mut().for_each(|r| r.seq = r.seq.wrapping_sub(1150))),
        ),
    ];
    bursts.extend(changes().map(|(what, change)| (what, with(&|r| change(&mut r[1])))));
    let datagrams = |sizes: &[usize], v6| {
        let datagram = |(n, payload): (usize, &usize)| Recipe {
            payload: *payload,
            id: n as u16,
            v6,
            ..Recipe::udp()
        };
        sizes.iter().enumerate().map(datagram).collect()
    };
    bursts.push(("datagrams", datagrams(&[100, 100, 100, 7, 100, 101], false)));
    bursts.push(("datagrams over ipv6", datagrams(&[100, 100, 7], true)));
    bursts
}

/// What came out: how it is to be cut, and the packets that it is made of.
type Group = (u8, u16, Vec<Vec<u8>>);

fn group(vnet: &VnetHeader, packet: &[u8]) -> Group {
    (vnet.gso_type, vnet.gso_size.get(), segments(vnet, packet))
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_kernel_puts_together_what_we_put_together() {
    let namespace = Namespace::new("gro");
    namespace.inside(|| {
        let (mut near, mut far) = connect(attach_with_napi("near"), attach("far").unwrap());
        offload(&far, Offloads::TcpAndUdp).unwrap();
        let name = &namespace.0;
        run(&format!(
            "ip netns exec {name} ethtool -K near rx-udp-gro-forwarding on"
        ));
        let set = format!("echo {FLUSH} > /sys/class/net/near/gro_flush_timeout");
        let set = std::process::Command::new("ip")
            .args(["netns", "exec", name, "sh", "-c", &set])
            .status();
        assert!(set.unwrap().success());

        for (what, recipes) in bursts() {
            let burst: Vec<_> = recipes.iter().map(Recipe::packet).collect();
            let ours = coalesce(&mut Gro::new(true), &burst);
            let ours: Vec<_> = ours.iter().map(|w| group(&w.vnet, &w.packet)).collect();
            let mut kernels = Vec::new();
            for _ in 0..TRIES {
                for recipe in &recipes {
                    let packet = one_hop_before(recipe).packet();
                    send(&mut near, &VnetHeader::default(), &packet);
                }
                kernels = Vec::new();
                while kernels
                    .iter()
                    .map(|(_, _, all): &Group| all.len())
                    .sum::<usize>()
                    < burst.len()
                {
                    let (vnet, packet) = next(&mut far);
                    kernels.push(group(&vnet, &packet));
                }
                if kernels == ours {
                    break;
                }
            }
            let sizes = |groups: &[Group]| groups.iter().map(|g| g.2.len()).collect::<Vec<_>>();
            assert_eq!(sizes(&kernels), sizes(&ours), "{what}");
            assert!(kernels == ours, "{what}: other packets");
        }
    });
}
