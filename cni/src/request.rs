//! What the runtime asks: the environment, checked before anything else is read.
//!
//! The container's id becomes a file name and the interface's name goes to the kernel, so both are held to the
//! specification's characters here and are types from then on: no slash, no leading dot.

use std::ffi::{OsStr, OsString};

use crate::delegate::PluginPath;
use crate::error::{CniError, Code};

/// A container's id: starts alphanumeric, goes on with `_`, `.`, `-` too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerId(String);

impl ContainerId {
    /// The id, if it is one. Runtimes use 64 characters; what no file name could hold beside a prefix is refused.
    pub fn parse(text: &str) -> Option<Self> {
        (is_name(text) && text.len() <= 200).then(|| ContainerId(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of an interface in a container, as the kernel would take it (`dev_valid_name` in `net/core/dev.c`) and
/// without the colon that the kernel reserves for aliases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfName(String);

impl IfName {
    /// The name, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let forbidden = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
        let good = !text.is_empty()
            && text.len() <= 15
            && text != "."
            && text != ".."
            && !text.contains(forbidden);
        good.then(|| IfName(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether this is a name in the specification's sense: of a container or a network.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// One interface of one container: what ADD makes and DEL removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The container.
    pub container: ContainerId,
    /// Its interface.
    pub ifname: IfName,
}

/// A command with what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Which versions are spoken?
    Version,
    /// A command on a network's configuration.
    Network(Verb, PluginPath),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Join a container to the network.
    Add(Attachment),
    /// Take it out again.
    Del(Attachment),
    /// Is it still as ADD left it?
    Check(Attachment),
    /// Remove what belongs to no valid attachment.
    Gc,
    /// Could ADD work now?
    Status,
}

impl Request {
    /// Reads the environment. Every variable that is missing is named at once.
    pub fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, CniError> {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        let mut missing = Vec::new();
        let mut need = |name| {
            let value = variable(name);
            if value.is_none() {
                missing.push(name);
            }
            value.unwrap_or_default()
        };
        let command = need("CNI_COMMAND");
        let (attached, netns) = match command.to_str().unwrap_or_default() {
            "VERSION" => return Ok(Request::Version),
            "ADD" | "CHECK" => (true, true),
            "DEL" => (true, false),
            "GC" | "STATUS" => (false, false),
            _ if command.is_empty() => return Err(lacks(&missing)),
            _ => return Err(bad("CNI_COMMAND", &command, COMMANDS)),
        };
        let (container, ifname) = if attached {
            (need("CNI_CONTAINERID"), need("CNI_IFNAME"))
        } else {
            Default::default()
        };
        if netns {
            need("CNI_NETNS");
        }
        let path = PluginPath::new(&need("CNI_PATH"));
        if !missing.is_empty() {
            return Err(lacks(&missing));
        }
        let verb = match command.to_str() {
            Some("GC") => Verb::Gc,
            Some("STATUS") => Verb::Status,
            command => {
                let attachment = attachment(&container, &ifname)?;
                match command {
                    Some("ADD") => Verb::Add(attachment),
                    Some("CHECK") => Verb::Check(attachment),
                    _ => Verb::Del(attachment),
                }
            }
        };
        Ok(Request::Network(verb, path))
    }
}

const COMMANDS: &str = "one of ADD, DEL, CHECK, GC, STATUS, VERSION";

fn attachment(container: &OsStr, ifname: &OsStr) -> Result<Attachment, CniError> {
    Ok(Attachment {
        container: container
            .to_str()
            .and_then(ContainerId::parse)
            .ok_or_else(|| {
                bad(
                    "CNI_CONTAINERID",
                    container,
                    "at most 200 letters, digits, '_', '.' and '-', the first a letter or digit",
                )
            })?,
        ifname: ifname.to_str().and_then(IfName::parse).ok_or_else(|| {
            bad(
                "CNI_IFNAME",
                ifname,
                "at most 15 bytes without '/', ':' and blanks",
            )
        })?,
    })
}

fn lacks(names: &[&str]) -> CniError {
    let names = names.join(", ");
    CniError::new(
        Code::InvalidEnvironment,
        format!(
            "environment lacks {names}: tweed-cni is run by a container runtime, see tweed-cni --help"
        ),
    )
}

fn bad(name: &str, value: &OsStr, expected: &str) -> CniError {
    // Shown, not believed: control characters are escaped and the length is bounded.
    let shown: String = format!("{value:?}").chars().take(300).collect();
    CniError::new(
        Code::InvalidEnvironment,
        format!("environment has {name}={shown}: expected {expected}"),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Request, CniError> {
        Request::read(|name| {
            let value = pairs.iter().find(|(key, _)| *key == name)?.1;
            Some(value.into())
        })
    }

    const ADD: [(&str, &str); 5] = [
        ("CNI_COMMAND", "ADD"),
        ("CNI_CONTAINERID", "c0ffee"),
        ("CNI_NETNS", "/run/netns/x"),
        ("CNI_IFNAME", "eth0"),
        ("CNI_PATH", "/opt/cni/bin"),
    ];

    fn with(name: &str, value: &str) -> Vec<(String, String)> {
        let mut pairs: Vec<_> = ADD
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        pairs.retain(|(key, _)| key != name);
        pairs.push((name.to_owned(), value.to_owned()));
        pairs
    }

    fn read_with(name: &str, value: &str) -> Result<Request, CniError> {
        let pairs = with(name, value);
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        read(&pairs)
    }

    #[test]
    fn a_whole_environment_is_a_request() {
        let Ok(Request::Network(Verb::Add(attachment), _)) = read(&ADD) else {
            panic!("{:?}", read(&ADD));
        };
        assert_eq!(attachment.container.as_str(), "c0ffee");
        assert_eq!(attachment.ifname.as_str(), "eth0");
        assert_eq!(read(&[("CNI_COMMAND", "VERSION")]), Ok(Request::Version));
    }

    #[test]
    fn each_command_names_what_it_lacks() {
        for (command, names) in [
            ("ADD", "CNI_CONTAINERID, CNI_IFNAME, CNI_NETNS, CNI_PATH"),
            ("CHECK", "CNI_CONTAINERID, CNI_IFNAME, CNI_NETNS, CNI_PATH"),
            ("DEL", "CNI_CONTAINERID, CNI_IFNAME, CNI_PATH"),
            ("GC", "CNI_PATH"),
            ("STATUS", "CNI_PATH"),
            ("", "CNI_COMMAND"),
        ] {
            let error = read(&[("CNI_COMMAND", command)]).unwrap_err();
            assert_eq!(error.code, Code::InvalidEnvironment);
            let said = format!("environment lacks {names}:");
            assert!(error.msg.starts_with(&said), "{command}: {}", error.msg);
        }
    }

    #[test]
    fn hostile_names_are_refused_with_the_variables_name() {
        let long = "a".repeat(201);
        for id in [
            "..", ".", ".hidden", "../x", "a/b", "a:b", "-a", "_a", "ä", "a b", "a\n", &long,
        ] {
            let error = read_with("CNI_CONTAINERID", id).unwrap_err();
            assert_eq!(error.code, Code::InvalidEnvironment);
            assert!(error.msg.contains("CNI_CONTAINERID"), "{}", error.msg);
            assert!(!error.msg.contains('\n') && error.msg.len() < 500);
        }
        for name in [".", "..", "a/b", "a:1", "a b", "\u{1}", "sixteen-letters-"] {
            let error = read_with("CNI_IFNAME", name).unwrap_err();
            assert!(error.msg.contains("CNI_IFNAME"), "{}", error.msg);
        }
        for command in ["add", "ADD ", "FROB"] {
            let error = read_with("CNI_COMMAND", command).unwrap_err();
            assert!(error.msg.contains("one of ADD, DEL"), "{}", error.msg);
        }
        assert!(read_with("CNI_CONTAINERID", "a..b").is_ok());
        assert!(read_with("CNI_CONTAINERID", &long[1..]).is_ok());
        assert!(read_with("CNI_IFNAME", "fifteen-letters").is_ok());
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let error = Request::read(|name| {
            Some(match name {
                "CNI_CONTAINERID" => OsString::from_vec(vec![b'a', 0xff]),
                "CNI_COMMAND" => "DEL".into(),
                _ => "x".into(),
            })
        })
        .unwrap_err();
        assert!(error.msg.contains("CNI_CONTAINERID"), "{}", error.msg);
    }
}
