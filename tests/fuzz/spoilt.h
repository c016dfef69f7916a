/* SPDX-License-Identifier: MIT */
/* The golden records, cut short, with the input of a fuzzer in every text and name. */
#ifndef TESTS_FUZZ_SPOILT_H
#define TESTS_FUZZ_SPOILT_H

#include <stdlib.h>
#include <string.h>

#include "tests/golden/hostile.h"
#include "tests/golden/sets.h"

#define SPOILT_RECORDS 3
#define SPOILT_ITEMS   7 /* of each list: enough for an interval */

static inline void cut_lists(json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;

	while (json_array_size(v) > SPOILT_ITEMS)
		json_array_remove(v, json_array_size(v) - 1);
	json_array_foreach (v, i, item)
		cut_lists(item);
	json_object_foreach (v, key, item)
		cut_lists(item);
}

/* Made once for each g of a fuzzer's list; the attack goes into a copy, which golden_free frees. */
static inline void spoilt_load(const struct golden_set *g, struct fig_set *base, const char *attack,
			       struct fig_set *out)
{
	if (!base->n) {
		golden_load(g, base);
		while (base->n > SPOILT_RECORDS)
			json_decref(base->rec[--base->n]);
		for (size_t i = 0; i < base->n; i++)
			cut_lists(base->rec[i]);
	}
	out->n = base->n;
	out->rec = calloc(base->n, sizeof(*out->rec));
	for (size_t i = 0; i < base->n; i++) {
		out->rec[i] = json_deep_copy(base->rec[i]);
		hostile_record(out->rec[i], attack);
	}
}

#endif
