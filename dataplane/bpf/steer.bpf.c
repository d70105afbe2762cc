// What is ours, or pass.
//
// Two XDP programs, one for each side of the engine. Both redirect to the AF_XDP socket on the queue that the frame came
// in by, and both fall back to XDP_PASS when that queue has none: without an engine the device behaves as if nothing were
// attached. There is no third outcome, so userspace never has to guess what the kernel saw.
//
// `underlay` takes whole packets of the tunnel to our VTEP and nothing else: UDP datagrams to its port or, if the tunnel is
// that, IP in IP. Whole means: untagged, no IP options or extension headers, no fragment, lengths that agree, and no longer
// than a chunk of the socket's memory, which drops what is. What is odd stays with the kernel, which knows better how to refuse
// it. The kernel also reassembles outer fragments for the slow path, and hands it what generic XDP, which sees packets after
// GRO, finds too long.
// `overlay` takes every frame: the device exists for us.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// Queues that a device can have with us: one per worker, workers are few.
#define QUEUES 256
// Version 4, header of 20 bytes.
#define NO_OPTIONS 0x45
// More-fragments bit and fragment offset.
#define FRAGMENT 0x3fff

// Where tunnel datagrams are sent, addresses and port in network byte order. A family whose address is all zero is off. Userspace may rewrite
// it at any time; a program that reads it meanwhile may see half of either, and then at worst one datagram passes.
// Mirrored by `Vtep::to_bytes` in src/xsk/program.rs.
struct vtep {
	__be32 ip4;
	__be16 dport;
	__u16 longest; // of the frames that fit, in host byte order
	__u8 protocol; // above IPv4: IPPROTO_UDP, or IPPROTO_IPIP, which has no port
	__u8 unused[3];
	__be32 ip6[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vtep);
} vtep SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

static __always_inline int to_socket(struct xdp_md *ctx)
{
	return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
}

// A UDP header to our port, whose datagram fills no more than the `room` bytes its IP header leaves.
static __always_inline int is_ours(const struct udphdr *udp, const void *end, __u32 room, const struct vtep *vtep)
{
	if ((const void *)(udp + 1) > end || udp->dest != vtep->dport)
		return 0;
	__u32 len = bpf_ntohs(udp->len);
	return len >= sizeof(*udp) && len <= room;
}

static __always_inline int is_ours4(const struct iphdr *ip, const void *end, const struct vtep *vtep)
{
	if ((const void *)(ip + 1) > end || *(const __u8 *)ip != NO_OPTIONS)
		return 0;
	if (ip->daddr != vtep->ip4 || !vtep->ip4 || ip->protocol != vtep->protocol || ip->frag_off & bpf_htons(FRAGMENT))
		return 0;
	__u32 len = bpf_ntohs(ip->tot_len);
	if (len < sizeof(*ip) || len > (__u32)(end - (const void *)ip))
		return 0;
	if (ip->protocol == IPPROTO_IPIP)
		return len >= 2 * sizeof(*ip);
	return is_ours((const struct udphdr *)(ip + 1), end, len - sizeof(*ip), vtep);
}

static __always_inline int is_ours6(const struct ipv6hdr *ip, const void *end, const struct vtep *vtep)
{
	if ((const void *)(ip + 1) > end || ip->version != 6 || ip->nexthdr != IPPROTO_UDP)
		return 0;
	__be32 differs = 0, address = 0;
	for (int i = 0; i < 4; i++) {
		differs |= ip->daddr.in6_u.u6_addr32[i] ^ vtep->ip6[i];
		address |= vtep->ip6[i];
	}
	if (differs || !address)
		return 0;
	__u32 len = bpf_ntohs(ip->payload_len);
	if (len > (__u32)(end - (const void *)(ip + 1)))
		return 0;
	return is_ours((const struct udphdr *)(ip + 1), end, len, vtep);
}

SEC("xdp")
int underlay(struct xdp_md *ctx)
{
	const void *end = (const void *)(long)ctx->data_end;
	const struct ethhdr *ethernet = (const void *)(long)ctx->data;
	__u32 zero = 0;
	const struct vtep *ours = bpf_map_lookup_elem(&vtep, &zero);

	if (!ours || (const void *)(ethernet + 1) > end || ctx->data_end - ctx->data > ours->longest)
		return XDP_PASS;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP) && is_ours4((const void *)(ethernet + 1), end, ours))
		return to_socket(ctx);
	if (ethernet->h_proto == bpf_htons(ETH_P_IPV6) && is_ours6((const void *)(ethernet + 1), end, ours))
		return to_socket(ctx);
	return XDP_PASS;
}

SEC("xdp")
int overlay(struct xdp_md *ctx)
{
	return to_socket(ctx);
}

// No helper used here asks for a GPL-compatible licence.
char _license[] SEC("license") = "Apache-2.0";
