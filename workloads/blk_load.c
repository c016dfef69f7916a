// SPDX-License-Identifier: MIT
#include "workloads/blk_load.h"

#include <string.h>

#include "base/util.h"

#define DRAIN_SECONDS 30

static const struct blk_shape shapes[] = {
	{"blk-latency", 4096, 1, false, false, false},
	{"blk-iops", 4096, 32, false, false, false},
	{"blk-throughput", 128 * 1024, 8, true, false, false},
	{"blk-sync", 4096, 1, false, true, false},
	{"blk-rebind", 4096, 32, false, false, false},
	{"blk-discard", 64 * 1024, 1, true, false, true},
	{0, 0, 0, false, false, false},
};

const struct blk_shape *blk_shape_find(const char *workload)
{
	for (const struct blk_shape *s = shapes; s->workload; s++)
		if (!strcmp(s->workload, workload))
			return s;
	return 0;
}

static uint64_t next_random(struct blk_load *l)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->random;
}

static void stamp_buffer(struct blk_load *l, const struct blk_slot *s)
{
	l->written[s->sector / l->sectors] = l->seq;
	for (unsigned i = 0; i < l->sectors; i++)
		blk_stamp_write((struct blk_stamp *)(s->buf + i * BLK_SECTOR), s->sector + i, l->seq++);
	if (l->corrupt && l->measuring)
		s->buf[BLK_SECTOR / 2] ^= 1;
}

static void void_load(struct blk_load *l, const char *wrong, uint64_t sector)
{
	if (l->wrong)
		return;
	l->wrong = wrong;
	l->wrong_at = sector;
}

static void check_buffer(struct blk_load *l, const struct blk_slot *s)
{
	uint64_t seq = l->written[s->sector / l->sectors];

	l->compared++;
	for (unsigned i = 0; i < l->sectors; i++) {
		const char *wrong = blk_stamp_check((struct blk_stamp *)(s->buf + i * BLK_SECTOR),
						    s->sector + i, seq + i);

		if (wrong)
			void_load(l, wrong, s->sector + i);
	}
}

static void begin_request(struct blk_load *l, unsigned slot, enum blk_op what)
{
	struct blk_slot *s = &l->slot[slot];

	s->op = what;
	s->in_flight = true;
	l->ios += l->measuring;
	l->flushes += l->measuring && what == BLK_FLUSH;
	l->blk->ops->start(l->blk, slot, what, s->sector, l->sectors, s->buf);
}

/*
 * A read of what is being written at that moment may find either half of it, on any disk: operations that
 * are in flight together have places of their own.
 */
static bool place_taken(const struct blk_load *l, uint64_t sector)
{
	for (unsigned i = 0; i < l->depth; i++)
		if (l->slot[i].in_flight && l->slot[i].sector == sector)
			return true;
	return false;
}

static uint64_t free_place(const struct blk_load *l, uint64_t place)
{
	while (place_taken(l, place * l->sectors))
		place = (place + 1) % l->places;
	return place * l->sectors;
}

/* The next operation of the load, on this slot. */
static void begin_next(struct blk_load *l, unsigned slot, uint64_t begun)
{
	struct blk_slot *s = &l->slot[slot];
	bool write = l->shape->sync || next_random(l) % 100 < l->write_pct;
	uint64_t at = l->shape->sequential ? l->position++ : next_random(l);

	s->sector = free_place(l, at % l->places);
	s->begun = begun;
	if (l->shape->discard) {
		begin_request(l, slot, BLK_DISCARD);
		return;
	}
	if (write && l->verify)
		stamp_buffer(l, s);
	begin_request(l, slot, write ? BLK_WRITE : BLK_READ);
}

static void end_op(struct blk_load *l, struct blk_slot *s, unsigned slot)
{
	if (l->measuring) {
		l->ops++;
		l->sample(l->arg, l->now() - s->begun);
	}
	s->in_flight = false;
	l->free[l->n_free++] = (uint16_t)slot;
}

/* The disk says that the slot's write is safe, and whatever had ended before; that is not looked at. */
static void note_durable(struct blk_load *l, const struct blk_slot *s)
{
	uint64_t place = s->sector / l->sectors;

	if (l->durable)
		__atomic_store_n(&l->durable[place], l->written[place], __ATOMIC_RELEASE);
}

static void note_failure(struct blk_load *l, const struct blk_slot *s)
{
	if (!l->may_fail) {
		void_load(l, "the device reports an error", s->sector);
		return;
	}
	l->failed++;
	if (s->op == BLK_WRITE && l->verify)
		l->written[s->sector / l->sectors] = BLK_UNSURE;
}

static void on_done(void *arg, unsigned slot, bool ok)
{
	struct blk_load *l = arg;
	struct blk_slot *s = &l->slot[slot];

	if (!ok)
		note_failure(l, s);
	if (ok && s->op == BLK_READ && l->verify)
		check_buffer(l, s);
	if (ok && s->op == BLK_FLUSH && l->flush_each)
		note_durable(l, s);
	if (ok && s->op == BLK_WRITE && l->flush_each)
		begin_request(l, slot, BLK_FLUSH);
	else
		end_op(l, s, slot);
}

static void fill_slots(struct blk_load *l, uint64_t now)
{
	while (l->n_free && l->to_begin && (!l->period || now >= l->due)) {
		l->to_begin--;
		begin_next(l, l->free[--l->n_free], l->period ? l->due : now);
		l->due += l->period;
	}
}

/* Whatever is in flight ends. */
static void drain_slots(struct blk_load *l)
{
	uint64_t end = l->now() + DRAIN_SECONDS * l->second;

	while (l->n_free < l->depth && l->now() < end)
		l->blk->ops->turn(l->blk, end, on_done, l);
	if (l->n_free < l->depth)
		void_load(l, "a request does not end", 0);
}

void blk_load_run(struct blk_load *l, uint64_t ticks, uint64_t ops)
{
	uint64_t now = l->now(), end = UINT64_MAX;

	l->due = now;
	l->flush_each = l->shape->sync;
	l->to_begin = ops;
	if (!ops) {
		l->to_begin = UINT64_MAX;
		end = now + ticks;
	}
	while (!l->wrong && l->to_begin && now < end) {
		uint64_t until = end;

		fill_slots(l, now);
		if (l->period && l->n_free && l->due < until)
			until = l->due;
		l->blk->ops->turn(l->blk, until, on_done, l);
		now = l->now();
	}
	drain_slots(l);
}

static void flush_prepared(struct blk_load *l)
{
	begin_request(l, l->free[--l->n_free], BLK_FLUSH);
	drain_slots(l);
	for (uint64_t i = 0; i < l->places && l->durable && !l->wrong; i++)
		l->durable[i] = l->written[i];
}

static void begin_place(struct blk_load *l, uint64_t place, bool write)
{
	unsigned slot = l->free[--l->n_free];

	l->slot[slot].sector = place * l->sectors;
	if (!write && l->written[place] != BLK_UNSURE) {
		begin_request(l, slot, BLK_READ);
		return;
	}
	stamp_buffer(l, &l->slot[slot]);
	begin_request(l, slot, BLK_WRITE);
}

/* Each place once. */
static void sweep_disk(struct blk_load *l, bool write)
{
	l->flush_each = false;
	for (uint64_t i = 0; i < l->places && !l->wrong;) {
		for (; l->n_free && i < l->places; i++)
			begin_place(l, i, write);
		l->blk->ops->turn(l->blk, UINT64_MAX, on_done, l);
	}
	drain_slots(l);
}

void blk_load_prepare(struct blk_load *l)
{
	sweep_disk(l, true);
	if (l->shape->sync && !l->wrong)
		flush_prepared(l);
}

void blk_load_verify(struct blk_load *l)
{
	sweep_disk(l, false);
}

void blk_load_begin(struct blk_load *l)
{
	uint64_t now = l->now();

	l->may_fail = true;
	l->to_begin = l->depth;
	l->due = now;
	fill_slots(l, now);
	l->blk->ops->turn(l->blk, now, on_done, l);
}

void blk_load_end(struct blk_load *l)
{
	drain_slots(l);
	l->may_fail = false;
}

static const char *load_fault(const struct blk_load *l, const struct workload_job *job, uint64_t area)
{
	if (!l->sectors || l->sectors > l->blk->max_sectors || job->msg_size % BLK_SECTOR)
		return "msg_size is no whole number of sectors, or more than the disk takes at once";
	if (!l->depth || l->depth > l->blk->slots)
		return "depth is 0 or more than the disk takes";
	if (area / l->sectors < l->depth)
		return "the disk is smaller than what is in flight";
	if (l->shape->sync && !l->blk->flush)
		return "the disk has nothing to flush";
	if (l->shape->discard && !l->blk->discard)
		return "the disk cannot discard";
	return 0;
}

const char *blk_load_init(struct blk_load *l, const struct workload_job *job)
{
	uint64_t area = l->blk->sectors;
	const char *wrong;

	l->shape = blk_shape_find(job->workload);
	if (!l->shape)
		return "no such load";
	if (job->area && job->area / BLK_SECTOR < area)
		area = job->area / BLK_SECTOR;
	l->sectors = (unsigned)(or_usual(job->msg_size, l->shape->bytes) / BLK_SECTOR);
	l->depth = (unsigned)or_usual(job->depth, l->shape->depth);
	if (!job->depth && l->depth > l->blk->slots)
		l->depth = l->blk->slots; /* one that takes one at a time */
	l->write_pct = (unsigned)job->write_pct;
	l->verify = job->verify != JOB_VERIFY_OFF && !l->shape->discard;
	l->corrupt = job->corrupt;
	l->random = job->seed * 2 + 1;
	wrong = load_fault(l, job, area);
	if (wrong)
		return wrong;
	l->places = area / l->sectors;
	if (job->rate)
		l->period = l->second / job->rate;
	for (unsigned i = 0; i < l->depth; i++)
		l->free[l->n_free++] = (uint16_t)i;
	return 0;
}
