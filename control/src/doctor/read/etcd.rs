//! The lease source's answers.

use std::time::Duration;

use contract::config::{Config, LeaseSource};

use super::super::facts::Network;
use crate::lease::{Answer, EtcdError, LeaseFile, NetworkConfig, probe};
use crate::status::in_force::tunnel_port;
use crate::status::look::Seen;

/// Each endpoint with its answer; and the network config, `None` when nobody could be asked for it.
pub async fn read(
    config: &Config,
) -> (
    Vec<(String, Result<Duration, String>)>,
    Option<Result<Network, String>>,
) {
    if let LeaseSource::File(path) = &config.lease.source {
        let file = LeaseFile::load(path).map_err(|error| error.to_string());
        return (Vec::new(), Some(file.map(|file| network(file.network()))));
    }
    let answers = probe(&config.etcd).await;
    let found = answers.iter().find_map(|(_, answer)| answer.as_ref().ok());
    let network = found.map(|answer| {
        let key = format!("{}/config", config.etcd.prefix);
        match &answer.config {
            None => Err(format!("{key} is not in etcd")),
            Some(text) => NetworkConfig::parse(text)
                .map(|config| network(&config))
                .map_err(|error| format!("{key}: {error}")),
        }
    });
    let latency = |(endpoint, answer): (String, Result<Answer, EtcdError>)| {
        let latency = answer.map(|answer| answer.latency);
        (endpoint, latency.map_err(|error| error.to_string()))
    };
    (answers.into_iter().map(latency).collect(), network)
}

fn network(config: &NetworkConfig) -> Network {
    Network {
        network: config.network,
        port: tunnel_port(&config.backend),
        overhead: config.backend.overhead(),
    }
}

/// As control knew it last.
pub fn from_status(seen: &Seen) -> Option<Network> {
    let config = seen.status.config.as_ref()?;
    Some(Network {
        network: seen.status.network?,
        port: config.port,
        overhead: config.overhead,
    })
}
