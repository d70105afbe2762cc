// Takes frames away from the kernel, for AF_XDP receivers.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int take(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Apache-2.0";
