//! flannel's backends: the one that a cluster is configured with, and the one that a lease names.
//!
//! A cluster has one (`Backend` of its config), and each node writes into its lease which one it has. Nodes of two backends do
//! not talk, with one exception that is flannel's: `udp` asks no lease for its type (FLANNEL.md 1.4).

use contract::wire::Mac;

use super::json::{Object, excerpt};
use super::network::{NetworkError, refuse};

/// The port of the kernel's vxlan driver when none is given; flannel keeps it, IANA's 4789 came later.
const DEFAULT_VXLAN_PORT: u16 = 8472;
/// The VNI of a config that names none.
const DEFAULT_VNI: u32 = 1;
/// The port of flannel's `udp`.
const DEFAULT_UDP_PORT: u16 = 8285;
/// VXLAN over IPv4 around the smallest packet that every IPv4 host must take (RFC 791).
const LEAST_MTU: u64 = 576 + 50;

/// The cluster's backend and its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkBackend {
    /// `vxlan`.
    Vxlan(Vxlan),
    /// `host-gw`: no encapsulation; all nodes are on one link.
    HostGw,
    /// `udp`, which is also what a config without a backend means.
    Udp {
        /// UDP port, source and destination alike.
        port: u16,
    },
    /// `ipip`.
    Ipip {
        /// Peers on the same link are sent bare packets.
        direct_routing: bool,
    },
    /// `alloc`: leases and no path.
    Alloc,
}

/// The `vxlan` backend's options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// VXLAN network identifier, 24 bits.
    pub vni: u32,
    /// UDP destination port; flannel's 0 is already the kernel's 8472 here.
    pub port: u16,
    /// MTU of the underlay as the cluster sets it, bytes; `None`: that of the device. Pods get 50 less.
    pub mtu: Option<u16>,
    /// Group policy: peers mark frames with a policy id. They are accepted, and the id ends here.
    pub gbp: bool,
    /// Kernel peers learn VTEPs from traffic. Has no meaning for us.
    pub learning: bool,
    /// Peers on the same link are sent bare packets, and send them.
    pub direct_routing: bool,
}

/// How packets travel to a node, as its lease says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// VXLAN to the cluster's VNI. flannel receivers ignore the VNI that a lease advertises, and so do we.
    Vxlan {
        /// Inner destination MAC towards that node; unicast, not zero.
        vtep_mac: Mac,
    },
    /// Bare packets.
    HostGw,
    /// IP in IP.
    Ipip,
    /// `udp` or `alloc`: their leases name no backend.
    Unnamed,
    /// Another of flannel's backends, by its name in the lease. No path of ours: counted, shown.
    Other(String),
}

impl NetworkBackend {
    /// Its name in flannel's config.
    pub fn name(&self) -> &'static str {
        match self {
            NetworkBackend::Vxlan(_) => "vxlan",
            NetworkBackend::HostGw => "host-gw",
            NetworkBackend::Udp { .. } => "udp",
            NetworkBackend::Ipip { .. } => "ipip",
            NetworkBackend::Alloc => "alloc",
        }
    }

    /// The options of `vxlan`, if that is it.
    pub fn vxlan(&self) -> Option<&Vxlan> {
        match self {
            NetworkBackend::Vxlan(vxlan) => Some(vxlan),
            _ => None,
        }
    }

    /// Whether peers on the same link are sent bare packets though others are not.
    pub fn direct_routing(&self) -> bool {
        match self {
            NetworkBackend::Vxlan(vxlan) => vxlan.direct_routing,
            NetworkBackend::Ipip { direct_routing } => *direct_routing,
            _ => false,
        }
    }

    /// Bytes that it adds to a pod's packet.
    pub fn overhead(&self) -> u32 {
        match self {
            NetworkBackend::Vxlan(_) => 50,
            NetworkBackend::Udp { .. } => 28,
            NetworkBackend::Ipip { .. } => 20,
            NetworkBackend::HostGw | NetworkBackend::Alloc => 0,
        }
    }

    /// What the lease of a node with this VTEP MAC says.
    pub fn advertised(&self, vtep_mac: Mac) -> Backend {
        match self {
            NetworkBackend::Vxlan(_) => Backend::Vxlan { vtep_mac },
            NetworkBackend::HostGw => Backend::HostGw,
            NetworkBackend::Ipip { .. } => Backend::Ipip,
            NetworkBackend::Udp { .. } | NetworkBackend::Alloc => Backend::Unnamed,
        }
    }

    /// Whether packets can be sent to a node whose lease says this.
    pub fn reaches(&self, lease: &Backend) -> bool {
        match self {
            NetworkBackend::Vxlan(_) => matches!(lease, Backend::Vxlan { .. }),
            NetworkBackend::HostGw => *lease == Backend::HostGw,
            NetworkBackend::Ipip { .. } => *lease == Backend::Ipip,
            NetworkBackend::Udp { .. } => true,
            NetworkBackend::Alloc => false,
        }
    }

    /// Reads `Backend` of a network config, and checks what flannel checks (`parseBackendType` and the backends' own).
    pub(super) fn from_config(config: &Object) -> Result<Self, NetworkError> {
        let unsupported = |what: String| Err(NetworkError::Unsupported { what });
        if config.raw("Backend").is_none() {
            // Whatever flannel's documentation says.
            let port = DEFAULT_UDP_PORT;
            return Ok(NetworkBackend::Udp { port });
        }
        let Some(backend) = config.object("Backend")? else {
            return unsupported("a backend of no type (\"Backend\" is null)".into());
        };
        let kind = backend.text("Type")?;
        match kind.to_ascii_lowercase().as_str() {
            "vxlan" => Ok(NetworkBackend::Vxlan(vxlan(&backend)?)),
            "host-gw" => Ok(NetworkBackend::HostGw),
            "udp" => udp(&backend),
            "ipip" => Ok(NetworkBackend::Ipip {
                direct_routing: backend.flag("DirectRouting", false)?,
            }),
            "alloc" => Ok(NetworkBackend::Alloc),
            "" => unsupported("a backend of no type (\"Backend\" has no \"Type\")".into()),
            _ => unsupported(format!("backend {:?}", excerpt(&kind))),
        }
    }
}

impl Backend {
    /// Its name for people.
    pub fn name(&self) -> &str {
        match self {
            Backend::Vxlan { .. } => "vxlan",
            Backend::HostGw => "host-gw",
            Backend::Ipip => "ipip",
            Backend::Unnamed => "udp",
            Backend::Other(name) => name,
        }
    }

    /// The MAC that a VXLAN node writes into its lease.
    pub fn vtep_mac(&self) -> Option<Mac> {
        match self {
            Backend::Vxlan { vtep_mac } => Some(*vtep_mac),
            _ => None,
        }
    }
}

fn vxlan(backend: &Object) -> Result<Vxlan, NetworkError> {
    let number = |field, expected, range: std::ops::RangeInclusive<u64>| {
        backend.read(field, expected, |v| {
            v.as_u64().filter(|n| range.contains(n))
        })
    };
    let vni = number("VNI", "a number from 0 to 16777215", 0..=0xff_ffff)?;
    let port = number("Port", "a number from 0 to 65535", 0..=0xffff)?;
    let mtu = backend.read("MTU", "0 (that of the device) or from 626 to 65535", |v| {
        v.as_u64()
            .filter(|n| *n == 0 || (LEAST_MTU..=0xffff).contains(n))
    })?;
    Ok(Vxlan {
        vni: vni.map_or(DEFAULT_VNI, |n| n as u32),
        port: port
            .filter(|n| *n != 0)
            .map_or(DEFAULT_VXLAN_PORT, |n| n as u16),
        mtu: mtu.filter(|n| *n != 0).map(|n| n as u16),
        gbp: backend.flag("GBP", false)?,
        learning: backend.flag("Learning", false)?,
        direct_routing: backend.flag("DirectRouting", false)?,
    })
}

fn udp(backend: &Object) -> Result<NetworkBackend, NetworkError> {
    let port = backend.read("Port", "a number from 1 to 65535", |v| {
        v.as_u64().and_then(|n| u16::try_from(n).ok())
    })?;
    match port.unwrap_or(DEFAULT_UDP_PORT) {
        // flannel binds to any port then, which no peer knows.
        0 => refuse("Port", "is 0; name the port that all nodes have"),
        port => Ok(NetworkBackend::Udp { port }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn parse(backend: &str) -> Result<NetworkBackend, NetworkError> {
        let text = format!("{{{backend}}}");
        NetworkBackend::from_config(&Object::parse(text.as_bytes()).unwrap())
    }

    fn of(kind: &str) -> NetworkBackend {
        parse(&format!(r#""Backend":{{"Type":"{kind}"}}"#)).unwrap()
    }

    #[test]
    fn each_is_found_by_its_name_whatever_the_case() {
        for kind in ["vxlan", "host-gw", "udp", "ipip", "alloc"] {
            assert_eq!(of(kind).name(), kind);
            assert_eq!(of(&kind.to_uppercase()), of(kind));
        }
    }

    #[test]
    fn options_are_read_and_defaults_are_flannels() {
        assert_eq!(parse(""), Ok(NetworkBackend::Udp { port: 8285 }));
        assert_eq!(of("udp"), NetworkBackend::Udp { port: 8285 });
        let udp = parse(r#""backend":{"type":"udp","port":9000}"#);
        assert_eq!(udp, Ok(NetworkBackend::Udp { port: 9000 }));
        let direct_routing = true;
        let ipip = parse(r#""Backend":{"Type":"ipip","directRouting":true}"#);
        assert_eq!(ipip, Ok(NetworkBackend::Ipip { direct_routing }));
        assert!(!of("ipip").direct_routing() && !of("vxlan").direct_routing());
        // Of others than its own, a backend takes no notice.
        assert_eq!(
            parse(r#""Backend":{"Type":"host-gw","Port":"x","VNI":-1}"#),
            Ok(NetworkBackend::HostGw)
        );
    }

    #[test]
    fn a_port_that_cannot_be_is_refused() {
        for (port, words) in [
            ("0", "Port is 0; name the port"),
            ("65536", "Port is 65536; it must be a number from 1"),
            ("\"x\"", "Port is \"x\""),
        ] {
            let refused = parse(&format!(r#""Backend":{{"Type":"udp","Port":{port}}}"#));
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }

    /// A row: a backend, whether it reaches leases of vxlan, host-gw, ipip, none and wireguard, and its overhead.
    #[test]
    fn a_backend_reaches_its_own_and_udp_reaches_all() {
        let leases = [
            Backend::Vxlan { vtep_mac: MAC },
            Backend::HostGw,
            Backend::Ipip,
            Backend::Unnamed,
            Backend::Other("wireguard".into()),
        ];
        let (yes, no) = (true, false);
        for (kind, reached, overhead) in [
            ("vxlan", [yes, no, no, no, no], 50),
            ("host-gw", [no, yes, no, no, no], 0),
            ("ipip", [no, no, yes, no, no], 20),
            ("udp", [yes; 5], 28),
            ("alloc", [no; 5], 0),
        ] {
            let ours = of(kind);
            let found = leases.each_ref().map(|lease| ours.reaches(lease));
            assert_eq!((found, ours.overhead()), (reached, overhead), "{kind}");
            assert_eq!(ours.reaches(&ours.advertised(MAC)), kind != "alloc");
        }
    }
}
