//! A tweed node as far as leases go: `lease::run` on a task, with its channels.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::wire::Mac;
use control::lease::{self, Cluster, EtcdSource, Identity, OwnLease, Source, View};
use ipnet::Ipv4Net;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::etcd::{Etcd, PREFIX};

/// Longer than anything here should take, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn identity(n: u8) -> Identity {
    Identity {
        public_ip: Ipv4Addr::new(192, 0, 2, n),
        vtep_mac: Mac([2, 0, 0, 0, 0, n]),
    }
}

/// Leases of an hour, renewed half an hour before their end: never in these tests unless they say so.
pub fn source(endpoints: &[String]) -> EtcdSource {
    EtcdSource {
        etcd: contract::config::Etcd {
            endpoints: endpoints.to_vec(),
            prefix: PREFIX.into(),
            cafile: None,
            cert_and_key: None,
            user: None,
        },
        ttl: Duration::from_secs(3600),
        renew_margin: Duration::from_secs(1800),
        release_on_exit: false,
        previous: None,
    }
}

pub struct Node {
    pub view: watch::Receiver<View>,
    pub identity: watch::Sender<Identity>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    /// Each state of our own lease that was published and seen.
    states: Arc<Mutex<Vec<OwnLease>>>,
}

impl Node {
    pub fn start(n: u8, source: Source) -> Self {
        let (view_sender, view) = watch::channel(View::default());
        let (identity, identity_receiver) = watch::channel(identity(n));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(lease::run(source, identity_receiver, view_sender, async {
            let _ = stopped.await;
        }));
        let states = Arc::new(Mutex::new(Vec::new()));
        let (seen, mut views) = (Arc::clone(&states), view.clone());
        tokio::spawn(async move {
            while views.changed().await.is_ok() {
                if let Some(cluster) = &views.borrow_and_update().cluster {
                    seen.lock().unwrap().push(cluster.own.clone());
                }
            }
        });
        Node {
            view,
            identity,
            stop,
            task,
            states,
        }
    }

    /// Node `n` of an etcd, with the usual source.
    pub fn of(n: u8, etcd: &Etcd) -> Self {
        Self::start(n, Source::Etcd(source(&[etcd.endpoint()])))
    }

    /// Waits for a view.
    #[track_caller]
    pub fn until(
        &mut self,
        what: &'static str,
        wanted: impl FnMut(&View) -> bool,
    ) -> impl Future<Output = View> {
        let place = std::panic::Location::caller();
        async move {
            let mut view = self.view.clone();
            match tokio::time::timeout(PATIENCE, self.view.wait_for(wanted)).await {
                Ok(view) => view.expect("the node ended").clone(),
                Err(_) => panic!(
                    "{place}: waited in vain for {what}; last seen: {:#?}",
                    *view.borrow_and_update()
                ),
            }
        }
    }

    /// Waits for a state of the cluster.
    #[track_caller]
    pub fn until_cluster(
        &mut self,
        what: &'static str,
        mut wanted: impl FnMut(&Cluster) -> bool,
    ) -> impl Future<Output = Arc<Cluster>> {
        let view = self.until(what, move |view| {
            view.cluster.as_ref().is_some_and(|cluster| wanted(cluster))
        });
        async { view.await.cluster.unwrap() }
    }

    /// Waits until a lease is held.
    #[track_caller]
    pub fn until_held(&mut self) -> impl Future<Output = Ipv4Net> {
        let cluster = self.until_cluster("a lease of our own", |cluster| {
            cluster.own.subnet().is_some()
        });
        async { cluster.await.own.subnet().unwrap() }
    }

    /// Waits for a trouble that says so.
    #[track_caller]
    pub fn until_trouble(&mut self, text: &'static str) -> impl Future<Output = String> {
        let view = self.until(text, move |view| {
            view.trouble.as_ref().is_some_and(|t| t.contains(text))
        });
        async { view.await.trouble.unwrap() }
    }

    /// Whether a loss was ever seen.
    pub fn ever_lost(&self) -> bool {
        self.states
            .lock()
            .unwrap()
            .iter()
            .any(|own| matches!(own, OwnLease::Lost { .. }))
    }

    /// A clean stop.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap();
    }

    /// A crash.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
