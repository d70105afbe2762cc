//! Finding and running the plugin that does the work.
//!
//! It gets our environment, the rendered configuration on stdin, and our stderr for its logs; its stdout is read, bounded,
//! and handed on byte by byte (specification, section 4).

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::Object;
use crate::conf::clip;
use crate::error::{CniError, Code, Failure};

/// Most that a plugin may print, bytes. A result has some hundred for each interface.
const OUTPUT_LEN: u64 = 4 << 20;

/// Where distributions and CNI's own releases put plugins; looked into only to tell what CNI_PATH lacks.
const USUAL: [&str; 3] = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"];

/// The directories of `CNI_PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginPath(Vec<PathBuf>);

impl PluginPath {
    /// Splits the variable. An empty part would mean the working directory, which is nobody's plugin directory.
    pub fn new(variable: &OsStr) -> Self {
        let parts = std::env::split_paths(variable);
        PluginPath(parts.filter(|p| p != Path::new("")).collect())
    }

    /// The plugin of a name that `render::delegate_type` took.
    pub fn find(&self, kind: &str) -> Result<Delegate, CniError> {
        let program = |directory: &Path| {
            let path = directory.join(kind);
            path.is_file().then_some(path)
        };
        if let Some(program) = self.0.iter().find_map(|directory| program(directory)) {
            return Ok(Delegate {
                kind: kind.to_owned(),
                program,
            });
        }
        let list: Vec<_> = self.0.iter().map(|d| d.display().to_string()).collect();
        let remedy = match USUAL.iter().find(|d| program(Path::new(d)).is_some()) {
            Some(directory) => {
                format!("it is in {directory}, so add that to the runtime's plugin directories")
            }
            None => "install it (Debian: apt-get install containernetworking-plugins, which puts it into /usr/lib/cni)".to_owned(),
        };
        Err(CniError::new(
            Code::Unavailable,
            format!(
                "plugin {kind:?} is in no directory of CNI_PATH ({}): {remedy}",
                list.join(", ")
            ),
        ))
    }
}

/// A plugin that was found.
#[derive(Clone, Debug)]
pub struct Delegate {
    kind: String,
    program: PathBuf,
}

impl Delegate {
    /// Runs it; what it printed. `command` replaces `CNI_COMMAND`.
    pub fn run(&self, conf: Object, command: Option<&str>) -> Result<Vec<u8>, Failure> {
        let mut process = Command::new(&self.program);
        if let Some(command) = command {
            process.env("CNI_COMMAND", command);
        }
        let child = process
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                self.failed("cannot be started: it must be an executable of this machine")
                    .because(error)
            })?;
        let (status, stdout) = converse(child, Value::from(conf).to_string().as_bytes())
            .map_err(|error| self.failed("ran, and talking to it failed").because(error))?;
        if status.success() {
            return Ok(stdout);
        }
        Err(self.failure(status, stdout))
    }

    /// As [`run`](Self::run), for ADD, whose answer must be a result: what is none would fail in the runtime with the pod
    /// half connected.
    pub fn run_for_result(&self, conf: Object) -> Result<Vec<u8>, Failure> {
        let stdout = self.run(conf, None)?;
        match serde_json::from_slice::<Object>(&stdout) {
            Ok(_) => Ok(stdout),
            Err(error) => Err(self
                .failed("ended well and printed no CNI result: try the plugin by hand")
                .because(format!("{error}: {}", shown(&stdout)))
                .into()),
        }
    }

    fn failure(&self, status: ExitStatus, stdout: Vec<u8>) -> Failure {
        let says_why = serde_json::from_slice::<Object>(&stdout)
            .is_ok_and(|object| object.get("code").is_some_and(Value::is_number));
        match status.code().map(u8::try_from) {
            Some(Ok(exit_code)) if says_why => Failure::Delegate { stdout, exit_code },
            _ => self
                .failed(&format!(
                    "ended with {status} and no CNI error: its log is on stderr"
                ))
                .because(shown(&stdout))
                .into(),
        }
    }

    fn failed(&self, what: &str) -> CniError {
        CniError::new(
            Code::DelegateFailed,
            format!("plugin {:?} ({}) {what}", self.kind, self.program.display()),
        )
    }
}

/// Writes and reads at the same time: a plugin may print before it has read all.
fn converse(mut child: Child, input: &[u8]) -> std::io::Result<(ExitStatus, Vec<u8>)> {
    let mut stdout = Vec::new();
    let (stdin, output) = (child.stdin.take(), child.stdout.take());
    let read = std::thread::scope(|scope| {
        scope.spawn(|| {
            // A plugin need not read what it does not use; its exit code tells how it went.
            let _ = stdin.map(|mut stdin| stdin.write_all(input));
        });
        // Taken by value, so that the pipe is closed after the bound and a plugin that prints for ever ends.
        output.map(|output| output.take(OUTPUT_LEN).read_to_end(&mut stdout))
    });
    let status = child.wait()?;
    read.transpose()?;
    Ok((status, stdout))
}

fn shown(stdout: &[u8]) -> String {
    match String::from_utf8_lossy(stdout).trim() {
        "" => "it printed nothing".to_owned(),
        text => format!("it printed {:?}", clip(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program of the system, found as a plugin would be.
    fn program(kind: &str) -> Delegate {
        PluginPath::new(OsStr::new("/nonexistent::/usr/bin:/bin"))
            .find(kind)
            .unwrap()
    }

    #[test]
    fn the_first_directory_that_has_it() {
        let delegate = program("cat");
        assert!(delegate.program.ends_with("bin/cat"));
    }

    #[test]
    fn a_plugin_that_is_not_there_is_told_with_directories_and_package() {
        let path = PluginPath::new(OsStr::new("/a:/b/c"));
        let error = path.find("tweed-nonesuch").unwrap_err();
        assert_eq!(error.code, Code::Unavailable);
        for word in [
            "tweed-nonesuch",
            "(/a, /b/c)",
            "containernetworking-plugins",
        ] {
            assert!(error.msg.contains(word), "{}", error.msg);
        }
    }

    #[test]
    fn stdout_is_handed_on() {
        let conf: Object = serde_json::from_str(r#"{"a":1}"#).unwrap();
        assert_eq!(
            program("cat").run(conf.clone(), None).unwrap(),
            b"{\"a\":1}"
        );
        assert_eq!(program("cat").run_for_result(conf).unwrap(), b"{\"a\":1}");
    }

    #[test]
    fn a_program_that_is_no_plugin_is_told() {
        for (kind, word) in [("false", "exit status: 1"), ("true", "no CNI result")] {
            let failure = program(kind).run_for_result(Object::new()).unwrap_err();
            let Failure::Own(error) = failure else {
                panic!("{failure:?}")
            };
            assert_eq!(error.code, Code::DelegateFailed);
            assert!(error.msg.contains(word), "{}", error.msg);
        }
        // It prints for ever and reads nothing.
        assert!(program("yes").run_for_result(Object::new()).is_err());
    }
}
