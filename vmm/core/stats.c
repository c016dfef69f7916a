// SPDX-License-Identifier: MIT
/* The statistics page: made here, filled in by everyone (vmm/stats_page.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "vmm/core/machine.h"

int stats_create(struct stats_page **out, int fd, unsigned n_cpus)
{
	size_t size = align_up(sizeof(struct stats_page), 4096);
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	struct stats_page *page;

	if (fd >= 0 && ftruncate(fd, (off_t)size) < 0) {
		log_error("statistics page: fd %d: %s; want a memfd or a regular file", fd,
			  strerror(errno));
		return -EINVAL;
	}
	/*
	 * Who opens it must not be able to cut it under us. A regular file, or one sealed already,
	 * says no.
	 */
	if (fd >= 0)
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	page = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (page == MAP_FAILED) {
		log_error("statistics page: fd %d: %s; want a memfd open for writing", fd,
			  strerror(errno));
		return -EINVAL;
	}
	memset(page, 0, sizeof(*page));
	page->version = STATS_VERSION;
	page->size = sizeof(*page);
	page->n_vcpus = n_cpus;
	page->start_ns = clock_ns();
	__atomic_store_n(&page->magic, STATS_MAGIC, __ATOMIC_RELEASE);
	*out = page;
	return 0;
}

void stats_destroy(struct stats_page *page)
{
	if (page)
		munmap(page, align_up(sizeof(*page), 4096));
}

struct stats_queue *vm_stats_queue(struct vm *vm, const char *name)
{
	static struct stats_queue scratch;
	struct stats_queue *q = &scratch;

	pthread_mutex_lock(&vm->lock);
	if (vm->stats->n_queues < STATS_QUEUES) {
		q = &vm->stats->now.queue[vm->stats->n_queues];
		strncpy(q->name, name, sizeof(q->name) - 1);
		__atomic_store_n(&vm->stats->n_queues, vm->stats->n_queues + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&vm->lock);
	return q;
}

struct stats_region *vm_stats_region(struct vm *vm, const char *name, bool is_pio, uint64_t base,
				     uint64_t len)
{
	static struct stats_region scratch;
	struct stats_region *r = &scratch;

	pthread_mutex_lock(&vm->lock);
	if (vm->stats->n_regions < STATS_REGIONS) {
		r = &vm->stats->region[vm->stats->n_regions];
		strncpy(r->name, name, sizeof(r->name) - 1);
		r->base = base;
		r->len = len;
		r->is_pio = is_pio;
		__atomic_store_n(&vm->stats->n_regions, vm->stats->n_regions + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&vm->lock);
	return r;
}
