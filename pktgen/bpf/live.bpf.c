// Makes live frames: the same, byte for byte, that frame/build.rs makes in userspace.
//
// The kernel runs this on pages that it uses again and again (Documentation/bpf/bpf_prog_run.rst). A page starts as a
// copy of the longest frame, so the body behind the head is there; but whoever had the page before may have changed the
// head (a router its addresses, our own last frame everything), so the head is written anew each time. XDP_TX on a live
// frame means: out of the device named in the context. XDP_DROP gives the page back, which is how a frame that is not
// due yet is not sent.
//
// Invariant: a frame that is returned with XDP_TX is counted in its lane, with the sequence number that it carries;
// nothing else takes a sequence number. One CPU at a time runs this, so the state needs no lock.

#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "live.h"

// Reading the clock takes 20 ns or so: with the bound below, a batch that has nothing to send holds up other softirqs
// of the CPU for some microseconds, and the page of an undue frame goes round less often.
#define LOOKS 128

const volatile struct plan plan;

// Sum of the body from the frame's start, by the length up to which it goes.
const volatile __u16 body_sums[BODY_ROOM];

struct state state;

// Streams in the order that repeats, then the lengths of mixes in theirs.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} order SEC(".maps");

// linux/icmp.h drags in headers of the C library, which has none for this target.
struct echo {
	__u8 type, code;
	__be16 checksum, id, sequence;
};

static __always_inline __u32 ordered(__u64 at)
{
	__u32 key = at;
	__u32 *entry = bpf_map_lookup_elem(&order, &key);

	return entry ? *entry : 0;
}

// SplitMix64 and its mapping to a range, as frame/draw.rs. Its state is a number that grows by the same amount with
// each draw, and each frame of a lane draws once: the first draw's state and the frame's number are all there is to
// keep.
static __always_inline __u64 below(__u64 first, __u64 frame, __u64 n)
{
	__u64 z = first + (frame + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	z ^= z >> 31;
	return (z >> 32) * n >> 32;
}

// The next digit of a flow's number.
static __always_inline __u32 digit(__u64 *rest, const volatile struct field *field)
{
	__u64 quotient = *rest * field->inverse >> 40;
	__u32 digit = *rest - quotient * field->count;

	*rest = quotient;
	return digit;
}

static __always_inline __u16 checksum(__u64 sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return ~sum;
}

// Zero would mean that there is none (RFC 768; RFC 8200 section 8.1).
static __always_inline __u16 udp_checksum(__u64 sum)
{
	__u16 check = checksum(sum);
	return check ? check : 0xffff;
}

static __always_inline __u64 halves(__u64 word)
{
	return (word >> 32) + (word & 0xffffffff);
}

// What takes a sum away when added. In 32 bits, for all ones are a multiple of 2^16 - 1.
static __always_inline __u32 negative(__u32 word)
{
	return ~word;
}

// Whether a frame is to be sent now, and the time that it carries.
static __always_inline int due(__u64 *stamp)
{
	if (!plan.paced) {
		if (state.frames >= plan.limit)
			return 0;
		*stamp = bpf_ktime_get_ns();
		return 1;
	}

	__u64 place = state.place;
	state.place = place + 1 < plan.batch ? place + 1 : 0;
	if (!place) {
		__u64 now = bpf_ktime_get_ns();
		if (!state.next)
			state.next = now;
		// Only here, where no frame of the batch waits to be sent, can time be spent waiting.
		if (!state.left)
			for (int i = 0; i < LOOKS && now < state.next; i++)
				now = bpf_ktime_get_ns();
		state.now = now;
	}
	if (state.frames >= plan.limit)
		return 0;
	if (!state.left) {
		if (state.now < state.next)
			return 0;
		state.left = plan.burst;
		state.wanted = state.next;
		state.fraction += plan.fraction;
		state.next += plan.interval + (state.fraction >> 32);
		state.fraction &= 0xffffffff;
	}
	state.left--;
	*stamp = plan.intended ? state.wanted : bpf_ktime_get_ns();
	return 1;
}

static __always_inline __u64 next_len(const volatile struct stream *stream, struct lane *lane)
{
	if (stream->size == FIXED)
		return stream->len;
	if (stream->size == RANGE)
		return stream->len + below(stream->size_state, lane->frames, stream->lens);
	__u64 at = lane->size_at;
	lane->size_at = at + 1 < stream->lens ? at + 1 : 0;
	return ordered(stream->order + at);
}

static __always_inline __u64 next_flow(const volatile struct stream *stream, struct lane *lane)
{
	if (stream->random)
		return below(stream->flow_state, lane->frames, stream->flows);
	__u64 flow = lane->flow;
	lane->flow = flow + 1 < stream->flows ? flow + 1 : 0;
	return flow;
}

// Writes the first `bytes` of the head, which the frame has. In words of 8 bytes, whatever their alignment: told that
// they are unaligned, the compiler would store each byte by itself.
static __always_inline int restore(void *data, void *end, const volatile struct stream *stream, __u64 bytes)
{
	__u64 *words = data;

	for (int i = 0; i < HEAD_WORDS; i++) {
		if (bytes < 8 * (i + 1))
			break;
		if ((void *)(words + i + 1) > end)
			return -1;
		words[i] = stream->head[i];
	}
	if (!(bytes & 7))
		return 0;
	// The rest, together with what comes before it.
	__u64 at = bytes - 8;
	if (at > 8 * (HEAD_WORDS - 1))
		return -1;
	__u64 *last = data + at;
	// The pointer that is compared must be the one that is used, or the verifier does not see the connection.
	asm volatile("" : "+r"(last));
	if ((void *)(last + 1) > end)
		return -1;
	*last = *(const volatile __u64 *)((const volatile char *)stream->head + at);
	return 0;
}

static __always_inline int outer(void *data, void *end, const volatile struct stream *stream, __u64 len, __u64 flow,
				 __u64 inner)
{
	struct iphdr *ip = data + ETH_HLEN;
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > end)
		return -1;
	__be16 total = bpf_htons(len - ETH_HLEN);
	__be16 udp_len = bpf_htons(len - ETH_HLEN - sizeof(*ip));
	// Multiplicative hashing, as flow.rs.
	__be16 sport = bpf_htons(0xc000 | (__u32)flow * 0x9e3779b1 >> 18);

	ip->tot_len = total;
	ip->check = checksum(stream->outer_ip_sum + total);
	udp->source = sport;
	udp->len = udp_len;
	if (stream->outer_udp)
		udp->check = udp_checksum(stream->outer_udp_sum + sport + 2 * (__u64)udp_len + inner);
	return 0;
}

SEC("xdp")
int live(struct xdp_md *ctx)
{
	__u64 stamp;

	if (!due(&stamp))
		return XDP_DROP;

	__u64 index = 0;
	if (plan.streams > 1) {
		__u64 at = state.order_at;
		state.order_at = at + 1 < plan.orders ? at + 1 : 0;
		index = ordered(at) & (STREAMS - 1);
	}
	const volatile struct stream *stream = &plan.stream[index];
	struct lane *lane = &state.lane[index];

	__u64 len = next_len(stream, lane);
	if (len >= BODY_ROOM)
		goto failed;
	long grow = len - (ctx->data_end - ctx->data);
	// Some 15 ns, only where sizes vary.
	if (grow && bpf_xdp_adjust_tail(ctx, grow))
		goto failed;

	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u64 bytes = stream->restore;
	if (restore(data, end, stream, bytes < len ? bytes : len))
		goto failed;

	__u64 flow = next_flow(stream, lane);
	__u64 rest = flow;
	__be16 sport = bpf_htons(stream->sport.first + digit(&rest, &stream->sport));
	__be32 dst = bpf_htonl(stream->dst.first + digit(&rest, &stream->dst));
	__be32 src = bpf_htonl(stream->src.first + digit(&rest, &stream->src));
	__be16 dport = bpf_htons(stream->dport.first + rest);

	// Signature: see frame/signature.rs.
	__u64 sequence = lane->frames;
	__u64 payload = stream->payload;
	if (payload > 8 * HEAD_WORDS)
		goto failed;
	void *signature = data + payload;
	if (signature + 18 > end)
		goto failed;
	__u64 first = stream->signature | flow;
	__u64 second = sequence << 32 | (stamp >> 8 & 0xffffffff);
	__u64 fold = first ^ second;
	fold ^= fold >> 32;
	fold ^= fold >> 16;
	fold ^= fold >> 8;
	__u16 third = stamp << 8 | ((fold ^ stamp) & 0xff);
	first = bpf_cpu_to_be64(first);
	second = bpf_cpu_to_be64(second);
	third = bpf_htons(third);
	*(__be64 *)signature = first;
	*(__be64 *)(signature + 8) = second;
	*(__be16 *)(signature + 16) = third;
	__u64 sum = stream->l4_sum + halves(first) + halves(second) + third + body_sums[len];

	// Innermost IP header. What an outer UDP checksum sees of a valid packet is what the packet's own checksums
	// leave out, the negative of its pseudo header (RFC 1624 section 3); with IPv6 the addresses and the length are
	// in both and cancel.
	__u64 l3 = stream->l3;
	__u64 l4 = stream->l4;
	if (l3 > 8 * HEAD_WORDS || l4 > 8 * HEAD_WORDS)
		goto failed;
	__be16 l4_len = bpf_htons(len - l4);
	__u64 inner = 0;
	if (stream->ipv6) {
		struct ipv6hdr *ip = data + l3;
		if ((void *)(ip + 1) > end)
			goto failed;
		ip->payload_len = l4_len;
		ip->saddr.in6_u.u6_addr32[3] = src;
		ip->daddr.in6_u.u6_addr32[3] = dst;
		sum += (__u64)src + dst + l4_len;
	} else {
		struct iphdr *ip = data + l3;
		if ((void *)(ip + 1) > end)
			goto failed;
		__be16 total = bpf_htons(len - l3);
		ip->tot_len = total;
		ip->saddr = src;
		ip->daddr = dst;
		ip->check = checksum(stream->ip_sum + src + dst + total);
		if (stream->transport != ICMP) {
			sum += (__u64)src + dst + l4_len;
			inner = (__u64)negative(src) + negative(dst) + negative(l4_len);
		}
	}

	void *header = data + l4;
	if (stream->transport == UDP) {
		struct udphdr *udp = header;
		if ((void *)(udp + 1) > end)
			goto failed;
		udp->source = sport;
		udp->dest = dport;
		udp->len = l4_len;
		udp->check = udp_checksum(sum + sport + dport + l4_len);
	} else if (stream->transport == TCP) {
		struct tcphdr *tcp = header;
		if ((void *)(tcp + 1) > end)
			goto failed;
		__be32 seq = bpf_htonl(sequence);
		tcp->source = sport;
		tcp->dest = dport;
		tcp->seq = seq;
		tcp->check = checksum(sum + sport + dport + seq);
	} else {
		struct echo *icmp = header;
		if ((void *)(icmp + 1) > end)
			goto failed;
		__be16 number = bpf_htons(sequence);
		icmp->id = sport;
		icmp->sequence = number;
		icmp->checksum = checksum(sum + sport + number);
	}

	if (stream->vxlan && outer(data, end, stream, len, flow, inner))
		goto failed;

	__u64 now = plan.paced ? state.now : stamp;
	if (!state.first)
		state.first = now;
	state.last = now;
	lane->frames = sequence + 1;
	lane->bytes += len;
	state.frames++;
	return XDP_TX;

failed:
	state.failed++;
	return XDP_DROP;
}

// No helper used here asks for the GPL: bpf_ktime_get_ns has not since Linux 5.8, and live frames came with 5.18.
char _license[] SEC("license") = "Apache-2.0";
