// What io/live tells live.bpf.c before that is loaded, and what it reads back. All fields are 64-bit words, in the
// order in which io/live/plan.rs writes them and io/live/counts.rs reads them. "As it lies" means bytes in the frame's
// order; all else is a number of this machine. Sums are of 16-bit words as they lie, not folded: the Internet checksum
// is indifferent to byte order as long as all agree (RFC 1071 section 2.B).
#pragma once

#include <linux/types.h>

#define STREAMS 16	// a power of two, to mask an index with
#define HEAD_WORDS 24	// 192 bytes: more than the longest headers and a signature
#define BODY_ROOM 4096	// a power of two, above any length of a frame

enum transport { UDP, TCP, ICMP };
enum size { FIXED, RANGE, MIX };

// What varies from flow to flow in one field: first value, and how many there are.
struct field {
	__u64 first;
	__u64 count;
	__u64 inverse;	// 2^40 / count, rounded up: `flow * inverse >> 40` is `flow / count` while both are < 2^20
};

struct stream {
	__u64 head[HEAD_WORDS];	// as it lies; zero where a field below puts its value; body behind the headers
	__u64 restore;		// bytes of it to write in each frame
	__u64 l3, l4, payload;	// offsets of the innermost IP header, of the transport header, of the signature
	__u64 ipv6;
	__u64 transport;
	__u64 ip_sum;		// of the IPv4 header without addresses, length, checksum
	__u64 l4_sum;		// of what the transport checksum covers, without what varies
	struct field src, dst, sport, dport;	// addresses: low 32 bits; sport: also the ICMP identifier
	__u64 flows;
	__u64 random;		// flow order
	__u64 flow_state;	// of the generator of the flow order, at the start
	__u64 size;
	__u64 len;		// FIXED: of all frames; RANGE: the least
	__u64 lens;		// RANGE: how many lengths there are; MIX: how many entries in `order`
	__u64 order;		// MIX: the first of them
	__u64 size_state;	// of the generator of sizes, at the start
	__u64 signature;	// first 8 bytes, flow 0
	__u64 vxlan;
	__u64 outer_ip_sum;	// as ip_sum, addresses included
	__u64 outer_udp;	// whether the outer UDP checksum is computed
	__u64 outer_udp_sum;	// as l4_sum
};

struct plan {
	__u64 streams;
	__u64 orders;		// streams in `order`, from its start
	__u64 limit;		// frames to send
	__u64 paced;
	__u64 interval;		// nanoseconds between bursts
	__u64 fraction;		// of a nanosecond more, in 2^-32
	__u64 burst;
	__u64 batch;		// frames that the kernel sends together
	__u64 intended;		// stamp: when it was wanted
	struct stream stream[STREAMS];
};

struct lane {
	__u64 frames;
	__u64 bytes;		// without FCS
	__u64 flow;		// next, round robin
	__u64 size_at;		// next entry of a mix
};

struct state {
	struct lane lane[STREAMS];
	__u64 frames;		// of all lanes
	__u64 failed;		// frames that could not be made; a mistake of ours
	__u64 order_at;
	__u64 place;		// in the batch
	__u64 now;		// at the start of the batch
	__u64 next;		// when the next burst is wanted
	__u64 fraction;		// as plan.fraction
	__u64 wanted;		// when the current burst was
	__u64 left;		// frames of the current burst
	__u64 first, last;	// departures of the first and the last frame
};
