//! That no subnet has two owners, whatever happens to nodes, connections and etcd.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use control::lease::{EtcdSource, OwnLease, Source};
use ipnet::Ipv4Net;

use crate::audit::audit;
use crate::etcd::Etcd;
use crate::node::{Node, source};
use crate::proxy::Proxy;

/// Four subnets.
const FEW: &str = r#"{"Network":"10.244.0.0/16","SubnetMin":"10.244.1.0","SubnetMax":"10.244.4.0","Backend":{"Type":"vxlan"}}"#;
const SUBNETS: usize = 4;
/// More than there are subnets for.
const NODES: usize = 6;
/// How long things are broken, and longer until that many subnets have changed hands.
const STORM: Duration = Duration::from_secs(6);
const CHANGES: usize = 1;
/// Seldom enough that a node is away for a lease's life now and then, for only then its subnet goes to another.
const HARM_EVERY: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(60);

/// A node behind a connection that can break.
struct Site {
    n: u8,
    proxy: Proxy,
    node: Option<Node>,
}

impl Site {
    async fn new(n: u8, etcd: &Etcd) -> Self {
        let proxy = Proxy::to(etcd.port()).await;
        let mut site = Site {
            n,
            proxy,
            node: None,
        };
        site.start();
        site
    }

    /// With leases of three seconds, renewed each second: a node that is cut off loses its subnet to another within the storm.
    fn start(&mut self) {
        let source = EtcdSource {
            ttl: Duration::from_secs(3),
            renew_margin: Duration::from_secs(2),
            ..source(std::slice::from_ref(&self.proxy.endpoint))
        };
        self.node = Some(Node::start(self.n, Source::Etcd(source)));
    }

    /// What it believes to hold at this moment: a lease is believed until its end, by its own value.
    fn held(&self) -> Option<Ipv4Net> {
        let view = self.node.as_ref()?.view.borrow();
        match view.cluster.as_ref()?.own {
            OwnLease::Held { subnet, expires } if expires? > Instant::now() => Some(subnet),
            _ => None,
        }
    }

    async fn harm(&mut self) {
        match fastrand::u8(..10) {
            0..4 => self.proxy.cut(),
            4..6 => self.proxy.freeze(),
            // It starts again at once, as a supervisor would have it.
            6 => {
                if let Some(node) = self.node.take() {
                    node.kill().await;
                }
                self.start();
            }
            _ => self.proxy.mend(),
        }
    }
}

/// Two nodes that believe in the same subnet at one moment: the first is asked again after the second.
fn two_owners(sites: &[Site]) -> Option<(u8, u8, Ipv4Net)> {
    for one in sites {
        let Some(subnet) = one.held() else { continue };
        let other = sites
            .iter()
            .find(|other| other.n != one.n && other.held() == Some(subnet));
        if let Some(other) = other
            && one.held() == Some(subnet)
        {
            return Some((one.n, other.n, subnet));
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn no_subnet_ever_has_two_owners() {
    let mut etcd = Etcd::start(FEW).await;
    let mut sites = Vec::new();
    for n in 1..=NODES as u8 {
        sites.push(Site::new(n, &etcd).await);
    }
    let mut ownerships = BTreeSet::new();
    let (began, mut harm_at) = (Instant::now(), Instant::now());
    let mut outages = 0;
    while began.elapsed() < STORM || ownerships.len() < SUBNETS + CHANGES {
        let owners = ownerships.len();
        assert!(
            began.elapsed() < PATIENCE,
            "{owners} ownerships: nothing was tested"
        );
        assert_eq!(two_owners(&sites), None, "after {:?}", began.elapsed());
        ownerships.extend(sites.iter().filter_map(|site| Some((site.held()?, site.n))));
        if harm_at <= Instant::now() {
            harm_at = Instant::now() + HARM_EVERY;
            sites[fastrand::usize(..NODES)].harm().await;
        }
        if outages == 0 && began.elapsed() > STORM / 2 {
            outages = 1;
            etcd.stop();
            etcd.resume();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    // Calm: everything is leased, to one each, and who has none says why.
    for site in &sites {
        site.proxy.mend();
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let held: BTreeSet<_> = sites.iter().filter_map(Site::held).collect();
        let starved = sites.iter().filter(|site| {
            let view = site.node.as_ref().unwrap().view.borrow();
            (view.trouble.as_ref()).is_some_and(|trouble| trouble.contains("out of subnets"))
        });
        if held.len() == SUBNETS && starved.count() == NODES - SUBNETS {
            break;
        }
        assert!(Instant::now() < deadline, "only {held:?} are held");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(two_owners(&sites), None);
    audit(&mut etcd.client().await, 1, &[]).await;
}

/// A wall clock jumps, when NTP or an operator sets it; no lease may end or go on because of that.
#[test]
fn no_wall_clock_decides_about_leases() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lease");
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        // Leases in a file have no end. It compares times of modification.
        if path.is_dir() || path.ends_with("file.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("SystemTime"), "{}", path.display());
    }
}
