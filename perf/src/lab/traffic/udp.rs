//! Datagrams sent, echoed and compared: the only test of UDP that sees a damaged byte.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use crate::lab::error::{LabError, Result, expect};
use crate::lab::namespace::Namespace;

/// A round of datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpEcho {
    /// Payload bytes of each; above the MTU the kernel fragments them.
    pub len: usize,
    /// How many, one after the other.
    pub count: usize,
}

/// How long an echo may take. Generous: only a lost datagram reaches it.
const PATIENCE: Duration = Duration::from_secs(2);

impl UdpEcho {
    /// Sends from `from` to `address`, which is in `to`; every datagram must come back as it was.
    pub fn run(
        &self,
        from: &impl AsRef<Namespace>,
        to: &impl AsRef<Namespace>,
        address: Ipv4Addr,
    ) -> Result<()> {
        let failed = |what: &str| LabError::io(format!("{what} {address} by UDP"));
        let server = to
            .as_ref()
            .inside(|| UdpSocket::bind((address, 0)))?
            .map_err(failed("listen on"))?;
        let target = server.local_addr().map_err(failed("listen on"))?;
        let client = from
            .as_ref()
            .inside(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))?
            .map_err(failed("reach"))?;
        for socket in [&server, &client] {
            socket
                .set_read_timeout(Some(PATIENCE))
                .map_err(failed("wait for"))?;
        }
        client.connect(target).map_err(failed("reach"))?;
        for index in 0..self.count {
            let sent = pattern(index, self.len);
            let back = round(&client, &server, &sent).map_err(failed(&format!(
                "echo datagram {index} of {} bytes off",
                self.len
            )))?;
            expect(back == sent, || {
                format!("datagram {index} came back from {address} damaged")
            })?;
        }
        Ok(())
    }
}

/// One datagram there and back.
fn round(client: &UdpSocket, server: &UdpSocket, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 65_536];
    client.send(bytes)?;
    let (len, peer) = server.recv_from(&mut buffer)?;
    server.send_to(&buffer[..len], peer)?;
    let len = client.recv(&mut buffer)?;
    buffer.truncate(len);
    Ok(buffer)
}

/// Bytes that differ from datagram to datagram and from place to place, so that swapped fragments show.
fn pattern(seed: usize, len: usize) -> Vec<u8> {
    let mut state = seed as u32 ^ 0x9e37_79b9;
    (0..len)
        .map(|_| {
            // xorshift32 (Marsaglia 2003)
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_differ_by_datagram_and_place() {
        let (a, b) = (pattern(0, 4096), pattern(1, 4096));
        assert_ne!(a, b);
        assert_ne!(a[..1448], a[1448..2896]);
    }
}
