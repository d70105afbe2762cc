//! Where frames and events go: lines or JSON to stdout, frames into a pcap, what happens around them to stderr.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, PcapError, TsResolution};

use super::clock::time_of_day;
use super::frame::Frame;
use super::source::Event;
use super::summary::Summary;
use super::{json, line};
use crate::stats::Life;
use crate::style::Style;

/// Everything that is printed.
pub struct Output {
    lines: Lines,
    out: Box<dyn Write>,
    capture: Option<Capture>,
}

/// A pcap that grows, and a second handle to flush it by, for the writer of pcap-file hands its own out only at the end.
struct Capture {
    writer: PcapWriter<Handle>,
    file: Handle,
}

#[derive(Clone)]
struct Handle(Rc<RefCell<BufWriter<Box<dyn Write>>>>);

impl Write for Handle {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.borrow_mut().flush()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Text(Style),
    Json,
    /// Stdout is a capture.
    None,
}

impl Output {
    /// Lines to `out`, stdout that is, unless the capture goes there (`-`).
    pub fn new(json: bool, capture: Option<&Path>, out: Box<dyn Write>) -> Result<Self> {
        let to_stdout = capture == Some(Path::new("-"));
        let open = |path: &Path| -> Result<_> {
            let to: Box<dyn Write> = match to_stdout {
                true => Box::new(std::io::stdout()),
                false => Box::new(File::create(path)?),
            };
            let file = Handle(Rc::new(RefCell::new(BufWriter::new(to))));
            let header = PcapHeader {
                // The longest frame, though no more than 232 bytes of any are recorded: readers, that of pcap-file 2 for one,
                // refuse a packet whose whole length exceeds this.
                snaplen: u16::MAX.into(),
                datalink: DataLink::ETHERNET,
                ts_resolution: TsResolution::NanoSecond,
                ..PcapHeader::default()
            };
            let writer = PcapWriter::with_header(file.clone(), header).map_err(io_error)?;
            Ok(Capture { writer, file })
        };
        Ok(Output {
            lines: match (to_stdout, json) {
                (true, _) => Lines::None,
                (false, true) => Lines::Json,
                (false, false) => Lines::Text(Style::of_stdout()),
            },
            capture: capture.map(open).transpose()?,
            out,
        })
    }

    /// Shows a frame.
    pub fn frame(&mut self, frame: &Frame) -> Result<()> {
        if let Some(capture) = &mut self.capture {
            let bytes = frame.record.bytes();
            let time = Duration::from_nanos(frame.unix_ns);
            let packet = PcapPacket::new(time, frame.record.meta.len.into(), bytes);
            capture.writer.write_packet(&packet).map_err(io_error)?;
        }
        match self.lines {
            Lines::Text(style) => writeln!(self.out, "{}", line::line(frame, style)),
            Lines::Json => writeln!(self.out, "{}", json::frame(frame)),
            Lines::None => Ok(()),
        }
    }

    /// Tells of the engine's going and coming.
    pub fn event(&mut self, event: &Event) -> Result<()> {
        let (text, json) = match event {
            Event::Frame(frame) => return self.frame(frame),
            Event::Down { since_ns, life } => {
                let how = match life {
                    Life::Silent => "it exists, but is stopped or stuck",
                    _ => "its process is gone",
                };
                let since = time_of_day(*since_ns);
                let values = [("since_ns", (*since_ns).into()), ("state", how.into())];
                (
                    format!("the engine is down since {since} UTC: {how}; waiting for one"),
                    json::event("down", values),
                )
            }
            Event::Up { pid, down_since_ns } => {
                let since = time_of_day(*down_since_ns);
                let values = [
                    ("pid", (*pid).into()),
                    ("down_since_ns", (*down_since_ns).into()),
                ];
                (
                    format!("the engine is up, process {pid}; it was down since {since} UTC"),
                    json::event("up", values),
                )
            }
        };
        self.say(&text, &json)
    }

    /// The last words.
    pub fn summary(&mut self, summary: &Summary) -> Result<()> {
        self.flush()?;
        self.say(&summary.text(), &summary.json())
    }

    /// What happens around the frames: to stderr, so that stdout holds frames only; to programs, among them.
    fn say(&mut self, text: &str, json: &str) -> Result<()> {
        match self.lines {
            Lines::Json => writeln!(self.out, "{json}"),
            _ => {
                eprintln!("tweed-perf trace: {text}");
                Ok(())
            }
        }
    }

    /// Makes the capture whole up to here: whoever reads it as it grows sees whole packets.
    pub fn flush(&mut self) -> Result<()> {
        if let Some(capture) = &mut self.capture {
            capture.file.flush()?;
        }
        self.out.flush()
    }
}

fn io_error(error: PcapError) -> std::io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => std::io::Error::other(other),
    }
}
