//! Leases against a real etcd: Debian's `etcd`, started on the loopback with free ports and a directory of its own.
//!
//! No root and nothing mocked. Each test ends with an audit of everything that was ever written below the prefix, by
//! flannel's grammar (FLANNEL's trap: one bad key makes each flannel node forget its routes).

mod acquire;
mod audit;
mod etcd;
mod file;
mod follow;
mod keep;
mod node;
mod owners;
mod proxy;
mod secure;
