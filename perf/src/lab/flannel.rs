//! A node that runs flannel's vxlan backend in the kernel: the devices and routes that flanneld would make
//! (flannel pkg/backend/vxlan), and a lease in etcd under which peers find it.

use std::ops::Deref;

use ipnet::Ipv4Net;

use super::error::Result;
use super::etcd::Etcd;
use super::follower::Follower;
use super::lease::{Lease, VNI};
use super::node::Node;
use super::underlay::{MTU, Place};

/// The kernel's vxlan device, flannel's name for VNI 1.
pub const DEVICE: &str = "flannel.1";

/// flannel's VXLAN port: the kernel's default, not IANA's.
pub const PORT: u16 = 8472;

/// Ethernet, IPv4, UDP and VXLAN headers before the inner packet, bytes.
const OVERHEAD: u16 = 50;

/// A flannel node. It treats others as peers because of what they publish, and for no other reason.
pub struct FlannelNode {
    node: Node,
    subnet: Ipv4Net,
    mac: String,
    _follower: Follower,
}

impl FlannelNode {
    /// Builds the device and follows the leases of others; its own lease is not registered yet.
    pub fn create(node: Node, subnet: Ipv4Net) -> Result<Self> {
        // Locally administered, as flannel's random ones, but readable in a capture.
        let mac = format!(
            "02:f1:00:00:{:02x}:{:02x}",
            node.place().far as u8,
            node.place().host
        );
        vxlan(&node, subnet, &mac)?;
        let mtu = MTU - OVERHEAD;
        let [a, b, c, d] = subnet.network().octets();
        let env = format!(
            "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET={a}.{b}.{c}.{}/{}\nFLANNEL_MTU={mtu}\nFLANNEL_IPMASQ=false\n",
            d + 1,
            subnet.prefix_len()
        );
        let path = node.subnet_env_path();
        std::fs::write(&path, env).map_err(super::error::LabError::io(format!(
            "write {}",
            path.display()
        )))?;
        let follower = Follower::start(&node, subnet)?;
        Ok(FlannelNode {
            node,
            subnet,
            mac,
            _follower: follower,
        })
    }

    /// Publishes its lease: from here on others may send to it.
    pub fn register(&self, etcd: &Etcd) -> Result<()> {
        etcd.put_lease(self.subnet, &Lease::vxlan(self.address(), &self.mac))
    }

    /// Withdraws its lease, as etcd does 24 hours after a node's death.
    pub fn withdraw(&self, etcd: &Etcd) -> Result<()> {
        etcd.delete_lease(self.subnet)
    }

    /// Moves to another address of the same segment and publishes that.
    pub fn readdress(&mut self, etcd: &Etcd, host: u8) -> Result<()> {
        let old = self.address();
        let place = Place {
            host,
            ..self.node.place()
        };
        let new = place.address();
        // With promotion the routes of the device survive their first address.
        self.ns()
            .sysctl("net/ipv4/conf/eth0/promote_secondaries", "1")?;
        self.ns().ip(&format!(
            "addr add {new}/24 dev eth0\n\
             link set {DEVICE} type vxlan local {new}\n\
             addr del {old}/24 dev eth0"
        ))?;
        self.node.set_place(place);
        self.register(etcd)
    }

    /// The subnet it was given.
    pub fn subnet(&self) -> Ipv4Net {
        self.subnet
    }

    /// Its VTEP MAC.
    pub fn mac(&self) -> &str {
        &self.mac
    }
}

impl Deref for FlannelNode {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl AsRef<super::namespace::Namespace> for FlannelNode {
    fn as_ref(&self) -> &super::namespace::Namespace {
        self.node.ns()
    }
}

/// The kernel device exactly as flanneld configures it: no learning, no default destination, the UDP checksum left at the
/// kernel's default (on).
fn vxlan(node: &Node, subnet: Ipv4Net, mac: &str) -> Result<()> {
    node.ns().ip(&format!(
        "link add {DEVICE} address {mac} mtu {mtu} type vxlan id {VNI} dev eth0 local {local} dstport {PORT} nolearning\n\
         addr add {zero}/32 dev {DEVICE}\n\
         link set {DEVICE} up",
        mtu = MTU - OVERHEAD,
        local = node.address(),
        zero = subnet.network(),
    ))
}
