// SPDX-License-Identifier: MIT
/* The block workloads: the load of both guests on a disk that is polled. */
#include "workloads/micro/blk.h"

#include <string.h>

#include "workloads/blk_ledger.h"

#define MAX_SAMPLES 65536

/* Of the window, in ticks; those beyond are not kept. */
struct latencies {
	uint64_t *v;
	unsigned n;
};

int blk_open(struct blk *b)
{
	static bool (*const init[])(struct blk *b) = {virtio_blk_init, nvme_init, ide_init};

	for (unsigned i = 0; i < ARRAY_SIZE(init); i++) {
		memset(b, 0, sizeof(*b));
		if (init[i](b))
			return report_failed() ? -1 : 0;
	}
	return report_fail("disk: there is none that this guest has a driver for");
}

static void keep_latency(void *arg, uint64_t ticks)
{
	struct latencies *lat = arg;

	if (lat->n < MAX_SAMPLES)
		lat->v[lat->n++] = ticks;
}

static int open_load(struct blk_load *l, const struct workload_job *job)
{
	const char *wrong;

	if (blk_open(l->blk))
		return -1;
	wrong = blk_load_init(l, job);
	if (wrong)
		return report_fail("%s: %s", job->workload, wrong);
	for (unsigned i = 0; i < l->depth; i++)
		l->slot[i].buf = mem_alloc((uint64_t)l->sectors * BLK_SECTOR, 4096);
	if (l->verify)
		l->written = mem_alloc(l->places * sizeof(*l->written), 64);
	if (l->verify && l->shape->sync)
		l->durable = mem_alloc(l->places * sizeof(*l->durable), 64);
	return report_failed() ? -1 : 0;
}

static void open_ledger(const struct blk_load *l)
{
	struct blk_ledger *ledger = mem_alloc(sizeof(*ledger), 4096);

	if (!ledger)
		return;
	*ledger = (struct blk_ledger){.at = (uint64_t)ledger,
				      .places = l->places,
				      .sectors = l->sectors,
				      .written = (uint64_t)l->written,
				      .durable = (uint64_t)l->durable};
	__atomic_store_n(&ledger->magic, BLK_LEDGER_MAGIC, __ATOMIC_RELEASE);
}

static void say_load(const struct blk_load *l, struct latencies *lat, uint64_t kicks)
{
	uint64_t ns = MAX(window_ns(), 1);

	for (unsigned i = 0; i < lat->n; i++)
		lat->v[i] = tsc_to_ns(lat->v[i]);
	sort_u64(lat->v, lat->n);
	report_metric("iops", mul_div(l->ops, 1000000000, ns));
	report_metric("throughput_bps", mul_div(l->ops * l->sectors * BLK_SECTOR * 8, 1000000000, ns));
	/* What the device was asked: exits and kicks are per these. */
	report_metric("ios", l->ios);
	report_metric("flushes", l->flushes);
	report_metric("io_bytes", l->sectors * BLK_SECTOR);
	report_metric("guest_kicks", kicks);
	if (lat->n) {
		report_metric("latency_ns", lat->v[lat->n / 2]);
		report_metric("latency_p99_ns", lat->v[lat->n - 1 - lat->n / 100]);
	}
	report_hist("latency_ns", lat->v, lat->n);
	window_report(0);
}

static uint64_t clock_ticks(void)
{
	return rdtsc();
}

static int measure_load(struct blk_load *l, const struct workload_job *job, struct latencies *lat)
{
	uint64_t kicks;

	report_note("disk %s, %lu MiB, depth %u, %u bytes", l->blk->ops->name, l->blk->sectors / 2048,
		    l->depth, l->sectors * BLK_SECTOR);
	if (l->verify)
		blk_load_prepare(l);
	if (l->durable && !l->wrong)
		open_ledger(l);
	if (!l->wrong)
		blk_load_run(l, ns_to_tsc(job->warmup_ns), 0);
	report("ready");
	kicks = l->blk->kicks;
	window_open();
	l->measuring = true;
	if (!l->wrong)
		blk_load_run(l, ns_to_tsc(job->duration_ns), job->work);
	l->measuring = false;
	window_close();
	if (l->wrong)
		return report_fail("disk: sector %lu: %s", l->wrong_at, l->wrong);
	if (!l->ops)
		return report_fail("disk: not one request ended within the window");
	say_load(l, lat, l->blk->kicks - kicks);
	return 0;
}

int job_blk(const struct workload_job *job)
{
	struct latencies lat = {mem_alloc(MAX_SAMPLES * sizeof(*lat.v), 64), 0};
	struct blk_load *l = mem_alloc(sizeof(*l), 64);
	struct blk *b = mem_alloc(sizeof(*b), 64);

	if (!lat.v || !l || !b)
		return -1;
	*l = (struct blk_load){.blk = b,
			       .now = clock_ticks,
			       .second = ns_to_tsc(1000000000),
			       .sample = keep_latency,
			       .arg = &lat};
	return open_load(l, job) ? -1 : measure_load(l, job, &lat);
}
