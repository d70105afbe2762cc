//! The XDP program that takes frames away from the kernel, for AF_XDP receivers (`bpf/take.bpf.c`).
//!
//! Invariant: the attachment is a bpf link (Linux 5.9), which the kernel removes with its last descriptor, so a process
//! that dies leaves nothing behind; nothing is pinned. Attached alone it changes nothing: what it takes goes to the
//! socket of its queue, and is left to the kernel where there is none. Source:
//! <https://docs.kernel.org/networking/af_xdp.html>.

mod attached;
mod refusal;

use std::os::fd::{AsRawFd, BorrowedFd};

use aya::maps::{MapData, MapError, PerCpuArray, XskMap};
use aya::programs::links::FdLink;
use aya::programs::{Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};

use self::refusal::{Cause, Refusal};
use super::{Interface, Mode, Take, netns};
use crate::error::{Failure, Result};

/// The object that build.rs compiled, aligned for the ELF reader.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/take.bpf.o"));

/// Ports that the program has room for: `VXLAN_PORTS`.
const PORTS: usize = 4;

/// Queues that the program has room for: `QUEUES`.
const QUEUES: u32 = 1024;

/// The program, on an interface. Dropping it detaches it.
pub struct Taker {
    interface: Interface,
    is_generic: bool,
    sockets: XskMap<MapData>,
    left: PerCpuArray<MapData, u64>,
    /// Held to be closed.
    _link: FdLink,
}

impl Taker {
    /// Loads and attaches it: natively, or in the stack for [`Mode::Generic`]; [`Mode::Auto`] tries both.
    ///
    /// # Errors
    /// Another program is attached; the kernel or the driver refuses. [`Failure::Usage`] for more than four VXLAN
    /// ports.
    pub fn attach(
        interface: &Interface,
        mode: Mode,
        take: Take,
        vxlan_ports: &[u16],
    ) -> Result<Self> {
        let ports = ports(vxlan_ports)?;
        let refusal = Refusal { interface };
        let there = netns::inside(interface.netns.as_deref(), || {
            attached::find(&interface.name)
        })?;
        if let Some(there) = there.map_err(|cause| refusal.unknown(&cause))? {
            return Err(refusal.taken(there));
        }
        let take_all = u8::from(take == Take::All);
        let mut object = load(take_all, &ports).map_err(|cause| refusal.load(cause.as_ref()))?;
        let program = program(&mut object).map_err(|cause| refusal.load(cause.as_ref()))?;
        let attach = |program: &mut Xdp, mode| {
            let name = &interface.name;
            netns::inside(interface.netns.as_deref(), || attach(program, name, mode))?
                .map_err(|cause| refusal.attach(mode, cause.as_ref()))
        };
        let (link, is_generic) = match mode {
            Mode::Generic => (attach(program, XdpMode::Skb)?, true),
            Mode::ZeroCopy | Mode::Copy => (attach(program, XdpMode::Driver)?, false),
            Mode::Auto => match attach(program, XdpMode::Driver) {
                Ok(link) => (link, false),
                // The driver's reasons are many (no XDP, too large an MTU, too few queues), and none binds the stack.
                Err(_) => (attach(program, XdpMode::Skb)?, true),
            },
        };
        let map = |cause: MapError| refusal.load(&cause);
        Ok(Taker {
            interface: interface.clone(),
            is_generic,
            sockets: take_map(&mut object, "sockets").map_err(map)?,
            left: take_map(&mut object, "left").map_err(map)?,
            _link: link,
        })
    }

    /// Whether it runs in the stack.
    pub fn is_generic(&self) -> bool {
        self.is_generic
    }

    /// From now on what it takes from `queue` goes to that socket. Closing the socket ends it.
    ///
    /// # Errors
    /// A queue over 1023; a socket that is not bound.
    pub fn direct(&mut self, queue: u32, socket: BorrowedFd<'_>) -> Result<()> {
        let refusal = Refusal {
            interface: &self.interface,
        };
        if queue >= QUEUES {
            return Err(refusal.no_room(queue, QUEUES));
        }
        self.sockets
            .set(queue, socket.as_raw_fd(), 0)
            .map_err(|cause| refusal.direct(queue, &cause))
    }

    /// Frames left to the kernel so far, all queues: what it does not take, and what had no socket to go to.
    ///
    /// # Errors
    /// The kernel does not let the map be read.
    pub fn left(&self) -> Result<u64> {
        let counts = self.left.get(&0, 0).map_err(|cause| {
            Refusal {
                interface: &self.interface,
            }
            .unknown(&cause)
        })?;
        Ok(counts.iter().sum())
    }
}

/// The program's array of ports; what is not used is 0, which no tunnel has.
fn ports(ports: &[u16]) -> Result<[u16; PORTS]> {
    let mut array = [0; PORTS];
    let room = array.get_mut(..ports.len()).ok_or_else(|| {
        Failure::Usage(format!(
            "{} VXLAN ports: a receiver looks behind {PORTS} at most",
            ports.len()
        ))
    })?;
    room.copy_from_slice(ports);
    Ok(array)
}

/// Loads object and maps. No BTF of the running kernel is needed: the program touches no kernel structure.
fn load(take_all: u8, ports: &[u16; PORTS]) -> std::result::Result<Ebpf, Cause> {
    Ok(EbpfLoader::new()
        .btf(None)
        .override_global("take_all", &take_all, true)
        .override_global("vxlan_ports", ports, true)
        .load(OBJECT)?)
}

/// Has the kernel verify the program.
fn program(object: &mut Ebpf) -> std::result::Result<&mut Xdp, Cause> {
    let program = object.program_mut("take").ok_or("no program `take`")?;
    let program: &mut Xdp = program.try_into()?;
    program.load()?;
    Ok(program)
}

/// Attaches by a link, in the calling thread's network namespace. aya falls back to netlink where links are not known;
/// that attachment would outlive us, so it is undone.
fn attach(program: &mut Xdp, name: &str, mode: XdpMode) -> std::result::Result<FdLink, Cause> {
    let link = program.attach(name, mode)?;
    let link = program.take_link(link)?;
    Ok(FdLink::try_from(link)?)
}

fn take_map<T>(object: &mut Ebpf, name: &str) -> std::result::Result<T, MapError>
where
    T: TryFrom<aya::maps::Map, Error = MapError>,
{
    let map = (object.take_map(name)).ok_or_else(|| MapError::InvalidName { name: name.into() })?;
    T::try_from(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::signature::{MAGIC, MARK};

    #[test]
    fn the_program_knows_the_same_numbers() {
        let source = include_str!("../../bpf/take.bpf.c");
        for define in [
            format!("#define MAGIC {MAGIC:#06x}\n"),
            format!("#define MARK {MARK:#06x}\n"),
            format!("#define QUEUES {QUEUES}\n"),
            format!("#define VXLAN_PORTS {PORTS}\n"),
        ] {
            assert!(source.contains(&define), "{define}");
        }
    }

    #[test]
    fn four_ports_fit_and_five_are_refused() {
        assert_eq!(ports(&[]).unwrap(), [0; 4]);
        assert_eq!(ports(&[8472, 4789]).unwrap(), [8472, 4789, 0, 0]);
        let failure = ports(&[1, 2, 3, 4, 5]).unwrap_err();
        assert!(matches!(failure, Failure::Usage(_)));
        assert!(failure.to_string().contains("5 VXLAN ports"), "{failure}");
    }
}
