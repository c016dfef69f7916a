// SPDX-License-Identifier: MIT
/* Sums of exits as plain numbers: what exit.c reads, and what an interval adds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probes/exit.h"
#include "probes/exits.h"

uint64_t exit_sum_kvm_ns(const struct exit_sum *s)
{
	uint64_t others = s->fast_ns + s->user_ns + s->wait_ns + s->asleep_ns;

	return sub_floor(s->total_ns, others);
}

void exits_free(struct exits *e)
{
	free(e->sum);
	free(e->bin);
	*e = (struct exits){NULL, 0, NULL, 0};
}

struct exit_sum *exits_add(struct exits *e, const struct exit_sum *like)
{
	struct exit_sum *grown = e->sum;

	/* Twice the room whenever their number is a power of two. */
	if (!(e->n & (e->n - 1)))
		grown = realloc(e->sum, MAX(2 * e->n, 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	e->sum = grown;
	e->sum[e->n] = *like;
	e->sum[e->n].first_bin = e->n_bins;
	e->sum[e->n].n_bins = 0;
	return &e->sum[e->n++];
}

int exits_add_bin(struct exits *e, uint32_t slot, uint64_t n)
{
	struct exit_bin *grown = e->bin;

	if (!(e->n_bins & (e->n_bins - 1)))
		grown = realloc(e->bin, MAX(2 * e->n_bins, 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	e->bin = grown;
	e->bin[e->n_bins++] = (struct exit_bin){slot, n};
	e->sum[e->n - 1].n_bins++;
	return 0;
}

static uint64_t between(uint64_t from, uint64_t to)
{
	return from ? sub_floor(to, from) : 0;
}

void exit_sum_add_open(struct exit_sum *s, const struct vcpu_state *v, uint64_t until)
{
	uint64_t end = or_usual(v->end_ns, until);
	uint64_t total = between(v->exit_ns, end), user = between(v->user_ns, end);
	uint64_t off = v->off_ns + between(v->off_from_ns, end);
	uint64_t user_off = v->user_off_ns + (v->user_ns ? off : 0);

	user -= MIN(user, user_off);
	off = MIN(off + v->asleep_ns, total - MIN(total, user + v->wait_ns));
	s->count++;
	s->guest_ns += v->guest_ns;
	s->total_ns += total;
	s->user_ns += user;
	s->wait_ns += v->wait_ns;
	s->asleep_ns += off;
}

int exit_sum_compare(const struct exit_sum *a, const struct exit_sum *b)
{
	if (a->serial != b->serial)
		return compare_u64(a->serial, b->serial);
	if (a->reason != b->reason)
		return compare_u64(a->reason, b->reason);
	return compare_u64(a->key, b->key);
}

static int compare_sums(const void *a, const void *b)
{
	return exit_sum_compare(a, b);
}

void exits_sort(struct exits *e)
{
	if (e->n)
		qsort(e->sum, e->n, sizeof(*e->sum), compare_sums);
}

void exits_hist(const struct exits *e, const struct exit_sum *s, struct hist *h)
{
	if (!s->timed)
		return;
	h->count += s->timed;
	h->sum += s->timed_ns;
	h->min = MIN(h->min, s->min_ns);
	h->max = MAX(h->max, s->max_ns);
	for (size_t i = 0; i < s->n_bins; i++)
		h->slots[e->bin[s->first_bin + i].slot] += e->bin[s->first_bin + i].n;
}

/* ---- intervals ---- */

/* A part of an open exit may become another one when it ends; time does not run backwards. */
static uint64_t grown(uint64_t now, uint64_t before)
{
	return sub_floor(now, before);
}

static void sum_since(struct exit_sum *s, const struct exit_sum *before)
{
	s->count = grown(s->count, before->count);
	s->untraced = grown(s->untraced, before->untraced);
	s->fast_count = grown(s->fast_count, before->fast_count);
	s->user_count = grown(s->user_count, before->user_count);
	s->total_ns = grown(s->total_ns, before->total_ns);
	s->fast_ns = grown(s->fast_ns, before->fast_ns);
	s->user_ns = grown(s->user_ns, before->user_ns);
	s->wait_ns = grown(s->wait_ns, before->wait_ns);
	s->asleep_ns = grown(s->asleep_ns, before->asleep_ns);
	s->guest_ns = grown(s->guest_ns, before->guest_ns);
	s->timed = grown(s->timed, before->timed);
	s->timed_ns = grown(s->timed_ns, before->timed_ns);
}

/* The bins that grew; min and max are then those of their slots, not of single values. */
static int bins_since(struct exits *out, const struct exits *now, const struct exit_sum *s,
		      const struct exits *before, const struct exit_sum *b)
{
	size_t k = b->first_bin, end = b->first_bin + b->n_bins;
	struct exit_sum *to = &out->sum[out->n - 1];

	for (size_t i = s->first_bin; i < s->first_bin + s->n_bins; i++) {
		const struct exit_bin *bin = &now->bin[i];
		uint64_t n = bin->n;

		while (k < end && before->bin[k].slot < bin->slot)
			k++;
		if (k < end && before->bin[k].slot == bin->slot)
			n -= before->bin[k].n;
		if (n && exits_add_bin(out, bin->slot, n))
			return -ENOMEM;
	}
	if (!to->n_bins)
		return 0;
	to->min_ns = MAX(to->min_ns, hist_slot_low(out->bin[to->first_bin].slot));
	to->max_ns = MIN(to->max_ns, hist_slot_high(out->bin[out->n_bins - 1].slot) - 1);
	return 0;
}

/* Is this vCPU among them? They are in order. */
static bool exits_have(const struct exits *e, uint32_t serial)
{
	size_t low = 0, high = e->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (e->sum[mid].serial < serial)
			low = mid + 1;
		else
			high = mid;
	}
	return low < e->n && e->sum[low].serial == serial;
}

static void sum_merge(struct exit_sum *into, const struct exit_sum *s)
{
	into->count += s->count;
	into->untraced += s->untraced;
	into->fast_count += s->fast_count;
	into->user_count += s->user_count;
	into->total_ns += s->total_ns;
	into->fast_ns += s->fast_ns;
	into->user_ns += s->user_ns;
	into->wait_ns += s->wait_ns;
	into->asleep_ns += s->asleep_ns;
	into->guest_ns += s->guest_ns;
	into->timed += s->timed;
	into->timed_ns += s->timed_ns;
	into->min_ns = MIN(into->min_ns, s->min_ns);
	into->max_ns = MAX(into->max_ns, s->max_ns);
}

/* The n sums of e from `first` on, which are of the same vCPU, reason and key, as one. */
static int exits_add_merged(struct exits *out, const struct exits *e, size_t first, size_t n)
{
	uint64_t slots[HIST_SLOTS] = {0};
	struct exit_sum *to = exits_add(out, &e->sum[first]);

	if (!to)
		return -ENOMEM;
	for (size_t i = first; i < first + n; i++) {
		if (i > first)
			sum_merge(to, &e->sum[i]);
		for (size_t k = 0; k < e->sum[i].n_bins; k++) {
			const struct exit_bin *bin = &e->bin[e->sum[i].first_bin + k];

			slots[bin->slot] += bin->n;
		}
	}
	for (uint32_t slot = 0; slot < HIST_SLOTS; slot++)
		if (slots[slot] && exits_add_bin(out, slot, slots[slot]))
			return -ENOMEM;
	return 0;
}

/*
 * `before`, but what vCPUs had that have been given up since is nobody's there as well (recycle.h): else it
 * would seem to have come within the interval.
 */
static int exits_give_up(struct exits *out, const struct exits *before, const struct exits *now)
{
	struct exits e = *before;
	int err = 0;

	*out = (struct exits){NULL, 0, NULL, 0};
	e.sum = malloc(MAX(before->n, 1) * sizeof(*e.sum));
	if (!e.sum)
		return -ENOMEM;
	for (size_t i = 0; i < e.n; i++) {
		e.sum[i] = before->sum[i];
		if (exits_have(now, e.sum[i].serial))
			continue;
		e.sum[i].serial = 0;
		e.sum[i].key = KEY_OTHER;
	}
	exits_sort(&e);
	for (size_t i = 0, n; i < e.n && !err; i += n) {
		for (n = 1; i + n < e.n && !exit_sum_compare(&e.sum[i], &e.sum[i + n]); n++)
			;
		err = exits_add_merged(out, &e, i, n);
	}
	free(e.sum);
	if (err)
		exits_free(out);
	return err;
}

static int exits_subtract(struct exits *out, const struct exits *now, const struct exits *before)
{
	static const struct exit_sum none;
	size_t k = 0;

	*out = (struct exits){NULL, 0, NULL, 0};
	for (size_t i = 0; i < now->n; i++) {
		const struct exit_sum *b = &none;
		struct exit_sum *s;

		while (k < before->n && exit_sum_compare(&before->sum[k], &now->sum[i]) < 0)
			k++;
		if (k < before->n && !exit_sum_compare(&before->sum[k], &now->sum[i]))
			b = &before->sum[k];
		s = exits_add(out, &now->sum[i]);
		if (!s)
			goto no_memory;
		sum_since(s, b);
		if (bins_since(out, now, &now->sum[i], before, b))
			goto no_memory;
	}
	return 0;
no_memory:
	exits_free(out);
	return -ENOMEM;
}

int exits_since(struct exits *out, const struct exits *now, const struct exits *before)
{
	struct exits known;
	int err = exits_give_up(&known, before, now);

	if (err)
		return err;
	err = exits_subtract(out, now, &known);
	exits_free(&known);
	return err;
}
