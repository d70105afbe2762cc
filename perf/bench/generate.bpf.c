// Makes each live frame a packet of its own: a random peer, a random pod there, a random flow.
//
// The kernel hands out the same pages again and again, and whoever had one before may have left other bytes in it (the
// vxlan device builds its headers in place). So all headers are written anew, and every checksum stays valid.
// XDP_TX on a live frame means: out of the device named in the context (Documentation/bpf/bpf_prog_run.rst).

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "generate.h"

const volatile struct plan plan;

// One CPU runs this program, so its state needs no lock.
static __u32 state = 2463534242;

// Xorshift (Marsaglia 2003): a full period over 32 bits in three shifts.
static __always_inline __u32 next_random(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
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

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	const void *end = (void *)(long)ctx->data_end;
	__u64 *words = data;
	const int count = plan.vxlan ? VXLAN_WORDS : PLAIN_WORDS;

	if (data + VXLAN_WORDS * sizeof(*words) > end && (plan.vxlan || data + PLAIN_WORDS * sizeof(*words) > end))
		return XDP_DROP;
	if (plan.vxlan)
		for (int i = 0; i < VXLAN_WORDS; i++)
			words[i] = plan.words[i];
	else
		for (int i = 0; i < PLAIN_WORDS; i++)
			words[i] = plan.words[i];

	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
