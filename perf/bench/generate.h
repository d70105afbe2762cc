// What generate.c tells generate.bpf.c before it is loaded. Addresses and sums are as they lie in memory: the Internet
// checksum is indifferent to byte order as long as all agree (RFC 1071 section 2.B).
#pragma once

#include <linux/types.h>

// Bytes of the frame that are written anew each time; behind them the payload never changes.
#define PLAIN_WORDS 6	// 42 bytes of headers and 6 of payload
#define VXLAN_WORDS 12	// 92 and 4

#define PLAIN_IP 14	// offset of the IPv4 header of a plain frame
#define VXLAN_IP 64	// offset of the inner one

// Sums of all that a checksum covers, with the fields that vary taken out.
struct sums {
	__u32 ip;
	__u32 udp;
};

struct plan {
	__u64 words[VXLAN_WORDS];
	struct sums inner;
	struct sums outer;
	// Lowest address of the subnets that lie beyond the tunnel, /24 each, and of the VTEPs that hold them: host order.
	__u32 far_subnets;
	__u32 far_vteps;
	__u32 peers;
	// 1: VXLAN frames from the peers. 0: plain frames to them.
	__u32 vxlan;
};
