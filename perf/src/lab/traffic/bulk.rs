//! A file over TCP, compared by hash at both ends.
//!
//! The kernel moves the bytes (`io::copy` is sendfile(2) on the way out and splice(2) on the way in) and openssl makes and
//! hashes them, so the test's own speed hardly matters, whatever its build profile. Where the CPU has instructions for it,
//! openssl hashes four times as fast as sha256sum, and draws twice as fast as /dev/urandom.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::lab::error::{LabError, Result, expect};
use crate::lab::namespace::Namespace;
use crate::lab::process::run;

/// Random bytes to send; one file serves many transfers.
pub struct Bulk {
    path: PathBuf,
    hash: String,
    len: u64,
}

impl Bulk {
    /// `len` random bytes in a file below `directory`.
    pub fn random(directory: &Path, len: u64) -> Result<Self> {
        let path = directory.join(format!("bulk-{len}"));
        run(Command::new("openssl")
            .args(["rand", "-out"])
            .arg(&path)
            .arg(len.to_string()))?;
        let file = File::open(&path).map_err(LabError::io(format!("open {}", path.display())))?;
        let hash = sha256(file.into())?;
        Ok(Bulk { path, hash, len })
    }

    /// Sends it from `from` to `address`, which is in `to`, and compares.
    pub fn run(
        &self,
        from: &impl AsRef<Namespace>,
        to: &impl AsRef<Namespace>,
        address: Ipv4Addr,
    ) -> Result<()> {
        let failed = |what: &str| LabError::io(format!("{what} {address} for a bulk transfer"));
        let listener = to
            .as_ref()
            .inside(|| TcpListener::bind((address, 0)))?
            .map_err(failed("listen on"))?;
        let target = listener.local_addr().map_err(failed("listen on"))?;
        let received = std::thread::scope(|scope| {
            let receiver = scope.spawn(|| -> Result<String> {
                let (stream, _) = listener.accept().map_err(failed("accept on"))?;
                hash_stream(stream)
            });
            let mut stream = from
                .as_ref()
                .inside(|| TcpStream::connect(target))?
                .map_err(failed("connect to"))?;
            let mut file = File::open(&self.path).map_err(failed("open the file for"))?;
            let sent = std::io::copy(&mut file, &mut stream).map_err(failed("send to"))?;
            drop(stream);
            expect(sent == self.len, || {
                format!("only {sent} of {} bytes were sent", self.len)
            })?;
            receiver
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        expect(received == self.hash, || {
            format!("{address} received other bytes than were sent")
        })
    }
}

/// The hash of what a peer sends until it closes.
fn hash_stream(stream: TcpStream) -> Result<String> {
    use std::os::fd::OwnedFd;
    sha256(Stdio::from(OwnedFd::from(stream)))
}

fn sha256(input: Stdio) -> Result<String> {
    let output = Command::new("openssl")
        .args(["dgst", "-sha256", "-r"])
        .stdin(input)
        .output()
        .map_err(|source| LabError::Start {
            command: "openssl dgst".to_owned(),
            source,
        })?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.split_whitespace().next() {
        Some(hash) if output.status.success() && hash.len() == 64 => Ok(hash.to_owned()),
        _ => Err(LabError::parse("a hash of openssl", &text)),
    }
}
