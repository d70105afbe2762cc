use contract::tables::{Adjacency, Encap, Port, PortKind, Tables};
use contract::wire::Mac;

use super::*;
use crate::compile::{Obstacle, Peer};
use crate::lease::Loss;

fn peer(slot: Option<u16>, obstacle: Option<Obstacle>) -> Peer {
    Peer {
        slot,
        public_ip: Ipv4Addr::new(192, 168, 7, 2),
        subnets: vec!["10.1.2.0/24".parse().unwrap()],
        obstacle,
    }
}

fn status_of(peers: &[Peer]) -> Status {
    let tables = Tables::default();
    let status = |peer| PeerStatus::new(peer, None, &tables, None);
    Status {
        generation: 3,
        peers: peers.iter().map(status).collect(),
        ..Status::default()
    }
}

fn read(directory: &tempfile::TempDir) -> Status {
    let text = std::fs::read(directory.path().join(FILE)).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn the_file_says_what_is_wrong_and_leaves_out_what_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = StatusFile::new(directory.path());
    let lost = OwnLease::Lost {
        subnet: "10.1.1.0/24".parse().unwrap(),
        loss: Loss::Deleted,
    };
    let status = Status {
        own: Own::new(
            Some(&lost),
            Ipv4Addr::new(192, 168, 7, 1),
            "02:00:00:00:00:01".into(),
        ),
        ..status_of(&[peer(Some(2), None), peer(None, Some(Obstacle::NoSlot))])
    };
    file.write(status).unwrap();
    let text = std::fs::read_to_string(directory.path().join(FILE)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["own"]["state"], "lost");
    assert_eq!(json["own"]["loss"], "deleted, revoked or expired in etcd");
    assert_eq!(json["peers"][0]["slot"], 2);
    assert_eq!(json["peers"][0].get("obstacle"), None);
    assert_eq!(
        json["peers"][1]["obstacle"],
        "the tables are full: 65534 peers"
    );
    assert_eq!(json.get("trouble"), None);
    assert_eq!(json["pid"], std::process::id());
    assert_eq!(read(&directory).own.state, OwnState::Lost);
}

#[test]
fn a_status_without_news_is_still_a_sign_of_life_and_comes_back_when_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let mut file = StatusFile::new(directory.path());
    file.write(Status::default()).unwrap();
    let text = std::fs::read(&path).unwrap();
    let touched = File::options().write(true).open(&path).unwrap();
    touched.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    file.write(Status::default()).unwrap();
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    assert!(modified > SystemTime::UNIX_EPOCH);
    std::fs::remove_file(&path).unwrap();
    file.write(Status::default()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), text);
}

#[test]
fn what_changed_is_dated_and_what_did_not_keeps_its_date() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = StatusFile::new(directory.path());
    let mut second = peer(Some(3), None);
    second.subnets = vec!["10.1.3.0/24".parse().unwrap()];
    file.write(status_of(&[peer(Some(2), None), second.clone()]))
        .unwrap();
    let before = read(&directory);
    assert!(before.own.since_ns > 0 && before.peers.iter().all(|peer| peer.since_ns > 0));

    let gone = peer(Some(2), Some(Obstacle::Unknown));
    file.write(status_of(&[gone, second.clone()])).unwrap();
    let after = read(&directory);
    assert!(after.peers[0].since_ns > before.peers[0].since_ns);
    assert_eq!(after.peers[1], before.peers[1]);
    assert_eq!(after.own, before.own);

    // One that comes before the others moves them, and dates none of them.
    let mut first = peer(Some(4), None);
    first.subnets = vec!["10.1.0.0/24".parse().unwrap()];
    let gone = peer(Some(2), Some(Obstacle::Unknown));
    file.write(status_of(&[first, gone, second])).unwrap();
    assert_eq!(read(&directory).peers[1..], after.peers[..]);
}

#[test]
fn the_end_of_a_lease_does_not_tremble() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = StatusFile::new(directory.path());
    let expires = Instant::now() + std::time::Duration::from_secs(3600);
    let mut write = || {
        let held = OwnLease::Held {
            subnet: "10.1.1.0/24".parse().unwrap(),
            expires: Some(expires),
        };
        let own = Own::new(Some(&held), Ipv4Addr::new(192, 168, 7, 1), String::new());
        file.write(Status {
            own,
            ..Status::default()
        })
        .unwrap();
        read(&directory).own
    };
    let first = write();
    let left = first.expires_ns.unwrap() - monotonic_ns();
    assert!((3_500_000_000_000..3_601_000_000_000).contains(&left));
    assert_eq!(write(), first);
}

#[test]
fn the_way_to_a_peer_is_that_of_its_adjacency() {
    let mac = Mac([2, 0, 0, 0, 0, 9]);
    let tables = Tables {
        ports: vec![Port {
            name: "eth0".into(),
            kind: PortKind::Underlay,
            mode: contract::config::BindMode::Auto,
            mtu: 1500,
            mac,
            peer_mac: mac,
        }],
        adjacencies: vec![
            Adjacency::Empty,
            Adjacency::Peer {
                port: 0,
                mtu: 1350,
                next_hop: mac,
                own: mac,
                src: Ipv4Addr::new(192, 168, 7, 1).into(),
                peer: Ipv4Addr::new(192, 168, 7, 2).into(),
                encap: Encap::Vxlan {
                    peer_vtep: mac,
                    own_vtep: mac,
                },
            },
        ],
        ..Tables::default()
    };
    let gateway = Ipv4Addr::new(192, 168, 7, 254);
    let status = PeerStatus::new(&peer(Some(1), None), None, &tables, Some(gateway));
    assert_eq!(status.encapsulation.as_deref(), Some("vxlan"));
    assert_eq!(status.next_hop_mac.as_deref(), Some("02:00:00:00:00:09"));
    assert_eq!(status.device.as_deref(), Some("eth0"));
    assert_eq!((status.mtu, status.next_hop), (Some(1350), Some(gateway)));
    assert!(!status.left_out);
    let other = peer(
        Some(0),
        Some(Obstacle::Backend {
            theirs: "host-gw".into(),
            ours: "vxlan",
        }),
    );
    let other = PeerStatus::new(&other, None, &tables, None);
    assert!(other.left_out && other.encapsulation.is_none());
}
