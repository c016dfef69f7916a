// SPDX-License-Identifier: MIT
/* Read the job, run it, say what came of it, power off. */
#include <string.h>

#include "workloads/micro/micro.h"

/* Multiboot 0.6.96, 3.3 */
struct multiboot {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};
#define MULTIBOOT_HAS_MEM     1
#define MULTIBOOT_HAS_CMDLINE 4

_Static_assert(BOOTED_PORT == MARKER_PORT && BOOTED_VALUE == MARKER_VALUE(MARKER_BOOTED), "layout.h");

extern const struct multiboot *multiboot_info;
extern char image_end[];

static uint64_t heap, heap_end;

static int job_null(const struct workload_job *job)
{
	(void)job;
	report("ready");
	window_open();
	window_close();
	window_report(0);
	return 0;
}

static const struct micro_job jobs[] = {
	{"null", job_null},
	{"boot", job_null},
	{"exit-cost", job_exit_cost},
	{"net-throughput", job_net_throughput},
	{"blk-latency", job_blk},
	{"blk-iops", job_blk},
	{"blk-throughput", job_blk},
	{"blk-sync", job_blk},
	{"blk-discard", job_blk},
	{"hostile", job_hostile},
	{"every-exit", job_every_exit},
	{"timer", job_timer},
	{"ipi", job_ipi},
	{"memory", job_memory},
	{"compute", job_compute},
};

/*
 * Above the image and above what the loader may have put there (command line, lists): 1 MiB up from its end.
 */
static void mem_init(void)
{
	heap = align_up((uint64_t)image_end, MIB) + MIB;
	heap_end = MIB;
	if (multiboot_info->flags & MULTIBOOT_HAS_MEM)
		heap_end += (uint64_t)multiboot_info->mem_upper * KIB;
}

void *mem_alloc_untouched(uint64_t size, uint64_t align)
{
	uint64_t at = align_up(heap, align);

	if (at > heap_end || size > heap_end - at) {
		report_fail("micro guest: out of memory; give it more than %lu MiB", heap_end / MIB);
		return NULL;
	}
	heap = at + size;
	return (void *)at;
}

uint64_t mem_end(void)
{
	return heap_end;
}

uint64_t mem_mark(void)
{
	return heap;
}

void mem_release(uint64_t mark)
{
	heap = mark;
}

void *mem_alloc(uint64_t size, uint64_t align)
{
	void *p = mem_alloc_untouched(size, align);

	if (p)
		memset(p, 0, size);
	return p;
}

/* Shell sort: a few thousand samples in well under a millisecond, and no stack. */
void sort_u64(uint64_t *v, unsigned n)
{
	unsigned gap = 1;

	while (gap < n / 3)
		gap = 3 * gap + 1;
	for (; gap; gap /= 3) {
		for (unsigned i = gap; i < n; i++) {
			uint64_t x = v[i];
			unsigned j = i;

			for (; j >= gap && v[j - gap] > x; j -= gap)
				v[j] = v[j - gap];
			v[j] = x;
		}
	}
}

/* The line behind the image's path, with which every loader begins it. */
static const char *job_line(void)
{
	const char *s = "";

	if (multiboot_info->flags & MULTIBOOT_HAS_CMDLINE)
		s = strchr((const char *)(uint64_t)multiboot_info->cmdline, ' ');
	if (!s)
		return "";
	return s + (*s == ' ');
}

static int run_job(void)
{
	static struct workload_job job;
	char bad[64] = "";

	if (job_parse(&job, job_line(), bad))
		return report_fail("job: bad key or value: %s", bad);
	for (unsigned i = 0; i < ARRAY_SIZE(jobs); i++)
		if (!strcmp(jobs[i].name, job.workload))
			return jobs[i].run(&job);
	return report_fail("the micro guest does not know the workload %s", job.workload);
}

void micro_run(void)
{
	const char *clock;

	report_init();
	report("hello %u micro-1", PROTOCOL_VERSION);
	mem_init();
	clock = clock_init();
	if (clock)
		report_note("tsc %lu kHz by %s, apic %s", tsc_khz, clock, apic_is_x2 ? "x2apic" : "xapic");
	if (!clock)
		report_fail("the TSC's frequency cannot be found");
	else if (run_job() && !report_failed())
		report_fail("the job failed");
	report("done");
	power_off(report_failed());
}
