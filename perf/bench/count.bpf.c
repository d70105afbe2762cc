// Counts what arrives by its length, and drops it: the cheapest end that a frame can have.
//
// A device has one receive queue and the kernel polls that from one CPU at a time, so a plain increment is enough.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define LENGTHS 2048

__u64 frames[LENGTHS];

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__u64 len = (void *)(long)ctx->data_end - (void *)(long)ctx->data;

	if (len < LENGTHS)
		frames[len]++;
	return XDP_DROP;
}

char _license[] SEC("license") = "Apache-2.0";
