//! Policy rules that keep pods with addresses of a lost subnet out of the overlay.
//!
//! Two for each such subnet, ahead of everything but the node's own addresses:
//!
//! ```text
//! 116:  from 10.244.5.0/24 to 10.244.0.0/16 lookup main suppress_prefixlength 16 proto 116
//! 117:  from 10.244.5.0/24 to 10.244.0.0/16 prohibit proto 116
//! ```
//!
//! The first lets pass what has a route narrower than the cluster's network: pods of this node. Its own processes go on
//! reaching the pods that are fenced, and the pods of the node that has the subnet now reach ours, for their packets come with
//! the same source and are lawful. All else that the network's route would lead into the uplink is refused, and the sender is told
//! (ICMP type 3 code 13). The world outside of the cluster is not meant: behind masquerading the source is this node's.
//!
//! A rule of any kind makes each route lookup of the kernel a little slower, so there is none without a lost subnet.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use rtnetlink::packet_route::route::{RouteHeader, RouteProtocol};
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::route::PROTOCOL;
use super::{Netlink, NetlinkError, Verb};

/// Early, for a rule of an administrator's that leads pods elsewhere would lead these around the fence.
const PASS_PRIORITY: u32 = 116;
/// Right behind.
const REFUSE_PRIORITY: u32 = 117;

impl Netlink {
    /// Makes the fence be around exactly these sources, towards the cluster's `network`.
    pub async fn put_fence(
        &self,
        network: Ipv4Net,
        sources: &[Ipv4Net],
    ) -> Result<(), NetlinkError> {
        let standing = match self.rules().await {
            Ok(standing) => standing,
            // A kernel without policy routing has none to take away.
            Err(_) if sources.is_empty() => return Ok(()),
            Err(error) => return Err(error),
        };
        let wanted: Vec<_> = sources
            .iter()
            .flat_map(|source| [pass(*source, network), refuse(*source, network)])
            .collect();
        for rule in &wanted {
            if !standing.iter().any(|other| says(other) == says(rule)) {
                let message = RouteNetlinkMessage::NewRule(rule.clone());
                self.request(Verb::Put, message, || {
                    format!(
                        "fence pods of {} off, which is no longer ours (ip rule)",
                        source(rule)
                    )
                })
                .await?;
            }
        }
        // Another instance has another network, and its rules bear the same protocol number.
        let ours = |rule: &RuleMessage| {
            is_by_tweed(rule) && (destination(rule) == network || network.contains(&source(rule)))
        };
        // The last first: a refusal must not outlive what lets others pass.
        for rule in standing.into_iter().rev().filter(ours) {
            if !wanted.iter().any(|other| says(other) == says(&rule)) {
                let source = source(&rule);
                let message = RouteNetlinkMessage::DelRule(rule);
                self.request(Verb::Change, message, || {
                    format!("remove the fence around {source} (ip rule)")
                })
                .await?;
            }
        }
        Ok(())
    }

    async fn rules(&self) -> Result<Vec<RuleMessage>, NetlinkError> {
        let message = RouteNetlinkMessage::GetRule(empty());
        let answers = self
            .request(Verb::Dump, message, || {
                "list the policy rules (the kernel needs CONFIG_IP_MULTIPLE_TABLES)".into()
            })
            .await?;
        let rules = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewRule(rule) => Some(rule),
            _ => None,
        });
        Ok(rules.collect())
    }
}

fn empty() -> RuleMessage {
    let mut rule = RuleMessage::default();
    rule.header.family = AddressFamily::Inet;
    rule
}

fn pass(source: Ipv4Net, network: Ipv4Net) -> RuleMessage {
    let mut rule = between(source, network, PASS_PRIORITY);
    rule.header.action = RuleAction::ToTable;
    rule.header.table = RouteHeader::RT_TABLE_MAIN;
    rule.attributes.extend([
        RuleAttribute::Table(RouteHeader::RT_TABLE_MAIN.into()),
        RuleAttribute::SuppressPrefixLen(network.prefix_len().into()),
    ]);
    rule
}

fn refuse(source: Ipv4Net, network: Ipv4Net) -> RuleMessage {
    let mut rule = between(source, network, REFUSE_PRIORITY);
    rule.header.action = RuleAction::Prohibit;
    rule
}

fn between(source: Ipv4Net, network: Ipv4Net, priority: u32) -> RuleMessage {
    let mut rule = empty();
    rule.header.src_len = source.prefix_len();
    rule.header.dst_len = network.prefix_len();
    rule.attributes = vec![
        RuleAttribute::Source(source.network().into()),
        RuleAttribute::Destination(network.network().into()),
        RuleAttribute::Priority(priority),
        RuleAttribute::Protocol(RouteProtocol::Other(PROTOCOL)),
    ];
    rule
}

fn is_by_tweed(rule: &RuleMessage) -> bool {
    let by_tweed = RuleAttribute::Protocol(RouteProtocol::Other(PROTOCOL));
    rule.attributes.contains(&by_tweed)
}

/// What two rules have in common that do the same, whatever else the kernel says of them.
fn says(rule: &RuleMessage) -> impl PartialEq + use<> {
    let find = |wanted: fn(&RuleAttribute) -> Option<u32>| rule.attributes.iter().find_map(wanted);
    (
        is_by_tweed(rule),
        source(rule),
        destination(rule),
        rule.header.action,
        rule.header.flags,
        find(|attribute| match attribute {
            RuleAttribute::Priority(priority) => Some(*priority),
            _ => None,
        }),
        find(|attribute| match attribute {
            // All ones is how the kernel says that nothing is suppressed.
            RuleAttribute::SuppressPrefixLen(len) if *len != u32::MAX => Some(*len),
            _ => None,
        }),
    )
}

fn source(rule: &RuleMessage) -> Ipv4Net {
    let address = rule
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RuleAttribute::Source(IpAddr::V4(address)) => Some(*address),
            _ => None,
        });
    prefix(address, rule.header.src_len)
}

fn destination(rule: &RuleMessage) -> Ipv4Net {
    let address = rule
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RuleAttribute::Destination(IpAddr::V4(address)) => Some(*address),
            _ => None,
        });
    prefix(address, rule.header.dst_len)
}

fn prefix(address: Option<Ipv4Addr>, len: u8) -> Ipv4Net {
    let address = address.unwrap_or(Ipv4Addr::UNSPECIFIED);
    Ipv4Net::new(address, len).unwrap_or_default()
}
