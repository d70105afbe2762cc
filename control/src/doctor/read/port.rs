//! Who has a UDP port, from /proc as `ss` reads it.

use std::fs;
use std::path::Path;

use super::super::facts::PortOwner;
use super::host::text;

pub fn owner(port: u16) -> Option<PortOwner> {
    // /proc/net is that of the reader's network namespace.
    let inodes = ["/proc/net/udp", "/proc/net/udp6"].map(|path| {
        let table = fs::read_to_string(path).unwrap_or_default();
        sockets(&table, port)
    });
    let inodes = inodes.concat();
    let first = inodes.first()?;
    Some(
        process(*first).map_or(PortOwner::Unseen, |pid| PortOwner::Process {
            pid,
            name: text(format!("/proc/{pid}/comm")).unwrap_or_default(),
        }),
    )
}

/// Inodes of the sockets with this local port: the tenth column, of lines whose second is `ADDRESS:PORT` in hexadecimal.
fn sockets(table: &str, port: u16) -> Vec<u64> {
    let suffix = format!(":{port:04X}");
    let lines = table.lines().skip(1);
    lines
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            let local = columns.nth(1)?;
            let inode = columns.nth(7)?.parse().ok()?;
            local.ends_with(&suffix).then_some(inode)
        })
        .collect()
}

/// The process with a descriptor of this socket.
fn process(inode: u64) -> Option<u32> {
    let wanted = format!("socket:[{inode}]");
    let has = |directory: &Path| {
        let descriptors = fs::read_dir(directory.join("fd"))
            .into_iter()
            .flatten()
            .flatten();
        descriptors
            .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
            .any(|target| target.as_os_str() == wanted.as_str())
    };
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        has(&entry.path()).then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    const TABLE: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
        \x20 351: 00000000:2118 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 9254051 2 0000000000000000 0\n\
        \x20 900: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 77123 2 0000000000000000 0\n";

    #[test]
    fn the_kernels_table() {
        assert_eq!(sockets(TABLE, 8472), [9254051]);
        assert_eq!(sockets(TABLE, 8080), [77123]);
        assert_eq!(sockets(TABLE, 80), [0; 0]);
    }

    #[test]
    fn a_socket_of_this_process_is_found() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let Some(PortOwner::Process { pid, .. }) = owner(port) else {
            panic!("port {port} is ours");
        };
        assert_eq!(pid, std::process::id());
    }
}
