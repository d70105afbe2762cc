//! tweed while somebody looks: the same engine, and every reader that `tweed-perf` has attached to its segment.
//!
//! `top` on a terminal (script(1) makes one), `serve` scraped once a second and with a page open, `stats --watch`, and `trace`
//! of everything. What is claimed is that readers never disturb the engine, so nothing keeps them from it: they are ordinary
//! processes, pinned nowhere, and the scheduler puts them on the engine's core or on the generator's. Both of those run with
//! real-time priority, here as for every contender of this stage; readers get what the kernel keeps for ordinary processes of
//! each core (a twentieth, `sched_rt_runtime_us` or the fair server), and they take it from whoever runs there. What is measured
//! is that, and the cache lines, memory and locks of the kernel that they share with the engine.
//!
//! Readers that starved would cost nothing and prove nothing: at the end of a sample each must have read something.

use std::path::PathBuf;
use std::time::Duration;

use super::contender::{Contender, Drops};
use super::engine::Engine;
use super::plan::Leg;
use super::rig::Rig;
use crate::bench::Result;
use crate::lab::{LabError, Process, binary, wait_until};

/// Its name in the report.
pub const NAME: &str = "tweed, watched";

/// Where serve listens: loopback of the device's namespace, which is nobody else's.
const SERVE: &str = "http://127.0.0.1:9460";

/// From scrape to scrape.
const SCRAPE: Duration = Duration::from_secs(1);

/// The engine and who looks at it.
pub struct Watched {
    engine: Engine,
    readers: Vec<Reader>,
}

/// A reader, and how much it had printed when the last of them was ready.
struct Reader {
    process: Process,
    name: &'static str,
    ready_len: usize,
}

impl Watched {
    /// In a rig of its own, with tables for this many peers.
    pub fn build(peers: u16) -> Result<Self> {
        Ok(Watched {
            engine: Engine::build(peers)?,
            readers: Vec::new(),
        })
    }

    /// Everyone, each ready: in its log stands what it prints.
    fn attach(&mut self) -> Result<()> {
        let perf = binary("tweed-perf")?;
        let perf = perf.display();
        let run = self.engine.rig().directory().display().to_string();
        let scrape = SCRAPE.as_secs();
        // A shell for what needs a terminal or repeats; `exec` elsewhere, so that a process is what is killed.
        let lines = [
            ("serve", format!("exec {perf} serve --run-dir {run}")),
            (
                "top",
                format!(
                    "exec script -qefc 'stty cols 110 rows 40; exec {perf} top --run-dir {run}' /dev/null"
                ),
            ),
            (
                "stats --watch",
                format!("exec {perf} stats --watch --run-dir {run}"),
            ),
            ("trace", format!("exec {perf} trace --run-dir {run}")),
            ("a page", format!("exec curl -sSN {SERVE}/events")),
            (
                "a scrape",
                format!("while sleep {scrape}; do curl -sS --max-time 10 {SERVE}/metrics; done"),
            ),
        ];
        for (name, line) in lines {
            let log = self.log(name);
            let _ = std::fs::remove_file(&log);
            let mut command = self.engine.rig().device.command("sh");
            command.env("TERM", "xterm").args(["-c", &line]);
            let mut process = Process::start(name, command, &log)?;
            // Only serve must be there before others come; trace has nothing to tell before frames come.
            if name == "serve" {
                wait_until("serve to listen", 20, || {
                    process.ended().is_some() || process.output().contains("serve: http")
                })?;
            }
            process.check_running()?;
            self.readers.push(Reader {
                process,
                name,
                ready_len: 0,
            });
        }
        for reader in self
            .readers
            .iter_mut()
            .filter(|reader| reader.name != "trace")
        {
            let name = reader.name;
            wait_until(&format!("{name} to read"), 20, || {
                reader.process.ended().is_some() || !reader.process.output().is_empty()
            })?;
            reader.process.check_running()?;
        }
        for reader in &mut self.readers {
            reader.ready_len = reader.process.output().len();
        }
        Ok(())
    }

    fn log(&self, name: &str) -> PathBuf {
        let name = name.replace([' ', '-'], "");
        self.engine
            .rig()
            .directory()
            .join(format!("watched-{name}.log"))
    }

    /// Ends them. Each must have run until now, and printed more than it had at first; serve prints no more by itself, but
    /// the page and the scrapes do.
    fn detach(&mut self) -> Result<()> {
        // All are asked before any ends, for without serve the page's connection breaks.
        let mut readers = std::mem::take(&mut self.readers);
        let mut idle = Vec::new();
        for reader in &mut readers {
            reader.process.check_running()?;
            if reader.name != "serve" && reader.process.output().len() <= reader.ready_len {
                idle.push(reader.name);
            }
        }
        match idle.is_empty() {
            true => Ok(()),
            false => Err(LabError::Unexpected(format!(
                "{} read nothing during the sample, which proves nothing: give it a longer --seconds",
                idle.join(", ")
            ))),
        }
    }
}

impl Contender for Watched {
    fn name(&self) -> &'static str {
        NAME
    }

    fn rig(&self) -> &Rig {
        self.engine.rig()
    }

    fn arrives_len(&self, leg: Leg, size: usize) -> usize {
        self.engine.arrives_len(leg, size)
    }

    fn start(&mut self, leg: Leg) -> Result<Option<Process>> {
        let running = self.engine.start(leg)?;
        // After a sample that failed some may still be there.
        self.readers.clear();
        self.attach()?;
        Ok(running)
    }

    fn drops(&self) -> Drops {
        self.engine.drops()
    }

    fn stop(&mut self, running: Option<Process>) -> Result<()> {
        let read = self.detach();
        self.engine.stop(running)?;
        read
    }
}
