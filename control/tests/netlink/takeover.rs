//! Whose device is taken over: the kernel's vxlan devices that stand when `tweed-control` starts.

use contract::tables::TunnelPort;
use contract::wire::Mac;

use super::control::{OWN, Site};

const MAC: &str = "02:f1:00:00:00:01";

/// A device as flanneld makes it, with the address of this subnet.
fn flannel(site: &Site, name: &str, vni: u32, mac: &str, subnet: &str) {
    site.node.ip(&format!(
        "link add {name} address {mac} type vxlan id {vni} dev eth0 local 10.77.0.1 dstport 8472 nolearning"
    ));
    site.node.ip(&format!("addr add {subnet}/32 dev {name}"));
    site.node.ip(&format!("link set {name} up"));
}

fn write_subnet_env(site: &Site) {
    let text = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n";
    std::fs::write(site.path("subnet.env"), text).unwrap();
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_device_of_our_subnet_gives_its_mac_and_stays_while_there_is_no_engine() {
    let mut site = Site::new();
    // A daemon before chose another one, which nobody knows any more.
    std::fs::create_dir(site.path("state")).unwrap();
    std::fs::write(site.path("state/vtep-mac"), "02:00:00:00:00:77\n").unwrap();
    write_subnet_env(&site);
    flannel(&site, "flannel.1", 1, MAC, "10.244.1.0");
    site.node
        .ip("route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink");
    site.lease(OWN, "10.77.0.1", MAC);
    let _daemon = site.start();
    let (_, tables) = site.until("tables of ours", |tables| {
        tables.node.tunnel_port == TunnelPort::Awaited
    });
    assert_eq!(tables.node.vtep_mac, MAC.parse::<Mac>().unwrap());
    let saved = std::fs::read_to_string(site.path("state/vtep-mac")).unwrap();
    assert_eq!(saved.trim(), MAC);
    site.until_ip_says("route", "10.244.0.0/16 via 169.254.0.1 dev tweed0");
    let routes = site.node.ip("route");
    assert!(routes.contains("10.244.2.0 dev flannel.1"), "{routes}");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_device_of_another_instance_is_left_alone() {
    let mut site = Site::new();
    write_subnet_env(&site);
    // flannel's name for our VNI, and another network's subnet.
    flannel(&site, "flannel.1", 1, MAC, "10.99.1.0");
    site.lease(OWN, "10.77.0.1", MAC);
    let _daemon = site.start();
    let (_, tables) = site.until("tables of ours", |tables| !tables.routes.is_empty());
    assert_eq!(tables.node.tunnel_port, TunnelPort::Held);
    assert_ne!(tables.node.vtep_mac, MAC.parse::<Mac>().unwrap());
    let links = site.node.ip("link show dev flannel.1");
    assert!(links.contains("UP"), "{links}");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn two_networks_on_one_port_are_not_torn_apart() {
    let mut site = Site::new();
    write_subnet_env(&site);
    flannel(&site, "flannel.1", 1, MAC, "10.244.1.0");
    flannel(&site, "flannel.2", 2, "02:f1:00:00:00:02", "10.99.1.0");
    site.lease(OWN, "10.77.0.1", MAC);
    let _daemon = site.start();
    let (_, tables) = site.until("tables of ours", |tables| !tables.routes.is_empty());
    // The engine does not even try: it would take the other network's packets.
    assert_eq!(tables.node.tunnel_port, TunnelPort::Held);
}
