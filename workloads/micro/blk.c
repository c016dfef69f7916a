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
	uint8_t *buf;
};

static struct {
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
} t;

int blk_open(struct blk *b)
{
	static const struct blk_ops *const all[] = {&virtio_blk_ops};

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		*b = (struct blk){.ops = all[i]};
		if (all[i]->init(b))
			return report_failed() ? -1 : 0;
	}
	return report_fail("disk: there is none that this guest has a driver for");
}

static uint64_t next_random(void)
{
	t.random ^= t.random << 13;
	t.random ^= t.random >> 7;
	t.random ^= t.random << 17;
	return t.random;
}

static void stamp_buffer(struct op *op)
{
	for (unsigned i = 0; i < t.sectors; i++)
		blk_stamp_write((struct blk_stamp *)(op->buf + i * BLK_SECTOR), op->sector + i, ++t.seq);
	if (t.corrupt && t.measuring)
		op->buf[BLK_SECTOR / 2] ^= 1;
}

static void check_buffer(const struct op *op)
{
	for (unsigned i = 0; i < t.sectors && !t.wrong; i++) {
		t.wrong = blk_stamp_check((struct blk_stamp *)(op->buf + i * BLK_SECTOR), op->sector + i);
		t.wrong_at = op->sector + i;
	}
}

static void begin(unsigned slot, enum blk_op what)
{
	struct op *op = &t.op[slot];

	op->op = what;
	t.ios += t.measuring;
	t.flushes += t.measuring && what == BLK_FLUSH;
	t.blk.ops->start(&t.blk, slot, what, op->sector, t.sectors, op->buf);
}

/* The next operation of the load, on this slot. */
static void begin_next(unsigned slot, uint64_t begun)
{
	struct op *op = &t.op[slot];
	bool write = t.shape->sync || next_random() % 100 < t.write_pct;
	uint64_t at = t.shape->sequential ? t.position++ : next_random();

	op->sector = at % t.areas * t.sectors;
	op->begun = begun;
	if (t.shape->discard) {
		begin(slot, BLK_DISCARD);
		return;
	}
	if (write && t.verify)
		stamp_buffer(op);
	begin(slot, write ? BLK_WRITE : BLK_READ);
}

static void end_op(struct op *op, unsigned slot)
{
	if (t.measuring) {
		t.ops++;
		if (t.n_lat < MAX_SAMPLES)
			t.lat[t.n_lat++] = rdtsc() - op->begun;
	}
	t.free[t.n_free++] = (uint16_t)slot;
}

static void on_done(void *arg, unsigned slot, bool ok)
{
	struct op *op = &t.op[slot];

	(void)arg;
	if (!ok && !t.wrong) {
		t.wrong = "the device reports an error";
		t.wrong_at = op->sector;
	}
	if (ok && op->op == BLK_READ && t.verify)
		check_buffer(op);
	if (ok && op->op == BLK_WRITE && t.shape->sync)
		begin(slot, BLK_FLUSH);
	else
		end_op(op, slot);
}

static bool due_now(uint64_t now)
{
	return !t.period || now >= t.due;
}

static void fill_slots(uint64_t now)
{
	while (t.n_free && due_now(now)) {
		begin_next(t.free[--t.n_free], t.period ? t.due : now);
		t.due += t.period;
	}
}

static void drain(void)
{
	uint64_t end = rdtsc() + ns_to_tsc(DRAIN_NS);

	while (t.n_free < t.depth && rdtsc() < end) {
		t.blk.ops->kick(&t.blk);
		t.blk.ops->poll(&t.blk, on_done, NULL);
	}
	if (t.n_free < t.depth && !t.wrong)
		t.wrong = "a request does not end";
}

/* Until so many operations have been begun, or (0) for ns. */
static void load_run(uint64_t ns, uint64_t ops)
{
	uint64_t now = rdtsc(), end = now + ns_to_tsc(ns), stop = t.ops + ops;

	t.due = now;
	while (!t.wrong && (ops ? t.ops + t.depth - t.n_free < stop : now < end)) {
		fill_slots(now);
		t.blk.ops->kick(&t.blk);
		t.blk.ops->poll(&t.blk, on_done, NULL);
		now = rdtsc();
	}
	drain();
}

/* Every sector that will be read has been written. */
static void prepare_area(void)
{
	for (uint64_t i = 0; i < t.areas && !t.wrong;) {
		for (; t.n_free && i < t.areas; i++) {
			unsigned slot = t.free[--t.n_free];

			t.op[slot].sector = i * t.sectors;
			stamp_buffer(&t.op[slot]);
			begin(slot, BLK_WRITE);
		}
		t.blk.ops->kick(&t.blk);
		t.blk.ops->poll(&t.blk, on_done, NULL);
	}
	drain();
}

static const struct shape *shape_of(const struct workload_job *job)
{
	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++)
		if (!strcmp(shapes[i].workload, job->workload))
			return &shapes[i];
	return &shapes[0];
}

static int check_load(const struct workload_job *job, uint64_t area)
{
	const char *wrong = NULL;

	if (!t.sectors || t.sectors > t.blk.max_sectors || job->msg_size % BLK_SECTOR)
		wrong = "msg_size is no whole number of sectors, or more than the disk takes at once";
	else if (!t.depth || t.depth > t.blk.slots)
		wrong = "depth is 0 or more than the disk takes";
	else if (area < t.sectors)
		wrong = "the disk is smaller than one request";
	else if (t.shape->sync && !t.blk.flush)
		wrong = "the disk has nothing to flush";
	else if (t.shape->discard && !t.blk.discard)
		wrong = "the disk cannot discard";
	return wrong ? report_fail("%s: %s", job->workload, wrong) : 0;
}

static int open_load(const struct workload_job *job)
{
	uint64_t area;

	t.shape = shape_of(job);
	if (blk_open(&t.blk))
		return -1;
	area = t.blk.sectors;
	if (job->area)
		area = MIN(area, job->area / BLK_SECTOR);
	t.sectors = (unsigned)((job->msg_size ? job->msg_size : t.shape->bytes) / BLK_SECTOR);
	t.depth = (unsigned)(job->depth ? job->depth : t.shape->depth);
	t.write_pct = (unsigned)job->write_pct;
	t.verify = job->verify != JOB_VERIFY_OFF && !t.shape->discard;
	t.corrupt = job->corrupt;
	t.random = job->seed * 2 + 1;
	if (check_load(job, area))
		return -1;
	t.areas = area / t.sectors;
	if (job->rate)
		t.period = ns_to_tsc(1000000000) / job->rate;
	t.lat = mem_alloc(MAX_SAMPLES * sizeof(*t.lat), 64);
	for (unsigned i = 0; i < t.depth; i++) {
		t.op[i].buf = mem_alloc((uint64_t)t.sectors * BLK_SECTOR, 4096);
		t.free[t.n_free++] = (uint16_t)i;
	}
	return report_failed() ? -1 : 0;
}

static void say_load(uint64_t kicks)
{
	uint64_t ns = MAX(window_ns(), 1);

	for (unsigned i = 0; i < t.n_lat; i++)
		t.lat[i] = tsc_to_ns(t.lat[i]);
	sort_u64(t.lat, t.n_lat);
	report_metric("iops", mul_div(t.ops, 1000000000, ns));
	report_metric("throughput_bps", mul_div(t.ops * t.sectors * BLK_SECTOR * 8, 1000000000, ns));
	/* What the device was asked: exits and kicks are per these. */
	report_metric("ios", t.ios);
	report_metric("flushes", t.flushes);
	report_metric("io_bytes", t.sectors * BLK_SECTOR);
	report_metric("guest_kicks", kicks);
	if (t.n_lat)
		report_metric("latency_ns", t.lat[t.n_lat / 2]);
	report_hist("latency_ns", t.lat, t.n_lat);
	window_report(0);
}

int job_blk(const struct workload_job *job)
{
	uint64_t kicks;

	if (open_load(job))
		return -1;
	report_note("disk %s, %lu MiB, depth %u, %u bytes", t.blk.ops->name, t.blk.sectors / 2048, t.depth,
		    t.sectors * BLK_SECTOR);
	if (t.verify)
		prepare_area();
	if (!t.wrong)
		load_run(job->warmup_ns, 0);
	report("ready");
	kicks = t.blk.kicks;
	window_open();
	t.measuring = true;
	load_run(job->duration_ns, job->work);
	t.measuring = false;
	window_close();
	if (t.wrong)
		return report_fail("disk: sector %lu: %s", t.wrong_at, t.wrong);
	if (!t.ops)
		return report_fail("disk: not one request ended within the window");
	say_load(t.blk.kicks - kicks);
	return 0;
}
