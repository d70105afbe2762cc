// The yardstick of tx_rate.rs: what an AF_XDP socket in copy mode can send, with nothing around it.
//
// One socket by libxdp, the rings and options of src/io/xsk (2048 entries, wakeup flag, send buffer for a whole ring,
// XDP_MAX_TX_SKB_BUDGET), bursts of 64, and frames written once: the loop moves descriptors and looks at nothing.
// Frames are sent again last in, first out, as tweed-pktgen does, for that keeps them in the cache.
//
//     cc -O3 -march=native -o bare_tx bare_tx.c -lxdp && ./bare_tx IFACE SECONDS DST_MAC
//
// Prints: frames that the kernel completed, nanoseconds.

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <xdp/xsk.h>

#define FRAMES 2048
#define CHUNK 4096
#define HEADROOM 256
#define BURST 64
// 64 bytes with the FCS.
#define LEN 60
#define SKB_CHARGE 8192
// Linux 6.17, include/uapi/linux/if_xdp.h.
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

static struct xsk_ring_prod tx, fill;
static struct xsk_ring_cons rx, completion;
static uint64_t spare[FRAMES];
static uint32_t spares;

static void die(const char *what, int err)
{
	fprintf(stderr, "bare_tx: %s: %s\n", what, strerror(err));
	exit(3);
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

// Ethernet, IPv4, UDP to the discard port; no UDP checksum.
static void write_frame(uint8_t *frame, const uint8_t dst[6])
{
	static const uint8_t head[] = { 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, LEN - 14, 0, 0, 0x40, 0, 64, 17, 0, 0,
					198, 18, 0, 1, 198, 19, 0, 1, 4, 0, 0, 9, 0, LEN - 34 };
	memcpy(frame, dst, 6);
	memcpy(frame + 6, head, sizeof(head));
	uint32_t sum = 0;
	for (int i = 14; i < 34; i += 2)
		sum += frame[i] << 8 | frame[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[24] = sum >> 8;
	frame[25] = sum;
}

static uint32_t reclaim(void)
{
	uint32_t at, count = xsk_ring_cons__peek(&completion, FRAMES, &at);
	for (uint32_t i = 0; i < count; i++)
		spare[spares++] = *xsk_ring_cons__comp_addr(&completion, at + i);
	xsk_ring_cons__release(&completion, count);
	return count;
}

static void submit(int fd)
{
	uint32_t at, count = spares < BURST ? spares : BURST;
	if (count && xsk_ring_prod__reserve(&tx, count, &at) == count) {
		for (uint32_t i = 0; i < count; i++)
			*xsk_ring_prod__tx_desc(&tx, at + i) = (struct xdp_desc){ .addr = spare[--spares], .len = LEN };
		xsk_ring_prod__submit(&tx, count);
	}
	if (xsk_ring_prod__needs_wakeup(&tx) && sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN &&
	    errno != EBUSY && errno != ENOBUFS)
		die("sendto", errno);
}

int main(int argc, char **argv)
{
	uint8_t dst[6];
	if (argc != 4 || sscanf(argv[3], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", dst, dst + 1, dst + 2, dst + 3, dst + 4, dst + 5) != 6) {
		fprintf(stderr, "usage: bare_tx IFACE SECONDS DST_MAC\n");
		return 2;
	}
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	setrlimit(RLIMIT_MEMLOCK, &unlimited);

	size_t size = (size_t)FRAMES * CHUNK;
	uint8_t *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		die("mmap", errno);
	for (uint32_t i = 0; i < FRAMES; i++) {
		spare[spares++] = i * CHUNK + HEADROOM;
		write_frame(area + i * CHUNK + HEADROOM, dst);
	}

	struct xsk_umem *umem;
	struct xsk_umem_config memory = { .fill_size = FRAMES, .comp_size = FRAMES, .frame_size = CHUNK };
	int err = xsk_umem__create(&umem, area, size, &fill, &completion, &memory);
	if (err)
		die("UMEM", -err);
	struct xsk_socket *xsk;
	struct xsk_socket_config config = {
		.rx_size = FRAMES,
		.tx_size = FRAMES,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
	};
	err = xsk_socket__create(&xsk, argv[1], 0, umem, &rx, &tx, &config);
	if (err)
		die(argv[1], -err);
	int fd = xsk_socket__fd(xsk), buffer = FRAMES * SKB_CHARGE;
	uint32_t budget = FRAMES;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));

	uint64_t sent = 0, start = now_ns(), now = start, end = start + strtoull(argv[2], NULL, 10) * 1000000000ull;
	for (; now < end; now = now_ns()) {
		submit(fd);
		sent += reclaim();
	}
	printf("%llu %llu\n", (unsigned long long)sent, (unsigned long long)(now - start));
	xsk_socket__delete(xsk);
	xsk_umem__delete(umem);
	return 0;
}
