// flannel's udp backend in spirit: a TUN device, a UDP socket, and one system call for every packet on either side.
//
//	tun_udp DEVICE OWN PEER PORT MTU
//
// It makes DEVICE, binds to OWN and knows one peer. Like flannel's it sleeps only when both sides are empty, and is a
// router: it takes a hop off the TTL. Addresses, routes and the rest of the device are the caller's.

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/ip.h>

static int open_tun(const char *device)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (tun < 0)
		err(1, "cannot open /dev/net/tun");
	strncpy(request.ifr_name, device, sizeof(request.ifr_name) - 1);
	if (ioctl(tun, TUNSETIFF, &request))
		err(1, "cannot make %s", device);
	return tun;
}

static struct sockaddr_in address(const char *text, const char *port)
{
	struct sockaddr_in it = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };

	if (inet_pton(AF_INET, text, &it.sin_addr) != 1)
		errx(2, "%s is no address", text);
	return it;
}

// Takes a hop off; false when none is left. The sum is that of RFC 1624 (equation 3) for a high byte one less.
static int forward(struct iphdr *ip)
{
	if (ip->ttl <= 1)
		return 0;
	ip->ttl--;
	unsigned int sum = ntohs(ip->check) + 0x100;
	ip->check = htons(sum + (sum >> 16));
	return 1;
}

// A packet from the pods; false when there was none.
static int to_peer(int tun, int sock, const struct sockaddr_in *peer, void *packet, size_t room)
{
	ssize_t len = read(tun, packet, room);

	if (len < (ssize_t)sizeof(struct iphdr))
		return 0;
	if (forward(packet))
		// What the socket cannot take now is lost, as on any wire.
		(void)!sendto(sock, packet, len, 0, (const struct sockaddr *)peer, sizeof(*peer));
	return 1;
}

// A packet for the pods; false when there was none.
static int to_pods(int sock, int tun, void *packet, size_t room)
{
	ssize_t len = recv(sock, packet, room, MSG_DONTWAIT);

	if (len < (ssize_t)sizeof(struct iphdr))
		return 0;
	if (forward(packet))
		(void)!write(tun, packet, len);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc != 6)
		errx(2, "usage: tun_udp DEVICE OWN PEER PORT MTU");
	const struct sockaddr_in own = address(argv[2], argv[4]), peer = address(argv[3], argv[4]);
	size_t room = atoi(argv[5]);
	void *packet = malloc(room);
	int tun = open_tun(argv[1]), sock = socket(AF_INET, SOCK_DGRAM, 0);

	if (!packet || sock < 0 || bind(sock, (const struct sockaddr *)&own, sizeof(own)))
		err(1, "cannot bind to %s port %s", argv[2], argv[4]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd both[] = { { .fd = tun, .events = POLLIN }, { .fd = sock, .events = POLLIN } };

		if (poll(both, 2, -1) < 0 && errno != EINTR)
			err(1, "cannot poll");
		while (to_peer(tun, sock, &peer, packet, room) + to_pods(sock, tun, packet, room))
			;
	}
}
