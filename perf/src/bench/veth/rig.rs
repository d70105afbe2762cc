//! The two veth pairs around one device under test, in two namespaces of their own. See `plan` for the picture.
//!
//! Each device under test has a rig for as long as the benchmark runs, so that going from one to the next builds nothing.

use std::path::{Path, PathBuf};

use super::plan::{Link, OVERLAY, OWN_VTEP, UNDERLAY, UNDERLAY_LEN};
use crate::bench::Result;
use crate::lab::name::Prefix;
use crate::lab::{LabError, Namespace};

/// A device's surroundings.
pub struct Rig {
    /// Where the device under test is.
    pub device: Namespace,
    /// Where the generator and the counter are.
    pub outside: Namespace,
    directory: PathBuf,
}

impl Rig {
    /// Builds one.
    pub fn build() -> Result<Self> {
        let prefix = Prefix::unique();
        let rig = Rig {
            device: Namespace::create(&prefix, "dut")?,
            outside: Namespace::create(&prefix, "outside")?,
            directory: prefix.directory(),
        };
        std::fs::create_dir_all(&rig.directory)
            .map_err(LabError::io(format!("create {}", rig.directory.display())))?;
        for link in [OVERLAY, UNDERLAY] {
            rig.join(link)?;
        }
        // Whoever owns the tunnel may want to bind to this.
        rig.device.ip(&format!(
            "addr add {OWN_VTEP}/{UNDERLAY_LEN} dev {}",
            UNDERLAY.device
        ))?;
        Ok(rig)
    }

    /// Where files and logs go.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn join(&self, link: Link) -> Result<()> {
        let Link {
            device,
            mac,
            outside,
            outside_mac,
        } = link;
        self.device.ip(&format!(
            "link add {device} address {mac} type veth peer name {outside} address {outside_mac} netns {}\n\
             link set {device} up",
            self.outside.name()
        ))?;
        self.outside.ip(&format!("link set {outside} up"))?;
        self.device.make_wire(device)?;
        self.outside.make_wire(outside)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
