#!/usr/bin/env python3
"""Writes kernel-vxlan6.pcap: what Linux's vxlan devices emit where IPv6 takes part, set up as flanneld does.

Two namespaces on a veth pair, 192.168.77.1/.2 and fd77::1/::2, each with flannel.1 over IPv4 and flannel-v6.1 over IPv6.
The same packets go through both: IPv6 and IPv4 inside IPv6, then IPv6 inside IPv4. Needs root, iproute2, ethtool, ping,
tcpdump. Usage: kernel-vxlan6.py OUT.pcap
"""
import ctypes, os, socket, subprocess, sys, threading, time

OUT = os.path.abspath(sys.argv[1])
NODES = [f"tw-cap{os.getpid()}-{n}" for n in (1, 2)]
POD4, POD6 = "10.244.{}.10", "fd00:10:244:{}::10"
ECHO, SINK = 9000, 9001


def run(command, **kwargs):
    subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL, **kwargs)


def ip(n, command):
    run(f"ip -n {NODES[n - 1]} {command}")


def build():
    for name in NODES:
        run(f"ip netns add {name}")
        for key in ("all/accept_dad", "default/accept_dad", "default/router_solicitations"):
            run(f"ip netns exec {name} sysctl -qw net/ipv6/conf/{key}=0")
        for key in ("all", "default"):
            run(f"ip netns exec {name} sysctl -qw net/ipv4/conf/{key}/rp_filter=0")
    run(f"ip link add eth0 netns {NODES[0]} type veth peer name eth0 netns {NODES[1]}")
    for n in (1, 2):
        other = 3 - n
        ip(n, "link set lo up")
        ip(n, f"link set eth0 address 02:00:00:00:77:0{n}")
        ip(n, f"addr add 192.168.77.{n}/24 dev eth0")
        ip(n, f"addr add fd77::{n}/64 dev eth0 nodad")
        ip(n, "link set eth0 up")
        for device, local, remote, vtep in (
            ("flannel.1", f"192.168.77.{n}", f"192.168.77.{other}", "02:00:00:00:00:0"),
            ("flannel-v6.1", f"fd77::{n}", f"fd77::{other}", "02:00:00:00:06:0"),
        ):
            sums = "noudp6zerocsumtx noudp6zerocsumrx" if ":" in local else "udpcsum"
            ip(n, f"link add {device} type vxlan id 1 dev eth0 local {local} dstport 8472 nolearning {sums}")
            ip(n, f"link set {device} address {vtep}{n}")
            ip(n, f"link set {device} up")
            run(f"bridge -n {NODES[n - 1]} fdb append {vtep}{other} dev {device} dst {remote}")
            for address in (POD4, POD6):
                ip(n, f"neigh add {address.format(other)} lladdr {vtep}{other} dev {device} nud permanent")
        for address in (POD4, POD6):
            ip(n, f"addr add {address.format(n)} dev lo")
        for device in ("eth0", "flannel.1", "flannel-v6.1"):
            run(f"ip netns exec {NODES[n - 1]} ethtool -K {device} tx off gso off tso off gro off", stderr=subprocess.DEVNULL)


def route(device, families):
    for n in (1, 2):
        for address in families:
            family = "-6 " if ":" in address else ""
            ip(n, f"{family}route replace {address.format(3 - n)} dev {device} src {address.format(n)}")


def inside(n):
    """The calling thread moves to a node."""
    with open(f"/run/netns/{NODES[n - 1]}") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x40000000):  # CLONE_NEWNET
            raise OSError(ctypes.get_errno(), "setns")


def listen(family, address):
    """Node 2: answers one TCP stream and every datagram on ECHO; takes what comes on SINK. Returns when ready."""
    ready = threading.Event()

    def serve():
        inside(2)
        tcp = socket.create_server((address, ECHO), family=family)
        udp, sink = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        udp.bind((address, ECHO))
        sink.bind((address, SINK))
        ready.set()
        connection, _ = tcp.accept()
        while data := connection.recv(4096):
            connection.sendall(data)
        connection.close()
        tcp.close()
        udp.settimeout(1)
        while True:
            try:
                data, peer = udp.recvfrom(8192)
            except TimeoutError:
                return
            udp.sendto(data, peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(5)
    return thread


def talk(address):
    """Node 1: a ping, a TCP stream, datagrams of all kinds."""
    here, there = address.format(1), address.format(2)
    six = ":" in address
    family = socket.AF_INET6 if six else socket.AF_INET
    server = listen(family, there)
    for size in (0, 1, 56, 1000):
        run(f"ip netns exec {NODES[0]} ping -c 1 -W 2 -s {size} {there}")

    def client():
        inside(1)
        with socket.create_connection((there, ECHO), source_address=(here, 0)) as stream:
            for data in (b"x", b"tweed" * 40, bytes(range(256)) * 8):
                stream.sendall(data)
                left = len(data)
                while left:
                    left -= len(stream.recv(left))

        def datagram(data, *options, port=ECHO):
            with socket.socket(family, socket.SOCK_DGRAM) as udp:
                udp.bind((here, 0))
                for level, name, value in options:
                    udp.setsockopt(level, name, value)
                udp.sendto(data, (there, port))
                if port == ECHO:
                    udp.settimeout(2)
                    udp.recvfrom(8192)

        tos = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if six else (socket.IPPROTO_IP, socket.IP_TOS)
        none = (socket.IPPROTO_UDP, 101) if six else (socket.SOL_SOCKET, 11)  # UDP_NO_CHECK6_TX, SO_NO_CHECK
        for size in (0, 1, 10, 777):
            datagram(bytes(n % 251 for n in range(size)))
        for value in (1, 2, 3, 0xB8, 0xBA):
            datagram(b"marked", (*tos, value))
        datagram(b"no checksum", (*none, 1), port=SINK)
        datagram(bytes(n % 241 for n in range(4000)))  # fragments
        if six:
            padding = bytes([0, 0, 1, 4, 0, 0, 0, 0])  # eight bytes of options: PadN
            datagram(b"destination options", (socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, padding), port=SINK)
            datagram(b"hop-by-hop options", (socket.IPPROTO_IPV6, socket.IPV6_HOPOPTS, padding), port=SINK)

    thread = threading.Thread(target=client, daemon=True)
    thread.start()
    thread.join(10)
    server.join(5)


def main():
    try:
        build()
        dump = subprocess.Popen(
            ["ip", "netns", "exec", NODES[1], "tcpdump", "-i", "eth0", "-U", "-w", OUT, "udp port 8472"],
            stderr=subprocess.DEVNULL,
        )
        time.sleep(1)
        route("flannel-v6.1", (POD4, POD6))
        talk(POD6)
        talk(POD4)
        route("flannel.1", (POD6,))
        talk(POD6)
        time.sleep(1)
        dump.terminate()
        dump.wait()
    finally:
        for name in NODES:
            subprocess.run(["ip", "netns", "del", name])


main()
