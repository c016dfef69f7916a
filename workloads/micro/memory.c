// SPDX-License-Identifier: MIT
/*
 * memory: what paging costs, per 4 KiB page of a working set that is mapped with 4 KiB pages at MEMORY_VA.
 *      touch    first write to a page: the guest has mapped it, so this is the hypervisor's fault alone
 *      walk     a random chain of one load per page: TLB misses
 *      update   page-table entry to read-only and back, each with INVLPG (ring 0), then a write
 */
#include "workloads/kernels.h"
#include "workloads/micro/micro.h"

#define PAGE        4096ull
#define MEMORY_VA   (511ull << 30) /* the last GiB of the first top-level entry; nothing else is there */
#define MAX_BYTES   (1ull << 30)
#define PTE_RW      7ull
#define PTE_RO      5ull
#define MAX_UPDATES 1024u
#define WALKS       8

extern uint64_t pdpt[];
static uint64_t *tables; /* all page tables of the range, one after the other: entry i is page i */

static bool map_pages(uint64_t pa, uint64_t pages)
{
	uint64_t n_tables = (pages + 511) / 512, *pd = mem_alloc(PAGE, PAGE);

	tables = mem_alloc(n_tables * PAGE, PAGE);
	if (!pd || !tables)
		return false;
	for (uint64_t i = 0; i < pages; i++)
		tables[i] = (pa + i * PAGE) | PTE_RW;
	for (uint64_t i = 0; i < n_tables; i++)
		pd[i] = (uint64_t)(tables + i * 512) | PTE_RW;
	barrier();
	pdpt[MEMORY_VA >> 30] = (uint64_t)pd | PTE_RW;
	return true;
}

/* One cycle through all pages in random order (Sattolo); another line in each page. */
static uint64_t *slot_of_page(uint64_t page)
{
	return (uint64_t *)(MEMORY_VA + page * PAGE + page % 63 * 64);
}

static void build_chain(uint32_t *order, uint64_t pages, uint64_t seed)
{
	random_cycle(order, pages, seed);
	for (uint64_t i = 0; i < pages; i++)
		*slot_of_page(order[i]) = (uint64_t)slot_of_page(order[(i + 1) % pages]);
}

/* Ring 0. */
static uint64_t update_page(uint64_t page)
{
	uint64_t va = MEMORY_VA + page * PAGE, pte = tables[page];

	tables[page] = (pte & ~PTE_RW) | PTE_RO;
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
	tables[page] = pte;
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
	*(volatile uint8_t *)(va + 8) = 1;
	return 0;
}

static uint64_t timed_touch(uint64_t pages)
{
	uint64_t t0 = rdtsc();

	for (uint64_t i = 0; i < pages; i++)
		*(volatile uint8_t *)(MEMORY_VA + i * PAGE) = 1;
	return tsc_to_ns(rdtsc() - t0);
}

static uint64_t timed_walk(uint64_t pages, bool *ok)
{
	const uint64_t *p = slot_of_page(0);
	uint64_t t0 = rdtsc(), ticks;

	for (uint64_t i = 0; i < WALKS * pages; i++)
		p = (const uint64_t *)*p;
	ticks = rdtsc() - t0;
	*ok = p == slot_of_page(0);
	return tsc_to_ns(ticks);
}

static uint64_t timed_updates(uint64_t n)
{
	uint64_t t0 = rdtsc();

	for (uint64_t i = 0; i < n; i++)
		ring0(update_page, i);
	return tsc_to_ns(rdtsc() - t0);
}

int job_memory(const struct workload_job *job)
{
	uint64_t pages = job->mem_bytes / PAGE, n = MIN(pages, MAX_UPDATES), touch, walk, updates;
	uint32_t *order;
	uint8_t *mem;
	bool ok;

	if (pages < 64 || job->mem_bytes > MAX_BYTES)
		return report_fail("memory: mem_bytes must be from 256 KiB to 1 GiB");
	order = mem_alloc(pages * sizeof(*order), 64);
	mem = mem_alloc_untouched(pages * PAGE, 2 * MIB);
	if (!order || !mem || !map_pages((uint64_t)mem, pages))
		return -1;
	report("ready");
	window_open();
	touch = timed_touch(pages);
	build_chain(order, pages, job->seed);
	walk = timed_walk(pages, &ok);
	updates = timed_updates(n);
	window_close();
	if (!ok)
		return report_fail("integrity: the chain through memory is broken");
	report_milli("first_touch_ns", mul_div(touch, 1000, pages));
	report_milli("tlb_miss_ns", mul_div(walk, 1000, WALKS * pages));
	report_milli("pt_update_ns", mul_div(updates, 1000, n));
	window_report(0);
	return 0;
}
