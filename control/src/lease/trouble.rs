//! What is wrong now, in words, and the habit of logging it once: the first time in an outage that a message is seen,
//! and once when the outage is over. An endpoint list that is tried in turn would else fill the log with its own rhythm.

use std::collections::HashSet;

use tracing::{info, warn};

/// The state of one concern.
#[derive(Debug)]
pub(super) struct Trouble {
    concern: &'static str,
    now: Option<String>,
    said: HashSet<String>,
}

impl Trouble {
    pub(super) fn new(concern: &'static str) -> Self {
        Trouble {
            concern,
            now: None,
            said: HashSet::new(),
        }
    }

    /// Something is wrong.
    pub(super) fn set(&mut self, what: String) {
        // Bounded: a message that carries a number which always changes must not eat the memory of a long outage.
        if self.said.len() < 100 && self.said.insert(what.clone()) {
            warn!("{}: {what}", self.concern);
        }
        self.now = Some(what);
    }

    /// All is well.
    pub(super) fn clear(&mut self) {
        if self.now.take().is_some() {
            self.said.clear();
            info!("{}: well again", self.concern);
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        self.now.as_deref()
    }
}
