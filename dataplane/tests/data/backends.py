#!/usr/bin/env python3
"""Makes backend-ipip.pcap and backend-udp.pcap, which tests/backends.rs compares the engine with. Needs Debian's python3-scapy.

The frames follow docs/FLANNEL.md 4.1 and 4.3 and are put together by scapy alone. They come in pairs: what arrives at the engine
of node 1, and what shall leave it. First pods' packets on their way out, then tunnels' packets on their way in.
"""

import sys
from pathlib import Path

from scapy.layers.inet import ICMP, IP, TCP, UDP, Ether, IPOption_Router_Alert
from scapy.packet import Padding, Raw
from scapy.utils import wrpcap

# The nodes of tests/support/golden.rs.
OWN_NIC, PEER_NIC = "14:86:54:4c:ca:29", "0e:b2:3c:07:25:7e"
OWN_VTEP, UPLINK = "02:00:00:00:00:01", "0a:00:00:00:00:11"
OWN, PEER = "192.168.77.1", "192.168.77.2"
OWN_POD, PEER_POD = "10.244.1.10", "10.244.2.10"
# The first identification that a worker of the tests gives.
ID = 0x6B01
PORT = 8285
CE, ECT0 = 3, 2


def packets(src, dst):
    """A pod's packets, by what is odd about them, as functions of the TTL and of the TOS byte."""
    ends = {"src": src, "dst": dst}

    def packet(payload, tos=0, **fields):
        return lambda ttl, ecn=None: IP(
            ttl=ttl, tos=tos if ecn is None else tos & ~3 | ecn, **ends, **fields
        ) / payload.copy()

    return {
        "ping": packet(ICMP(id=7, seq=1) / Raw(bytes(range(56))), flags="DF", id=9),
        "a SYN with options": packet(
            TCP(sport=40000, dport=80, flags="SEC", seq=5, options=[("MSS", 1460), ("WScale", 7)]),
            tos=1,
        ),
        "odd, CE, DSCP EF": packet(UDP(sport=5000, dport=53) / Raw(b"odd"), tos=46 << 2 | CE),
        "ECT(0)": packet(UDP(sport=5000, dport=53) / Raw(b"even"), tos=ECT0, flags="DF"),
        "UDP without a checksum": packet(UDP(sport=1, dport=2, chksum=0) / Raw(b"none")),
        "the first fragment": packet(Raw(bytes(64)), flags="MF", id=77, proto=17),
        "the last fragment": packet(Raw(b"rest"), frag=8, id=77, proto=17),
        "IP options": packet(UDP(sport=3, dport=4) / Raw(b"x"), options=[IPOption_Router_Alert()]),
        "another protocol": packet(Raw(b"sctp, say"), proto=132),
    }


def marked(inner, outer):
    """What RFC 6040 leaves of both marks."""
    return CE if outer == CE else 1 if (outer, inner) == (1, ECT0) else inner


def ipip(packet, src, dst, tos=None):
    """TTL and DF are the packet's, of TOS just the ECN, but CE is ECT(0)."""
    ecn = packet.tos & 3
    outer = (ECT0 if ecn == CE else ecn) if tos is None else tos
    flags = "DF" if packet.flags.DF else 0
    return IP(src=src, dst=dst, ttl=packet.ttl, tos=outer, flags=flags, id=ID, proto=4) / Raw(bytes(packet))


def udp(packet, src, dst, tos=0):
    """What a socket sends that is bound to the port: DF, no TOS."""
    datagram = UDP(sport=PORT, dport=PORT) / Raw(bytes(packet))
    return IP(src=src, dst=dst, ttl=64, tos=tos, flags="DF", id=ID) / datagram


def frame(dst, src, packet):
    ether = Ether(dst=dst, src=src, type=0x0800) / packet
    # As a wire would have it. What we emit has no padding: a NIC adds it.
    return Ether(bytes(ether))


def pairs(encapsulate, hops):
    for make in packets(OWN_POD, PEER_POD).values():
        there = make(63 - hops)
        yield frame(OWN_VTEP, UPLINK, make(63) / Padding(bytes(6)))
        yield frame(PEER_NIC, OWN_NIC, encapsulate(there, OWN, PEER))
    for make in packets(PEER_POD, OWN_POD).values():
        packet = make(63)
        wire = encapsulate(packet, PEER, OWN)
        yield frame(OWN_NIC, PEER_NIC, wire / Padding(bytes(6)))
        ecn = packet.tos & 3 if hops else marked(packet.tos & 3, wire.tos & 3)
        yield frame(OWN_VTEP, UPLINK, make(63 - hops, ecn))
    # A router marked the tunnel's packet: of ipip the flow learns it, a socket does not show it.
    make = packets(PEER_POD, OWN_POD)["ECT(0)"]
    yield frame(OWN_NIC, PEER_NIC, encapsulate(make(63), PEER, OWN, tos=CE))
    yield frame(OWN_VTEP, UPLINK, make(63 - hops, ECT0 if hops else CE))


def main():
    here = Path(sys.argv[0]).parent
    for name, encapsulate, hops in [("ipip", ipip, 0), ("udp", udp, 1)]:
        frames = list(pairs(encapsulate, hops))
        for number, packet in enumerate(frames):
            packet.time = number
        wrpcap(str(here / f"backend-{name}.pcap"), frames)


main()
