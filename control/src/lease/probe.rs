//! Asking each etcd endpoint once, as the lease keeper would: for those who look for what is wrong.

use std::time::{Duration, Instant};

use contract::config::Etcd;
use futures::future::join_all;

use super::client::Connection;
use super::refusal::EtcdError;

/// What an endpoint answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of a read on a connection that stands: the way there and back, and etcd's quorum.
    pub latency: Duration,
    /// The value of `<prefix>/config`; `None`: there is none.
    pub config: Option<Vec<u8>>,
}

/// All endpoints at once, each with its answer. Connects, logs in, and reads the network config twice; writes nothing.
pub async fn probe(etcd: &Etcd) -> Vec<(String, Result<Answer, EtcdError>)> {
    join_all(etcd.endpoints.iter().map(|endpoint| async move {
        let answer = ask(etcd, endpoint).await;
        (endpoint.clone(), answer)
    }))
    .await
}

async fn ask(etcd: &Etcd, endpoint: &str) -> Result<Answer, EtcdError> {
    let mut connection = Connection::open(etcd, endpoint).await?;
    // The first call pays for the connection.
    connection.config().await?;
    let asked = Instant::now();
    let (config, _) = connection.config().await?;
    Ok(Answer {
        latency: asked.elapsed(),
        config,
    })
}
