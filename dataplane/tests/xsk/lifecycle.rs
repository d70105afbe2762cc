//! An engine that goes leaves nothing behind: its traffic passes to the kernel, and the next one starts at once.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};

use dataplane::xsk::{BindMode, Burst, Device, Kind, Program, Vtep, Xsk};

use crate::frames::tunnel;
use crate::lab::Lab;
use crate::{eventually, queue0, receive, region};

const VTEP: Vtep = Vtep {
    ip4: Ipv4Addr::new(192, 0, 2, 10),
    ip6: Ipv6Addr::UNSPECIFIED,
    dport: 8472,
    protocol: 17,
    longest: 1514,
};

/// Set to the engine of [`a_killed_engine_is_transparent`].
const CHILD: &str = "TWEED_TEST_ENGINE";

fn engine() -> (Xsk, Program) {
    let (umem, mut pool) = region();
    let mut xsk = Xsk::open(&umem, &queue0("a0", BindMode::Auto)).unwrap();
    let mut program = Program::attach("a0", Kind::Underlay, BindMode::Auto).unwrap();
    program.set_vtep(&VTEP).unwrap();
    xsk.refill(&mut pool);
    program.set_socket(0, xsk.fd().unwrap()).unwrap();
    (xsk, program)
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn without_its_socket_a_program_passes() {
    let lab = Lab::new(1);
    let (mut xsk, mut program) = lab.in_node(engine);
    let (wire, kernel) = (lab.wire("a1"), lab.kernel("a0"));
    let mut burst = Burst::new();
    wire.send(&tunnel(1));
    eventually("to the socket", || xsk.receive(&mut burst) == 1);
    assert_eq!(kernel.received(), Vec::<Vec<u8>>::new());

    program.unset_socket(0).unwrap();
    wire.send(&tunnel(2));
    eventually("unset, to the kernel", || {
        kernel.received().contains(&tunnel(2))
    });

    program.set_socket(0, xsk.fd().unwrap()).unwrap();
    xsk.close();
    wire.send(&tunnel(3));
    eventually("closed, to the kernel", || {
        kernel.received().contains(&tunnel(3))
    });

    drop(program);
    assert_eq!(lab.in_node(|| Device::find("a0")).unwrap().program, None);
    wire.send(&tunnel(4));
    eventually("detached, to the kernel", || {
        kernel.received().contains(&tunnel(4))
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_port_opens_and_closes_without_losing_a_chunk() {
    let lab = Lab::new(1);
    let (umem, mut pool) = region();
    let wire = lab.wire("a1");
    let mut program = lab
        .in_node(|| Program::attach("a0", Kind::Underlay, BindMode::Auto))
        .unwrap();
    program.set_vtep(&VTEP).unwrap();
    for round in 0..20 {
        let mut xsk = lab
            .in_node(|| Xsk::open(&umem, &queue0("a0", BindMode::Auto)))
            .unwrap();
        xsk.refill(&mut pool);
        program.set_socket(0, xsk.fd().unwrap()).unwrap();
        for _ in 0..10 {
            wire.send(&tunnel(round));
        }
        assert_eq!(receive(&mut xsk, &mut pool, 10), vec![tunnel(round); 10]);
        // Some chunks stay where a close finds them: in fill, in rx, in tx.
        wire.send(&tunnel(round));
        let mut burst = Burst::new();
        let mut frame = pool.alloc().unwrap();
        frame.append(&tunnel(round)).unwrap();
        burst.push(frame).unwrap();
        assert_eq!(xsk.transmit(&mut burst), 1);
        let lent = xsk.in_flight().total();
        let frames = xsk.close();
        assert_eq!(frames.len(), lent);
        frames.into_iter().for_each(|frame| pool.free(frame));
        assert_eq!(pool.len(), umem.frames());
    }
}

/// The engine is a process of its own, this test run again with a variable set. SIGKILL gives it no chance to clean up.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_killed_engine_is_transparent() {
    if std::env::var_os(CHILD).is_some() {
        let _engine = engine();
        println!("engine is up");
        std::thread::sleep(crate::PATIENCE);
        return;
    }
    let lab = Lab::new(1);
    let (wire, kernel) = (lab.wire("a1"), lab.kernel("a0"));
    for round in 0..3 {
        let node = lab.node();
        let test = std::env::current_exe().unwrap();
        let mut child = Command::new("ip")
            .args(["netns", "exec", &node])
            .arg(test)
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "lifecycle::a_killed_engine_is_transparent",
            ])
            .env(CHILD, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.any(|line| line.unwrap().contains("engine is up")),
            "the engine starts"
        );
        kernel.received();
        assert!(
            lab.in_node(|| Device::find("a0"))
                .unwrap()
                .program
                .is_some()
        );
        // `ip netns exec` has become the engine: the pid is its.
        child.kill().unwrap();
        child.wait().unwrap();
        eventually("the link is gone", || {
            lab.in_node(|| Device::find("a0"))
                .unwrap()
                .program
                .is_none()
        });
        wire.send(&tunnel(round));
        eventually("killed, to the kernel", || {
            kernel.received().contains(&tunnel(round))
        });
    }
}
