//! `subnet.env`: how the CNI plugin and other tools learn this node's subnet.
//!
//! The file is flannel's (`pkg/subnet/subnet.go`, `WriteSubnetFile`): the same keys in the same order, mode 0644,
//! replaced atomically, so the stock `flannel` CNI plugin works unchanged. IPv4 only: this node leases no IPv6 subnet.

use std::fs::File;
use std::io::Read;
use std::net::Ipv4Addr;
use std::path::Path;

use ipnet::Ipv4Net;

use crate::replace::{ReplaceError, replace};

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubnetEnv {
    /// All pods of the cluster.
    pub network: Ipv4Net,
    /// The pods of this node.
    pub subnet: Ipv4Net,
    /// Largest pod packet, bytes.
    pub mtu: u16,
    /// Whether we masquerade traffic that leaves the cluster; if not, the CNI plugin does.
    pub ipmasq: bool,
}

impl SubnetEnv {
    /// Replaces the file; creates its directory if need be.
    pub fn write(&self, path: &Path) -> Result<(), ReplaceError> {
        replace(path, self.render().as_bytes(), 0o644)
    }

    fn render(&self) -> String {
        // The gateway's address, the first after `.0`; a subnet has at least four (network.rs).
        let gateway = Ipv4Addr::from_bits(self.subnet.network().to_bits() + 1);
        format!(
            "FLANNEL_NETWORK={}\nFLANNEL_SUBNET={gateway}/{}\nFLANNEL_MTU={}\nFLANNEL_IPMASQ={}\n",
            self.network,
            self.subnet.prefix_len(),
            self.mtu,
            self.ipmasq
        )
    }
}

/// The subnet that the last run, ours or flanneld's, wrote there. A missing or mangled file is no subnet: it only
/// costs a chance to get the same one again.
pub fn previous_subnet(path: &Path) -> Option<Ipv4Net> {
    let mut bytes = Vec::new();
    // The real file has five lines; whatever else lies there is not read whole.
    File::open(path)
        .ok()?
        .take(1 << 16)
        .read_to_end(&mut bytes)
        .ok()?;
    parse_subnet(&String::from_utf8_lossy(&bytes))
}

fn parse_subnet(text: &str) -> Option<Ipv4Net> {
    let mut values = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("FLANNEL_SUBNET="));
    let value = values.next_back()?.trim().trim_matches(['"', '\'']);
    value.parse::<Ipv4Net>().ok().map(|net| net.trunc())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    fn example() -> SubnetEnv {
        SubnetEnv {
            network: "10.244.0.0/16".parse().unwrap(),
            subnet: "10.244.1.0/24".parse().unwrap(),
            mtu: 1450,
            ipmasq: true,
        }
    }

    #[test]
    fn the_text_is_flannels() {
        assert_eq!(
            example().render(),
            "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
        );
    }

    #[test]
    fn what_is_written_is_the_previous_subnet_of_the_next_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flannel/subnet.env");
        assert_eq!(previous_subnet(&path), None);
        example().write(&path).unwrap();
        assert_eq!(previous_subnet(&path), Some(example().subnet));
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            0o644
        );
    }

    #[test]
    fn files_of_others_are_read_and_junk_is_not() {
        let dual = "FLANNEL_NETWORK=10.3.0.0/16\r\n FLANNEL_SUBNET=\"10.3.7.1/24\" \r\nFLANNEL_IPV6_SUBNET=fc00::1/64\n";
        assert_eq!(parse_subnet(dual), Some("10.3.7.0/24".parse().unwrap()));
        for junk in [
            "",
            "FLANNEL_SUBNET",
            "FLANNEL_SUBNET=",
            "FLANNEL_SUBNET=10.3.7.1/33",
            "FLANNEL_SUBNET=fc00::1/64",
        ] {
            assert_eq!(parse_subnet(junk), None, "{junk:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text: String, value: String) {
            let _ = parse_subnet(&text);
            let _ = parse_subnet(&format!("FLANNEL_SUBNET={value}"));
        }
    }
}
