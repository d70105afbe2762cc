//! Writes first inputs of every target to the corpus: `cargo run --bin seeds`. libFuzzer finds its way from there.

use std::fs;
use std::path::Path;

use fuzz::frames::{carried, inner_frames, outer_frames, outer6_frames, super_packets};
use fuzz::offload::{MEND_IP, VERIFIED};
use fuzz::turn::{HOLD, MEND, MEND_TRANSPORT, OVER_IPV6, SETTLE};

fn main() -> std::io::Result<()> {
    let mut sequence = Vec::new();
    for (n, frame) in outer_frames().iter().enumerate() {
        save("decap", n, &[&[0], frame.as_slice()].concat())?;
        save(
            "decap",
            n + 100,
            &[&[MEND | MEND_TRANSPORT], frame.as_slice()].concat(),
        )?;
        sequence.extend(record(MEND, frame));
    }
    for (n, frame) in inner_frames().iter().enumerate() {
        let port = 1 + n as u8 % 2;
        save("encap", n, &[&[n as u8 % 3, 0], frame.as_slice()].concat())?;
        save(
            "encap",
            n + 100,
            &[&[MEND | MEND_TRANSPORT, 60], frame.as_slice()].concat(),
        )?;
        sequence.extend(record(port | MEND, frame));
        save("turn", n, &record(port | SETTLE | HOLD, frame).repeat(3))?;
    }
    save("turn", 100, &sequence)?;
    // Every eleventh frame with IPv6: of each protocol and each combination, some.
    let mut sequence = vec![];
    for (n, frame) in outer6_frames().iter().step_by(11).enumerate() {
        let over = if frame[12] == 0x86 { OVER_IPV6 } else { 0 };
        let flags = MEND | MEND_TRANSPORT | over;
        save("decap", 500 + n, &[&[over], frame.as_slice()].concat())?;
        save("decap", 600 + n, &[&[flags], frame.as_slice()].concat())?;
        let from = n as u8 % 3;
        save("encap", 500 + n, &[&[from | over, 0], carried(frame)].concat())?;
        save("encap", 600 + n, &[&[from | flags, 60], carried(frame)].concat())?;
        sequence.extend(record(MEND | OVER_IPV6, frame));
        sequence.extend(record(1 + from % 2 | MEND, carried(frame)));
    }
    save("turn", 500, &sequence)?;
    let (outer, inner) = (&outer_frames()[0], &inner_frames()[0]);
    // At every limit of a path, and one byte beyond: to a wide peer, to a narrow one, to our own pod.
    let lens = [1350, 1351, 1450, 1451];
    let cases = lens
        .iter()
        .flat_map(|len| [2, 4, 1].map(|third| (*len, third)));
    for ((len, third), number) in cases.zip(200..) {
        let mut frame = fitted(inner, 14, len);
        (frame[20], frame[32]) = (0x40, third);
        save("encap", number, &[&[MEND, 0], frame.as_slice()].concat())?;
        frame[20] = 0;
        save(
            "encap",
            number + 100,
            &[&[MEND, 0], frame.as_slice()].concat(),
        )?;
        let mut frame = fitted(outer, 64, len);
        // From the peer to us, whoever sent the golden frame.
        (frame[29], frame[33], frame[78], frame[82]) = (third.max(2), 1, third.max(2), 1);
        frame[50..62].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
        save("decap", number, &[&[MEND], frame.as_slice()].concat())?;
    }
    // A frame to us under our own name.
    let mut reflected = outer_frames().swap_remove(1);
    (reflected[29], reflected[33], reflected[78], reflected[82]) = (2, 1, 2, 1);
    reflected[50..62].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1]);
    save("decap", 400, &[&[MEND], reflected.as_slice()].concat())?;
    for area in 0..6 {
        let patch = [area, 0, 0, 64, 8, 0xff, 0, 0x80, 1, 2, 3, 4, 5];
        save("tables", area.into(), &patch.repeat(3))?;
    }
    for (n, packet) in super_packets().iter().enumerate() {
        let flags = [MEND_IP, VERIFIED, 0][n % 3];
        save("offload", n, &[&[flags], packet.as_slice()].concat())?;
    }
    for (n, frame) in fuzz::pktgen::seeds().iter().enumerate() {
        save("pktgen", n, frame)?;
    }
    for (n, text) in LEASES.iter().enumerate() {
        save("lease", n, text.as_bytes())?;
    }
    save("config", 0, include_bytes!("../../configs/node.toml"))?;
    save(
        "config",
        1,
        b"[[worker]]\nqueue = 0\ncpu = 1\n[[worker]]\nqueue = 1\ncpu = 0\n",
    )
}

/// Records, network configurations, lease files: the examples of FLANNEL.md section 1.
const LEASES: [&str; 5] = [
    "\0/coreos.com/network/subnets/10.244.1.0-24\n{\"PublicIP\":\"192.168.64.3\",\"PublicIPv6\":null,\"BackendType\":\"vxlan\",\"BackendData\":{\"VNI\":1,\"VtepMAC\":\"c6:d2:32:6f:8f:44\"}}",
    "\0/s/10.12.13.0-24&fd00:12:13::-56\n{\"publicip\":\"1.2.3.4\",\"PublicIPv6\":\"fd00::4\",\"BackendType\":\"host-gw\"}",
    "\x01{\"Network\":\"10.3.0.0/16\",\"SubnetLen\":24,\"SubnetMin\":\"10.3.1.0\",\"SubnetMax\":\"10.3.9.0\",\"Backend\":{\"Type\":\"vxlan\",\"VNI\":1,\"Port\":8472,\"MTU\":1500}}",
    "\x01{\"Network\":\"10.3.0.0/16\",\"EnableIPv6\":true,\"IPv6Network\":\"fc00::/48\",\"IPv6SubnetLen\":64,\"Backend\":{\"Type\":\"vxlan\"}}",
    "\x02{\"config\":{\"Network\":\"10.244.0.0/16\",\"Backend\":{\"Type\":\"vxlan\"}},\"subnets\":{\"10.244.1.0-24\":{\"PublicIP\":\"192.0.2.1\"},\"10.244.2.0-24\":{\"PublicIP\":\"192.0.2.2\",\"BackendType\":\"vxlan\",\"BackendData\":{\"VtepMAC\":\"c6:d2:32:6f:8f:44\"}}}}",
];

/// The frame with a packet of `len` bytes at `ip`, in all headers.
fn fitted(frame: &[u8], ip: usize, len: usize) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame.resize(ip + len, 0);
    let mut set = |at: usize, len: usize| {
        frame[at..at + 2].copy_from_slice(&(len as u16).to_be_bytes());
    };
    set(ip + 2, len);
    if ip > 14 {
        set(16, len + 50);
        set(38, len + 30);
    }
    frame
}

/// A record of `turn`.
fn record(flags: u8, frame: &[u8]) -> Vec<u8> {
    let [high, low] = (frame.len() as u16).to_be_bytes();
    [&[flags, high, low], frame].concat()
}

fn save(target: &str, number: usize, input: &[u8]) -> std::io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(format!("seed-{number:03}")), input)
}
