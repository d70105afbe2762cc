//! Everything below `<prefix>/subnets` in etcd, as of a revision: our mirror of it.
//!
//! Fed by lists, watch events and our own writes, in any order: a change older than what is known of its key, or than
//! the last complete list, changes nothing. Keys that flannel's pattern takes are kept even when their value is junk, for
//! they still occupy their subnet.

use std::collections::BTreeMap;

use etcd_client::{Event, EventType, KeyValue};
use ipnet::Ipv4Net;

use super::admit::Found;
use super::record::{RecordError, Subnets};
use super::{Identity, Lease, NetworkBackend};

/// One key.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) mod_revision: i64,
    pub(super) create_revision: i64,
    /// The etcd lease the key is bound to; 0: none, a reservation.
    pub(super) etcd_lease: i64,
    pub(super) lease: Result<Lease, RecordError>,
}

impl Entry {
    fn new(key: &str, kv: &KeyValue) -> Self {
        Entry {
            mod_revision: kv.mod_revision(),
            create_revision: kv.create_revision(),
            etcd_lease: kv.lease(),
            lease: Lease::parse(key, kv.value()),
        }
    }

    /// Whether the value is a lease of this node.
    pub(super) fn says(&self, who: Identity, backend: &NetworkBackend) -> bool {
        self.lease
            .as_ref()
            .is_ok_and(|lease| lease.says(who, backend))
    }
}

/// The mirror.
#[derive(Debug, Default)]
pub(super) struct Listing {
    entries: BTreeMap<String, Entry>,
    /// The revision of the last complete list.
    revision: i64,
    /// Counts changes, so that a reader can tell whether to look again.
    version: u64,
}

impl Listing {
    /// Takes a complete list as of `revision`. Returns whether it differed from what was known.
    pub(super) fn replace(&mut self, kvs: &[KeyValue], revision: i64) -> bool {
        let entries = kvs
            .iter()
            .map(|kv| {
                let key = key_text(kv);
                let entry = Entry::new(&key, kv);
                (key, entry)
            })
            .collect();
        self.revision = revision;
        let changed = self.entries != entries;
        if changed {
            self.entries = entries;
            self.version += 1;
        }
        changed
    }

    /// Takes one watch event.
    pub(super) fn apply(&mut self, event: &Event) {
        let Some(kv) = event.kv() else { return };
        match event.event_type() {
            EventType::Put => self.put(kv),
            EventType::Delete => self.delete(&key_text(kv), kv.mod_revision()),
        }
    }

    /// Takes the state of one key.
    pub(super) fn put(&mut self, kv: &KeyValue) {
        let key = key_text(kv);
        if self.is_news(&key, kv.mod_revision()) {
            let entry = Entry::new(&key, kv);
            self.entries.insert(key, entry);
            self.version += 1;
        }
    }

    /// Takes what we wrote ourselves, before its event comes.
    pub(super) fn wrote(&mut self, key: &str, value: &str, etcd_lease: i64, mod_revision: i64) {
        if self.is_news(key, mod_revision) {
            let create_revision = self
                .get(key)
                .map_or(mod_revision, |entry| entry.create_revision);
            let lease = Lease::parse(key, value.as_bytes());
            let entry = Entry {
                mod_revision,
                create_revision,
                etcd_lease,
                lease,
            };
            self.entries.insert(key.to_owned(), entry);
            self.version += 1;
        }
    }

    /// Takes the absence of one key as of `revision`.
    pub(super) fn delete(&mut self, key: &str, revision: i64) {
        if self.entries.contains_key(key) && self.is_news(key, revision) {
            self.entries.remove(key);
            self.version += 1;
        }
    }

    fn is_news(&self, key: &str, revision: i64) -> bool {
        let known = self.get(key).map_or(0, |entry| entry.mod_revision);
        revision > known.max(self.revision)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(super) fn revision(&self) -> i64 {
        self.revision
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// All keys with their entries, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .map(|(key, entry)| (key.as_str(), entry))
    }

    /// Everything found, older keys by their create revision.
    pub(super) fn found(&self) -> impl Iterator<Item = Found<'_>> {
        self.iter().map(|(key, entry)| Found {
            key,
            age: entry.create_revision,
            lease: entry.lease.as_ref(),
        })
    }

    /// Subnets that some key names, whatever its value.
    pub(super) fn occupied(&self) -> impl Iterator<Item = Ipv4Net> {
        self.entries
            .keys()
            .filter_map(|key| Subnets::parse(key).ok())
            .map(|subnets| subnets.v4)
    }
}

/// Keys are bytes in etcd. One that is not text matches no lease and is only ever shown.
fn key_text(kv: &KeyValue) -> String {
    String::from_utf8_lossy(kv.key()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "/p/subnets/10.3.1.0-24";

    fn value(n: u8) -> String {
        format!(r#"{{"PublicIP":"192.0.2.{n}"}}"#)
    }

    fn holder(listing: &Listing) -> Option<String> {
        let lease = listing.get(KEY)?.lease.as_ref().ok()?;
        Some(lease.public_ip.to_string())
    }

    #[test]
    fn what_is_older_than_what_is_known_changes_nothing() {
        let mut listing = Listing::default();
        listing.wrote(KEY, &value(1), 7, 20);
        let version = listing.version();
        listing.wrote(KEY, &value(2), 7, 19);
        listing.delete(KEY, 18);
        assert_eq!(holder(&listing).as_deref(), Some("192.0.2.1"));
        assert_eq!(listing.version(), version);
        listing.delete(KEY, 21);
        assert_eq!(holder(&listing), None);
        assert_ne!(listing.version(), version);
    }

    #[test]
    fn events_from_before_a_list_change_nothing() {
        let mut listing = Listing::default();
        listing.wrote(KEY, &value(1), 7, 20);
        assert!(listing.replace(&[], 30), "the list lacks the key");
        assert!(!listing.replace(&[], 31), "nothing changed");
        listing.wrote(KEY, &value(1), 7, 25);
        assert_eq!(holder(&listing), None);
        listing.wrote(KEY, &value(1), 7, 32);
        assert_eq!(holder(&listing).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn a_rewrite_keeps_the_age_of_its_key() {
        let mut listing = Listing::default();
        listing.wrote(KEY, &value(1), 7, 20);
        listing.wrote(KEY, &value(2), 8, 25);
        let entry = listing.get(KEY).unwrap();
        assert_eq!(
            (entry.create_revision, entry.mod_revision, entry.etcd_lease),
            (20, 25, 8)
        );
    }

    #[test]
    fn junk_occupies_the_subnet_that_its_key_names() {
        let mut listing = Listing::default();
        listing.wrote(KEY, "junk", 0, 1);
        listing.wrote("/p/subnets/status", "{}", 0, 2);
        assert_eq!(
            listing.occupied().collect::<Vec<_>>(),
            ["10.3.1.0/24".parse().unwrap()]
        );
    }
}
