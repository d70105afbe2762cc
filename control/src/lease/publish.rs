//! Publishing a view: by value, and computing its costly part only when something in it changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::Ipv4Net;
use tokio::sync::watch;

use super::admit::admit;
use super::listing::Listing;
use super::{Cluster, Identity, Lease, NetworkConfig, OwnLease, Skipped, View};

/// The sending end of a view.
pub(super) struct Publisher {
    view: watch::Sender<View>,
    admitted: Option<Admitted>,
}

/// What [`admit`] made, and what it was made from.
struct Admitted {
    from: (u64, Option<Ipv4Net>, Identity),
    leases: Arc<BTreeMap<Ipv4Net, Lease>>,
    skipped: Arc<Vec<Skipped>>,
}

impl Publisher {
    pub(super) fn new(view: watch::Sender<View>) -> Self {
        Publisher {
            view,
            admitted: None,
        }
    }

    /// Wakes readers if the view differs from the last one.
    pub(super) fn send(&self, new: View) {
        self.view.send_if_modified(|view| {
            let differs = *view != new;
            if differs {
                *view = new;
            }
            differs
        });
    }

    /// The cluster that a mirror of etcd shows.
    pub(super) fn cluster(
        &mut self,
        network: &NetworkConfig,
        own: OwnLease,
        identity: Identity,
        listing: &Listing,
    ) -> Cluster {
        let from = (listing.version(), own.subnet(), identity);
        if self.admitted.as_ref().is_none_or(|a| a.from != from) {
            self.admitted = None;
        }
        let admitted = self.admitted.get_or_insert_with(|| {
            let (leases, skipped) =
                admit(network, identity.public_ip, own.subnet(), listing.found());
            Admitted {
                from,
                leases: Arc::new(leases),
                skipped: Arc::new(skipped),
            }
        });
        Cluster {
            network: network.clone(),
            own,
            leases: Arc::clone(&admitted.leases),
            skipped: Arc::clone(&admitted.skipped),
        }
    }
}
