//! Other people's programs, where the kernel has no better way to be asked. Each may be missing, and none may keep us waiting.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Longest wait for one.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a program printed, if it ended well and in time.
pub fn run(program: &str, arguments: &[&str]) -> io::Result<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
    let (out, err) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let Ok(text) = out.recv_timeout(PATIENCE) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(io::Error::other(format!(
            "{program} did not answer within {} s",
            PATIENCE.as_secs()
        )));
    };
    let status = child.wait()?;
    if status.success() {
        return Ok(text);
    }
    let said = err.recv_timeout(PATIENCE).unwrap_or_default();
    let said = said.lines().next().unwrap_or_default().trim();
    Err(io::Error::other(format!("{program}: {said} ({status})")))
}

/// Reads to the end on a thread of its own, so that a full pipe stops nobody and a silent one can be left.
fn drain(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        // Nobody waits any more if it took too long.
        let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_comes_back_and_so_does_its_complaint() {
        assert_eq!(run("echo", &["a", "b"]).unwrap(), "a b\n");
        let error = run("ls", &["/no/such/file"]).unwrap_err().to_string();
        assert!(
            error.starts_with("ls: ") && error.contains("/no/such/file"),
            "{error}"
        );
        let error = run("no-such-program", &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("no-such-program"));
    }
}
