//! What to do next about our own lease: a pure function of what we believe, what etcd shows, who we are and the time.
//!
//! Called again after everything that happens, so it never remembers where in a procedure it was. Each step that writes
//! names the revision it expects, so a decision on an outdated mirror fails in etcd instead of doing harm.

use std::time::Instant;

use ipnet::Ipv4Net;

use super::listing::{Entry, Listing};
use super::pick::{Occupied, pick};
use super::{Identity, Lease, Loss, NetworkConfig, record};

/// What we believe about our lease.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// None, and none was lost.
    Acquiring,
    /// Ours.
    Held(Holding),
    /// It was ours.
    Lost { subnet: Ipv4Net, loss: Loss },
}

/// A lease that is ours.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Holding {
    pub(super) subnet: Ipv4Net,
    /// Who we were when we last wrote it.
    pub(super) identity: Identity,
    /// The etcd lease our key is bound to; 0: a reservation, which has no end.
    pub(super) etcd_lease: i64,
    pub(super) expires: Option<Instant>,
    pub(super) renew_at: Option<Instant>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Nothing until then, or until something changes.
    Rest(Option<Instant>),
    /// Believe that our lease is lost.
    Lose(Loss),
    /// See that our key is ours, and restart its time to live.
    Renew,
    /// The key says that it is ours and is bound to `etcd_lease` (0: to none): believe it, and renew that.
    Adopt { subnet: Ipv4Net, etcd_lease: i64 },
    /// Write our value into the key of `subnet` if it is still at revision `expected` (0: absent).
    Take {
        subnet: Ipv4Net,
        expected: i64,
        binding: Binding,
    },
    /// Delete a lease that carries our PublicIP and does not fit the config.
    Discard {
        key: String,
        subnet: Ipv4Net,
        expected: i64,
    },
    /// Every subnet is taken.
    Starve,
}

/// What the key is bound to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Binding {
    /// A new etcd lease.
    Fresh,
    /// This one, renewed; 0: none.
    Keep(i64),
}

/// Everything a decision looks at.
pub(super) struct Scene<'a> {
    pub(super) network: &'a NetworkConfig,
    pub(super) prefix: &'a str,
    pub(super) listing: &'a Listing,
    pub(super) identity: Identity,
    /// The subnet to ask for when there is nothing better to go by.
    pub(super) previous: Option<Ipv4Net>,
    /// After a failure, nothing that needs etcd is done before this.
    pub(super) not_before: Instant,
    pub(super) now: Instant,
}

impl Scene<'_> {
    /// The next step.
    pub(super) fn plan(&self, standing: &Standing) -> Step {
        match standing {
            Standing::Held(held) => self.keep(held),
            Standing::Acquiring => self.acquire(self.previous),
            // Whoever deleted our key did not stop our pods: ask for the same subnet first.
            Standing::Lost { subnet, .. } => self.acquire(Some(*subnet)),
        }
    }

    fn keep(&self, held: &Holding) -> Step {
        if held.expires.is_some_and(|end| end <= self.now) {
            return Step::Lose(Loss::Expired);
        }
        let Some(entry) = self.listing.get(&record::key(self.prefix, held.subnet)) else {
            return Step::Lose(Loss::Deleted);
        };
        let rewrite = || Step::Take {
            subnet: held.subnet,
            expected: entry.mod_revision,
            binding: Binding::Keep(held.etcd_lease),
        };
        let backend = &self.network.backend;
        let step = match &entry.lease {
            Ok(lease) if lease.says(self.identity, backend) => {
                if entry.etcd_lease != held.etcd_lease || held.identity != self.identity {
                    Step::Adopt {
                        subnet: held.subnet,
                        etcd_lease: entry.etcd_lease,
                    }
                } else if held.renew_at.is_some_and(|at| at <= self.now) {
                    Step::Renew
                } else {
                    return Step::Rest(held.renew_at);
                }
            }
            // Our PublicIP or MAC changed: the subnet stays, the value follows.
            Ok(lease) if lease.says(held.identity, backend) => rewrite(),
            // Junk in our key claims nothing for anyone and makes every flannel node drop its routes: repair it.
            Err(_) => rewrite(),
            Ok(lease) => {
                return Step::Lose(Loss::Stolen {
                    by: lease.public_ip,
                    vtep_mac: lease.backend.vtep_mac(),
                });
            }
        };
        self.unless_too_early(step, held.expires)
    }

    fn acquire(&self, wish: Option<Ipv4Net>) -> Step {
        let step = match self.find_own(wish) {
            Some((_, entry, lease)) if self.fits(lease) => {
                if lease.says(self.identity, &self.network.backend) {
                    Step::Adopt {
                        subnet: lease.subnet,
                        etcd_lease: entry.etcd_lease,
                    }
                } else {
                    // A key without an etcd lease is an operator's reservation and stays one.
                    let binding = if entry.etcd_lease == 0 {
                        Binding::Keep(0)
                    } else {
                        Binding::Fresh
                    };
                    Step::Take {
                        subnet: lease.subnet,
                        expected: entry.mod_revision,
                        binding,
                    }
                }
            }
            Some((key, entry, lease)) => Step::Discard {
                key: key.to_owned(),
                subnet: lease.subnet,
                expected: entry.mod_revision,
            },
            None => match pick(
                self.network,
                &Occupied::new(self.listing.occupied()),
                wish,
                |n| fastrand::usize(..n),
            ) {
                Some(subnet) => Step::Take {
                    subnet,
                    expected: 0,
                    binding: Binding::Fresh,
                },
                // Looked at again when a lease ends, for that is a change.
                None => return Step::Starve,
            },
        };
        self.unless_too_early(step, None)
    }

    /// The lease that carries our PublicIP: that of `wish` if there are several, else the first.
    fn find_own(&self, wish: Option<Ipv4Net>) -> Option<(&str, &Entry, &Lease)> {
        self.listing
            .iter()
            .filter_map(|(key, entry)| Some((key, entry, entry.lease.as_ref().ok()?)))
            .filter(|(_, _, lease)| lease.public_ip == self.identity.public_ip)
            .min_by_key(|(_, _, lease)| Some(lease.subnet) != wish)
    }

    /// Whether the config would lease it out, under a key of the kind that we write.
    fn fits(&self, lease: &Lease) -> bool {
        self.network.leases_out(lease.subnet) && lease.subnet6.is_none()
    }

    fn unless_too_early(&self, step: Step, expires: Option<Instant>) -> Step {
        if self.now >= self.not_before {
            return step;
        }
        Step::Rest(Some(
            expires.map_or(self.not_before, |end| end.min(self.not_before)),
        ))
    }
}

#[cfg(test)]
mod tests;
