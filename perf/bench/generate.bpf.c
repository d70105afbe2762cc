// Makes each live frame a packet of its own: a random peer, a random pod there, a random flow; or one of so many flows.
//
// `plain` sends to the pods of the peers, `vxlan` sends what comes from them. The kernel hands out the same pages again
// and again, and whoever had one before may have left other bytes in it (the vxlan device builds its headers in place),
// so all headers are written anew; every checksum is valid. XDP_TX on a live frame means: out of the device named in the
// context (Documentation/bpf/bpf_prog_run.rst).

#include <linux/bpf.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "generate.h"

const volatile struct plan plan;

// One CPU runs this, so the state needs no lock. Xorshift: a full period over 32 bits in three shifts (Marsaglia 2003).
static __u32 state = 2463534242;

// Frames made so far, for generate.c. It is alone in .bss.
__u64 sent;

static __always_inline __u32 next_random(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

// The bits of a flow, from its number: every input bit moves every output bit, and no two inputs meet (murmur3's finalizer).
static __always_inline __u32 scatter(__u32 flow)
{
	flow ^= flow >> 16;
	flow *= 0x85ebca6b;
	flow ^= flow >> 13;
	flow *= 0xc2b2ae35;
	flow ^= flow >> 16;
	return flow;
}

static __always_inline __u32 halves(__u32 address)
{
	return (address & 0xffff) + (address >> 16);
}

static __always_inline __u16 checksum(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

// Zero would mean that there is none (RFC 768).
static __always_inline __u16 udp_checksum(__u32 sum)
{
	__u16 check = checksum(sum);
	return check ? check : 0xffff;
}

struct draw {
	__u32 peer;
	__be32 pod;
	__be16 sport;
};

static __always_inline struct draw draw(void)
{
	__u32 random = next_random();
	struct draw d;

	sent++;
	if (plan.flows)
		random = scatter((__u64)random * plan.flows >> 32);
	d.peer = (random & 0xffff) * plan.peers >> 16;
	d.pod = bpf_htonl(plan.subnet + (d.peer << 8) + 2 + (random >> 16 & 0x7f));
	d.sport = bpf_htons(0x8000 | random >> 17);
	return d;
}

SEC("xdp")
int plain(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	__u64 *words = data;
	struct iphdr *ip = data + PLAIN_IP;
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)(words + PLAIN_WORDS) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	for (int i = 0; i < PLAIN_WORDS; i++)
		words[i] = plan.words[i];

	struct draw d = draw();
	ip->daddr = d.pod;
	ip->check = checksum(plan.inner.ip + halves(d.pod));
	udp->source = d.sport;
	udp->check = udp_checksum(plan.inner.udp + halves(d.pod) + d.sport);
	return XDP_TX;
}

SEC("xdp")
int vxlan(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	__u64 *words = data;
	struct iphdr *outer_ip = data + PLAIN_IP;
	struct udphdr *outer_udp = (void *)(outer_ip + 1);
	struct iphdr *ip = data + VXLAN_IP;
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)(words + VXLAN_WORDS) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	for (int i = 0; i < VXLAN_WORDS; i++)
		words[i] = plan.words[i];

	struct draw d = draw();
	ip->saddr = d.pod;
	ip->check = checksum(plan.inner.ip + halves(d.pod));
	udp->source = d.sport;
	udp->check = udp_checksum(plan.inner.udp + halves(d.pod) + d.sport);

	// To the outer checksum a valid inner packet is what its own checksums leave out: the complement of its pseudo
	// header (RFC 1624 section 3). Of that only the source address varies.
	__be32 vtep = bpf_htonl(plan.vtep + d.peer);
	outer_ip->saddr = vtep;
	outer_ip->check = checksum(plan.outer.ip + halves(vtep));
	outer_udp->source = d.sport;
	outer_udp->check = udp_checksum(plan.outer.udp + halves(vtep) + d.sport + halves(~d.pod));
	return XDP_TX;
}

// Of the helpers none is used; live frames are open to any licence.
char _license[] SEC("license") = "Apache-2.0";
