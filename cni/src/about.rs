//! What a person sees who runs the plugin by hand.

use std::ffi::OsString;
use std::process::ExitCode;

/// Variables that only a runtime sets. With one of them but no `CNI_COMMAND`, a runtime is at fault and gets its error.
const RUNTIMES: [&str; 4] = ["CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"];

const SHORT: &str = "\
tweed-cni is a CNI plugin: the container runtime runs it, with CNI_COMMAND in the environment and a network
configuration on stdin. Try: tweed-cni --help
";

const HELP: &str = "\
tweed-cni - pod networks from subnet.env, delegated as flannel's CNI plugin does

USAGE
  CNI_COMMAND=ADD|DEL|CHECK|GC|STATUS|VERSION ... tweed-cni < CONFIGURATION     run by the container runtime
  tweed-cni --help | --version                                                run by you

WHAT IT DOES
  Reads the node's pod subnet from subnet.env (written by tweed-control or flanneld), makes from it and from the
  network configuration that of another plugin, by default bridge with host-local addresses, and runs that one. What the
  delegate was told is kept per container, so that DEL works when subnet.env has changed or is gone.
  It takes flannel's place: the same configuration, the same files. Name it \"tweed-cni\" in the conflist, or install it
  under the name flannel.

CONFIGURATION (one plugin of /etc/cni/net.d/*.conflist)
  type           \"tweed-cni\", or the name that it is installed under
  subnetFile     the node's subnet            [/run/flannel/subnet.env]
  dataDir        delegates' configurations    [/var/lib/cni/flannel]
  delegate       keys for the delegate: type [bridge], hairpinMode, isDefaultGateway, bridge, ...; by default ipMasq is
                 the opposite of FLANNEL_IPMASQ, mtu is FLANNEL_MTU, isGateway is true for a bridge. Not name, not ipam
  ipam           keys for the address plugin: type [host-local], routes, dataDir; ranges come from subnet.env
  runtimeConfig  from the runtime; handed on

ENVIRONMENT (the CNI specification has it in full)
  CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_ARGS
  CNI_PATH       directories where plugins are, separated by colons

EXIT CODES
  0  done. ADD prints its result
  1  failed; stdout has {\"cniVersion\", \"code\", \"msg\", \"details\"}
  A delegate's own error and exit code are handed on as they are.

TRY IT
  CNI_COMMAND=VERSION tweed-cni < /dev/null
  CNI_COMMAND=STATUS CNI_PATH=/opt/cni/bin:/usr/lib/cni tweed-cni <<< '{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"tweed-cni\"}'
";

/// A text for a person.
pub struct Text {
    text: String,
    /// Whether it was asked for. What was not goes to stderr, for stdout belongs to the protocol.
    asked: bool,
    exit_code: u8,
}

impl Text {
    /// Prints it; the exit code that goes with it.
    pub fn print(&self) -> ExitCode {
        use std::io::Write;
        // A reader that has seen enough (head, less) is no failure.
        let _ = if self.asked {
            std::io::stdout().write_all(self.text.as_bytes())
        } else {
            std::io::stderr().write_all(self.text.as_bytes())
        };
        ExitCode::from(self.exit_code)
    }
}

/// What to say when no runtime is there, given the arguments and which variables are set; `None` when there is one.
pub fn by_hand(
    mut arguments: impl Iterator<Item = OsString>,
    is_set: impl Fn(&str) -> bool,
) -> Option<Text> {
    if RUNTIMES.into_iter().any(is_set) {
        return None;
    }
    let say = |text: &str, asked, exit_code| Text {
        text: text.to_owned(),
        asked,
        exit_code,
    };
    Some(match arguments.next() {
        None => say(SHORT, false, 0),
        Some(argument) => match argument.to_str() {
            Some("--help" | "-h") => say(HELP, true, 0),
            Some("--version" | "-V") => say(
                concat!("tweed-cni ", env!("CARGO_PKG_VERSION"), "\n"),
                true,
                0,
            ),
            _ => say(
                &format!(
                    "tweed-cni: unexpected argument {argument:?}; it takes --help and --version only\n{SHORT}"
                ),
                false,
                2,
            ),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(arguments: &[&str], set: &[&str]) -> Option<(String, bool, u8)> {
        by_hand(arguments.iter().map(OsString::from), |name| {
            set.contains(&name)
        })
        .map(|text| (text.text, text.asked, text.exit_code))
    }

    #[test]
    fn a_person_is_told_what_it_is() {
        assert!(text(&[], &["CNI_PATH"]).unwrap().0.contains("CNI_COMMAND"));
        let (help, asked, code) = text(&["--help"], &[]).unwrap();
        assert!(help.contains("subnetFile") && asked && code == 0);
        assert!(text(&["-V"], &[]).unwrap().0.starts_with("tweed-cni 0."));
        assert_eq!(text(&["--frob"], &[]).unwrap().2, 2);
    }

    #[test]
    fn a_runtime_is_not_greeted() {
        for name in RUNTIMES {
            assert!(text(&["--help"], &[name]).is_none(), "{name}");
        }
    }
}
