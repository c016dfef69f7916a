// SPDX-License-Identifier: MIT
#include <errno.h>

#include "base/hist_json.h"

json_t *hist_to_json(const struct hist *h)
{
	json_t *slots = json_array();

	for (unsigned i = 0; i < HIST_SLOTS; i++)
		if (h->slots[i])
			json_array_append_new(
				slots, json_pack("[I,I]", (json_int_t)i, (json_int_t)h->slots[i]));
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "count", (json_int_t)h->count,
			 "sum", (json_int_t)h->sum, "min", (json_int_t)(h->count ? h->min : 0),
			 "max", (json_int_t)h->max, "p50", (json_int_t)hist_quantile(h, 0.5), "p90",
			 (json_int_t)hist_quantile(h, 0.9), "p99",
			 (json_int_t)hist_quantile(h, 0.99), "p999",
			 (json_int_t)hist_quantile(h, 0.999), "slots", slots);
}

int hist_from_json(const json_t *j, struct hist *h)
{
	json_int_t count, sum, min, max, slot, n;
	json_t *slots, *pair;
	uint64_t total = 0;
	size_t i;

	hist_init(h);
	if (json_unpack((json_t *)j, "{s:I,s:I,s:I,s:I,s:o}", "count", &count, "sum", &sum, "min",
			&min, "max", &max, "slots", &slots) ||
	    !json_is_array(slots))
		return -EINVAL;
	json_array_foreach (slots, i, pair) {
		const json_t *at = json_array_get(pair, 0), *times = json_array_get(pair, 1);

		/* Not json_unpack: stores are read by the ten thousand. */
		slot = json_integer_value(at);
		n = json_integer_value(times);
		if (!json_is_integer(at) || !json_is_integer(times) || slot < 0 ||
		    slot >= HIST_SLOTS || n < 0)
			return -EINVAL;
		h->slots[slot] += (uint64_t)n;
		total += (uint64_t)n;
	}
	if (total != (uint64_t)count)
		return -EINVAL;
	h->count = total;
	h->sum = (uint64_t)sum;
	if (total)
		h->min = (uint64_t)min;
	h->max = (uint64_t)max;
	return 0;
}
