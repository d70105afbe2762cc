//! A node that runs flannel's vxlan backend in the kernel: the devices and routes that flanneld would make
//! (flannel pkg/backend/vxlan), and a lease in etcd under which peers find it.

use std::ops::Deref;

use ipnet::Ipv4Net;

use super::error::Result;
use super::etcd::Etcd;
use super::follower::Follower;
use super::lease::{Lease, VNI};
use super::namespace::batch;
use super::node::Node;
use super::underlay::{MTU, Place};

/// The kernel's vxlan device, flannel's name for VNI 1.
pub const DEVICE: &str = "flannel.1";

/// flannel's VXLAN port: the kernel's default, not IANA's.
pub const PORT: u16 = 8472;

/// Ethernet, IPv4, UDP and VXLAN headers before the inner packet, bytes.
pub const OVERHEAD: u16 = 50;

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
        node.write_subnet_env(subnet, MTU - OVERHEAD)?;
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

    /// Stops to follow leases, as flanneld does when it is stopped: what it made in the kernel stays.
    pub fn stop(self) -> Node {
        self.node
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

/// The kernel device exactly as flanneld configures it: no learning, no default destination, no queue of its own, the UDP
/// checksum left at the kernel's default (on).
pub fn vxlan(node: &Node, subnet: Ipv4Net, mac: &str) -> Result<()> {
    node.ns().ip(&format!(
        "link add {DEVICE} address {mac} mtu {mtu} txqueuelen 0 type vxlan id {VNI} dev eth0 local {local} dstport {PORT} nolearning\n\
         addr add {zero}/32 dev {DEVICE}\n\
         link set {DEVICE} up",
        mtu = MTU - OVERHEAD,
        local = node.address(),
        zero = subnet.network(),
    ))
}

/// What flanneld does about another node's lease: a neighbour, a forwarding entry and an onlink route
/// (flannel pkg/backend/vxlan/vxlan_network.go).
pub fn add_peer(namespace: &str, subnet: Ipv4Net, lease: &Lease) -> Result<()> {
    let zero = subnet.network();
    let mac = &lease.backend_data.vtep_mac;
    batch(
        "ip",
        namespace,
        &format!("neigh replace {zero} lladdr {mac} dev {DEVICE} nud permanent"),
    )?;
    batch(
        "bridge",
        namespace,
        &format!(
            "fdb replace {mac} dev {DEVICE} dst {} self permanent",
            lease.public_ip
        ),
    )?;
    batch(
        "ip",
        namespace,
        &format!("route replace {subnet} via {zero} dev {DEVICE} onlink"),
    )
}
