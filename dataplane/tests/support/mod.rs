//! A worker over memory rings, with the tables of the golden capture: what the tests of the packet path run on.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod audit;
pub mod dual;
mod golden;
pub mod mend;
pub mod model;

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use contract::config::Hugepages;
use contract::stats::{
    DropReason, EngineStats, PortCounter, PortCounters, StatsReader, TraceRecord,
};
use contract::tables::{PortKind, Publisher, Tables, TablesReader};
use dataplane::tun::Tun;
use dataplane::xsk::{DEFAULT_HEADROOM, KernelSide, Umem, Xsk};
use dataplane::{Answerer, Budget, IpIds, Worker};
pub use golden::*;
use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};

/// A worker with every port of its tables open over memory rings.
pub struct Rig {
    pub worker: Worker,
    pub kernel: Vec<KernelSide>,
    reader: StatsReader,
    frames: usize,
    umem: Umem,
    dir: tempfile::TempDir,
}

impl Rig {
    pub fn new(tables: &Tables) -> Rig {
        Rig::with_rings(tables, 1024, 64)
    }

    pub fn with_rings(tables: &Tables, frames: u32, ring_size: u32) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let (mut publisher, _) = Publisher::open_or_create(&dir.path().join("tables")).unwrap();
        publisher.publish(tables).unwrap();
        let reader = TablesReader::open(&dir.path().join("tables")).unwrap();
        let stats =
            EngineStats::create(&dir.path().join("stats"), 1, dataplane::clock::tsc_hz()).unwrap();
        let (umem, pool) = Umem::map(frames, 2048, DEFAULT_HEADROOM, Hugepages::Auto).unwrap();
        let answerer = Answerer::new(Budget::new(1_000_000, 1_000_000_000));
        let mut worker = Worker::new(pool, stats.worker(0), IpIds::starting_at(0x6b00), answerer);
        worker.use_tables(reader.worker().unwrap());
        let mut kernel = Vec::new();
        for (number, port) in tables.ports.iter().enumerate() {
            let (xsk, side) = Xsk::memory(&umem, ring_size, number as u8);
            worker.open(number as u8, port.kind, xsk);
            kernel.push(side);
        }
        let reader = StatsReader::open(&dir.path().join("stats")).unwrap();
        Rig {
            worker,
            kernel,
            reader,
            frames: frames as usize,
            umem,
            dir,
        }
    }

    /// Lets a frame arrive at a port.
    pub fn deliver(&mut self, port: u8, bytes: &[u8]) {
        assert!(
            self.kernel[usize::from(port)].deliver(bytes),
            "the fill ring of port {port} is empty"
        );
    }

    /// Turns until nothing arrives any more, then checks conservation.
    pub fn settle(&mut self) {
        while self.worker.turn() > 0 {}
        self.worker.commit();
        assert_eq!(
            self.worker.frames_accounted(),
            self.frames,
            "chunks were lost"
        );
    }

    /// Closes a port as the engine's main thread does.
    pub fn close(&mut self, port: u8) {
        let xsk = self.worker.close(port).expect("the port is open");
        // The other side goes first: rings are closed when they are alone.
        let (_, other) = Xsk::memory(&self.umem, 64, port);
        drop(std::mem::replace(
            &mut self.kernel[usize::from(port)],
            other,
        ));
        self.worker.free(xsk.close());
    }

    /// Opens a port anew as a queue of a TUN. Gives the kernel's side of it: packets behind virtio headers.
    pub fn open_tun(&mut self, port: u8) -> UnixDatagram {
        self.close(port);
        let (host, queue) = UnixDatagram::pair().unwrap();
        for end in [&host, &queue] {
            end.set_nonblocking(true).unwrap();
        }
        let tun = Tun::over(OwnedFd::from(queue), port, true);
        self.worker.open(port, PortKind::Uplink, tun);
        host
    }

    /// What left by a port.
    pub fn sent(&mut self, port: u8) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        self.kernel[usize::from(port)].collect(|bytes| sent.push(bytes.to_vec()));
        sent
    }

    /// One frame in, everything out: (port, bytes).
    pub fn pass(&mut self, port: u8, bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        self.deliver(port, bytes);
        self.settle();
        let ports = 0..self.kernel.len() as u8;
        ports
            .flat_map(|port| self.sent(port).into_iter().map(move |bytes| (port, bytes)))
            .collect()
    }

    /// A port's counters, checked for conservation: received = forwarded + drops.
    pub fn counters(&self, port: u8) -> PortCounters {
        let counters = self.reader.snapshot().port(usize::from(port));
        let accounted = counters.count(PortCounter::Forwarded) + counters.dropped();
        assert_eq!(
            counters.count(PortCounter::RxPackets),
            accounted,
            "port {port} lost count"
        );
        counters
    }

    /// Drops at a port by name, the non-zero ones.
    pub fn drops(&self, port: u8) -> Vec<(&'static str, u64)> {
        let counters = self.counters(port);
        let all = DropReason::ALL
            .iter()
            .map(|reason| (reason.name(), counters.drops[*reason as usize]));
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// What the trace ring holds, oldest first.
    pub fn trace(&self) -> Vec<TraceRecord> {
        let mut records = Vec::new();
        let mut cursor = self.reader.trace_cursors(true)[0];
        let missed = self
            .reader
            .trace(0, &mut cursor, |record| records.push(record));
        assert_eq!(missed, 0, "nobody writes meanwhile");
        records
    }

    /// The tables segment, for those who mangle it.
    pub fn tables_path(&self) -> PathBuf {
        self.dir.path().join("tables")
    }

    /// The stats as readers see them.
    pub fn stats(&self) -> &StatsReader {
        &self.reader
    }
}

/// The frames of a capture.
pub fn read_pcap(path: &Path) -> Vec<Vec<u8>> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    read_capture(file)
}

fn read_capture(capture: impl Read) -> Vec<Vec<u8>> {
    let mut reader = PcapReader::new(capture).unwrap();
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        frames.push(packet.unwrap().data.into_owned());
    }
    frames
}

/// Writes a capture that Wireshark opens.
pub fn write_pcap(path: &Path, frames: &[Vec<u8>]) {
    let mut writer = PcapWriter::new(File::create(path).unwrap()).unwrap();
    for (n, frame) in frames.iter().enumerate() {
        let time = std::time::Duration::from_micros(n as u64);
        writer
            .write_packet(&PcapPacket::new(time, frame.len() as u32, frame))
            .unwrap();
    }
}

/// All frames that the kernel's vxlan devices emitted, IPv4 underlay only.
pub fn kernel_frames() -> Vec<Vec<u8>> {
    // Not read by name: the fuzz crate, which lies elsewhere, has this module too.
    read_capture(include_bytes!("../data/kernel-vxlan-golden.pcap").as_slice())
        .into_iter()
        .filter(|frame| frame[12..14] == [0x08, 0x00])
        .collect()
}
