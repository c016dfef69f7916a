// SPDX-License-Identifier: MIT
#include <math.h>
#include <string.h>

#include "base/hist.h"
#include "base/number.h"

void hist_init(struct hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

unsigned hist_slot(uint64_t v)
{
	unsigned log2 = 63 - (unsigned)__builtin_clzll(v | 1);
	unsigned slot = HIST_SLOT_OF(v, log2);

	return MIN(slot, HIST_SLOTS - 1);
}

uint64_t hist_slot_low(unsigned slot)
{
	unsigned exp = slot / HIST_SUB;

	if (!exp)
		return slot;
	return (uint64_t)(HIST_SUB + slot % HIST_SUB) << (exp - 1);
}

uint64_t hist_slot_high(unsigned slot)
{
	return hist_slot_low(slot + 1);
}

void hist_add(struct hist *h, uint64_t v)
{
	h->count++;
	h->sum += v;
	h->min = MIN(h->min, v);
	h->max = MAX(h->max, v);
	h->slots[hist_slot(v)]++;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	if (!from->count)
		return;
	into->count += from->count;
	into->sum += from->sum;
	into->min = MIN(into->min, from->min);
	into->max = MAX(into->max, from->max);
	for (unsigned i = 0; i < HIST_SLOTS; i++)
		into->slots[i] += from->slots[i];
}

void hist_subtract(struct hist *h, const struct hist *before)
{
	unsigned first = HIST_SLOTS, last = 0;

	h->count -= before->count;
	h->sum -= before->sum;
	for (unsigned i = 0; i < HIST_SLOTS; i++) {
		h->slots[i] -= before->slots[i];
		if (!h->slots[i])
			continue;
		first = MIN(first, i);
		last = i;
	}
	if (first == HIST_SLOTS) {
		hist_init(h);
		return;
	}
	h->min = MAX(h->min, hist_slot_low(first));
	h->max = MIN(h->max, hist_slot_high(last) - 1);
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t rank, seen = 0;

	if (!h->count)
		return 0;
	rank = (uint64_t)ceil(q * (double)h->count);
	rank = MIN(MAX(rank, 1), h->count);
	for (unsigned i = 0; i < HIST_SLOTS; i++) {
		seen += h->slots[i];
		if (seen >= rank) {
			uint64_t mid = (hist_slot_low(i) + hist_slot_high(i) - 1) / 2;

			return MIN(MAX(mid, h->min), h->max);
		}
	}
	return h->max;
}

double hist_mean(const struct hist *h)
{
	return ratio_or((double)h->sum, (double)h->count, 0);
}
