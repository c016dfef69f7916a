// SPDX-License-Identifier: MIT
/*
 * The load of the block workloads on a disk in memory: what it asks for, and which faults of a disk it
 * finds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/util.h"
#include "workloads/blk_load.h"

#define SECTORS 4096u

enum fault { SOUND, LOSES_A_WRITE, TEARS, MISPLACES, FLIPS_A_BIT, FAILS };

struct request {
	unsigned slot, sectors;
	enum blk_op op;
	uint64_t sector;
	uint8_t *buf;
};

static struct {
	uint8_t data[SECTORS * BLK_SECTOR];
	struct request pending[BLK_SLOTS];
	unsigned n, most;
	unsigned count[4]; /* by enum blk_op */
	unsigned writes_left; /* until the fault */
	enum fault fault;
	uint64_t now;
	bool overlap;
} disk;

static uint64_t now(void)
{
	return disk.now++;
}

static void start(struct blk *b, unsigned slot, enum blk_op op, uint64_t sector, unsigned sectors, void *buf)
{
	(void)b;
	for (unsigned i = 0; i < disk.n; i++)
		disk.overlap |= disk.pending[i].sector == sector;
	disk.pending[disk.n++] = (struct request){slot, sectors, op, sector, buf};
	disk.most = MAX(disk.most, disk.n);
	disk.count[op]++;
}

static bool write_data(const struct request *r)
{
	uint8_t *to = disk.data + r->sector * BLK_SECTOR;
	size_t len = r->sectors * BLK_SECTOR;
	enum fault fault = disk.writes_left-- == 1 ? disk.fault : SOUND;

	if (fault == MISPLACES) /* in the right place, and in one more */
		memcpy(disk.data + (r->sector ? 0 : 64) * BLK_SECTOR, r->buf, len);
	if (fault != LOSES_A_WRITE)
		memcpy(to, r->buf, fault == TEARS ? len - 100 : len);
	if (fault == FLIPS_A_BIT)
		to[300] ^= 4;
	return fault != FAILS;
}

/* The newest first, as a disk may; time passes. */
static void turn(struct blk *b, uint64_t until, blk_done_fn fn, void *arg)
{
	(void)b;
	disk.now += 10;
	if (!disk.n && until != UINT64_MAX)
		disk.now = MAX(disk.now, until);
	while (disk.n) {
		struct request r = disk.pending[--disk.n];
		bool ok = true;

		if (r.op == BLK_READ)
			memcpy(r.buf, disk.data + r.sector * BLK_SECTOR, r.sectors * BLK_SECTOR);
		if (r.op == BLK_WRITE)
			ok = write_data(&r);
		fn(arg, r.slot, ok);
		if (disk.n > 20)
			continue;
		break;
	}
}

static const struct blk_ops ops = {"fake", start, turn};

struct lateness {
	uint64_t n, most;
};

static void sample(void *arg, uint64_t ticks)
{
	struct lateness *l = arg;

	l->n++;
	l->most = MAX(l->most, ticks);
}

static struct lateness late;
static struct blk blk;

static const char *init_load(struct blk_load *l, const char *job_line)
{
	struct workload_job job;

	memset(&disk, 0, sizeof(disk));
	late = (struct lateness){0, 0};
	blk = (struct blk){.ops = &ops,
			   .sectors = SECTORS,
			   .slots = 64,
			   .max_sectors = 256,
			   .flush = true,
			   .discard = true};
	*l = (struct blk_load){.blk = &blk, .now = now, .second = 100000, .sample = sample, .arg = &late};
	assert_int_equal(job_parse(&job, job_line, NULL), 0);
	return blk_load_init(l, &job);
}

static void open_load(struct blk_load *l, const char *job_line)
{
	assert_null(init_load(l, job_line));
	for (unsigned i = 0; i < l->depth; i++)
		l->slot[i].buf = calloc(l->sectors, BLK_SECTOR);
	l->written = calloc(l->places, sizeof(*l->written));
}

static void close_load(struct blk_load *l)
{
	for (unsigned i = 0; i < l->depth; i++)
		free(l->slot[i].buf);
	free(l->written);
}

static void run_measured(struct blk_load *l, uint64_t ticks, uint64_t ops_wanted)
{
	l->measuring = true;
	blk_load_run(l, ticks, ops_wanted);
	l->measuring = false;
}

static void what_is_asked_for(void **state)
{
	static const struct {
		const char *job;
		unsigned reads, writes, flushes, discards, depth, sectors;
	} cases[] = {
		{"workload=blk-latency verify=off", 100, 0, 0, 0, 1, 8},
		{"workload=blk-iops verify=off write_pct=100 depth=16", 0, 100, 0, 0, 16, 8},
		{"workload=blk-throughput verify=off", 100, 0, 0, 0, 8, 256},
		{"workload=blk-sync verify=off depth=4", 0, 100, 100, 0, 4, 8},
		{"workload=blk-discard", 0, 0, 0, 100, 1, 128},
		{"workload=blk-iops verify=off msg_size=512 area=65536", 100, 0, 0, 0, 32, 1},
	};
	static struct blk_load l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		open_load(&l, cases[i].job);
		run_measured(&l, 0, 100);
		assert_null(l.wrong);
		assert_int_equal(l.ops, 100);
		assert_int_equal(late.n, 100);
		assert_int_equal(disk.count[BLK_READ], cases[i].reads);
		assert_int_equal(disk.count[BLK_WRITE], cases[i].writes);
		assert_int_equal(disk.count[BLK_FLUSH], cases[i].flushes);
		assert_int_equal(disk.count[BLK_DISCARD], cases[i].discards);
		assert_int_equal(l.ios,
				 cases[i].reads + cases[i].writes + cases[i].flushes + cases[i].discards);
		assert_int_equal(l.flushes, cases[i].flushes);
		assert_int_equal(disk.most, cases[i].depth);
		assert_int_equal(l.sectors, cases[i].sectors);
		assert_false(disk.overlap);
		close_load(&l);
	}
}

static const struct blk_load *told; /* whose list of what is safe must not run ahead of the disk */

static bool all_durable(const struct blk_load *l)
{
	return !memcmp(l->durable, l->written, l->places * sizeof(*l->written));
}

/* Before the disk has said that a flush is done, its write is not in the list. */
static void turn_told(struct blk *b, uint64_t until, blk_done_fn fn, void *arg)
{
	const struct request *r = &disk.pending[0];
	uint64_t place = r->sector / told->sectors;

	if (disk.n && told->flush_each)
		assert_true(told->durable[place] < told->written[place]);
	turn(b, until, fn, arg);
}

static void what_is_safe_is_what_was_flushed(void **state)
{
	static const struct blk_ops ops_told = {"fake", start, turn_told};
	static struct blk_load l;

	(void)state;
	open_load(&l, "workload=blk-sync area=262144");
	l.durable = calloc(l.places, sizeof(*l.durable));
	assert_non_null(l.durable);
	blk_load_prepare(&l);
	assert_int_equal(disk.count[BLK_FLUSH], 1);
	assert_true(l.written[1] && all_durable(&l));
	told = &l;
	blk.ops = &ops_told;
	run_measured(&l, 0, 200);
	assert_null(l.wrong);
	assert_true(all_durable(&l));
	free(l.durable);
	close_load(&l);
}

/* Each fault of the last of 40 writes, which reads then find. */
static void faults_are_found(void **state)
{
	static const struct {
		enum fault fault;
		const char *wrong;
	} cases[] = {
		{SOUND, NULL},
		{LOSES_A_WRITE, "not that of the last write"},
		{TEARS, "torn or damaged"},
		{MISPLACES, "of another place"},
		{FLIPS_A_BIT, "torn or damaged"},
		{FAILS, "the device reports an error"},
	};
	static struct blk_load l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		open_load(&l, "workload=blk-iops write_pct=100 area=262144");
		blk_load_prepare(&l);
		assert_null(l.wrong);
		assert_int_equal(disk.count[BLK_WRITE], l.places);
		disk.fault = cases[i].fault;
		disk.writes_left = 40;
		run_measured(&l, 0, 40);
		l.write_pct = 0;
		run_measured(&l, 0, 2000);
		assert_false(disk.overlap);
		if (!cases[i].wrong)
			assert_null(l.wrong);
		else if (!l.wrong || strcmp(l.wrong, cases[i].wrong))
			fail_msg("%s: %s", cases[i].wrong, l.wrong);
		close_load(&l);
	}
}

/* Of what is under way when a disk goes, the failed may have been done or not; all else is to be there. */
static void what_a_disk_may_lose_when_it_goes(void **state)
{
	static const struct {
		enum fault fault;
		const char *wrong;
	} cases[] = {
		{FAILS, NULL},
		{LOSES_A_WRITE, "not that of the last write"},
	};
	static struct blk_load l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		open_load(&l, "workload=blk-rebind write_pct=100 area=262144");
		blk_load_prepare(&l);
		disk.fault = cases[i].fault;
		disk.writes_left = 10;
		blk_load_begin(&l);
		assert_int_equal(disk.most, 32);
		blk_load_end(&l);
		assert_int_equal(disk.n, 0);
		assert_null(l.wrong);
		assert_int_equal(l.failed, cases[i].fault == FAILS);
		blk_load_verify(&l);
		if (cases[i].wrong)
			assert_string_equal(l.wrong, cases[i].wrong);
		else
			assert_null(l.wrong);
		if (!cases[i].wrong)
			assert_int_equal(l.compared, l.places - 1); /* that one was written again */
		blk_load_verify(&l);
		disk.fault = FAILS; /* a disk that is there may not */
		disk.writes_left = 10;
		run_measured(&l, 0, 40);
		assert_non_null(l.wrong);
		close_load(&l);
	}
}

static void what_was_never_written_is_not_ours(void **state)
{
	static struct blk_load l;

	(void)state;
	open_load(&l, "workload=blk-latency");
	run_measured(&l, 0, 10);
	assert_string_equal(l.wrong, "not written by us");
	close_load(&l);
}

/* 1,000 a second for a tenth of one, each 100 ticks; a stall is charged to all that it delays. */
static void an_open_loop_counts_from_when_it_was_due(void **state)
{
	static struct blk_load l;

	(void)state;
	open_load(&l, "workload=blk-latency verify=off rate=1000");
	run_measured(&l, 10000, 0);
	assert_in_range(l.ops, 99, 101);
	assert_true(late.most < 60);
	close_load(&l);
	open_load(
		&l,
		"workload=blk-latency verify=off rate=20000"); /* every 5 ticks: the disk takes 10 and more */
	run_measured(&l, 0, 100);
	assert_int_equal(l.ops, 100);
	assert_true(late.most > 500);
	close_load(&l);
}

static void what_a_disk_cannot_be_asked(void **state)
{
	static const struct {
		const char *job, *why;
	} cases[] = {
		{"workload=blk-iops msg_size=1000", "msg_size is no whole number of sectors, or more than the disk takes at once"},
		{"workload=blk-iops msg_size=262144", "msg_size is no whole number of sectors, or more than the disk takes at once"},
		{"workload=blk-iops depth=65", "depth is 0 or more than the disk takes"},
		{"workload=blk-iops area=65536", "the disk is smaller than what is in flight"},
		{"workload=net-pps", "no such load"},
	};
	static struct blk_load l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(init_load(&l, cases[i].job), cases[i].why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_for),
		cmocka_unit_test(what_is_safe_is_what_was_flushed),
		cmocka_unit_test(faults_are_found),
		cmocka_unit_test(what_a_disk_may_lose_when_it_goes),
		cmocka_unit_test(what_was_never_written_is_not_ours),
		cmocka_unit_test(an_open_loop_counts_from_when_it_was_due),
		cmocka_unit_test(what_a_disk_cannot_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
