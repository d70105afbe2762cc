//! What cannot be had is refused with the object and the remedy.

use dataplane::xsk::{BindMode, DEFAULT_HEADROOM, Hugepages, Kind, Program, Umem, Xsk};

use crate::lab::{Lab, ip};
use crate::{queue0, region};

/// Opens on a device of the lab and returns the error's text, which must contain all of `parts`.
fn refused(lab: &Lab, binding: &dataplane::xsk::Binding, parts: &[&str]) {
    let (umem, _) = region();
    let error = lab
        .in_node(|| Xsk::open(&umem, binding))
        .unwrap_err()
        .to_string();
    check(&error, parts);
}

fn not_attached(lab: &Lab, interface: &str, mode: BindMode, parts: &[&str]) {
    let error = lab
        .in_node(|| Program::attach(interface, Kind::Overlay, mode))
        .unwrap_err()
        .to_string();
    check(&error, parts);
}

fn check(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn sockets_that_cannot_be_opened() {
    let lab = Lab::new(2);
    let node = lab.node();
    refused(
        &lab,
        &queue0("eth9", BindMode::Auto),
        &["no interface \"eth9\"", "ip link"],
    );

    let mut binding = queue0("a0", BindMode::Auto);
    binding.queue = 2;
    refused(
        &lab,
        &binding,
        &["a0 has 2 queues in use", "no queue 2", "ethtool -L a0"],
    );

    refused(
        &lab,
        &queue0("a0", BindMode::ZeroCopy),
        &["a0 cannot do zero-copy on queue 0", "mode = \"copy\""],
    );

    ip(&format!("-n {node} link set b0 down"));
    refused(
        &lab,
        &queue0("b0", BindMode::Auto),
        &["b0 is down", "ip link set b0 up"],
    );
    ip(&format!("-n {node} link set b0 up mtu 9000"));
    let parts = [
        "b0 has an MTU of 9000",
        "2048 bytes takes packets up to 1728",
        "chunk_size = 4096",
    ];
    refused(&lab, &queue0("b0", BindMode::Auto), &parts);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_queue_has_one_socket() {
    let lab = Lab::new(2);
    let (umem, _) = region();
    let first = lab
        .in_node(|| Xsk::open(&umem, &queue0("a0", BindMode::Auto)))
        .unwrap();
    refused(
        &lab,
        &queue0("a0", BindMode::Auto),
        &["queue 0 of interface a0 is taken", "EBUSY"],
    );
    let mut other = queue0("a0", BindMode::Auto);
    other.queue = 1;
    let second = lab.in_node(|| Xsk::open(&umem, &other)).unwrap();
    first.close();
    second.close();
    lab.in_node(|| Xsk::open(&umem, &queue0("a0", BindMode::Auto)))
        .unwrap()
        .close();
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn programs_that_cannot_be_attached() {
    let lab = Lab::new(1);
    not_attached(&lab, "eth9", BindMode::Auto, &["no interface \"eth9\""]);

    let first = lab
        .in_node(|| Program::attach("a0", Kind::Underlay, BindMode::Auto))
        .unwrap();
    let there = lab
        .in_node(|| dataplane::xsk::Device::find("a0"))
        .unwrap()
        .program
        .unwrap();
    let id = format!("(id {};", there.id);
    not_attached(
        &lab,
        "a0",
        BindMode::Auto,
        &["a0 has an XDP program already", &id, "link set a0 xdp off"],
    );
    not_attached(
        &lab,
        "a0",
        BindMode::Generic,
        &["a0 has an XDP program already", &id],
    );
    drop(first);
    let generic = lab
        .in_node(|| Program::attach("a0", Kind::Underlay, BindMode::Generic))
        .unwrap();
    not_attached(
        &lab,
        "a0",
        BindMode::Auto,
        &[
            "a0 has an XDP program already",
            "link set a0 xdpgeneric off",
        ],
    );
    drop(generic);

    // A veth runs XDP only if a frame of its peer's MTU fits in a page.
    ip(&format!("-n {} link set b0 mtu 9000", lab.node()));
    ip(&format!("-n {} link set b1 mtu 9000", lab.peer()));
    let parts = [
        "b0 cannot run XDP with an MTU of 9000",
        "mode = \"generic\"",
    ];
    not_attached(&lab, "b0", BindMode::Auto, &parts);
    // Loopback has no native XDP at all.
    not_attached(
        &lab,
        "lo",
        BindMode::Copy,
        &["lo has no native XDP", "mode = \"auto\""],
    );
    let fallback = lab
        .in_node(|| Program::attach("lo", Kind::Overlay, BindMode::Auto))
        .unwrap();
    assert!(fallback.is_generic());
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn without_privileges_the_capabilities_are_named() {
    let lab = Lab::new(1);
    let (umem, _) = Umem::map(64, 2048, DEFAULT_HEADROOM, Hugepages::Off).unwrap();
    let (socket, program) = lab.in_node(|| {
        // Of this thread alone, which ends with the closure.
        rustix::thread::set_capabilities(
            None,
            rustix::thread::CapabilitySets {
                effective: rustix::thread::CapabilitySet::empty(),
                permitted: rustix::thread::CapabilitySet::empty(),
                inheritable: rustix::thread::CapabilitySet::empty(),
            },
        )
        .unwrap();
        (
            Xsk::open(&umem, &queue0("a0", BindMode::Auto)),
            Program::attach("a0", Kind::Overlay, BindMode::Auto),
        )
    });
    check(
        &socket.unwrap_err().to_string(),
        &["not permitted", "interface a0 (socket)", "CAP_NET_RAW"],
    );
    check(
        &program.unwrap_err().to_string(),
        &["not permitted", "interface a0", "CAP_BPF"],
    );
}
