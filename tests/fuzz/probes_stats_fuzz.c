// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a statistics page of a process that is not ours. The first 4 bytes say where in the page the
 * rest lies; the beginning is that of a good one, or the input's.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "probes/names.h"
#include "vmm/stats_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct stats_page *p)
{
	if (p->n_vcpus > STATS_VCPUS || p->n_queues > STATS_QUEUES || p->n_regions > STATS_REGIONS)
		abort();
	for (unsigned i = 0; i < STATS_REGIONS; i++)
		if (strnlen(p->region[i].name, STATS_NAME) == STATS_NAME)
			abort();
	if (strnlen(p->kvm_open, sizeof(p->kvm_open)) == sizeof(p->kvm_open) ||
	    strnlen(p->kvm_close, sizeof(p->kvm_close)) == sizeof(p->kvm_close))
		abort();
}

/* As a profiler finds it: among our own open files. */
static void look_up(uint64_t key)
{
	struct names *n = names_new(false);
	char buf[64] = "";
	uint64_t suppressed;

	names_poll(n, getpid());
	if (names_find(n, getpid(), BACKEND_SVM, 0x400, key, buf, sizeof(buf)))
		for (const char *c = buf; *c; c++)
			if ((unsigned char)*c < ' ' || *c == 0x7f)
				abort();
	names_suppressed(n, true, &suppressed);
	names_free(n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct stats_page head = {
		.magic = STATS_MAGIC, .version = STATS_VERSION, .size = sizeof(head), .n_regions = 3};
	static struct stats_page copy;
	uint32_t at;
	int fd;

	log_init("fuzz", -1);
	if (size < 4)
		return 0;
	memcpy(&at, data, 4);
	at %= (uint32_t)sizeof(copy);
	fd = memfd_create("exitlab-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, data[3] & 1 ? (off_t)sizeof(copy) : at) || pwrite(fd, &head, 64, 0) < 0 ||
	    pwrite(fd, data + 4, size - 4, at) < 0)
		abort();
	if (!stats_page_copy(fd, &copy, sizeof(copy)))
		check(&copy);
	look_up(copy.region[0].base);
	close(fd);
	return 0;
}
