//! What a pass has to ask of the kernel again, and which events say so.

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
pub(super) fn note(look: &mut Look, hops: &mut NextHops, event: Event) -> bool {
    match event {
        Event::Device => (look.devices, look.routes) = (true, true),
        Event::Route => look.routes = true,
        Event::Overrun => *look = Look::EVERYWHERE,
        Event::Neighbour { neighbour, gone } => return hops.observe(&neighbour, gone),
    }
    true
}
