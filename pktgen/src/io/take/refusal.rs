//! What to tell when the program cannot be attached: the object, what the kernel said, the remedy.

use std::error::Error;

use aya::programs::XdpMode;
use rustix::io::Errno;

use super::attached::Attached;
use crate::error::Failure;
use crate::io::Interface;
use crate::io::xsk::refusal::{errno_of, label};

/// Any error on the way.
pub(super) type Cause = Box<dyn Error + Send + Sync>;

/// Names the interface.
#[derive(Clone, Copy)]
pub(super) struct Refusal<'a> {
    pub(super) interface: &'a Interface,
}

impl Refusal<'_> {
    /// Something else is attached.
    pub(super) fn taken(self, there: Attached) -> Failure {
        let Attached { id, is_generic } = there;
        let kind = if is_generic { "xdpgeneric" } else { "xdp" };
        let inside = match &self.interface.netns {
            Some(netns) => format!("-n {netns} "),
            None => String::new(),
        };
        Failure::Environment(format!(
            "interface {} has an XDP program already (id {id}; `bpftool prog show id {id}` tells whose); stop what attached \
             it, or `ip {inside}link set {} {kind} off`, or use --io packet",
            label(self.interface),
            self.interface.name
        ))
    }

    /// The program does not load.
    pub(super) fn load(self, cause: &(dyn Error + 'static)) -> Failure {
        let remedy = match errno_of(cause) {
            Some(Errno::PERM | Errno::ACCESS) => {
                "; not permitted: run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
            }
            _ => "; a kernel of 5.10 or later is needed",
        };
        Failure::Environment(format!(
            "cannot load the XDP program for interface {}: {}{remedy}",
            label(self.interface),
            chain(cause)
        ))
    }

    /// The kernel or the driver does not want it.
    pub(super) fn attach(self, mode: XdpMode, cause: &(dyn Error + 'static)) -> Failure {
        let is_native = mode == XdpMode::Driver;
        let remedy = match errno_of(cause) {
            Some(Errno::PERM | Errno::ACCESS) => {
                "not permitted: run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
            }
            Some(Errno::BUSY | Errno::EXIST) => {
                "another XDP program was attached just now: ip link shows it; stop what attached it"
            }
            Some(Errno::NODEV) => "the interface went away; ip link shows which there are",
            Some(Errno::RANGE | Errno::INVAL) if is_native => {
                "the driver cannot run XDP at this MTU, with these offloads or with so many queues; lower the MTU (3498 fits \
                 everywhere), or use --mode generic"
            }
            Some(Errno::OPNOTSUPP) if is_native => {
                "the driver has no XDP; use --mode generic, or auto to have whatever works"
            }
            _ if is_native => "use --mode generic, or --io packet",
            _ => "use --io packet",
        };
        Failure::Environment(format!(
            "cannot attach the XDP program to interface {} ({}): {}; {remedy}",
            label(self.interface),
            if is_native { "native" } else { "generic" },
            chain(cause)
        ))
    }

    /// There is no room for a queue.
    pub(super) fn no_room(self, queue: u32, queues: u32) -> Failure {
        Failure::Environment(format!(
            "queue {queue} of interface {}: the XDP program has room for queues 0 to {}",
            label(self.interface),
            queues - 1
        ))
    }

    /// A socket is refused.
    pub(super) fn direct(self, queue: u32, cause: &(dyn Error + 'static)) -> Failure {
        Failure::Environment(format!(
            "cannot direct queue {queue} of interface {} to its socket: {}",
            label(self.interface),
            chain(cause)
        ))
    }

    /// The kernel does not answer.
    pub(super) fn unknown(self, cause: &(dyn Error + 'static)) -> Failure {
        Failure::Environment(format!(
            "cannot ask the kernel for the XDP program of interface {}: {}",
            label(self.interface),
            chain(cause)
        ))
    }
}

/// An error with its causes, each said once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("bpf_link_create failed")]
    struct Failed(#[source] std::io::Error);

    fn interface() -> Interface {
        Interface {
            name: "v0".into(),
            netns: Some("pod1".into()),
        }
    }

    #[test]
    fn a_program_that_is_there_is_named_with_the_way_to_remove_it() {
        let interface = interface();
        let refusal = Refusal {
            interface: &interface,
        };
        let there = Attached {
            id: 42,
            is_generic: true,
        };
        let text = refusal.taken(there).to_string();
        for part in [
            "interface v0@pod1",
            "id 42",
            "ip -n pod1 link set v0 xdpgeneric off",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn every_refusal_has_a_remedy_and_its_cause_once() {
        let interface = interface();
        let refusal = Refusal {
            interface: &interface,
        };
        let cases = [
            (XdpMode::Driver, Errno::OPNOTSUPP, "--mode generic"),
            (XdpMode::Driver, Errno::RANGE, "MTU"),
            (XdpMode::Driver, Errno::IO, "--mode generic"),
            (XdpMode::Skb, Errno::OPNOTSUPP, "--io packet"),
            (XdpMode::Skb, Errno::PERM, "as root"),
            (XdpMode::Skb, Errno::NODEV, "ip link"),
            (XdpMode::Skb, Errno::BUSY, "stop what attached it"),
        ];
        for (mode, errno, remedy) in cases {
            let cause = std::io::Error::from(errno);
            let said = cause.to_string();
            let text = refusal.attach(mode, &Failed(cause)).to_string();
            assert!(text.contains(remedy), "{mode:?} {errno}: {text}");
            assert_eq!(text.matches(&said).count(), 1, "{text}");
        }
    }
}
