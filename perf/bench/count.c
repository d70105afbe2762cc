// Counts the frames that arrive on some devices, by length, until stdin ends.
//
//	count OBJECT DEVICE...
//
// Each line of stdin is a frame length, bytes. The answer is a line with the time in nanoseconds and the frames of that
// length so far: two answers give a rate, whoever asks and however late.

#include <err.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/libbpf.h>
#include <linux/if_link.h>

static const volatile __u64 *start(const char *object, char **devices, size_t *lengths)
{
	struct bpf_object *bpf = bpf_object__open_file(object, NULL);

	if (!bpf || bpf_object__load(bpf))
		err(1, "cannot load %s", object);
	struct bpf_program *program = bpf_object__find_program_by_name(bpf, "count");
	for (; *devices; devices++)
		// The link holds the program to the device for as long as this process lives.
		if (!bpf_program__attach_xdp(program, if_nametoindex(*devices)))
			err(1, "cannot attach to %s", *devices);
	// The program's global variables are a map that can be mapped: reading a counter is reading memory.
	const struct bpf_map *bss = bpf_object__find_map_by_name(bpf, ".bss");
	size_t bytes = bpf_map__value_size(bss);
	const volatile __u64 *frames = mmap(NULL, bytes, PROT_READ, MAP_SHARED, bpf_map__fd(bss), 0);
	if (frames == MAP_FAILED)
		err(1, "cannot map the counters of %s", object);
	*lengths = bytes / sizeof(*frames);
	return frames;
}

int main(int argc, char **argv)
{
	char line[32];
	size_t lengths;

	if (argc < 3)
		errx(2, "usage: count OBJECT DEVICE...");
	const volatile __u64 *frames = start(argv[1], argv + 2, &lengths);
	while (fgets(line, sizeof(line), stdin)) {
		size_t len = strtoul(line, NULL, 10);
		struct timespec now;

		if (len >= lengths)
			errx(2, "frames of %zu bytes are not counted", len);
		__u64 count = frames[len];
		clock_gettime(CLOCK_MONOTONIC, &now);
		printf("%llu %llu\n", now.tv_sec * 1000000000ull + now.tv_nsec, count);
		fflush(stdout);
	}
	return 0;
}
