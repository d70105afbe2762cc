// A faulty path: hands frames from one interface to another and back, does known damage on the way, and tells exactly how much.
//
//	middlebox FROM TO [drop=N] [duplicate=N] [swap=N] [flip=N] [at=OFFSET] [above=OFFSET] [seed=N] [delay=MICROSECONDS] [cpu=N]
//
// Prints "ready" once it forwards, and at SIGTERM one line of JSON with its counts. It shares nothing with pktgen: it knows
// its frames by the mark only (0x7477 as IPv4 identification or low flow label, of the inner packet behind VXLAN). Everything
// else, such as ARP, and everything from TO to FROM passes untouched and uncounted.
//
// Of the marked frames each Nth is dropped, sent twice, sent after its successor, or gets one byte changed; a frame has one of
// these faults at most, and the successor of a swapped frame none. `at` is the place of the change in the outermost IP packet,
// otherwise it is drawn, at `above` or behind. With `delay` a frame leaves so long after the kernel received it, and the
// program spins for the last tenth of a millisecond. The delays printed are from the kernel's time stamp to just before the frame is sent.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define MARK 0x7477
#define ROOM 4096
#define BURST 64
#define QUEUE 16384
#define DELAYS (1 << 20)
// How long before its time it waits for a frame's, nanoseconds.
#define SPIN_NS 100000

struct frame {
	uint64_t arrival, due;
	int marked;
	unsigned len;
	uint8_t bytes[ROOM];
};

static struct {
	uint64_t drop, duplicate, swap, flip, at, above, seed, delay, cpu;
} want = { .at = UINT64_MAX, .seed = 1, .cpu = UINT64_MAX };

static struct {
	uint64_t seen, dropped, duplicated, swapped, flipped, returned, other;
} count;

static struct frame queue[QUEUE];
static unsigned head, tail;
static struct frame held;
static int holding;
static uint32_t delays[DELAYS];
static unsigned delay_count;
static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

// CLOCK_REALTIME, for the kernel's time stamps are.
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static uint64_t draw(uint64_t below)
{
	static uint64_t state;

	if (!state)
		state = want.seed * 0x9e3779b97f4a7c15ull + 1;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? state % below : 0;
}

static unsigned word(const uint8_t *bytes)
{
	return bytes[0] << 8 | bytes[1];
}

// Whether the packet behind an Ethernet header carries the mark itself.
static int has_mark(const uint8_t *ethernet, unsigned len)
{
	const uint8_t *ip = ethernet + ETH_HLEN;

	if (len < ETH_HLEN + 40)
		return 0;
	switch (word(ethernet + 12)) {
	case ETH_P_IP:
		return word(ip + 4) == MARK;
	case ETH_P_IPV6:
		return word(ip + 2) == MARK;
	}
	return 0;
}

static int is_marked(const uint8_t *bytes, unsigned len)
{
	const uint8_t *ip = bytes + ETH_HLEN;

	if (has_mark(bytes, len))
		return 1;
	if (len < ETH_HLEN + 36 || word(bytes + 12) != ETH_P_IP || ip[0] != 0x45 || ip[9] != 17)
		return 0;
	unsigned dport = word(ip + 22);
	return (dport == 8472 || dport == 4789) && has_mark(ip + 36, len - ETH_HLEN - 36);
}

static void flip(struct frame *frame)
{
	const uint8_t *ip = frame->bytes + ETH_HLEN;
	uint64_t end = word(frame->bytes + 12) == ETH_P_IP ? word(ip + 2) : 40 + word(ip + 4);
	uint64_t at = want.at != UINT64_MAX ? want.at : want.above + draw(end - want.above);

	if (at >= end || ETH_HLEN + at >= frame->len)
		errx(1, "no byte %lu in an IP packet of %lu bytes", at, end);
	frame->bytes[ETH_HLEN + at] ^= 1 + draw(255);
}

static void enqueue(const struct frame *frame)
{
	if (tail - head == QUEUE)
		errx(1, "the queue is full: too many frames for this delay");
	struct frame *slot = &queue[tail++ % QUEUE];
	memcpy(slot, frame, offsetof(struct frame, bytes) + frame->len);
	slot->due = slot->arrival + want.delay * 1000;
}

static void release_held(void)
{
	if (holding)
		enqueue(&held);
	holding = 0;
}

static int each(uint64_t n)
{
	return n && count.seen % n == 0;
}

// Decides what becomes of a frame on its way FROM -> TO.
static void judge(struct frame *frame)
{
	frame->marked = is_marked(frame->bytes, frame->len);
	if (!frame->marked) {
		count.other++;
		enqueue(frame);
		return;
	}
	count.seen++;
	if (holding) {
		enqueue(frame);
		held.arrival = frame->arrival;
		release_held();
		count.swapped++;
	} else if (each(want.drop)) {
		count.dropped++;
	} else if (each(want.duplicate)) {
		count.duplicated++;
		enqueue(frame);
		enqueue(frame);
	} else if (each(want.swap)) {
		memcpy(&held, frame, offsetof(struct frame, bytes) + frame->len);
		holding = 1;
	} else {
		if (each(want.flip)) {
			count.flipped++;
			flip(frame);
		}
		enqueue(frame);
	}
}

static void put(int to, const struct frame *frame)
{
	while (send(to, frame->bytes, frame->len, 0) < 0)
		if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			err(1, "send");
}

static void flush(int to)
{
	while (head != tail) {
		const struct frame *frame = &queue[head % QUEUE];
		uint64_t now = now_ns();
		if (frame->due > now)
			return;
		if (frame->marked && delay_count < DELAYS)
			delays[delay_count++] = now - frame->arrival;
		put(to, frame);
		head++;
	}
}

// Sleeps until a frame comes, or the next is nearly due; whether there is something to do. On a machine that is shared, a
// program that spins all the time is the one that is made to wait when its moment has come.
static int rest(int from, int to)
{
	struct pollfd polled[] = { { .fd = from, .events = POLLIN }, { .fd = to, .events = POLLIN } };
	struct timespec timeout = { .tv_nsec = 200000000 };

	if (head != tail) {
		uint64_t now = now_ns(), due = queue[head % QUEUE].due;
		if (due < now + SPIN_NS)
			return 1;
		timeout.tv_nsec = due - now - SPIN_NS;
	}
	return ppoll(polled, 2, &timeout, NULL) != 0 || head != tail;
}

static int open_on(const char *name)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int room = 64 << 20, one = 1;
	// Protocol 0 receives nothing until bound: no frame of another interface gets in.
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0)
		err(1, "AF_PACKET socket");
	address.sll_ifindex = if_nametoindex(name);
	if (!address.sll_ifindex)
		err(1, "%s", name);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)))
		err(1, "setsockopt on %s", name);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		err(1, "bind to %s", name);
	return fd;
}

static uint64_t missed_by(int fd)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len))
		err(1, "PACKET_STATISTICS");
	return stats.tp_drops;
}

static uint64_t arrival_of(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
			struct timespec stamp;
			memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
			return stamp.tv_sec * 1000000000ull + stamp.tv_nsec;
		}
	}
	errx(1, "a frame without the kernel's time stamp");
}

// Reads a burst and gives each frame to `take`, or sends it right back out of `to` without one. How many there were.
static int forward(int from, int to, void (*take)(struct frame *))
{
	static struct frame frames[BURST];
	static char control[BURST][CMSG_SPACE(sizeof(struct timespec))];
	static struct iovec iov[BURST];
	static struct mmsghdr messages[BURST];

	for (int i = 0; i < BURST; i++) {
		iov[i] = (struct iovec){ frames[i].bytes, ROOM };
		messages[i].msg_hdr = (struct msghdr){
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_control = control[i],
			.msg_controllen = sizeof(control[i]),
		};
	}
	int n = recvmmsg(from, messages, BURST, MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENETDOWN)
		err(1, "recvmmsg");
	for (int i = 0; i < n; i++) {
		if (messages[i].msg_hdr.msg_flags & MSG_TRUNC)
			errx(1, "a frame of more than %d bytes", ROOM);
		frames[i].len = messages[i].msg_len;
		if (take) {
			frames[i].arrival = arrival_of(&messages[i].msg_hdr);
			take(&frames[i]);
		} else {
			count.returned++;
			put(to, &frames[i]);
		}
	}
	return n > 0 ? n : 0;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print(uint64_t missed)
{
	qsort(delays, delay_count, sizeof(*delays), by_size);
	unsigned last = delay_count ? delay_count - 1 : 0;
	printf("{\"seen\": %lu, \"dropped\": %lu, \"duplicated\": %lu, \"swapped\": %lu, \"flipped\": %lu, "
	       "\"returned\": %lu, \"other\": %lu, \"missed\": %lu, "
	       "\"delay_ns\": {\"min\": %u, \"p25\": %u, \"p50\": %u, \"p75\": %u, \"max\": %u}}\n",
	       count.seen, count.dropped, count.duplicated, count.swapped, count.flipped, count.returned, count.other,
	       missed, delays[0], delays[last / 4], delays[last / 2], delays[last / 4 * 3], delays[last]);
}

static void parse(const char *argument)
{
	const struct { const char *key; uint64_t *value; } keys[] = {
		{ "drop=", &want.drop }, { "duplicate=", &want.duplicate }, { "swap=", &want.swap },
		{ "flip=", &want.flip }, { "at=", &want.at }, { "above=", &want.above },
		{ "seed=", &want.seed }, { "delay=", &want.delay }, { "cpu=", &want.cpu },
	};

	for (unsigned i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		size_t len = strlen(keys[i].key);
		if (!strncmp(argument, keys[i].key, len)) {
			*keys[i].value = strtoull(argument + len, NULL, 0);
			if (want.delay > 500000)
				errx(2, "%s: at most 500000 microseconds", argument);
			return;
		}
	}
	errx(2, "what is %s?", argument);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: middlebox FROM TO [FAULT=N]...");
	for (int i = 3; i < argc; i++)
		parse(argv[i]);
	signal(SIGTERM, on_signal);
	if (want.cpu != UINT64_MAX) {
		cpu_set_t cpus;
		CPU_ZERO(&cpus);
		CPU_SET(want.cpu, &cpus);
		if (sched_setaffinity(0, sizeof(cpus), &cpus))
			err(1, "CPU %lu", want.cpu);
	}
	int from = open_on(argv[1]), to = open_on(argv[2]);
	printf("ready\n");
	fflush(stdout);

	prctl(PR_SET_TIMERSLACK, 1);
	while (!stop) {
		int n = forward(from, to, judge);
		flush(to);
		n += forward(to, from, NULL);
		// Nobody came to overtake it: it goes, in order.
		if (n == 0 && !rest(from, to))
			release_held();
	}
	print(missed_by(from) + missed_by(to));
	return 0;
}
