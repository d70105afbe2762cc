//! Who may be asked on the veth stage, and how each is built.

use super::bare::{self, Bare};
use super::contender::Contender;
use super::engine::{self, Engine};
use super::gateway::{self, Gateway};
use super::kernel::{self, Kernel};
use super::watched::{self, Watched};
use crate::bench::Result;
use crate::bench::tools::Tools;

/// A device under test that is not built yet.
#[derive(Clone, Copy)]
pub struct Candidate {
    /// Its name in tables: `Contender::name`.
    pub name: &'static str,
    /// What it is, one line.
    pub what: &'static str,
    /// Builds it, with a route to each of so many peers. An error says what is missing and what would help.
    pub build: fn(&Tools, u16) -> Result<Box<dyn Contender>>,
}

/// Everyone, in the order of tables.
pub const CANDIDATES: &[Candidate] = &[
    Candidate {
        name: bare::NAME,
        what: "perf/bench/forward.c: moves descriptors between AF_XDP sockets and looks at nothing; the limit",
        build: |tools, _| Ok(Box::new(Bare::build(tools)?)),
    },
    Candidate {
        name: engine::NAME,
        what: "the engine with tables of the benchmark's own, one worker that never sleeps",
        build: |_, peers| Ok(Box::new(Engine::build(peers)?)),
    },
    Candidate {
        name: kernel::NAME,
        what: "flannel's vxlan backend: the kernel's vxlan device, routes and forwarding",
        build: |_, peers| Ok(Box::new(Kernel::build(peers)?)),
    },
    Candidate {
        name: gateway::NAME,
        what: "flannel's host-gw backend: the kernel routes and wraps nothing, nor takes it off",
        build: |_, peers| Ok(Box::new(Gateway::build(peers)?)),
    },
];

/// Beside them when it is asked for: what readers cost the engine is a question of its own.
pub const WATCHED: Candidate = Candidate {
    name: watched::NAME,
    what: "the same engine while top, serve (scraped, and a page open), stats --watch and trace read along",
    build: |_, peers| Ok(Box::new(Watched::build(peers)?)),
};
