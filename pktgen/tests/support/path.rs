//! Three namespaces in a row, A - M - B: `a0` (10.9.0.1) and `b0` at the ends as on a [`Wire`](super::wire), and in M `ma` and
//! `mb`, joined by a bridge, by the kernel's IP forwarding (B is then 10.9.1.2), or by the [middlebox](super::middlebox).

use perf::lab::name::Prefix;
use perf::lab::{Namespace, sweep};

use super::middlebox::Middlebox;
use super::wire::{A, A_MAC, B, B_MAC, Files, up};

/// What joins M's two interfaces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bridge.
    Bridge,
    /// IP forwarding.
    Router,
    /// Nothing yet: [`Path::middlebox`] does.
    Middlebox,
}

/// The topology.
pub struct Path {
    pub a: Namespace,
    pub m: Namespace,
    pub b: Namespace,
    pub files: Files,
    kind: Kind,
}

impl Path {
    pub fn new(kind: Kind) -> Self {
        sweep::sweep_dead();
        let prefix = Prefix::unique();
        let files = Files::new(&prefix);
        let [a, m, b] = ["a", "m", "b"].map(|what| Namespace::create(&prefix, what).unwrap());
        for (end, device, mac, middle) in [(&a, "a0", A_MAC, "ma"), (&b, "b0", B_MAC, "mb")] {
            end.ip(&format!(
                "link add {device} address {mac} type veth peer name {middle} netns {}",
                m.name()
            ))
            .unwrap();
        }
        let (of_ma, of_b, of_mb) = match kind {
            Kind::Router => (Some("10.9.0.254"), "10.9.1.2", Some("10.9.1.254")),
            Kind::Bridge | Kind::Middlebox => (None, B, None),
        };
        up(&a, "a0", Some(A));
        up(&m, "ma", of_ma);
        up(&m, "mb", of_mb);
        up(&b, "b0", Some(of_b));
        match kind {
            Kind::Bridge => m
                .ip(
                    "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n\
                     link set dev ma master br0\nlink set dev mb master br0\nlink set dev br0 up",
                )
                .unwrap(),
            Kind::Router => {
                m.sysctl("net/ipv4/ip_forward", "1").unwrap();
                a.ip("route add 10.9.1.0/24 via 10.9.0.254").unwrap();
                b.ip("route add 10.9.0.0/24 via 10.9.1.254").unwrap();
            }
            Kind::Middlebox => {}
        }
        Path {
            a,
            m,
            b,
            files,
            kind,
        }
    }

    /// `a0@NAMESPACE`, as the program's flags take it.
    pub fn tx(&self) -> String {
        format!("a0@{}", self.a.name())
    }

    /// `b0@NAMESPACE`.
    pub fn rx(&self) -> String {
        format!("b0@{}", self.b.name())
    }

    /// B's address.
    pub fn to(&self) -> &'static str {
        match self.kind {
            Kind::Router => "10.9.1.2",
            Kind::Bridge | Kind::Middlebox => B,
        }
    }

    /// Limits what leaves M towards B by a token bucket: `tbf` as `tc qdisc add ... tbf` takes it.
    pub fn limit(&self, tbf: &str) {
        self.m
            .run(&format!("tc qdisc add dev mb root tbf {tbf}"))
            .unwrap();
    }

    /// Starts a middlebox from A to B with faults as its usage text has them.
    pub fn middlebox(&self, faults: &str) -> Middlebox {
        assert!(self.kind == Kind::Middlebox, "M forwards already");
        Middlebox::start(&self.m, "ma", "mb", faults, &self.files)
    }
}
