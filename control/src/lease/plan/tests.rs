use std::net::Ipv4Addr;
use std::time::Duration;

use contract::wire::Mac;

use super::*;

const PREFIX: &str = "/p";

fn network() -> NetworkConfig {
    NetworkConfig::parse(
        br#"{"Network":"10.3.0.0/16","SubnetMax":"10.3.2.0","Backend":{"Type":"vxlan"}}"#,
    )
    .unwrap()
}

fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

fn who(last: u8) -> Identity {
    Identity {
        public_ip: Ipv4Addr::new(192, 0, 2, last),
        vtep_mac: Mac([2, 0, 0, 0, 0, last]),
    }
}

/// A mirror with these leases: subnet, value, etcd lease; revisions count from 11.
fn listing(leases: &[(&str, String, i64)]) -> Listing {
    let mut listing = Listing::default();
    for (i, (subnet, value, etcd_lease)) in leases.iter().enumerate() {
        listing.wrote(
            &record::key(PREFIX, net(subnet)),
            value,
            *etcd_lease,
            11 + i as i64,
        );
    }
    listing
}

fn value(who: Identity) -> String {
    record::value(who, &network().backend)
}

fn held(etcd_lease: i64) -> Standing {
    let now = Instant::now();
    let end = (etcd_lease != 0).then(|| now + Duration::from_secs(100));
    Standing::Held(Holding {
        subnet: net("10.3.1.0/24"),
        identity: who(1),
        etcd_lease,
        expires: end,
        renew_at: end,
    })
}

struct Case {
    listing: Listing,
    identity: Identity,
    previous: Option<Ipv4Net>,
    now: Instant,
    not_before: Instant,
}

fn case(leases: &[(&str, String, i64)]) -> Case {
    let now = Instant::now();
    Case {
        listing: listing(leases),
        identity: who(1),
        previous: None,
        now,
        not_before: now,
    }
}

impl Case {
    fn plan(&self, standing: &Standing) -> Step {
        let scene = Scene {
            network: &network(),
            prefix: PREFIX,
            listing: &self.listing,
            identity: self.identity,
            previous: self.previous,
            not_before: self.not_before,
            now: self.now,
        };
        scene.plan(standing)
    }
}

#[test]
fn a_lease_that_is_as_we_left_it_rests_until_it_is_to_be_renewed() {
    let mut case = case(&[("10.3.1.0/24", value(who(1)), 7)]);
    let standing = held(7);
    assert!(matches!(case.plan(&standing), Step::Rest(Some(_))));
    let Standing::Held(Holding { renew_at, .. }) = &standing else {
        unreachable!()
    };
    case.now = renew_at.unwrap() - Duration::from_secs(1);
    assert!(matches!(case.plan(&standing), Step::Rest(Some(_))));
    case.now = renew_at.unwrap();
    // In this case the end of the lease, too: too late to renew.
    assert_eq!(case.plan(&standing), Step::Lose(Loss::Expired));
    let Standing::Held(mut holding) = standing else {
        unreachable!()
    };
    holding.expires = Some(case.now + Duration::from_secs(1));
    assert_eq!(case.plan(&Standing::Held(holding)), Step::Renew);
}

#[test]
fn a_reservation_rests_without_end() {
    let case = case(&[("10.3.1.0/24", value(who(1)), 0)]);
    assert_eq!(case.plan(&held(0)), Step::Rest(None));
}

#[test]
fn theft_is_another_public_ip_another_mac_or_another_backend() {
    let stolen = |by, mac| Step::Lose(Loss::Stolen { by, vtep_mac: mac });
    let other = who(2);
    let case1 = case(&[("10.3.1.0/24", value(other), 7)]);
    assert_eq!(
        case1.plan(&held(7)),
        stolen(other.public_ip, Some(other.vtep_mac))
    );
    let twin = Identity {
        vtep_mac: Mac([2, 9, 9, 9, 9, 9]),
        ..who(1)
    };
    let case2 = case(&[("10.3.1.0/24", value(twin), 8)]);
    assert_eq!(
        case2.plan(&held(7)),
        stolen(twin.public_ip, Some(twin.vtep_mac))
    );
    let case3 = case(&[("10.3.1.0/24", r#"{"PublicIP":"192.0.2.1"}"#.into(), 7)]);
    assert_eq!(case3.plan(&held(7)), stolen(who(1).public_ip, None));
}

#[test]
fn deletion_is_a_loss_and_the_same_subnet_is_asked_for_again() {
    let case = case(&[]);
    assert_eq!(case.plan(&held(7)), Step::Lose(Loss::Deleted));
    let lost = Standing::Lost {
        subnet: net("10.3.2.0/24"),
        loss: Loss::Deleted,
    };
    let again = Step::Take {
        subnet: net("10.3.2.0/24"),
        expected: 0,
        binding: Binding::Fresh,
    };
    assert_eq!(case.plan(&lost), again);
}

#[test]
fn a_stolen_subnet_is_replaced_by_a_free_one() {
    let case = case(&[("10.3.1.0/24", value(who(2)), 7)]);
    let lost = Standing::Lost {
        subnet: net("10.3.1.0/24"),
        loss: Loss::Deleted,
    };
    let other = Step::Take {
        subnet: net("10.3.2.0/24"),
        expected: 0,
        binding: Binding::Fresh,
    };
    assert_eq!(case.plan(&lost), other);
}

#[test]
fn junk_in_our_key_is_repaired_in_place() {
    let case = case(&[("10.3.1.0/24", String::new(), 0)]);
    let repair = Step::Take {
        subnet: net("10.3.1.0/24"),
        expected: 11,
        binding: Binding::Keep(7),
    };
    assert_eq!(case.plan(&held(7)), repair);
}

#[test]
fn a_new_identity_rewrites_the_value_and_keeps_subnet_and_etcd_lease() {
    let mut case = case(&[("10.3.1.0/24", value(who(1)), 7)]);
    case.identity = who(5);
    let rewrite = Step::Take {
        subnet: net("10.3.1.0/24"),
        expected: 11,
        binding: Binding::Keep(7),
    };
    assert_eq!(case.plan(&held(7)), rewrite);
    // And if the write went through although its answer was lost, it is only noted.
    case.listing = listing(&[("10.3.1.0/24", value(who(5)), 7)]);
    assert_eq!(
        case.plan(&held(7)),
        Step::Adopt {
            subnet: net("10.3.1.0/24"),
            etcd_lease: 7
        }
    );
}

#[test]
fn a_key_bound_to_another_etcd_lease_is_followed_there() {
    for etcd_lease in [0, 8] {
        let case = case(&[("10.3.1.0/24", value(who(1)), etcd_lease)]);
        assert_eq!(
            case.plan(&held(7)),
            Step::Adopt {
                subnet: net("10.3.1.0/24"),
                etcd_lease
            }
        );
    }
}

#[test]
fn a_lease_with_our_public_ip_is_taken_over() {
    let twin = Identity {
        vtep_mac: Mac([2, 9, 9, 9, 9, 9]),
        ..who(1)
    };
    let take = |binding| Step::Take {
        subnet: net("10.3.2.0/24"),
        expected: 12,
        binding,
    };
    let plan = |value, etcd_lease| {
        case(&[
            ("10.3.1.0/24", self::value(who(2)), 7),
            ("10.3.2.0/24", value, etcd_lease),
        ])
        .plan(&Standing::Acquiring)
    };
    assert_eq!(plan(value(twin), 9), take(Binding::Fresh));
    assert_eq!(plan(value(twin), 0), take(Binding::Keep(0)));
    assert_eq!(
        plan(r#"{"PublicIP":"192.0.2.1"}"#.into(), 0),
        take(Binding::Keep(0))
    );
    assert_eq!(
        plan(value(who(1)), 9),
        Step::Adopt {
            subnet: net("10.3.2.0/24"),
            etcd_lease: 9
        }
    );
}

#[test]
fn of_several_with_our_public_ip_the_previous_one_is_taken() {
    let mut case = case(&[
        ("10.3.1.0/24", value(who(1)), 7),
        ("10.3.2.0/24", value(who(1)), 8),
    ]);
    assert_eq!(
        case.plan(&Standing::Acquiring),
        Step::Adopt {
            subnet: net("10.3.1.0/24"),
            etcd_lease: 7
        }
    );
    case.previous = Some(net("10.3.2.0/24"));
    assert_eq!(
        case.plan(&Standing::Acquiring),
        Step::Adopt {
            subnet: net("10.3.2.0/24"),
            etcd_lease: 8
        }
    );
}

#[test]
fn a_lease_with_our_public_ip_that_does_not_fit_is_discarded() {
    for subnet in ["10.3.1.0/25", "10.3.9.0/24"] {
        let case = case(&[(subnet, value(who(1)), 7)]);
        let discard = Step::Discard {
            key: record::key(PREFIX, net(subnet)),
            subnet: net(subnet),
            expected: 11,
        };
        assert_eq!(case.plan(&Standing::Acquiring), discard);
    }
    let mut case = case(&[]);
    case.listing
        .wrote("/p/subnets/10.3.1.0-24&fd00::-64", &value(who(1)), 7, 11);
    assert!(matches!(
        case.plan(&Standing::Acquiring),
        Step::Discard { .. }
    ));
}

#[test]
fn nothing_free_is_said_and_junk_occupies_its_subnet() {
    let case = case(&[
        ("10.3.1.0/24", "junk".into(), 7),
        ("10.3.2.0/24", value(who(2)), 8),
    ]);
    assert_eq!(case.plan(&Standing::Acquiring), Step::Starve);
}

#[test]
fn after_a_failure_only_losses_are_seen_at_once() {
    let mut case = case(&[]);
    case.not_before = case.now + Duration::from_secs(9);
    assert_eq!(case.plan(&held(7)), Step::Lose(Loss::Deleted));
    assert_eq!(
        case.plan(&Standing::Acquiring),
        Step::Rest(Some(case.not_before))
    );
}
