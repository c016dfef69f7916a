// SPDX-License-Identifier: MIT
/*
 * memory: what paging costs, per 4 KiB page of a working set.
 *
 *      touch     first write to fresh pages: the guest's page fault, and the hypervisor's own when it has not
 *                seen the frame before
 *      walk      a random chain of one load per page: TLB misses (two-dimensional under nested paging)
 *      protect   mprotect to read-only and back, page by page, with a write after: page-table updates, which
 *                shadow paging must see
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "workloads/agent/agent.h"
#include "workloads/kernels.h"

#define PAGE 4096u

static void touch_pages(unsigned char *mem, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		mem[i * PAGE] = (unsigned char)i;
}

/* One cycle through all pages in random order (Sattolo), stored in the pages themselves. */
static void build_chain(unsigned char *mem, uint32_t *order, uint64_t pages, uint64_t seed)
{
	random_cycle(order, pages, seed);
	for (uint64_t i = 0; i < pages; i++) {
		/* Another line in each page: else all loads fall into one set of the cache. */
		uint64_t from = order[i], to = order[(i + 1) % pages];
		unsigned char *next = mem + to * PAGE + (to % 63) * 64;

		memcpy(mem + from * PAGE + (from % 63) * 64, &next, sizeof(next));
	}
}

static const void *walk_chain(const void *p, uint64_t steps)
{
	while (steps--)
		p = *(const void *const *)p;
	return p;
}

static int protect_pages(unsigned char *mem, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		unsigned char *p = mem + i * PAGE;

		if (mprotect(p, PAGE, PROT_READ) || mprotect(p, PAGE, PROT_READ | PROT_WRITE))
			return -errno;
		p[8]++;
	}
	return 0;
}

struct result {
	uint64_t touch_ns, walk_ns, protect_ns, steps, protects;
};

static int measure_memory(struct agent *a, unsigned char *mem, uint32_t *order, uint64_t pages,
			  struct result *r)
{
	uint64_t t0, t1;
	const void *end;
	int err;

	t0 = clock_ns();
	touch_pages(mem, pages);
	t1 = clock_ns();
	r->touch_ns = t1 - t0;
	build_chain(mem, order, pages, a->job.seed);
	r->steps = 8 * pages;
	t0 = clock_ns();
	end = walk_chain(mem, r->steps);
	t1 = clock_ns();
	r->walk_ns = t1 - t0;
	/* The chain is one cycle: after a multiple of its length we are where we began. */
	if (end != mem)
		return agent_fail(-EBADMSG, "integrity: the chain through memory is broken");
	r->protects = MIN(pages, 4096);
	t0 = clock_ns();
	err = protect_pages(mem, r->protects);
	r->protect_ns = clock_ns() - t0;
	if (err)
		return agent_fail(err, "mprotect: %s", strerror(-err));
	return 0;
}

int run_memory(struct agent *a)
{
	uint64_t pages = a->job.mem_bytes / PAGE, bytes = pages * PAGE;
	struct result r = {0};
	struct window w = {0};
	unsigned char *mem;
	uint32_t *order;
	int err;

	if (pages < 64 || pages > UINT32_MAX)
		return agent_fail(-EINVAL, "memory: mem_bytes must be at least 256 KiB");
	order = calloc(pages, sizeof(*order));
	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!order || mem == MAP_FAILED) {
		free(order);
		return agent_fail(-ENOMEM, "memory: no room for %llu bytes; give the guest more",
				  (unsigned long long)bytes);
	}
	madvise(mem, bytes, MADV_NOHUGEPAGE); /* per 4 KiB page, whatever the kernel prefers */
	memset(order, 1, pages * sizeof(*order));
	agent_ready(a);
	window_open(a, &w);
	err = measure_memory(a, mem, order, pages, &r);
	window_close(a, &w);
	if (!err) {
		report_metric("first_touch_ns", (double)r.touch_ns / (double)pages);
		report_metric("tlb_miss_ns", (double)r.walk_ns / (double)r.steps);
		report_metric("pt_update_ns", (double)r.protect_ns / (double)r.protects);
		window_report(a, &w, 0);
	}
	munmap(mem, bytes);
	free(order);
	return err;
}
