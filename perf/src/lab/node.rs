//! What all nodes have in common: a namespace, a NIC on the underlay, and a `subnet.env` once they hold a lease.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;

use super::error::{LabError, Result, expect};
use super::name::Prefix;
use super::namespace::Namespace;
use super::pod::Pod;
use super::underlay::{Place, Underlay};

/// A machine of the cluster.
pub struct Node {
    name: String,
    ns: Namespace,
    place: Place,
    directory: PathBuf,
    prefix: Prefix,
}

impl Node {
    /// A machine with a NIC and nothing running; `name` is also its port on the switch.
    pub fn create(
        prefix: &Prefix,
        underlay: &Underlay,
        name: String,
        place: Place,
    ) -> Result<Self> {
        let ns = Namespace::create(prefix, &name)?;
        underlay.attach(&ns, &place, &name)?;
        Node::of(prefix, ns, name, place)
    }

    /// A machine of a namespace that has its NIC.
    pub(super) fn of(prefix: &Prefix, ns: Namespace, name: String, place: Place) -> Result<Self> {
        ns.sysctl("net/ipv4/ip_forward", "1")?;
        let directory = prefix.directory().join(&name);
        std::fs::create_dir(&directory)
            .map_err(LabError::io(format!("create {}", directory.display())))?;
        Ok(Node {
            name,
            ns,
            place,
            directory,
            prefix: prefix.clone(),
        })
    }

    /// Its name in the lab: kind and host number.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its namespace.
    pub fn ns(&self) -> &Namespace {
        &self.ns
    }

    /// Its place on the underlay.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Its own address on the underlay.
    pub fn address(&self) -> Ipv4Addr {
        self.place.address()
    }

    /// Where its files and logs are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What the CNI plugin would read.
    pub fn subnet_env_path(&self) -> PathBuf {
        self.directory.join("subnet.env")
    }

    /// Its lease as the CNI plugin sees it; an error while there is none.
    pub fn subnet_env(&self) -> Result<SubnetEnv> {
        let path = self.subnet_env_path();
        let text = std::fs::read_to_string(&path)
            .map_err(LabError::io(format!("read {}", path.display())))?;
        SubnetEnv::parse(&text)
    }

    /// Gives it a subnet of 10.244.0.0/16 without asking anyone: for networks that have no leases.
    pub fn write_subnet_env(&self, subnet: Ipv4Net, mtu: u16) -> Result<()> {
        let [a, b, c, d] = subnet.network().octets();
        let env = format!(
            "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET={a}.{b}.{c}.{}/{}\nFLANNEL_MTU={mtu}\nFLANNEL_IPMASQ=false\n",
            d + 1,
            subnet.prefix_len()
        );
        let path = self.subnet_env_path();
        std::fs::write(&path, env).map_err(LabError::io(format!("write {}", path.display())))
    }

    /// The address of the node itself on the overlay: the subnet's `.0`.
    pub fn overlay_address(&self) -> Result<Ipv4Addr> {
        Ok(self.subnet_env()?.subnet.network())
    }

    /// A pod at `<subnet>.10`.
    pub fn pod(&self) -> Result<Pod> {
        self.pod_at(10)
    }

    /// A pod with the last octet given.
    pub fn pod_at(&self, host: u8) -> Result<Pod> {
        let env = self.subnet_env()?;
        let ns = Namespace::create(&self.prefix, &format!("{}-p{host}", self.name))?;
        Pod::create(self, ns, &env, host)
    }

    pub(super) fn set_place(&mut self, place: Place) {
        self.place = place;
    }
}

impl AsRef<Namespace> for Node {
    fn as_ref(&self) -> &Namespace {
        &self.ns
    }
}

/// flannel's `subnet.env`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubnetEnv {
    /// The cluster's network.
    pub network: Ipv4Net,
    /// This node's subnet.
    pub subnet: Ipv4Net,
    /// The address of `cni0`: the subnet's `.1`.
    pub gateway: Ipv4Addr,
    /// MTU of pods, bytes.
    pub mtu: u16,
}

impl SubnetEnv {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self> {
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .ok_or_else(|| LabError::parse("subnet.env", text))
        };
        let net = |key| -> Result<Ipv4Net> {
            value(key)?
                .parse()
                .map_err(|_| LabError::parse("a network of subnet.env", text))
        };
        // flannel writes the gateway's address with the subnet's length.
        let gateway = net("FLANNEL_SUBNET")?;
        let env = SubnetEnv {
            network: net("FLANNEL_NETWORK")?,
            subnet: gateway.trunc(),
            gateway: gateway.addr(),
            mtu: value("FLANNEL_MTU")?
                .parse()
                .map_err(|_| LabError::parse("FLANNEL_MTU", text))?,
        };
        expect(env.network.contains(&env.subnet), || {
            format!("{} is not within {}", env.subnet, env.network)
        })?;
        Ok(env)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnet_env_as_flannel_writes_it() {
        let text = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n";
        let env = SubnetEnv::parse(text).unwrap();
        assert_eq!(env.subnet.to_string(), "10.244.1.0/24");
        assert_eq!(env.gateway, Ipv4Addr::new(10, 244, 1, 1));
        assert_eq!(env.mtu, 1450);
    }

    #[test]
    fn a_subnet_outside_the_network_is_refused() {
        let text = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.9.1.1/24\nFLANNEL_MTU=1450\n";
        assert!(SubnetEnv::parse(text).is_err());
        assert!(SubnetEnv::parse("FLANNEL_MTU=1450\n").is_err());
    }
}
