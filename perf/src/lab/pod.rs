//! A pod as flannel's CNI plugin would make it with the bridge delegate: a veth into `cni0`, which owns the gateway
//! address. Its offloads stay on, for that is what users have: what leaves it may carry partial checksums.

use std::net::Ipv4Addr;

use super::error::Result;
use super::namespace::Namespace;
use super::node::{Node, SubnetEnv};

/// A pod.
pub struct Pod {
    /// `t1/10`: its node and the last octet of its address.
    pub name: String,
    /// Its namespace.
    pub ns: Namespace,
    /// Its address.
    pub ip: Ipv4Addr,
    /// MTU of its `eth0`, bytes.
    pub mtu: u16,
}

impl Pod {
    pub(super) fn create(node: &Node, ns: Namespace, env: &SubnetEnv, host: u8) -> Result<Self> {
        let SubnetEnv {
            subnet,
            gateway,
            mtu,
            ..
        } = env;
        let length = subnet.prefix_len();
        let [a, b, c, _] = subnet.network().octets();
        let ip = Ipv4Addr::new(a, b, c, host);
        if node.ns().run("ip link show dev cni0").is_err() {
            node.ns().ip(&format!(
                "link add cni0 mtu {mtu} type bridge mcast_snooping 0\n\
                 addr add {gateway}/{length} dev cni0\n\
                 link set cni0 up"
            ))?;
        }
        node.ns().ip(&format!(
            "link add veth{host} mtu {mtu} type veth peer name eth0 mtu {mtu} netns {pod}\n\
             link set veth{host} master cni0 up",
            pod = ns.name(),
        ))?;
        ns.ip(&format!(
            "link set eth0 up\n\
             addr add {ip}/{length} dev eth0\n\
             route add default via {gateway}"
        ))?;
        Ok(Pod {
            name: format!("{}/{host}", node.name()),
            ns,
            ip,
            mtu: *mtu,
        })
    }
}

impl AsRef<Namespace> for Pod {
    fn as_ref(&self) -> &Namespace {
        &self.ns
    }
}
