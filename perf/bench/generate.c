// Sends frames as fast as one CPU can make them, until SIGTERM; then prints how many, and in how many nanoseconds.
//
//	generate OBJECT DEVICE plain|vxlan FRAME PEERS SUBNET VTEP FLOWS
//
// FRAME is a file with one valid frame, of the first peer; what varies in it and how is the business of generate.bpf.c.
// The frames are XDP live frames (BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18): the kernel runs the program over pages that it
// recycles and sends what it returns, without an skb. They enter the far end of a veth as frames from a NIC enter an XDP
// driver, and the far end's receive work is done by this CPU, between two runs, unless it has a thread for it.

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "generate.h"

#define BURST 64

static void interrupt(int signal)
{
	(void)signal;
}

static __u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static __u32 word16(const __u8 *bytes)
{
	__u16 word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static __u32 complement(__u32 word)
{
	return word ^ 0xffff;
}

// What the checksums of a frame cover, less its source port and the address at `varies`, both of which the program adds.
static struct sums sums_of(const __u8 *ip, const __u8 *varies)
{
	const __u8 *udp = ip + 20;
	__u32 taken = complement(word16(varies)) + complement(word16(varies + 2));

	return (struct sums){
		.ip = complement(word16(ip + 10)) + taken,
		.udp = complement(word16(udp + 6)) + taken + complement(word16(udp)),
	};
}

static struct plan plan_for(const __u8 *frame, int vxlan)
{
	struct plan plan = {};

	memcpy(plan.words, frame, (vxlan ? VXLAN_WORDS : PLAIN_WORDS) * sizeof(__u64));
	if (!vxlan) {
		plan.inner = sums_of(frame + PLAIN_IP, frame + PLAIN_IP + 16);
		return plan;
	}
	const __u8 *pod = frame + VXLAN_IP + 12;
	plan.inner = sums_of(frame + VXLAN_IP, pod);
	plan.outer = sums_of(frame + PLAIN_IP, frame + PLAIN_IP + 12);
	// The first peer's pod stands in the outer sum as its complement; take that out too.
	plan.outer.udp += word16(pod) + word16(pod + 2);
	return plan;
}

static struct bpf_object *load(const char *object, const struct plan *plan)
{
	struct bpf_object *bpf = bpf_object__open_file(object, NULL);
	struct bpf_map *rodata = bpf ? bpf_object__find_map_by_name(bpf, ".rodata") : NULL;

	if (!rodata || bpf_map__set_initial_value(rodata, plan, sizeof(*plan)) || bpf_object__load(bpf))
		err(1, "cannot load %s", object);
	return bpf;
}

static __u64 frames_sent(const struct bpf_object *bpf)
{
	__u32 first = 0;
	__u64 sent = 0;

	if (bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(bpf, ".bss"), &first, &sent))
		err(1, "cannot read the count of frames sent");
	return sent;
}

static __u32 address(const char *text)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		errx(2, "%s is no IPv4 address", text);
	return ntohl(address.s_addr);
}

int main(int argc, char **argv)
{
	__u8 frame[2048];

	if (argc != 9)
		errx(2, "usage: generate OBJECT DEVICE plain|vxlan FRAME PEERS SUBNET VTEP FLOWS");
	int vxlan = !strcmp(argv[3], "vxlan");
	FILE *file = fopen(argv[4], "rb");
	size_t len = file ? fread(frame, 1, sizeof(frame), file) : 0;
	if (len < (vxlan ? VXLAN_WORDS : PLAIN_WORDS) * sizeof(__u64))
		errx(2, "%s holds no frame", argv[4]);

	struct plan plan = plan_for(frame, vxlan);
	plan.peers = atoi(argv[5]);
	plan.subnet = address(argv[6]);
	plan.vtep = address(argv[7]);
	plan.flows = strtoul(argv[8], NULL, 10);
	struct bpf_object *bpf = load(argv[1], &plan);
	int program = bpf_program__fd(bpf_object__find_program_by_name(bpf, argv[3]));

	struct xdp_md in = { .data_end = len, .ingress_ifindex = if_nametoindex(argv[2]) };
	LIBBPF_OPTS(bpf_test_run_opts, run,
		.data_in = frame, .data_size_in = len,
		.ctx_in = &in, .ctx_size_in = sizeof(in),
		.repeat = INT_MAX, .batch_size = BURST,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	signal(SIGTERM, interrupt);
	// One call for all: each waits for an RCU grace period before it starts, tens of milliseconds in which nothing is
	// sent. The signal ends it.
	__u64 begin = now_ns();
	if (bpf_prog_test_run_opts(program, &run) && errno != EINTR)
		err(1, "cannot send live frames out of %s", argv[2]);
	printf("%llu %llu\n", frames_sent(bpf), now_ns() - begin);
	return 0;
}
