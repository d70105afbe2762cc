// Takes from the kernel what the receiver is to measure, for AF_XDP.
//
// Two modes. "Ours" takes a frame that bears the mark of src/frame/signature.rs (in its IP header) or its magic (first
// in the transport payload), either of which may be damaged on the way; plain, or as the inner packet behind a VXLAN
// port. "All" takes every frame but those by which neighbours find each other: an interface whose kernel does not
// answer ARP gets no more traffic to measure. What is left is counted, and goes its usual way.
//
// A frame is taken to the socket of the queue that it came by, and left to the kernel if there is none: attaching the
// program alone changes nothing. A fragment that is not the first has no magic, so its mark must do.
//
// The price of "ours": one in 65,536 packets of others has our mark by chance as its IPv4 identification, and is taken;
// TCP sends it again under another number. An IPv6 flow keeps its label, and would be taken for good, so labels are
// compared whole, all 20 bits of them: one flow in a million.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// Compared with src/frame/signature.rs by a test in src/io/take.rs.
#define MAGIC 0x7477
#define MARK 0x7477

// Queues of an interface that can have a socket. Mirrored by `QUEUES` in src/io/take.rs.
#define QUEUES 1024
#define VXLAN_PORTS 4
#define VXLAN_LEN 8
// Header of an ICMP echo, and that of UDP.
#define ECHO_LEN 8
#define FRAGMENT_OFFSET 0x1fff
#define FLOW_LABEL 0x000fffff
// ICMPv6 types of neighbour discovery, RFC 4861: router solicitation to redirect.
#define ND_FIRST 133
#define ND_LAST 137

// Take all but neighbour discovery; else take what is ours.
const volatile __u8 take_all = 0;
// UDP destination ports with VXLAN behind them; 0 is none.
const volatile __u16 vxlan_ports[VXLAN_PORTS] = {};

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

// Frames left to the kernel. Per CPU, for an atomic would cost each of them a cache line.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} left SEC(".maps");

enum verdict {
	FOREIGN,
	OURS,
	// VXLAN, and what is inside decides.
	TUNNEL,
};

struct vlan {
	__be16 tag;
	__be16 protocol;
};

struct icmp {
	__u8 type;
	__u8 code;
	__be16 checksum;
};

// The EtherType, and in `l3` what it says is there. Up to two VLAN tags are skipped.
static __always_inline __be16 ether_type(const struct ethhdr *ethernet, const void *end, const void **l3)
{
	if ((const void *)(ethernet + 1) > end)
		return 0;
	__be16 protocol = ethernet->h_proto;
	const struct vlan *vlan = (const void *)(ethernet + 1);
	for (int i = 0; i < 2; i++) {
		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if ((const void *)(vlan + 1) > end)
			return 0;
		protocol = vlan->protocol;
		vlan++;
	}
	*l3 = vlan;
	return protocol;
}

static __always_inline int is_transport(__u8 protocol)
{
	return protocol == IPPROTO_UDP || protocol == IPPROTO_TCP || protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

static __always_inline int is_vxlan(__be16 dport)
{
	for (int i = 0; i < VXLAN_PORTS; i++)
		if (vxlan_ports[i] && dport == bpf_htons(vxlan_ports[i]))
			return 1;
	return 0;
}

// Judges a transport header by what is behind it; for a tunnel, `inner` is the Ethernet header inside.
static __always_inline enum verdict judge_payload(const void *l4, const void *end, __u8 protocol, const void **inner)
{
	__u32 len = ECHO_LEN;
	if (protocol == IPPROTO_TCP) {
		const struct tcphdr *tcp = l4;
		if ((const void *)(tcp + 1) > end)
			return FOREIGN;
		len = tcp->doff * 4;
	} else if (!is_transport(protocol)) {
		return FOREIGN;
	}
	const __be16 *magic = l4 + len;
	if ((const void *)(magic + 1) > end)
		return FOREIGN;
	if (*magic == bpf_htons(MAGIC))
		return OURS;
	const struct udphdr *udp = l4;
	if (protocol == IPPROTO_UDP && (const void *)(udp + 1) <= end && is_vxlan(udp->dest)) {
		*inner = (const void *)(udp + 1) + VXLAN_LEN;
		return TUNNEL;
	}
	return FOREIGN;
}

static __always_inline enum verdict judge4(const struct iphdr *ip, const void *end, const void **inner)
{
	if ((const void *)(ip + 1) > end)
		return FOREIGN;
	// Before anything else is believed: version, length or protocol may be what was damaged.
	if (ip->id == bpf_htons(MARK))
		return OURS;
	if (ip->version != 4 || ip->ihl < 5 || ip->frag_off & bpf_htons(FRAGMENT_OFFSET))
		return FOREIGN;
	return judge_payload((const void *)ip + ip->ihl * 4, end, ip->protocol, inner);
}

static __always_inline enum verdict judge6(const struct ipv6hdr *ip, const void *end, const void **inner)
{
	if ((const void *)(ip + 1) > end)
		return FOREIGN;
	__be32 label = *(const __be32 *)ip & bpf_htonl(FLOW_LABEL);
	if (label == bpf_htonl(MARK))
		return OURS;
	if (ip->version != 6)
		return FOREIGN;
	return judge_payload(ip + 1, end, ip->nexthdr, inner);
}

static __always_inline enum verdict judge(const void *ethernet, const void *end, const void **inner)
{
	const void *l3 = 0;
	__be16 protocol = ether_type(ethernet, end, &l3);
	if (protocol == bpf_htons(ETH_P_IP))
		return judge4(l3, end, inner);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return judge6(l3, end, inner);
	return FOREIGN;
}

static __always_inline int is_discovery(const void *ethernet, const void *end)
{
	const void *l3 = 0;
	__be16 protocol = ether_type(ethernet, end, &l3);
	if (protocol == bpf_htons(ETH_P_ARP))
		return 1;
	if (protocol != bpf_htons(ETH_P_IPV6))
		return 0;
	const struct ipv6hdr *ip = l3;
	const struct icmp *icmp = (const void *)(ip + 1);
	if ((const void *)(icmp + 1) > end || ip->nexthdr != IPPROTO_ICMPV6)
		return 0;
	return icmp->type >= ND_FIRST && icmp->type <= ND_LAST;
}

static __always_inline int is_wanted(const void *ethernet, const void *end)
{
	if (take_all)
		return !is_discovery(ethernet, end);
	const void *inner = 0, *nothing = 0;
	enum verdict verdict = judge(ethernet, end, &inner);
	if (verdict == TUNNEL)
		verdict = judge(inner, end, &nothing);
	return verdict == OURS;
}

// With frags, drivers let us in whatever the MTU; a frame that does not fit in a chunk is then counted by the socket.
SEC("xdp.frags")
int take(struct xdp_md *ctx)
{
	const void *end = (const void *)(long)ctx->data_end;
	const void *ethernet = (const void *)(long)ctx->data;

	if (is_wanted(ethernet, end) && bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS) == XDP_REDIRECT)
		return XDP_REDIRECT;
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&left, &zero);
	if (count)
		(*count)++;
	return XDP_PASS;
}

// No helper used here asks for a GPL-compatible licence.
char _license[] SEC("license") = "Apache-2.0";
