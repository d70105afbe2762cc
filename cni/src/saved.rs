//! Delegates' configurations, kept from ADD to DEL.
//!
//! One file for each attachment, `<dataDir>/<container>`: name and contents are those of flannel's plugin, so that a node may
//! change from one to the other with pods running. flannel has one file for a container however many interfaces it gave it;
//! the second overwrites the first, whose address is never freed. Here the file says which interface it is for, by a key that
//! plugins do not know and so ignore, and a second interface gets a file of its own, `<container>:<interface>` (neither name
//! can contain a colon).
//!
//! Files are replaced whole (written beside, synced, renamed), mode 0600, for what the runtime asked of a pod may be nobody's
//! business.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Object;
use crate::error::{CniError, Code};
use crate::render::delegate_type;
use crate::request::{Attachment, ContainerId, IfName};

/// The key that tells a file's interface.
const IFNAME: &str = "tweed-cni.ifname";

/// Most that a file may hold, bytes: more than any configuration that `conf::read` takes.
const FILE_LEN: u64 = 8 << 20;

/// The directory.
#[derive(Clone, Debug)]
pub struct SavedDir(PathBuf);

/// A configuration from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// Its file.
    pub path: PathBuf,
    /// The container.
    pub container: ContainerId,
    /// The interface; flannel's files do not tell.
    pub ifname: Option<String>,
    /// What the delegate was told, without `prevResult`.
    pub conf: Object,
}

/// What there is for an attachment.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// No file: never added, or deleted.
    Nothing,
    /// A file that holds no configuration: not JSON, or of no plugin.
    Mangled(PathBuf),
    /// Its configuration.
    Conf(Saved),
}

impl SavedDir {
    /// The directory at `path`, which need not exist.
    pub fn new(path: &Path) -> Self {
        SavedDir(path.to_owned())
    }

    /// Looks for an attachment's configuration.
    pub fn find(&self, attachment: &Attachment) -> Result<Found, CniError> {
        let Attachment { container, ifname } = attachment;
        let own = self
            .0
            .join(format!("{}:{}", container.as_str(), ifname.as_str()));
        match self.read(own, container)? {
            Found::Nothing => {}
            found => return Ok(found),
        }
        match self.read(self.0.join(container.as_str()), container)? {
            Found::Conf(Saved {
                ifname: Some(other),
                ..
            }) if other != ifname.as_str() => Ok(Found::Nothing),
            found => Ok(found),
        }
    }

    /// Keeps an attachment's configuration.
    pub fn save(&self, attachment: &Attachment, conf: &Object) -> Result<(), CniError> {
        let Attachment { container, ifname } = attachment;
        let mut name = container.as_str().to_owned();
        match self.read(self.0.join(&name), container)? {
            // The same attachment again, or a file that nobody can use.
            Found::Conf(saved) if saved.ifname.as_deref() == Some(ifname.as_str()) => {}
            Found::Conf(_) => name = format!("{name}:{}", ifname.as_str()),
            Found::Nothing | Found::Mangled(_) => {}
        }
        let mut conf = conf.clone();
        conf.insert(IFNAME.into(), ifname.as_str().into());
        let path = self.0.join(&name);
        self.write(&name, Value::from(conf).to_string().as_bytes())
            .map_err(|error| {
                CniError::new(
                    Code::Io,
                    format!("cannot write {}, without which DEL would not free the pod's address: dataDir must be writable for root and its disk not full", path.display()),
                )
                .because(error)
            })
    }

    /// All that can be read, by name. What is of no use to anyone (mangled, or not a name that ADD makes) is not listed.
    pub fn list(&self) -> Result<Vec<Saved>, CniError> {
        let unreadable = |error| {
            CniError::new(
                Code::Io,
                format!(
                    "cannot read {}: dataDir must be a directory",
                    self.0.display()
                ),
            )
            .because(error)
        };
        let entries = match fs::read_dir(&self.0) {
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            entries => entries.map_err(unreadable)?,
        };
        let mut all = Vec::new();
        for entry in entries {
            let name = entry.map_err(unreadable)?.file_name();
            let Some(container) = name.to_str().and_then(container_of) else {
                continue;
            };
            if let Ok(Found::Conf(saved)) = self.read(self.0.join(&name), &container) {
                all.push(saved);
            }
        }
        all.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(all)
    }

    fn read(&self, path: PathBuf, container: &ContainerId) -> Result<Found, CniError> {
        let bytes = match read_bounded(&path) {
            Err(error) if is_absent(&error) => return Ok(Found::Nothing),
            bytes => bytes.map_err(|error| {
                CniError::new(
                    Code::Io,
                    format!(
                        "cannot read {}: it must be a file that root can read",
                        path.display()
                    ),
                )
                .because(error)
            })?,
        };
        let mut conf = match serde_json::from_slice::<Object>(&bytes) {
            Ok(conf)
                if conf
                    .get("type")
                    .is_some_and(|kind| delegate_type(kind).is_ok()) =>
            {
                conf
            }
            _ => return Ok(Found::Mangled(path)),
        };
        let ifname = match conf.remove(IFNAME) {
            Some(Value::String(ifname)) => Some(ifname),
            _ => None,
        };
        Ok(Found::Conf(Saved {
            path,
            container: container.clone(),
            ifname,
            conf,
        }))
    }

    fn write(&self, name: &str, contents: &[u8]) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)?;
        // No container's name starts with a dot; the pid keeps two of us apart.
        let beside = self.0.join(format!(".{name}.{}", std::process::id()));
        let result =
            write_beside(&beside, contents).and_then(|()| fs::rename(&beside, self.0.join(name)));
        if result.is_err() {
            let _ = fs::remove_file(&beside);
            return result;
        }
        File::open(&self.0)?.sync_all()
    }
}

/// Forgets a file. One that cannot be removed costs a few bytes and a DEL that does nothing, so it only gets a line on stderr.
pub fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            eprintln!("tweed-cni: cannot remove {}: {error}", path.display());
        }
        _ => {}
    }
}

fn container_of(name: &str) -> Option<ContainerId> {
    match name.split_once(':') {
        None => ContainerId::parse(name),
        Some((container, ifname)) => {
            IfName::parse(ifname)?;
            ContainerId::parse(container)
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_LEN).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write_beside(beside: &Path, contents: &[u8]) -> io::Result<()> {
    // What a killed process of the same pid left; create_new follows no link that lies there.
    let _ = fs::remove_file(beside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(beside)?;
    file.write_all(contents)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
