// SPDX-License-Identifier: MIT
/*
 * The block workloads: blk-latency, blk-iops, blk-throughput, blk-sync and blk-discard differ in
 * what one operation is and how many are in flight. Closed loop, or with rate= an open one whose
 * latencies count from when each operation was due.
 */
#include "workloads/micro/blk.h"

#include <string.h>

#include "workloads/blk_stamp.h"

#define MAX_SAMPLES 65536
#define DRAIN_NS    (30000 * NS_PER_MS)

struct shape {
	const char *workload;
	unsigned bytes, depth; /* defaults */
	bool sequential, sync, discard;
};

static const struct shape shapes[] = {
	{"blk-latency", 4096, 1, false, false, false},
	{"blk-iops", 4096, 32, false, false, false},
	{"blk-throughput", 128 * 1024, 8, true, false, false},
	{"blk-sync", 4096, 1, false, true, false},
	{"blk-discard", 64 * 1024, 1, true, false, true},
};

struct op {
	uint64_t sector, begun; /* TSC at which it began, or was due */
	enum blk_op op;
	bool in_flight;
	uint8_t *buf;
};

struct load {
	struct blk blk;
	const struct shape *shape;
	unsigned sectors, depth, write_pct;
	uint64_t areas; /* operations that fit side by side into what is used of the disk */
	bool verify, corrupt;
	uint64_t seq, position, random;
	struct op op[BLK_SLOTS];
	uint16_t free[BLK_SLOTS];
	unsigned n_free;
	/* Of the window. */
	bool measuring;
	uint64_t ops, ios, flushes, period, due;
	uint64_t *lat;
	unsigned n_lat;
	const char *wrong;
	uint64_t wrong_at;
};

int blk_open(struct blk *b)
{
	static const struct blk_ops *const all[] = {&virtio_blk_ops, &nvme_ops};

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		*b = (struct blk){.ops = all[i]};
		if (all[i]->init(b))
			return report_failed() ? -1 : 0;
	}
	return report_fail("disk: there is none that this guest has a driver for");
}

static uint64_t next_random(struct load *l)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->random;
}

static void stamp_buffer(struct load *l, struct op *op)
{
	for (unsigned i = 0; i < l->sectors; i++)
		blk_stamp_write((struct blk_stamp *)(op->buf + i * BLK_SECTOR), op->sector + i, ++l->seq);
	if (l->corrupt && l->measuring)
		op->buf[BLK_SECTOR / 2] ^= 1;
}

static void check_buffer(struct load *l, const struct op *op)
{
	for (unsigned i = 0; i < l->sectors && !l->wrong; i++) {
		l->wrong = blk_stamp_check((struct blk_stamp *)(op->buf + i * BLK_SECTOR), op->sector + i);
		l->wrong_at = op->sector + i;
	}
}

static void begin_request(struct load *l, unsigned slot, enum blk_op what)
{
	struct op *op = &l->op[slot];

	op->op = what;
	op->in_flight = true;
	l->ios += l->measuring;
	l->flushes += l->measuring && what == BLK_FLUSH;
	l->blk.ops->start(&l->blk, slot, what, op->sector, l->sectors, op->buf);
}

/*
 * A read of what is being written at that moment may find either half of it, on any disk: operations that
 * are in flight together have places of their own.
 */
static bool place_taken(const struct load *l, uint64_t sector)
{
	for (unsigned i = 0; i < l->depth; i++)
		if (l->op[i].in_flight && l->op[i].sector == sector)
			return true;
	return false;
}

static uint64_t free_place(const struct load *l, uint64_t place)
{
	while (place_taken(l, place * l->sectors))
		place = (place + 1) % l->areas;
	return place * l->sectors;
}

/* The next operation of the load, on this slot. */
static void begin_next(struct load *l, unsigned slot, uint64_t begun)
{
	struct op *op = &l->op[slot];
	bool write = l->shape->sync || next_random(l) % 100 < l->write_pct;
	uint64_t at = l->shape->sequential ? l->position++ : next_random(l);

	op->sector = free_place(l, at % l->areas);
	op->begun = begun;
	if (l->shape->discard) {
		begin_request(l, slot, BLK_DISCARD);
		return;
	}
	if (write && l->verify)
		stamp_buffer(l, op);
	begin_request(l, slot, write ? BLK_WRITE : BLK_READ);
}

static void end_op(struct load *l, struct op *op, unsigned slot)
{
	if (l->measuring) {
		l->ops++;
		if (l->n_lat < MAX_SAMPLES)
			l->lat[l->n_lat++] = rdtsc() - op->begun;
	}
	op->in_flight = false;
	l->free[l->n_free++] = (uint16_t)slot;
}

static void on_done(void *arg, unsigned slot, bool ok)
{
	struct load *l = arg;
	struct op *op = &l->op[slot];

	if (!ok && !l->wrong) {
		l->wrong = "the device reports an error";
		l->wrong_at = op->sector;
	}
	if (ok && op->op == BLK_READ && l->verify)
		check_buffer(l, op);
	if (ok && op->op == BLK_WRITE && l->shape->sync)
		begin_request(l, slot, BLK_FLUSH);
	else
		end_op(l, op, slot);
}

static bool due_now(struct load *l, uint64_t now)
{
	return !l->period || now >= l->due;
}

static void fill_slots(struct load *l, uint64_t now)
{
	while (l->n_free && due_now(l, now)) {
		begin_next(l, l->free[--l->n_free], l->period ? l->due : now);
		l->due += l->period;
	}
}

static void drain(struct load *l)
{
	uint64_t end = rdtsc() + ns_to_tsc(DRAIN_NS);

	while (l->n_free < l->depth && rdtsc() < end) {
		l->blk.ops->kick(&l->blk);
		l->blk.ops->poll(&l->blk, on_done, l);
	}
	if (l->n_free < l->depth && !l->wrong)
		l->wrong = "a request does not end";
}

/* Until so many operations have been begun, or (0) for ns. */
static void load_run(struct load *l, uint64_t ns, uint64_t ops)
{
	uint64_t now = rdtsc(), end = now + ns_to_tsc(ns), stop = l->ops + ops;

	l->due = now;
	while (!l->wrong && (ops ? l->ops + l->depth - l->n_free < stop : now < end)) {
		fill_slots(l, now);
		l->blk.ops->kick(&l->blk);
		l->blk.ops->poll(&l->blk, on_done, l);
		now = rdtsc();
	}
	drain(l);
}

/* Every sector that will be read has been written. */
static void prepare_area(struct load *l)
{
	for (uint64_t i = 0; i < l->areas && !l->wrong;) {
		for (; l->n_free && i < l->areas; i++) {
			unsigned slot = l->free[--l->n_free];

			l->op[slot].sector = i * l->sectors;
			stamp_buffer(l, &l->op[slot]);
			begin_request(l, slot, BLK_WRITE);
		}
		l->blk.ops->kick(&l->blk);
		l->blk.ops->poll(&l->blk, on_done, l);
	}
	drain(l);
}

static const struct shape *shape_of(const struct workload_job *job)
{
	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++)
		if (!strcmp(shapes[i].workload, job->workload))
			return &shapes[i];
	return &shapes[0];
}

static int check_load(struct load *l, const struct workload_job *job, uint64_t area)
{
	const char *wrong = NULL;

	if (!l->sectors || l->sectors > l->blk.max_sectors || job->msg_size % BLK_SECTOR)
		wrong = "msg_size is no whole number of sectors, or more than the disk takes at once";
	else if (!l->depth || l->depth > l->blk.slots)
		wrong = "depth is 0 or more than the disk takes";
	else if (area / l->sectors < l->depth)
		wrong = "the disk is smaller than what is in flight";
	else if (l->shape->sync && !l->blk.flush)
		wrong = "the disk has nothing to flush";
	else if (l->shape->discard && !l->blk.discard)
		wrong = "the disk cannot discard";
	return wrong ? report_fail("%s: %s", job->workload, wrong) : 0;
}

static int open_load(struct load *l, const struct workload_job *job)
{
	uint64_t area;

	l->shape = shape_of(job);
	if (blk_open(&l->blk))
		return -1;
	area = l->blk.sectors;
	if (job->area)
		area = MIN(area, job->area / BLK_SECTOR);
	l->sectors = (unsigned)((job->msg_size ? job->msg_size : l->shape->bytes) / BLK_SECTOR);
	l->depth = (unsigned)(job->depth ? job->depth : l->shape->depth);
	l->write_pct = (unsigned)job->write_pct;
	l->verify = job->verify != JOB_VERIFY_OFF && !l->shape->discard;
	l->corrupt = job->corrupt;
	l->random = job->seed * 2 + 1;
	if (check_load(l, job, area))
		return -1;
	l->areas = area / l->sectors;
	if (job->rate)
		l->period = ns_to_tsc(1000000000) / job->rate;
	l->lat = mem_alloc(MAX_SAMPLES * sizeof(*l->lat), 64);
	for (unsigned i = 0; i < l->depth; i++) {
		l->op[i].buf = mem_alloc((uint64_t)l->sectors * BLK_SECTOR, 4096);
		l->free[l->n_free++] = (uint16_t)i;
	}
	return report_failed() ? -1 : 0;
}

static void say_load(struct load *l, uint64_t kicks)
{
	uint64_t ns = MAX(window_ns(), 1);

	for (unsigned i = 0; i < l->n_lat; i++)
		l->lat[i] = tsc_to_ns(l->lat[i]);
	sort_u64(l->lat, l->n_lat);
	report_metric("iops", mul_div(l->ops, 1000000000, ns));
	report_metric("throughput_bps", mul_div(l->ops * l->sectors * BLK_SECTOR * 8, 1000000000, ns));
	/* What the device was asked: exits and kicks are per these. */
	report_metric("ios", l->ios);
	report_metric("flushes", l->flushes);
	report_metric("io_bytes", l->sectors * BLK_SECTOR);
	report_metric("guest_kicks", kicks);
	if (l->n_lat)
		report_metric("latency_ns", l->lat[l->n_lat / 2]);
	report_hist("latency_ns", l->lat, l->n_lat);
	window_report(0);
}

int job_blk(const struct workload_job *job)
{
	struct load *l = mem_alloc(sizeof(*l), 64);
	uint64_t kicks;

	if (!l || open_load(l, job))
		return -1;
	report_note("disk %s, %lu MiB, depth %u, %u bytes", l->blk.ops->name, l->blk.sectors / 2048, l->depth,
		    l->sectors * BLK_SECTOR);
	if (l->verify)
		prepare_area(l);
	if (!l->wrong)
		load_run(l, job->warmup_ns, 0);
	report("ready");
	kicks = l->blk.kicks;
	window_open();
	l->measuring = true;
	load_run(l, job->duration_ns, job->work);
	l->measuring = false;
	window_close();
	if (l->wrong)
		return report_fail("disk: sector %lu: %s", l->wrong_at, l->wrong);
	if (!l->ops)
		return report_fail("disk: not one request ended within the window");
	say_load(l, l->blk.kicks - kicks);
	return 0;
}
