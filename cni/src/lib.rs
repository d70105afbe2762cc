//! `tweed-cni`: gives pods their network the way flannel's CNI plugin does.
//!
//! It makes no device itself. `subnet.env` says which addresses this node has; from it and the network configuration a
//! configuration for another plugin (the *delegate*, by default `bridge`) is rendered, kept for the day the pod goes, and that
//! plugin is run. The protocol is the CNI specification 1.1
//! (<https://github.com/containernetworking/cni/blob/main/SPEC.md>), the rules of delegation those of
//! `flannel-io/cni-plugin` (docs/FLANNEL.md 5.2).
//!
//! ```text
//!   runtime ── CNI_COMMAND, stdin ─► request, conf ─► render ─► delegate ── same environment ─► bridge ─► host-local
//!                                                        ▲  │
//!                                           subnet.env ──┘  └─► saved: <dataDir>/<container> ─► DEL, CHECK
//! ```

#![forbid(unsafe_code)]

pub mod about;
pub mod command;
pub mod conf;
pub mod delegate;
pub mod error;
pub mod render;
pub mod request;
pub mod result;
pub mod saved;
pub mod subnet_env;
pub mod version;

pub use command::{Answer, answer};

/// A JSON object.
pub type Object = serde_json::Map<String, serde_json::Value>;
