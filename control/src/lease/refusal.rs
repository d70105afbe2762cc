//! What etcd's refusals mean to an operator: operation, object, endpoint, cause and remedy in one line.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why etcd could not be used.
#[derive(Debug, Error)]
pub enum EtcdError {
    /// A certificate or key could not be read.
    #[error(
        "cannot read {key} {path}: {source}; it must name a PEM file that tweed-control may read"
    )]
    File {
        /// The key in `node.toml`.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// etcd refused, or could not be reached.
    #[error("etcd at {endpoint}: cannot {operation}: {cause}; {remedy}")]
    Call {
        /// The member.
        endpoint: String,
        /// What was tried, with its object.
        operation: String,
        /// What came back.
        cause: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The connection's view of the past is gone or was rewritten; list again.
    #[error("etcd at {endpoint}: {reason}; reading everything again")]
    Stale {
        /// The member.
        endpoint: String,
        /// What happened.
        reason: String,
    },
}

impl EtcdError {
    /// Whether a new login might help.
    pub(super) fn is_about_credentials(&self) -> bool {
        matches!(self, EtcdError::Call { remedy, .. } if *remedy == CREDENTIALS)
    }
}

pub(super) const CREDENTIALS: &str =
    "check etcd.username, etcd.password and the permissions of that user's roles";
pub(super) const REACH: &str =
    "check that etcd runs there and that etcd.endpoints, cafile, certfile and keyfile fit it";
pub(super) const ASK_ETCD: &str = "look into etcd's own log";

/// A call that failed, with the cause dug out and the remedy that fits it.
pub(super) fn refusal(endpoint: &str, operation: String, error: &etcd_client::Error) -> EtcdError {
    // The client's errors say "transport error" and keep the rest to themselves; the cause is at the end of the chain.
    let chain = |outer: String, error: &dyn std::error::Error| {
        let causes = std::iter::successors(error.source(), |e| e.source()).map(ToString::to_string);
        causes.fold(outer, |text, cause| {
            if text.contains(&cause) {
                text
            } else {
                format!("{text}: {cause}")
            }
        })
    };
    let (cause, remedy) = match error {
        etcd_client::Error::GRpcStatus(status) => {
            let message = status.message();
            let credentials = ["auth", "permission", "user name", "password"]
                .iter()
                .any(|word| message.contains(word));
            // gRPC codes: 14 is Unavailable (nobody there), 2 Unknown (how TLS failures surface).
            let remedy = match status.code() as i32 {
                _ if credentials => CREDENTIALS,
                14 | 2 => REACH,
                _ => ASK_ETCD,
            };
            (chain(message.to_owned(), status), remedy)
        }
        etcd_client::Error::TransportError(e) => (chain(e.to_string(), e), REACH),
        other => (other.to_string(), REACH),
    };
    EtcdError::Call {
        endpoint: endpoint.to_owned(),
        operation,
        cause,
        remedy,
    }
}
