//! Kernel parameters under `/proc/sys`. Written only when they differ, so that a restart touches nothing.

use std::io;
use std::path::PathBuf;

use super::NetlinkError;

/// `/proc/sys/net/<family>/conf/<device>/<name>`. The path is built from parts: a device name may hold dots.
fn path(family: &str, device: &str, name: &str) -> PathBuf {
    ["/proc/sys/net", family, "conf", device, name]
        .iter()
        .collect()
}

/// Reads a device's parameter.
pub fn read(family: &str, device: &str, name: &str) -> io::Result<String> {
    std::fs::read_to_string(path(family, device, name)).map(|text| text.trim().to_owned())
}

/// Gives a device's parameter a value.
pub fn write(family: &str, device: &str, name: &str, value: &str) -> Result<(), NetlinkError> {
    let error = |source| NetlinkError::Sysctl {
        key: format!("net.{family}.conf.{device}.{name}"),
        value: value.to_owned(),
        source,
    };
    if read(family, device, name).map_err(error)? == value {
        return Ok(());
    }
    std::fs::write(path(family, device, name), value).map_err(error)
}

/// Whether the kernel drops what comes in by a device that it would not answer through (`rp_filter` 1, RFC 3704 strict mode).
/// The larger of the device's value and that of all counts.
pub fn filters_strictly(device: &str) -> bool {
    let value = |of| read("ipv4", of, "rp_filter").ok()?.parse::<u8>().ok();
    value("all").max(value(device)) == Some(1)
}

/// Whether the kernel speaks IPv6 in this namespace: only then are there IPv6 parameters to set.
pub fn has_ipv6() -> bool {
    PathBuf::from("/proc/sys/net/ipv6").exists()
}

/// Whether the kernel forwards IPv4 between devices at all. The uplink forwards by itself; a pod's device follows this.
pub fn forwards_ipv4() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").is_ok_and(|text| text.trim() == "1")
}
