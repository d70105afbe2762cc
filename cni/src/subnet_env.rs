//! `subnet.env`: which addresses this node has. tweed-control or flanneld writes it.
//!
//! Both replace it whole, but others may write it by hand or in pieces. `FLANNEL_IPMASQ` comes last and must be `true` or
//! `false`, so a file that was cut anywhere is noticed. flannel's plugin takes `tr` for `false` and ends with a panic at a
//! line that lacks its `=`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::{CniError, Code};

/// Most that is read, bytes. The real file has some six lines.
const FILE_LEN: u64 = 1 << 16;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubnetEnv {
    /// All pods of the cluster: IPv4 networks, then IPv6 ones, none twice. At least one.
    pub networks: Vec<IpNet>,
    /// The pods of this node, one subnet for each family, IPv4 first. At least one.
    pub subnets: Vec<IpNet>,
    /// Largest pod packet, bytes.
    pub mtu: u32,
    /// Whether the daemon masquerades what leaves the cluster; if not, the delegate does.
    pub ipmasq: bool,
}

/// Reads the file.
pub fn read(path: &Path) -> Result<SubnetEnv, CniError> {
    let shown = path.display();
    let bytes = read_bounded(path).map_err(|error| {
        let error_said = error.to_string();
        match error.kind() {
            io::ErrorKind::NotFound => CniError::new(
                Code::TryAgain,
                format!("this node has no pod subnet yet, for there is no {shown}: start tweed-control, or see why it has no lease (journalctl -u tweed-control)"),
            ),
            _ => CniError::new(
                Code::Io,
                format!("cannot read {shown}: it must be a file that root can read"),
            ),
        }
        .because(error_said)
    })?;
    parse(&String::from_utf8_lossy(&bytes)).map_err(|problem| match problem {
        Problem::Lacks(keys) => CniError::new(
            Code::TryAgain,
            format!("{shown} lacks {}: it may be half written; restart its daemon (tweed-control or flanneld) if it stays so", keys.join(", ")),
        ),
        Problem::Bad { line, expected } => CniError::new(
            Code::Decode,
            format!("{shown} has {:?}: expected {expected}; restart its daemon (tweed-control or flanneld) to write it anew", crate::conf::clip(&line)),
        ),
    })
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(FILE_LEN).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Lacks(Vec<&'static str>),
    Bad {
        line: String,
        expected: &'static str,
    },
}

fn parse(text: &str) -> Result<SubnetEnv, Problem> {
    let (mut networks4, mut networks6) = (Vec::new(), Vec::new());
    let (mut subnet4, mut subnet6, mut mtu, mut ipmasq) = (None, None, None, None);
    for line in text.lines().map(str::trim) {
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (key, value.trim().trim_matches(['"', '\''])),
            None => (line, ""),
        };
        let bad = |expected| Problem::Bad {
            line: line.to_owned(),
            expected,
        };
        match key {
            "FLANNEL_NETWORK" => {
                networks4 = networks(value, net4).ok_or_else(|| bad("IPv4 networks"))?;
            }
            "FLANNEL_IPV6_NETWORK" => {
                networks6 = networks(value, net6).ok_or_else(|| bad("IPv6 networks"))?;
            }
            "FLANNEL_SUBNET" => {
                subnet4 = Some(net4(value).ok_or_else(|| bad("an IPv4 subnet"))?);
            }
            "FLANNEL_IPV6_SUBNET" => {
                subnet6 = Some(net6(value).ok_or_else(|| bad("an IPv6 subnet"))?);
            }
            "FLANNEL_MTU" => mtu = Some(value.parse().map_err(|_| bad("a number of bytes"))?),
            "FLANNEL_IPMASQ" => {
                ipmasq = Some(value.parse().map_err(|_| bad("true or false"))?);
            }
            _ => {}
        }
    }
    networks4.extend(networks6);
    let subnets: Vec<_> = subnet4.into_iter().chain(subnet6).collect();
    let mut lacks = Vec::new();
    if networks4.is_empty() {
        lacks.push("FLANNEL_NETWORK or FLANNEL_IPV6_NETWORK");
    }
    if subnets.is_empty() {
        lacks.push("FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET");
    }
    if mtu.is_none() {
        lacks.push("FLANNEL_MTU");
    }
    match (mtu, ipmasq) {
        (Some(mtu), Some(ipmasq)) if lacks.is_empty() => Ok(SubnetEnv {
            networks: networks4,
            subnets,
            mtu,
            ipmasq,
        }),
        (_, None) => {
            lacks.push("FLANNEL_IPMASQ");
            Err(Problem::Lacks(lacks))
        }
        _ => Err(Problem::Lacks(lacks)),
    }
}

/// A list with commas, each once.
fn networks(value: &str, net: impl Fn(&str) -> Option<IpNet>) -> Option<Vec<IpNet>> {
    let mut networks = Vec::new();
    for part in value.split(',') {
        let network = net(part.trim())?;
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    Some(networks)
}

/// The daemon writes the gateway's address; what counts is the network that it is in.
fn net4(value: &str) -> Option<IpNet> {
    Some(value.parse::<Ipv4Net>().ok()?.trunc().into())
}

fn net6(value: &str) -> Option<IpNet> {
    Some(value.parse::<Ipv6Net>().ok()?.trunc().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V4: &str = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn what_flanneld_and_tweed_write() {
        let env = parse(V4).unwrap();
        assert_eq!(env.networks, nets(&["10.244.0.0/16"]));
        assert_eq!(env.subnets, nets(&["10.244.1.0/24"]));
        assert_eq!((env.mtu, env.ipmasq), (1450, true));
    }

    #[test]
    fn dual_stack_lists_doubles_and_quotes() {
        let env = parse(
            "# by hand\r\nFLANNEL_NETWORK=10.0.0.0/8, 10.9.0.0/8,11.0.0.0/8\r\nFLANNEL_SUBNET=\"10.1.2.1/24\"\r\n\
             FLANNEL_IPV6_NETWORK=fd00::/48\r\nFLANNEL_IPV6_SUBNET=fd00:0:0:7::1/64\r\nFLANNEL_MTU=1430\r\nFLANNEL_IPMASQ=false",
        )
        .unwrap();
        assert_eq!(
            env.networks,
            nets(&["10.0.0.0/8", "11.0.0.0/8", "fd00::/48"])
        );
        assert_eq!(env.subnets, nets(&["10.1.2.0/24", "fd00:0:0:7::/64"]));
        assert!(!env.ipmasq);
    }

    #[test]
    fn a_file_cut_anywhere_is_no_subnet() {
        // The last newline may be absent; any byte before it may not.
        for end in 0..V4.len() - 1 {
            assert!(parse(&V4[..end]).is_err(), "{:?}", &V4[..end]);
        }
        assert_eq!(
            parse("FLANNEL_MTU=1450\n"),
            Err(Problem::Lacks(vec![
                "FLANNEL_NETWORK or FLANNEL_IPV6_NETWORK",
                "FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET",
                "FLANNEL_IPMASQ"
            ]))
        );
    }

    #[test]
    fn bad_values_are_quoted() {
        for line in [
            "FLANNEL_NETWORK",
            "FLANNEL_NETWORK=",
            "FLANNEL_NETWORK=10.0.0.0/33",
            "FLANNEL_SUBNET=fd00::1/64",
            "FLANNEL_IPV6_SUBNET=10.0.0.1/24",
            "FLANNEL_MTU=-1",
            "FLANNEL_MTU=1450x",
            "FLANNEL_IPMASQ=yes",
        ] {
            let text = format!("{V4}{line}\n");
            assert!(
                matches!(parse(&text), Err(Problem::Bad { line: l, .. }) if l == line),
                "{line}"
            );
        }
    }

    #[test]
    fn errors_name_the_file_and_say_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("subnet.env");
        let absent = read(&path).unwrap_err();
        assert_eq!(absent.code, Code::TryAgain);
        assert!(absent.msg.contains("start tweed-control"), "{}", absent.msg);
        assert_eq!(read(dir.path()).unwrap_err().code, Code::Io);
        std::fs::write(&path, &V4[..50]).unwrap();
        assert_eq!(read(&path).unwrap_err().code, Code::Decode);
        std::fs::write(&path, &V4[..59]).unwrap();
        assert_eq!(read(&path).unwrap_err().code, Code::TryAgain);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text: String, key in "FLANNEL_(IPV6_)?(NETWORK|SUBNET|MTU|IPMASQ)=?", value: String) {
            let _ = parse(&text);
            let _ = parse(&format!("{V4}{key}{value}"));
        }
    }
}
