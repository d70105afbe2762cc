//! A conversation like ssh's: one TCP connection, short lines to and fro, each echoed before the next is sent.
//!
//! It runs until it is ended, and counts. A reset, a hole of several seconds or a wrong byte is an error: what an operator
//! at that shell would have noticed.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::lab::error::{LabError, Result};
use crate::lab::namespace::Namespace;

/// Silence after which the operator gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two lines: a fast typist with key repeat.
const PAUSE: Duration = Duration::from_millis(5);

/// A running conversation.
pub struct Talk {
    end: Arc<AtomicBool>,
    lines: Arc<AtomicU64>,
    client: Option<JoinHandle<io::Result<()>>>,
    server: Option<JoinHandle<io::Result<()>>>,
}

impl Talk {
    /// Connects `from` to `address`, which is in `to`, and begins.
    pub fn start(
        from: &impl AsRef<Namespace>,
        to: &impl AsRef<Namespace>,
        address: Ipv4Addr,
    ) -> Result<Self> {
        let failed = |what: &str| LabError::io(format!("{what} {address} for a conversation"));
        let listener = to
            .as_ref()
            .inside(|| TcpListener::bind((address, 0)))?
            .map_err(failed("listen on"))?;
        let target = listener.local_addr().map_err(failed("listen on"))?;
        let client = from
            .as_ref()
            .inside(|| TcpStream::connect_timeout(&target, PATIENCE))?
            .map_err(failed("connect to"))?;
        let (server, _) = listener.accept().map_err(failed("accept on"))?;
        let end = Arc::new(AtomicBool::new(false));
        let lines = Arc::new(AtomicU64::new(0));
        let (ending, counting) = (end.clone(), lines.clone());
        Ok(Talk {
            end,
            lines,
            client: Some(std::thread::spawn(move || ask(client, &ending, &counting))),
            server: Some(std::thread::spawn(move || answer(server))),
        })
    }

    /// Lines echoed so far.
    pub fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// Ends it: how many lines were echoed, or what broke it.
    pub fn stop(mut self) -> Result<u64> {
        self.end.store(true, Ordering::Relaxed);
        for thread in [self.client.take(), self.server.take()]
            .into_iter()
            .flatten()
        {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                .map_err(LabError::io("keep a conversation up"))?;
        }
        Ok(self.lines())
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        for thread in [self.client.take(), self.server.take()]
            .into_iter()
            .flatten()
        {
            let _ = thread.join();
        }
    }
}

fn ask(mut stream: TcpStream, end: &AtomicBool, lines: &AtomicU64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut echo = [0; 8];
    while !end.load(Ordering::Relaxed) {
        let line = lines.load(Ordering::Relaxed).to_be_bytes();
        stream.write_all(&line)?;
        stream.read_exact(&mut echo)?;
        if echo != line {
            return Err(io::Error::other("the echo is not what was said"));
        }
        lines.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut line = [0; 8];
    loop {
        match stream.read_exact(&mut line) {
            Ok(()) => stream.write_all(&line)?,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
