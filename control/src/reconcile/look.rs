//! When a pass is due, what it has to ask of the kernel again, and which events say so.

use std::time::Duration;

use tokio::time::Instant;

use super::{ReconcileError, Reconciler, SETTLE};
use crate::netlink::events::Event;
use crate::netlink::next_hop::NextHops;

/// What has to be asked of the kernel again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) devices: bool,
    pub(super) routes: bool,
    pub(super) neighbours: bool,
}

impl Look {
    pub(super) const EVERYWHERE: Look = Look {
        devices: true,
        routes: true,
        neighbours: true,
    };

    pub(super) fn and(self, other: Look) -> Look {
        Look {
            devices: self.devices | other.devices,
            routes: self.routes | other.routes,
            neighbours: self.neighbours | other.neighbours,
        }
    }
}

/// What an event asks for; whether anything.
fn note(look: &mut Look, hops: &mut NextHops, event: Event) -> bool {
    match event {
        Event::Device => (look.devices, look.routes) = (true, true),
        Event::Route => look.routes = true,
        Event::Overrun => *look = Look::EVERYWHERE,
        Event::Neighbour { neighbour, gone } => return hops.observe(&neighbour, gone),
    }
    true
}

impl Reconciler {
    /// Waits until there is reason for a pass, then until the burst is over.
    pub(super) async fn wake(
        &mut self,
        timer: &mut tokio::time::Interval,
        retry: Option<Duration>,
    ) -> Result<Look, ReconcileError> {
        let mut look = Look::default();
        let mut settle: Option<Instant> = None;
        let retry = retry.map(|delay| Instant::now() + delay);
        loop {
            let settled = sleep_until(settle);
            let again = sleep_until(retry);
            let relevant = tokio::select! {
                changed = self.view.changed() => {
                    changed.map_err(|_| ReconcileError::LeaseKeeper)?;
                    true
                }
                () = self.rules.changed() => true,
                event = self.events.next() => note(&mut look, &mut self.hops, event),
                _ = timer.tick() => return Ok(Look::EVERYWHERE),
                () = again => return Ok(look),
                () = settled => return Ok(look),
            };
            if relevant && settle.is_none() {
                settle = Some(Instant::now() + SETTLE);
            }
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
