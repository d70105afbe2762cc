//! The two ends of a run, opened: queues with their sockets, in their namespaces.

use std::net::IpAddr;

use super::cores;
use super::plan::{Place, RxSide, TxIo, TxSide};
use crate::error::{Failure, Result};
use crate::frame::FCS_LEN;
use crate::frame::build::{self, Macs};
use crate::io::link::{self, Link};
use crate::io::packet::{self, PacketRx, PacketTx};
use crate::io::take::Taker;
use crate::io::xsk::{self, XskRx, XskTx};
use crate::io::{Interface, Io, Missed, Mode, Tx, neighbour};
use crate::profile::{Ip, Profile, Stream};
use crate::report::Port;

/// Bytes of an Ethernet header, which the MTU does not count.
const ETHERNET_LEN: usize = 14;

/// A queue to send by.
pub enum TxQueue {
    /// AF_XDP.
    Xsk(Box<XskTx>),
    /// AF_PACKET.
    Packet(Box<PacketTx>),
    /// XDP live frames: there is no queue, the kernel makes the frames.
    Live,
}

/// A queue to receive by.
pub enum RxQueue {
    /// AF_XDP.
    Xsk(Box<XskRx>),
    /// AF_PACKET.
    Packet(Box<PacketRx>),
}

/// A sending end.
pub struct TxEnd {
    /// The interface.
    pub interface: Interface,
    /// What the machine says of it.
    pub link: Link,
    /// A queue for each worker.
    pub queues: Vec<(TxQueue, Place)>,
    /// Addresses of each stream.
    pub macs: Vec<Macs>,
}

/// A receiving end.
pub struct RxEnd {
    /// The interface.
    pub interface: Interface,
    /// What the machine says of it.
    pub link: Link,
    /// A queue for each worker.
    pub queues: Vec<(RxQueue, Place)>,
    /// Of an AF_XDP end. Dropped before the sockets, so that nothing is taken for nobody.
    taker: Option<Taker>,
    /// What it was asked to be.
    pub side: RxSide,
}

/// Opens both ends, or one; on one interface they share the sockets.
///
/// # Errors
/// The interface, its queues or its neighbour are not to be had; the text has the remedy.
pub fn open(
    profile: &Profile,
    tx: Option<&TxSide>,
    rx: Option<&RxSide>,
) -> Result<(Option<TxEnd>, Option<RxEnd>)> {
    let shared = match (tx, rx) {
        (Some(tx), Some(rx)) => tx.interface == rx.interface,
        _ => false,
    };
    let (mut rx_end, halves) = match rx {
        Some(rx) => {
            let (end, halves) = open_rx(rx)?;
            (Some(end), if shared { halves } else { Vec::new() })
        }
        None => (None, Vec::new()),
    };
    let tx_end = tx.map(|tx| open_tx(profile, tx, halves)).transpose()?;
    if let Some(end) = &mut rx_end {
        end.direct()?;
    }
    Ok((tx_end, rx_end))
}

/// Opens a receiving end; also the other halves of its sockets, by place. Nothing is directed to it yet.
pub fn open_rx(side: &RxSide) -> Result<(RxEnd, Vec<(Place, XskTx)>)> {
    cores::check(&side.workers)?;
    let link = link::find(&side.interface)?;
    let (mut queues, mut halves, mut taker) = (Vec::new(), Vec::new(), None);
    match side.io {
        Io::Xdp(mode) => {
            let program = Taker::attach(&side.interface, mode, side.take, &side.vxlan_ports)?;
            let mode = if program.is_generic() {
                Mode::Generic
            } else {
                mode
            };
            taker = Some(program);
            for place in &side.workers {
                let (tx, rx) = xsk::open(&side.interface, place.queue, mode, true)?;
                queues.push((RxQueue::Xsk(Box::new(rx)), *place));
                halves.push((*place, tx));
            }
        }
        Io::Packet => {
            let of = side.workers.len() as u16;
            for (index, place) in side.workers.iter().enumerate() {
                let fanout = (of > 1).then_some((index as u16, of));
                let rx = packet::open_rx(&side.interface, fanout)?;
                queues.push((RxQueue::Packet(Box::new(rx)), *place));
            }
        }
    }
    let end = RxEnd {
        interface: side.interface.clone(),
        link,
        queues,
        taker,
        side: side.clone(),
    };
    Ok((end, halves))
}

fn open_tx(profile: &Profile, side: &TxSide, mut halves: Vec<(Place, XskTx)>) -> Result<TxEnd> {
    cores::check(&side.workers)?;
    let link = link::find_connected(&side.interface)?;
    for stream in &profile.streams {
        fits(stream, &link, &side.interface)?;
    }
    let macs = (profile.streams.iter())
        .map(|stream| macs(stream, side, &link))
        .collect::<Result<_>>()?;
    let body = build::body(profile.payload, profile.seed);
    let mut queues = Vec::new();
    for place in &side.workers {
        let queue = match side.io {
            TxIo::Live => TxQueue::Live,
            TxIo::Queue(Io::Packet) => {
                let mut tx = packet::open_tx(&side.interface)?;
                tx.prepare(&body);
                TxQueue::Packet(Box::new(tx))
            }
            TxIo::Queue(Io::Xdp(mode)) => {
                let half = halves.iter().position(|(p, _)| p.queue == place.queue);
                let mut tx = match half {
                    Some(index) => halves.swap_remove(index).1,
                    None => xsk::open(&side.interface, place.queue, mode, false)?.0,
                };
                tx.prepare(&body);
                TxQueue::Xsk(Box::new(tx))
            }
        };
        queues.push((queue, *place));
    }
    Ok(TxEnd {
        interface: side.interface.clone(),
        link,
        queues,
        macs,
    })
}

/// Whether the interface lets the frames of a stream pass. What is too long vanishes in some drivers without a trace, and
/// would count as the path's loss.
fn fits(stream: &Stream, link: &Link, interface: &Interface) -> Result<()> {
    let largest = usize::from(stream.size.largest());
    let room = link.mtu as usize + ETHERNET_LEN + FCS_LEN;
    if largest <= room {
        return Ok(());
    }
    Err(Failure::environment(
        link::title(interface),
        format!(
            "stream {:?} has frames of {largest} bytes, and its MTU of {} lets {room} pass (with Ethernet header and FCS); a \
             smaller --size, or `ip link set {} mtu {}`",
            stream.name,
            link.mtu,
            interface.name,
            largest - ETHERNET_LEN - FCS_LEN
        ),
    ))
}

/// The Ethernet addresses of a stream: as given, or the interface's own and that of the next hop.
fn macs(stream: &Stream, side: &TxSide, link: &Link) -> Result<Macs> {
    let first = match (&stream.vxlan, &stream.ip) {
        (Some(vxlan), _) => IpAddr::V4(vxlan.dst),
        (None, Ip::V4 { dst, .. }) => IpAddr::V4(*dst.start()),
        (None, Ip::V6 { dst, .. }) => IpAddr::V6(*dst.start()),
    };
    Ok(Macs {
        src: stream.src_mac.unwrap_or(link.mac),
        dst: match stream.dst_mac {
            Some(mac) => mac,
            None => {
                neighbour::find(&side.interface, side.via.unwrap_or(first)).map_err(|failure| {
                    match failure {
                        Failure::Environment(text) => {
                            Failure::Environment(format!("stream {:?}: {text}", stream.name))
                        }
                        other => other,
                    }
                })?
            }
        },
    })
}

impl TxEnd {
    /// For the report.
    pub fn ports(&self) -> Vec<Port> {
        let port = |(queue, place): &(TxQueue, Place)| Port {
            role: "tx".into(),
            io: match queue {
                TxQueue::Xsk(tx) => tx.binding().into(),
                TxQueue::Packet(_) => "AF_PACKET".into(),
                TxQueue::Live => "XDP live frames".into(),
            },
            ..describe(&self.interface, &self.link, *place)
        };
        self.queues.iter().map(port).collect()
    }
}

impl RxEnd {
    /// From now on frames come.
    pub fn direct(&mut self) -> Result<()> {
        let Some(taker) = &mut self.taker else {
            return Ok(());
        };
        for (queue, place) in &self.queues {
            if let RxQueue::Xsk(rx) = queue {
                taker.direct(place.queue, rx.socket())?;
            }
        }
        Ok(())
    }

    /// What came to the interface and not to us, so far.
    pub fn missed(&mut self) -> Result<Missed> {
        use crate::io::Rx;
        let mut sum = Missed {
            overrun: 0,
            left: self.taker.as_ref().map_or(Ok(0), Taker::left)?,
        };
        for (queue, _) in &mut self.queues {
            let missed = match queue {
                RxQueue::Xsk(rx) => rx.missed(),
                RxQueue::Packet(rx) => rx.missed(),
            };
            sum.overrun += missed
                .map_err(|e| {
                    Failure::environment(format!("counters of {}", link::title(&self.interface)), e)
                })?
                .overrun;
        }
        Ok(sum)
    }

    /// For the report.
    pub fn ports(&self) -> Vec<Port> {
        let port = |(queue, place): &(RxQueue, Place)| Port {
            role: "rx".into(),
            io: match queue {
                RxQueue::Xsk(rx) => rx.binding().into(),
                RxQueue::Packet(_) => "AF_PACKET".into(),
            },
            ..describe(&self.interface, &self.link, *place)
        };
        self.queues.iter().map(port).collect()
    }
}

impl Drop for RxEnd {
    fn drop(&mut self) {
        // First the program, then (as fields) the sockets that it directs frames to.
        self.taker = None;
    }
}

fn describe(interface: &Interface, link: &Link, place: Place) -> Port {
    let mac = link.mac.0.map(|byte| format!("{byte:02x}")).join(":");
    Port {
        interface: interface.name.clone(),
        netns: interface.netns.clone(),
        driver: link.driver.clone(),
        mac,
        mtu: link.mtu,
        speed: link.speed,
        queue: place.queue,
        core: place.core,
        ..Port::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Mac, Size};
    use crate::run::lanes::tests_support::profile;

    #[test]
    fn frames_longer_than_the_mtu_are_refused_with_both_numbers() {
        let link = Link {
            index: 1,
            mac: Mac([2; 6]),
            mtu: 1450,
            driver: "veth".into(),
            speed: None,
            rx_queues: 1,
            tx_queues: 1,
        };
        let interface = Interface {
            name: "v0".into(),
            netns: Some("pod".into()),
        };
        let mut stream = profile().streams.remove(0);
        for (size, passes) in [
            (Size::Fixed(1468), true),
            (Size::Fixed(1469), false),
            (Size::Range(64..=1468), true),
            (Size::Range(64..=1469), false),
            (Size::Mix(vec![(64, 7), (1518, 1), (594, 4)]), false),
        ] {
            stream.size = size;
            let fits = fits(&stream, &link, &interface);
            assert_eq!(fits.is_ok(), passes, "{:?}", stream.size);
            if let Err(failure) = fits {
                let text = failure.to_string();
                assert!(
                    text.contains("v0@pod") && text.contains("1450 lets 1468 pass"),
                    "{text}"
                );
            }
        }
    }
}
