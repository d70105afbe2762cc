//! Looks after the rules beside the loop: programs take milliseconds, and no change of a route shall wait for them.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::ruleset::Family;
use super::table::Table;
use super::{Pods, RulesError, Wanted, forward, leftover};

/// One look of so many is for other firewalls as well.
const DEEP: u32 = 6;

/// How it stands with the rules that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not looked at yet.
    Pending,
    /// As wanted.
    Stands,
    /// Not as wanted, and tried again.
    Trouble(RulesError),
}

/// The last look: what was wanted then, and what came of it.
type Look = Option<(Wanted, Result<(), RulesError>)>;

/// The loop's end of it. The rules stay when it goes.
#[derive(Debug)]
pub struct Keeper {
    wanted: watch::Sender<Option<Wanted>>,
    looked: watch::Receiver<Look>,
}

impl Keeper {
    /// Starts looking, as soon as something is wanted, and then at least this often. In a tokio runtime.
    pub fn start(resync: Duration) -> Self {
        let (wanted, asked) = watch::channel(None);
        let (report, looked) = watch::channel(None);
        tokio::spawn(keep(asked, report, resync));
        Keeper { wanted, looked }
    }

    /// Says what is wanted, and returns at once how it stands.
    pub fn want(&mut self, wanted: Wanted) -> Standing {
        let standing = match &*self.looked.borrow_and_update() {
            Some((of, outcome)) if *of == wanted => match outcome {
                Ok(()) => Standing::Stands,
                Err(error) => Standing::Trouble(error.clone()),
            },
            _ => Standing::Pending,
        };
        self.wanted.send_if_modified(|standing| {
            let news = standing.as_ref() != Some(&wanted);
            *standing = Some(wanted);
            news
        });
        standing
    }

    /// Returns when it stands otherwise than at the last [`Keeper::want`].
    pub async fn changed(&mut self) {
        if self.looked.changed().await.is_err() {
            // Only a panic ends it before us. What stands in the kernel goes on.
            std::future::pending().await
        }
    }
}

async fn keep(
    mut asked: watch::Receiver<Option<Wanted>>,
    report: watch::Sender<Look>,
    resync: Duration,
) {
    let mut timer = tokio::time::interval(resync);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rules = Rules::default();
    loop {
        let wanted = asked.borrow_and_update().clone();
        if let Some(wanted) = wanted {
            let look = tokio::task::spawn_blocking(move || {
                let outcome = rules.ensure(&wanted);
                (rules, Some((wanted, outcome)))
            });
            let Ok((back, look)) = look.await else {
                return;
            };
            rules = back;
            report.send_if_modified(|last| {
                let news = *last != look;
                *last = look;
                news
            });
        }
        tokio::select! {
            changed = asked.changed() => if changed.is_err() { return },
            _ = timer.tick() => {}
        }
    }
}

/// What is known of the kernel's rules from one look to the next.
#[derive(Debug, Default)]
struct Rules {
    ip: Table,
    ip6: Table,
    /// What flanneld left has been looked for.
    tidied: bool,
    /// So far.
    looks: u32,
    /// Other firewalls, as seen last.
    obstacles: Vec<String>,
    /// As told last.
    warnings: Vec<String>,
}

impl Rules {
    /// One look at everything, and what differs is put right.
    fn ensure(&mut self, wanted: &Wanted) -> Result<(), RulesError> {
        for pods in &wanted.pods {
            let family = Family::of(&pods.network);
            let table = match family {
                Family::Ip => &mut self.ip,
                Family::Ip6 => &mut self.ip6,
            };
            if table.ensure(wanted, family)? {
                tracing::warn!(
                    "somebody changed table {} {}, our masquerade rules: they stand again",
                    family.name(),
                    wanted.table
                );
            }
        }
        if wanted.masquerade.is_some() && !self.tidied {
            for pods in &wanted.pods {
                for what in leftover::remove(&pods.network)? {
                    tracing::info!("removed flanneld's masquerade rules: {what}");
                }
            }
            self.tidied = true;
        }
        let deep = self.looks.is_multiple_of(DEEP);
        self.looks = self.looks.wrapping_add(1);
        let mut warnings = Vec::new();
        for Pods { network, .. } in wanted.pods.iter().filter(|_| wanted.forward) {
            // The engine forwards no IPv6 yet, and iptables' other half is another program.
            if Family::of(network) == Family::Ip {
                warnings.extend(forward::ensure(network)?);
                if deep {
                    self.obstacles = forward::obstacles(network)?;
                }
            }
        }
        warnings.extend(self.obstacles.iter().cloned());
        for warning in warnings.iter().filter(|w| !self.warnings.contains(w)) {
            tracing::warn!("{warning}");
        }
        self.warnings = warnings;
        Ok(())
    }
}
