//! What must survive a restart and a reboot: the VTEP MAC and the last subnet, a line of text each, in `node.state_dir`; and
//! what must survive a restart alone: the subnets that pods of this boot can have addresses of.
//!
//! The MAC is in every peer's tables. flanneld in etcd mode keeps it only in its kernel device and publishes a new one
//! after each reboot; ours is chosen once. A file that is there but cannot be understood is an error for the MAC,
//! because replacing it silently would change the node's identity, and nothing for the subnet, which is only a wish.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use contract::wire::Mac;
use ipnet::Ipv4Net;
use thiserror::Error;

use crate::replace::{ReplaceError, replace};

/// Why the node's state could not be had.
#[derive(Debug, Error)]
pub enum StateError {
    /// The file is there and cannot be read.
    #[error("cannot read {path}: {source}; it must be readable for tweed-control")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file does not hold a usable MAC address.
    #[error(
        "{path} holds {found:?}, not a unicast MAC address; write the VTEP MAC of this node's lease there, or remove \
         the file to let peers learn a new one"
    )]
    Mac {
        /// The file.
        path: PathBuf,
        /// Its first characters.
        found: String,
    },
    /// Another control has the directory.
    #[error(
        "{path} is locked: another tweed-control uses this node.state_dir, and two would publish one VTEP MAC; stop it, or \
         give this one a state_dir of its own"
    )]
    Taken {
        /// The lock.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] ReplaceError),
}

/// A new one at each boot (linux: Documentation/admin-guide/sysctl/kernel.rst, random).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The directory `node.state_dir`.
#[derive(Clone, Debug)]
pub struct State {
    directory: PathBuf,
    boot: String,
}

impl State {
    /// Nothing is read or made yet.
    pub fn new(directory: &Path) -> Self {
        // Without an id all boots are one, and a subnet is fenced longer than need be, which harms nobody.
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
        State {
            directory: directory.to_owned(),
            boot: boot.trim().to_owned(),
        }
    }

    /// Keeps other controls away as long as the returned file lives: the kernel ends the lock with the process.
    pub fn lock(&self) -> Result<fs::File, StateError> {
        let path = self.directory.join("lock");
        let unreadable = |source| StateError::Read {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(&self.directory).map_err(unreadable)?;
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(unreadable)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(StateError::Taken { path }),
            Err(fs::TryLockError::Error(source)) => Err(StateError::Read { path, source }),
        }
    }

    /// This node's VTEP MAC: the one on disk, or a new random one (locally administered, unicast), saved before it is
    /// returned.
    pub fn vtep_mac(&self) -> Result<Mac, StateError> {
        if let Some(mac) = self.known_vtep_mac()? {
            return Ok(mac);
        }
        let mac = random_mac();
        self.adopt_vtep_mac(mac)?;
        Ok(mac)
    }

    /// The VTEP MAC on disk, if there is one.
    pub fn known_vtep_mac(&self) -> Result<Option<Mac>, StateError> {
        let path = self.vtep_mac_path();
        match fs::read(&path) {
            Ok(bytes) => match parse_mac(&bytes) {
                Some(mac) => Ok(Some(mac)),
                None => Err(StateError::Mac {
                    found: String::from_utf8_lossy(&bytes)
                        .trim()
                        .chars()
                        .take(40)
                        .collect(),
                    path,
                }),
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::Read { path, source }),
        }
    }

    /// From now on this is our VTEP MAC: that of a device which other nodes know already. Whatever the file says.
    pub fn adopt_vtep_mac(&self, mac: Mac) -> Result<(), StateError> {
        let text = format!("{mac}\n");
        let path = self.vtep_mac_path();
        if fs::read(&path).is_ok_and(|found| found == text.as_bytes()) {
            return Ok(());
        }
        Ok(replace(&path, text.as_bytes(), 0o644)?)
    }

    /// The subnet that [`State::remember_subnet`] last saved, if it can still be read.
    pub fn previous_subnet(&self) -> Option<Ipv4Net> {
        let text = fs::read_to_string(self.subnet_path()).ok()?;
        text.trim().parse::<Ipv4Net>().ok().map(|net| net.trunc())
    }

    /// Saves the subnet that the next run should ask for.
    pub fn remember_subnet(&self, subnet: Ipv4Net) -> Result<(), StateError> {
        Ok(replace(
            &self.subnet_path(),
            format!("{subnet}\n").as_bytes(),
            0o644,
        )?)
    }

    /// The subnets that pods can have got addresses from since the machine booted. What cannot be read is passed over.
    pub fn given_out(&self) -> BTreeSet<Ipv4Net> {
        let text = fs::read_to_string(self.given_out_path()).unwrap_or_default();
        match text.split_once('\n') {
            Some((boot, subnets)) if boot == self.boot => subnets
                .lines()
                .filter_map(|line| line.trim().parse::<Ipv4Net>().ok())
                .map(|net| net.trunc())
                .collect(),
            _ => BTreeSet::new(),
        }
    }

    /// Saves what [`State::given_out`] shall say until the next boot.
    pub fn remember_given_out(&self, subnets: &BTreeSet<Ipv4Net>) -> Result<(), StateError> {
        let lines: String = subnets.iter().map(|net| format!("{net}\n")).collect();
        let text = format!("{}\n{lines}", self.boot);
        Ok(replace(&self.given_out_path(), text.as_bytes(), 0o644)?)
    }

    fn vtep_mac_path(&self) -> PathBuf {
        self.directory.join("vtep-mac")
    }

    fn subnet_path(&self) -> PathBuf {
        self.directory.join("subnet")
    }

    fn given_out_path(&self) -> PathBuf {
        self.directory.join("given-out")
    }
}

fn parse_mac(bytes: &[u8]) -> Option<Mac> {
    let mac: Mac = std::str::from_utf8(bytes).ok()?.trim().parse().ok()?;
    (mac.is_unicast() && mac != Mac([0; 6])).then_some(mac)
}

/// 46 random bits below the two that say "chosen here" and "one station" (IEEE 802, as flannel's `pkg/mac`).
fn random_mac() -> Mac {
    let mut bytes = [0; 6];
    fastrand::fill(&mut bytes);
    bytes[0] = bytes[0] & 0xfc | 0x02;
    Mac(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_is_chosen_once() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::new(&dir.path().join("tweed"));
        let mac = state.vtep_mac().unwrap();
        assert_eq!(
            mac.0[0] & 3,
            2,
            "{mac} is not locally administered and unicast"
        );
        assert_eq!(state.vtep_mac().unwrap(), mac);
        let other = State::new(&dir.path().join("other"));
        assert_ne!(other.vtep_mac().unwrap(), mac);
    }

    #[test]
    fn a_mac_that_others_know_is_adopted_over_whatever_was_chosen() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::new(dir.path());
        assert_eq!(state.known_vtep_mac().unwrap(), None);
        state.vtep_mac().unwrap();
        let known = Mac([2, 0xf1, 0, 0, 0, 7]);
        state.adopt_vtep_mac(known).unwrap();
        assert_eq!(state.vtep_mac().unwrap(), known);
    }

    #[test]
    fn a_corrupt_mac_names_the_file_and_the_remedy_and_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vtep-mac");
        for junk in [
            &b""[..],
            b"\0\0\0",
            b"02:00:00:00:00",
            b"01:00:5e:00:00:01",
            b"00:00:00:00:00:00",
            b"\xff\xfe",
        ] {
            fs::write(&path, junk).unwrap();
            let message = State::new(dir.path()).vtep_mac().unwrap_err().to_string();
            assert!(
                message.contains("vtep-mac") && message.contains("remove the file"),
                "{message}"
            );
            assert_eq!(fs::read(&path).unwrap(), junk);
        }
    }

    #[test]
    fn the_subnet_is_remembered_and_junk_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::new(dir.path());
        assert_eq!(state.previous_subnet(), None);
        state
            .remember_subnet("10.244.7.0/24".parse().unwrap())
            .unwrap();
        assert_eq!(
            state.previous_subnet(),
            Some("10.244.7.0/24".parse().unwrap())
        );
        fs::write(dir.path().join("subnet"), b"\xff10.244").unwrap();
        assert_eq!(state.previous_subnet(), None);
    }

    #[test]
    fn what_was_given_out_is_remembered_until_the_next_boot() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::new(dir.path());
        assert!(!state.boot.is_empty(), "the kernel names no boot");
        assert_eq!(state.given_out(), BTreeSet::new());
        let nets = |text: &str| -> BTreeSet<Ipv4Net> {
            text.split(' ').map(|net| net.parse().unwrap()).collect()
        };
        let given_out = nets("10.244.7.0/24 10.244.9.0/24");
        state.remember_given_out(&given_out).unwrap();
        assert_eq!(State::new(dir.path()).given_out(), given_out);
        let next_boot = State {
            boot: "another".into(),
            ..state.clone()
        };
        assert_eq!(next_boot.given_out(), BTreeSet::new());
        next_boot
            .remember_given_out(&nets("10.244.8.0/24"))
            .unwrap();
        assert_eq!(next_boot.given_out(), nets("10.244.8.0/24"));
        fs::write(dir.path().join("given-out"), b"another\n\xff\n").unwrap();
        assert_eq!(next_boot.given_out(), BTreeSet::new());
        fs::write(
            dir.path().join("given-out"),
            "another\n10.244.1.0/24\n10.2\n",
        )
        .unwrap();
        assert_eq!(next_boot.given_out(), nets("10.244.1.0/24"));
    }

    #[test]
    fn random_macs_are_ours_to_choose() {
        for _ in 0..1000 {
            assert_eq!(random_mac().0[0] & 3, 2);
        }
    }

    #[test]
    fn a_state_directory_has_one_owner_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::new(&dir.path().join("state"));
        let held = state.lock().unwrap();
        let message = state.lock().unwrap_err().to_string();
        assert!(message.contains("another tweed-control"), "{message}");
        drop(held);
        state.lock().unwrap();
    }
}
