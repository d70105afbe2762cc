//! Who may be asked, and how each is built.

use super::{Network, bare, engine, gateway, kernel, proxy, vswitch};
use crate::bench::Result;
use crate::bench::model::Wire;

/// A network that is not built yet: to be listed, chosen, and then built or found missing.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Its name in tables: [`Network::name`].
    pub name: &'static str,
    /// What it is, one line: [`Network::what`].
    pub what: &'static str,
    /// Builds it over such a cable. An error says what is missing and what would help.
    pub build: fn(Wire) -> Result<Box<dyn Network>>,
}

/// Everyone, in the order of tables.
pub const CANDIDATES: &[Candidate] = &[
    Candidate {
        name: engine::DEFAULT.name,
        what: engine::DEFAULT.what,
        build: |wire| Ok(Box::new(engine::Engine::build(engine::DEFAULT, wire)?)),
    },
    Candidate {
        name: engine::TUN.name,
        what: engine::TUN.what,
        build: |wire| Ok(Box::new(engine::Engine::build(engine::TUN, wire)?)),
    },
    Candidate {
        name: engine::TUN_UDP.name,
        what: engine::TUN_UDP.what,
        build: |wire| Ok(Box::new(engine::Engine::build(engine::TUN_UDP, wire)?)),
    },
    Candidate {
        name: kernel::NAME,
        what: kernel::WHAT,
        build: |wire| Ok(Box::new(kernel::Kernel::build(wire)?)),
    },
    Candidate {
        name: gateway::NAME,
        what: gateway::WHAT,
        build: |wire| Ok(Box::new(gateway::Gateway::build(wire)?)),
    },
    Candidate {
        name: proxy::NAME,
        what: proxy::WHAT,
        build: |wire| Ok(Box::new(proxy::Proxy::build(wire)?)),
    },
    Candidate {
        name: bare::NAME,
        what: bare::WHAT,
        build: |wire| Ok(Box::new(bare::Bare::build(wire)?)),
    },
    Candidate {
        name: vswitch::NAME,
        what: vswitch::WHAT,
        build: |wire| Ok(Box::new(vswitch::Vswitch::build(wire)?)),
    },
];
