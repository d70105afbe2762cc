//! Who may reach the server, decided before it listens.
//!
//! What it tells (addresses of nodes, subnets, rates) is no secret of the first rank, and not for everyone either.
//! So: loopback is open; any other address needs TLS or a token; `--insecure` says that something else guards it.

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

/// Why it does not listen.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{address} can be reached from other machines, and neither TLS nor a token guards it; give --tls-cert and --tls-key, \
     or --token-file, or listen on 127.0.0.1; --insecure listens all the same, where a firewall guards it"
)]
pub struct Exposed {
    address: SocketAddr,
}

/// What guards the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// It speaks TLS.
    pub tls: bool,
    /// It wants a token.
    pub token: bool,
    /// Whoever started it takes the blame.
    pub insecure: bool,
}

impl Guards {
    /// Whether it may listen there.
    pub fn allow(self, address: SocketAddr) -> Result<(), Exposed> {
        let guarded = self.tls || self.token || self.insecure;
        match is_loopback(address.ip()) || guarded {
            true => Ok(()),
            false => Err(Exposed { address }),
        }
    }

    /// A warning for those that it may, all the same.
    pub fn caution(self, address: SocketAddr) -> Option<String> {
        if is_loopback(address.ip()) || self.tls {
            return None;
        }
        Some(match self.token {
            true => format!(
                "the token travels to {address} without TLS: whoever sees the packets has it"
            ),
            false => format!("{address} is open to everyone who can reach it"),
        })
    }
}

/// Loopback, also when it is written as an IPv6 address that carries an IPv4 one.
fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether a Host header may be answered where no token guards: an address, or localhost. A page on the web can have
/// its own name resolved to 127.0.0.1 and read from there with the user's browser (DNS rebinding); it cannot change
/// the Host it sends.
pub fn is_host_of_ours(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(name);
    bare.parse::<IpAddr>().is_ok() || bare.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Guards = Guards {
        tls: false,
        token: false,
        insecure: false,
    };

    #[test]
    fn other_machines_are_let_in_only_past_a_guard() {
        for loopback in [
            "127.0.0.1:9460",
            "127.9.9.9:1",
            "[::1]:9460",
            "[::ffff:127.0.0.1]:9460",
        ] {
            let address = loopback.parse().unwrap();
            assert_eq!(NOTHING.allow(address), Ok(()), "{loopback}");
            assert_eq!(NOTHING.caution(address), None);
        }
        for other in [
            "0.0.0.0:9460",
            "192.168.77.1:9460",
            "[::]:9460",
            "[fe80::1]:9460",
            "[::ffff:10.0.0.1]:9460",
        ] {
            let address: SocketAddr = other.parse().unwrap();
            let message = NOTHING.allow(address).unwrap_err().to_string();
            assert!(
                message.contains(&address.to_string()) && message.contains("--token-file"),
                "{message}"
            );
            for guards in [
                Guards {
                    tls: true,
                    ..NOTHING
                },
                Guards {
                    token: true,
                    ..NOTHING
                },
                Guards {
                    insecure: true,
                    ..NOTHING
                },
            ] {
                assert_eq!(guards.allow(address), Ok(()));
                assert_eq!(guards.caution(address).is_some(), !guards.tls, "{guards:?}");
            }
        }
    }

    #[test]
    fn names_of_others_are_not_answered() {
        for ours in [
            "localhost",
            "LocalHost:9460",
            "127.0.0.1",
            "127.0.0.1:9460",
            "[::1]",
            "[::1]:9460",
            "10.1.2.3:1",
        ] {
            assert!(is_host_of_ours(ours), "{ours}");
        }
        for other in [
            "",
            ":9460",
            "evil.example",
            "evil.example:9460",
            "localhost.evil.example",
            "127.0.0.1.evil",
            "[",
            "a:b:c",
        ] {
            assert!(!is_host_of_ours(other), "{other}");
        }
    }
}
