//! What an independent program saw: tcpdump records, tshark judges, and a reader of a dozen lines takes the times.

use std::path::{Path, PathBuf};
use std::process::Command;

use perf::lab::{Namespace, Process, run, wait_until};
use rustix::process::Signal;

/// A running tcpdump.
pub struct Capture {
    process: Process,
    path: PathBuf,
}

/// A finished capture.
pub struct Pcap(PathBuf);

impl Capture {
    /// Records the first `snap` bytes of everything that `device` receives; returns once it listens.
    pub fn start(ns: &Namespace, device: &str, snap: u16) -> Self {
        let path = ns.directory().join(format!("{}-{device}.pcap", ns.name()));
        let log = path.with_extension("txt");
        let _ = std::fs::remove_file(&log);
        let mut command = ns.command("tcpdump");
        command
            .args([
                "-i",
                device,
                "-Q",
                "in",
                "-n",
                "-U",
                "-B",
                "65536",
                "--immediate-mode",
            ])
            .args(["--time-stamp-precision", "nano", "-s", &snap.to_string()])
            .arg("-w")
            .arg(&path);
        let mut process = Process::start("tcpdump", command, &log).unwrap();
        let mut running = Ok(());
        wait_until("tcpdump to listen", 10, || {
            running = process.check_running();
            running.is_err() || process.output().contains("listening on")
        })
        .unwrap();
        running.unwrap();
        Capture { process, path }
    }

    /// Ends it, once it has read what lies in its ring. Fails if it lost any.
    pub fn stop(self) -> Pcap {
        self.try_stop().unwrap()
    }

    /// As [`Capture::stop`]; an error if it lost any.
    pub fn try_stop(self) -> Result<Pcap, String> {
        std::thread::sleep(std::time::Duration::from_millis(300));
        let (status, output) = self.process.stop(Signal::INT, 10).unwrap();
        assert!(status.success(), "tcpdump: {status}: {output}");
        if !output.contains("\n0 packets dropped by kernel") {
            return Err(format!("tcpdump: {output}"));
        }
        Ok(Pcap(self.path))
    }
}

impl Pcap {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The fields that tshark finds in the frames that `filter` selects, one row each, all checksums validated.
    pub fn fields(&self, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
        let mut command = Command::new("tshark");
        command
            .arg("-n")
            .arg("-r")
            .arg(&self.0)
            .args(["-Y", filter]);
        for protocol in ["ip", "udp", "tcp"] {
            command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
        }
        // Payloads are payloads: tshark would guess at them, and a signature may by chance look like DNS.
        for ports in ["9-10", "40000-49151"] {
            command.args(["-d", &format!("udp.port=={ports},data")]);
            command.args(["-d", &format!("tcp.port=={ports},data")]);
        }
        command.args(["-d", "udp.port==8472,vxlan", "-T", "fields"]);
        for field in fields {
            command.args(["-e", field]);
        }
        let rows = run(&mut command).unwrap();
        rows.lines()
            .map(|row| row.split('\t').map(str::to_owned).collect())
            .collect()
    }

    /// Times of the captured frames, nanoseconds, from the pcap file itself.
    pub fn times_ns(&self) -> Vec<u64> {
        let bytes = std::fs::read(&self.0).unwrap();
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(word(0), 0xa1b2_3c4d, "a pcap of nanoseconds");
        let mut at = 24;
        let mut times = Vec::new();
        while at + 16 <= bytes.len() {
            let (seconds, nanoseconds, kept) = (word(at), word(at + 4), word(at + 8));
            times.push(u64::from(seconds) * 1_000_000_000 + u64::from(nanoseconds));
            at += 16 + kept as usize;
        }
        times
    }
}
