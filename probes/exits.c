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

int exits_since(struct exits *out, const struct exits *now, const struct exits *before)
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
