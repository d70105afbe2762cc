//! Any text as `node.toml`: a configuration within its ranges, or an error that says where and what.

use std::path::Path;

use contract::config::{Config, DeviceRef};

/// Reads the text.
pub fn check(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    match Config::parse(Path::new("node.toml"), text) {
        Ok(config) => check_ranges(&config),
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() > 10, "{message:?} names nothing");
        }
    }
}

/// What the daemons rely on without looking again.
fn check_ranges(config: &Config) {
    let engine = &config.dataplane;
    assert!(engine.ring_size.is_power_of_two() && engine.ring_size >= 64);
    assert!(matches!(engine.chunk_size, 2048 | 4096));
    assert!(engine.frames > 0);
    let umem = u64::from(engine.frames) * u64::from(engine.chunk_size);
    assert!(umem <= u64::from(u32::MAX), "a UMEM of {umem} bytes");
    assert!((1..=14).contains(&config.overlay.device.len()));
    let interfaces = config.underlay.interfaces.iter();
    let named = interfaces.filter_map(|interface| match interface {
        DeviceRef::Name(name) => Some(name),
        DeviceRef::Address(_) => None,
    });
    let mut names = named.chain([&config.overlay.device]);
    assert!(names.all(|name| !name.contains(['/', ':', '\0', ' ', '\n'])));
    assert!(config.overlay.mtu.is_none_or(|mtu| mtu >= 576));
    assert!(config.lease.renew_margin_s < config.lease.ttl_s);
    assert!(!config.etcd.endpoints.is_empty() && !config.etcd.prefix.ends_with('/'));
    assert!(!config.workers.is_empty());
    let mut queues: Vec<_> = config.workers.iter().map(|worker| worker.queue).collect();
    queues.sort_unstable();
    assert!(queues.windows(2).all(|pair| pair[0] != pair[1]));
}
