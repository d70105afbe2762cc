//! What to tell when there is no socket to be had: the object, what the kernel said, the remedy.
//!
//! Which errno means what is from `xsk_bind` and `xp_assign_dev` in
//! <https://github.com/torvalds/linux/blob/v6.17/net/xdp/xsk.c> and xsk_buff_pool.c, and `xdp_umem_create` in
//! xdp_umem.c.

use std::error::Error;

use rustix::io::Errno;

use super::{CHUNK, RX_FRAMES, TX_FRAMES, owner};
use crate::error::Failure;
use crate::io::{Interface, Mode};

/// Any error on the way.
pub(super) type Cause = Box<dyn Error + Send + Sync>;

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Memory and its registration.
    Umem,
    /// Socket and queue.
    Bind,
    /// Options of the bound socket.
    Options,
}

/// The socket that was asked for.
pub(super) struct Refusal<'a> {
    pub(super) interface: &'a Interface,
    pub(super) queue: u32,
    pub(super) mode: Mode,
}

impl Refusal<'_> {
    /// The interface has fewer queues.
    pub(super) fn no_such_queue(&self, what: &str, queues: u32) -> Failure {
        let has = match queues {
            0 | 1 => "one only, queue 0".into(),
            _ => format!("{queues}, 0 to {}", queues - 1),
        };
        Failure::Environment(format!(
            "interface {} has no {what} queue {}; it has {has} (more: ethtool -L)",
            label(self.interface),
            self.queue,
        ))
    }

    /// Something failed.
    pub(super) fn at(&self, stage: Stage, cause: &(dyn Error + 'static)) -> Failure {
        let errno = errno_of(cause);
        let remedy = match (stage, errno) {
            (_, Some(Errno::PERM | Errno::ACCESS)) => {
                "not permitted; run as root, or with CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF".into()
            }
            (Stage::Umem, Some(Errno::NOBUFS | Errno::NOMEM | Errno::AGAIN)) => format!(
                "{} MiB of memory cannot be locked; run as root, or raise the limit (ulimit -l unlimited)",
                (u64::from(CHUNK) * u64::from(TX_FRAMES + RX_FRAMES)) >> 20
            ),
            (_, Some(Errno::AFNOSUPPORT)) => {
                "this kernel has no AF_XDP (CONFIG_XDP_SOCKETS); use --io packet".into()
            }
            (Stage::Bind, Some(errno)) => self.bind_remedy(errno),
            _ => "this is not expected; the kernel's log (dmesg) may say more".into(),
        };
        Failure::Environment(format!(
            "cannot open an AF_XDP socket on queue {} of interface {}: {}: {remedy}",
            self.queue,
            label(self.interface),
            errno.map_or_else(|| cause.to_string(), |errno| errno.to_string()),
        ))
    }

    fn bind_remedy(&self, errno: Errno) -> String {
        match (errno, self.mode) {
            (Errno::BUSY, _) => format!(
                "another AF_XDP socket has this queue, {}; stop it, or use another queue",
                owner::candidates().map_or_else(
                    || "whose is unknown (try `ss --xdp --all --processes`)".into(),
                    |names| format!("perhaps that of {names}")
                )
            ),
            (Errno::NODEV | Errno::NXIO, _) => "the interface went away; ip link shows which there are".into(),
            (Errno::NETDOWN, _) => "the interface is down; ip link set it up".into(),
            (Errno::OPNOTSUPP | Errno::INVAL, Mode::ZeroCopy) => {
                "the driver cannot do zero-copy on this queue; use --mode copy, or auto to have whatever works".into()
            }
            (Errno::OPNOTSUPP, Mode::Auto | Mode::Copy) => "the driver has no XDP; use --mode generic".into(),
            (Errno::OPNOTSUPP, Mode::Generic) => "no AF_XDP here; use --io packet".into(),
            (Errno::INVAL, _) => {
                "no such queue, or queues that were just changed; ethtool -l shows how many there are".into()
            }
            (Errno::NOMEM | Errno::NOBUFS, _) => "no memory for the rings; free some".into(),
            _ => "this is not expected; the kernel's log (dmesg) may say more".into(),
        }
    }
}

/// The errno at the root of an error, if any.
pub(in crate::io) fn errno_of(error: &(dyn Error + 'static)) -> Option<Errno> {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<std::io::Error>();
        if let Some(errno) = io.and_then(Errno::from_io_error) {
            return Some(errno);
        }
        next = error.source();
    }
    None
}

/// An interface as errors have it: `eth0`, or `eth0@pod1`.
pub(in crate::io) fn label(interface: &Interface) -> String {
    match &interface.netns {
        Some(netns) => format!("{}@{netns}", interface.name),
        None => interface.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(netns: Option<&str>, mode: Mode, stage: Stage, errno: Errno) -> String {
        let interface = Interface {
            name: "v0".into(),
            netns: netns.map(Into::into),
        };
        let refusal = Refusal {
            interface: &interface,
            queue: 3,
            mode,
        };
        let failure = refusal.at(stage, &std::io::Error::from(errno));
        assert!(matches!(failure, Failure::Environment(_)));
        failure.to_string()
    }

    #[test]
    fn a_queue_in_use_is_named_and_what_to_do() {
        let text = text(Some("pod1"), Mode::Auto, Stage::Bind, Errno::BUSY);
        for part in [
            "queue 3 of interface v0@pod1",
            "another AF_XDP socket",
            "use another queue",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn every_refusal_has_a_remedy() {
        let cases = [
            (Mode::ZeroCopy, Stage::Bind, Errno::OPNOTSUPP, "--mode copy"),
            (Mode::ZeroCopy, Stage::Bind, Errno::INVAL, "--mode copy"),
            (Mode::Copy, Stage::Bind, Errno::OPNOTSUPP, "--mode generic"),
            (Mode::Generic, Stage::Bind, Errno::OPNOTSUPP, "--io packet"),
            (Mode::Auto, Stage::Bind, Errno::NODEV, "ip link"),
            (Mode::Auto, Stage::Bind, Errno::INVAL, "ethtool -l"),
            (Mode::Auto, Stage::Bind, Errno::PERM, "as root"),
            (Mode::Auto, Stage::Umem, Errno::PERM, "as root"),
            (Mode::Auto, Stage::Umem, Errno::NOBUFS, "24 MiB"),
            (Mode::Auto, Stage::Umem, Errno::AFNOSUPPORT, "--io packet"),
            (Mode::Auto, Stage::Options, Errno::IO, "dmesg"),
        ];
        for (mode, stage, errno, remedy) in cases {
            let text = text(None, mode, stage, errno);
            assert!(text.contains(remedy), "{mode:?} {errno}: {text}");
            assert!(text.contains("queue 3 of interface v0:"), "{text}");
        }
    }

    #[test]
    fn a_missing_queue_is_told_with_the_range() {
        let interface = Interface {
            name: "v0".into(),
            netns: None,
        };
        let refusal = Refusal {
            interface: &interface,
            queue: 9,
            mode: Mode::Auto,
        };
        let text = refusal.no_such_queue("receive", 4).to_string();
        assert!(
            text.contains("no receive queue 9") && text.contains("4, 0 to 3"),
            "{text}"
        );
        let text = refusal.no_such_queue("transmit", 1).to_string();
        assert!(text.contains("one only, queue 0"), "{text}");
    }

    #[test]
    fn the_errno_is_found_below_other_errors() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        assert_eq!(errno_of(&Outer(Errno::BUSY.into())), Some(Errno::BUSY));
        assert_eq!(errno_of(&std::fmt::Error), None);
    }
}
