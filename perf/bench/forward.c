// A bare AF_XDP forwarder: what comes in by one device goes out by the other, untouched. The limit for any engine here.
//
//	forward IN OUT RING BURST BUDGET [both]
//
// The socket options are the engine's: copy mode, need-wakeup, one region registered as a UMEM with each socket, and
// XDP_MAX_TX_SKB_BUDGET where the kernel has it (6.17). One direction, so that it has less to do than any engine, unless
// it is asked for both: then each direction has half of the region.

#include <err.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <xdp/xsk.h>

// Newer than the distribution's headers (include/uapi/linux/if_xdp.h).
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

#define CHUNK 2048

struct port {
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons completion, rx;
};

static void open_port(struct port *port, const char *device, void *region, __u64 bytes, __u32 ring, __u32 budget, int receives)
{
	const struct xsk_umem_config umem = { .fill_size = ring, .comp_size = ring, .frame_size = CHUNK };
	const struct xsk_socket_config socket = {
		.rx_size = ring,
		.tx_size = ring,
		// Without a program on it the veth's own receive would only cost: it only sends.
		.libxdp_flags = receives ? 0 : XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.xdp_flags = XDP_FLAGS_DRV_MODE,
		.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
	};
	errno = -xsk_umem__create(&port->umem, region, bytes, &port->fill, &port->completion, &umem);
	if (!errno)
		errno = -xsk_socket__create(&port->socket, device, 0, port->umem, &port->rx, &port->tx, &socket);
	if (errno)
		err(1, "cannot open an AF_XDP socket on %s", device);
	int fd = xsk_socket__fd(port->socket);
	// A whole ring of skbs on their way, as the engine has it.
	int skbs = ring * (CHUNK + 1024);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &skbs, sizeof(skbs)))
		err(1, "cannot set the send buffer of %s", device);
	// ENOPROTOOPT: a kernel that sends 32 frames a call, and there is nothing to be done.
	if (setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget)) && errno != ENOPROTOOPT)
		err(1, "cannot set a budget of %u frames on %s", budget, device);
}

static void fill_all(struct port *in, __u32 ring, __u64 first)
{
	__u32 at = 0;

	xsk_ring_prod__reserve(&in->fill, ring, &at);
	for (__u32 i = 0; i < ring; i++)
		*xsk_ring_prod__fill_addr(&in->fill, at + i) = (first + i) * CHUNK;
	xsk_ring_prod__submit(&in->fill, ring);
}

// Every chunk is in fill, rx, tx or completion, and each ring holds as many as there are: no reserve can fall short.
static __u32 move_frames(struct port *in, struct port *out, __u32 burst)
{
	__u32 from = 0, to = 0, frames = xsk_ring_cons__peek(&in->rx, burst, &from);

	if (!frames)
		return 0;
	xsk_ring_prod__reserve(&out->tx, frames, &to);
	for (__u32 i = 0; i < frames; i++)
		*xsk_ring_prod__tx_desc(&out->tx, to + i) = *xsk_ring_cons__rx_desc(&in->rx, from + i);
	xsk_ring_prod__submit(&out->tx, frames);
	xsk_ring_cons__release(&in->rx, frames);
	return frames;
}

static __u32 recycle(struct port *in, struct port *out, __u32 burst)
{
	__u32 from = 0, to = 0, frames = xsk_ring_cons__peek(&out->completion, burst, &from);

	if (!frames)
		return 0;
	xsk_ring_prod__reserve(&in->fill, frames, &to);
	for (__u32 i = 0; i < frames; i++)
		*xsk_ring_prod__fill_addr(&in->fill, to + i) =
			xsk_umem__extract_addr(*xsk_ring_cons__comp_addr(&out->completion, from + i));
	xsk_ring_prod__submit(&in->fill, frames);
	xsk_ring_cons__release(&out->completion, frames);
	return frames;
}

// One turn of one direction.
static void forward(struct port *in, struct port *out, __u32 burst, __u32 *unsent)
{
	*unsent += move_frames(in, out, burst);
	// Copy mode sends only inside this call, so every burst is sent at once. EAGAIN: more are left; EBUSY: the other end of
	// the veth had no room, and a frame is lost; ENOBUFS: more than the send buffer holds are on their way.
	if (*unsent && sendto(xsk_socket__fd(out->socket), NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 &&
		errno != EAGAIN && errno != EBUSY && errno != ENOBUFS)
		err(1, "cannot send");
	*unsent -= recycle(in, out, burst);
}

int main(int argc, char **argv)
{
	static struct port in, out;
	int both = argc == 7 && !strcmp(argv[6], "both");

	if (argc != 6 && !both)
		errx(2, "usage: forward IN OUT RING BURST BUDGET [both]");
	__u32 ring = atoi(argv[3]), burst = atoi(argv[4]), budget = atoi(argv[5]);
	__u64 bytes = (__u64)ring * CHUNK << both;
	void *region = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (region == MAP_FAILED)
		err(1, "cannot map %u chunks", ring << both);
	open_port(&out, argv[2], region, bytes, ring, budget, both);
	open_port(&in, argv[1], region, bytes, ring, budget, 1);
	fill_all(&in, ring, 0);
	if (both)
		fill_all(&out, ring, ring);
	puts("ready");
	fflush(stdout);

	__u32 unsent[2] = { 0, 0 };
	for (;;) {
		forward(&in, &out, burst, &unsent[0]);
		if (both)
			forward(&out, &in, burst, &unsent[1]);
	}
}
