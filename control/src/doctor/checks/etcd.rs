//! etcd: whether it answers, how soon, and what it says of the network. And the clock.

use std::time::Duration;

use contract::config::{Config, LeaseSource};

use super::super::facts::Facts;
use super::super::finding::{Finding, error, hint, ok, warn};

/// etcd's own members warn of reads that take longer than 100 ms.
const SLOW: Duration = Duration::from_millis(100);

pub fn reachable(facts: &Facts, _: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "etcd";
    let answers = facts.etcd.iter();
    let any = answers.clone().any(|(_, answer)| answer.is_ok());
    answers
        .map(|(endpoint, answer)| match answer {
            Ok(latency) if *latency > SLOW => hint(
                SUBJECT,
                format!("{endpoint} answers after {} ms", latency.as_millis()),
                "etcdctl endpoint status -w table   # and the disk of its leader",
            ),
            Ok(latency) => ok(
                SUBJECT,
                format!(
                    "{endpoint} answers within {:.1} ms",
                    latency.as_secs_f64() * 1e3
                ),
            ),
            Err(text) => {
                let (seen, remedy) = text
                    .rsplit_once("; ")
                    .unwrap_or((text, "etcdctl endpoint health"));
                match any {
                    // The others serve.
                    true => warn(SUBJECT, seen, remedy),
                    false => error(SUBJECT, seen, remedy),
                }
            }
        })
        .collect()
}

pub fn network(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "network-config";
    let network = match &facts.network {
        None => return Vec::new(),
        Some(Ok(network)) => network,
        Some(Err(why)) => {
            let remedy = match &config.lease.source {
                LeaseSource::File(path) => format!("mend {}", path.display()),
                LeaseSource::Etcd => format!(
                    "etcdctl put {}/config '{{\"Network\": \"10.244.0.0/16\", \"Backend\": {{\"Type\": \"vxlan\"}}}}'   # with your network",
                    config.etcd.prefix
                ),
            };
            return vec![error(SUBJECT, why.clone(), remedy)];
        }
    };
    let pods = network.network;
    vec![
        match facts.address.filter(|address| pods.contains(address)) {
            Some(address) => error(
                SUBJECT,
                format!(
                    "this node's own address {address} lies in the network of the pods, {pods}"
                ),
                "choose another network for the pods, or another underlay.interface in node.toml",
            ),
            None => ok(SUBJECT, pods.to_string()),
        },
    ]
}

/// Leases run by monotonic clocks, here and in etcd. Certificates and logs do not.
pub fn clock(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "clock";
    match facts.clock_synchronized {
        None => Vec::new(),
        Some(true) => vec![ok(SUBJECT, "synchronized")],
        Some(false) => {
            let tls = config
                .etcd
                .endpoints
                .iter()
                .any(|url| url.starts_with("https:"));
            let harm = match tls && config.lease.source == LeaseSource::Etcd {
                true => "etcd's certificate may look expired, or not yet valid",
                false => "only logs suffer, for leases do not run by it",
            };
            vec![hint(
                SUBJECT,
                format!("the wall clock is not synchronized: {harm}"),
                "timedatectl set-ntp true   # or: apt-get install chrony",
            )]
        }
    }
}
