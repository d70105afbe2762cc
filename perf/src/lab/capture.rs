//! Captures, and the question whether every checksum in them is right.
//!
//! tcpdump records, tshark judges, with the validation of all checksums switched on, outer and inner. Capture where a wire
//! is: on the sender's own veth a partial checksum is legitimate.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use super::error::{Result, expect};
use super::flannel::PORT;
use super::namespace::Namespace;
use super::process::{Process, run};
use super::wait::wait_until;

/// Frames whose checksum is present and wrong, at any layer, or that tshark cannot make sense of. A kernel that completes a
/// checksum whose sum is zero writes ones, in TCP as in UDP (`skb_checksum_help`): one in 65,535, right, and disliked by tshark.
const BAD: &str = "ip.checksum.status==0 || udp.checksum.status==0 || \
                   (tcp.checksum.status==0 && tcp.checksum!=0xffff) || \
                   icmp.checksum.status==0 || _ws.malformed";

/// How long tcpdump may need for what is in its ring, on a busy machine.
const DRAIN: Duration = Duration::from_millis(300);

/// A running capture.
pub struct Capture {
    tcpdump: Process,
    path: PathBuf,
}

impl Capture {
    /// Records what `filter` (tcpdump's language, may be empty) lets through on a device; returns once it listens.
    pub fn start(ns: &impl AsRef<Namespace>, device: &str, filter: &str) -> Result<Self> {
        let ns = ns.as_ref();
        // Files of its own each time: an earlier one's log would say that this one listens.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = ns
            .directory()
            .join(format!("{}-{device}-{number}.pcap", ns.name()));
        let log = path.with_extension("txt");
        let mut command = ns.command("tcpdump");
        command
            .args([
                "-i",
                device,
                "--immediate-mode",
                "-U",
                "-n",
                "-s",
                "0",
                "-B",
                "32768",
                "-w",
            ])
            .arg(&path)
            .args(filter.split_whitespace());
        let mut tcpdump = Process::start("tcpdump", command, &log)?;
        let mut ended = Ok(());
        wait_until("tcpdump to listen", 10, || {
            ended = tcpdump.check_running();
            ended.is_err() || tcpdump.output().contains("listening on")
        })?;
        ended?;
        Ok(Capture { tcpdump, path })
    }

    /// The file, while it grows: up to what tcpdump has written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends it, once tcpdump has read what came last: what lies in its ring when the signal comes is lost.
    pub fn stop(self) -> Result<Pcap> {
        std::thread::sleep(DRAIN);
        self.tcpdump.stop(Signal::INT, 10)?;
        Ok(Pcap { path: self.path })
    }
}

/// A finished capture.
pub struct Pcap {
    path: PathBuf,
}

impl Pcap {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The frames that a display filter selects, one line each.
    pub fn select(&self, filter: &str) -> Result<Vec<String>> {
        let mut command = Command::new("tshark");
        command.arg("-n").arg("-r").arg(&self.path);
        for protocol in ["ip", "udp", "tcp"] {
            command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
        }
        command
            .args(["-d", &format!("udp.port=={PORT},vxlan")])
            .args(["-Y", filter]);
        Ok(run(&mut command)?.lines().map(str::to_owned).collect())
    }

    /// Fails when any checksum is wrong, or when there are fewer than `at_least` frames: an empty capture proves nothing.
    pub fn expect_good_checksums(&self, at_least: usize) -> Result<()> {
        let frames = self.select("ip")?.len();
        expect(frames >= at_least, || {
            format!(
                "{} holds {frames} IP packets, not {at_least}",
                self.path.display()
            )
        })?;
        let bad = self.select(BAD)?;
        expect(bad.is_empty(), || {
            let shown: Vec<_> = bad.iter().take(5).map(String::as_str).collect();
            format!(
                "{} of {frames} packets have a bad checksum:\n{}",
                bad.len(),
                shown.join("\n")
            )
        })
    }
}
