// What generate.c tells generate.bpf.c before that is loaded. Frames and sums are as they lie in memory: the Internet
// checksum is indifferent to byte order as long as all agree (RFC 1071 section 2.B).
#pragma once

#include <linux/types.h>

#define PLAIN_IP 14	// offset of the IPv4 header of a plain frame
#define VXLAN_IP 64	// offset of the inner one in a VXLAN frame

// The start of a frame is written anew each time; the payload behind it never changes.
#define PLAIN_WORDS 6	// 42 bytes of headers and 6 of payload
#define VXLAN_WORDS 12	// 92 and 4

// What a checksum covers, added up without the fields that vary.
struct sums {
	__u32 ip;
	__u32 udp;
};

struct plan {
	__u64 words[VXLAN_WORDS];
	struct sums inner;
	struct sums outer;
	__u32 peers;
	// Different flows; 0 for as many as there are draws.
	__u32 flows;
	// The first peer's subnet, a /24, and its VTEP; the others follow. Host order.
	__u32 subnet;
	__u32 vtep;
};
