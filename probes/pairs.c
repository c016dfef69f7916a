// SPDX-License-Identifier: MIT
#include "probes/pairs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>

#include "probes/exit.h"
#include "probes/internal.h"
#include "probes/names.h"
#include "probes/reasons.h"

struct pair {
	struct pair_id id;
	struct pair_sum sum;
};

void pairs_choose(struct probes *p)
{
	p->skel->rodata->cfg_pairs_ns = p->opts.pairs_ns;
	if (!p->opts.pairs_ns)
		bpf_map__set_max_entries(p->skel->maps.pairs, 1);
}

static int by_count(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return (x->sum.count < y->sum.count) - (x->sum.count > y->sum.count);
}

/* Caller frees. */
static struct pair *pairs_read(struct probes *p, size_t *n)
{
	int fd = bpf_map__fd(p->skel->maps.pairs);
	struct pair_id *from = NULL, id;
	struct pair *pair = NULL;

	for (*n = 0; *n < PROBE_PAIRS && !bpf_map_get_next_key(fd, from, &id); from = &pair[*n - 1].id) {
		pair = xgrow(pair, *n, sizeof(*pair));
		pair[*n].id = id;
		if (bpf_map_lookup_elem(fd, &id, &pair[*n].sum))
			pair[*n].sum = (struct pair_sum){0, 0};
		++*n;
	}
	if (*n)
		qsort(pair, *n, sizeof(*pair), by_count);
	return pair;
}

static json_t *exit_to_json(struct probes *p, uint32_t reason, uint64_t key)
{
	char device[64] = "";

	if (!p->opts.key_rip)
		names_find(p->names, p->opts.pid, p->backend, reason, key, device, sizeof(device));
	return json_pack("{s:s,s:s,s:s}", "reason", reason_name(p->backend, reason), "key",
			 key_text(p->backend, reason, key, p->opts.key_rip), "device", device);
}

static uint64_t exits_like(const struct exits *all, uint32_t reason, uint64_t key)
{
	uint64_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		if (all->sum[i].reason == reason && all->sum[i].key == key)
			n += all->sum[i].count;
	return n;
}

static json_t *rows_to_json(struct probes *p, const struct exits *all)
{
	json_t *rows = json_array();
	struct pair *pair;
	size_t n;

	pair = pairs_read(p, &n);
	for (size_t i = 0; i < n; i++) {
		const struct pair_id *id = &pair[i].id;

		json_array_append_new(rows, json_pack("{s:o,s:o,s:I,s:I,s:I}", "first",
						      exit_to_json(p, id->first, id->first_key), "then",
						      exit_to_json(p, id->then, id->then_key), "count",
						      (json_int_t)pair[i].sum.count, "of",
						      (json_int_t)exits_like(all, id->first, id->first_key),
						      "guest_ns", (json_int_t)pair[i].sum.guest_ns));
	}
	free(pair);
	return rows;
}

json_t *pairs_to_json(struct probes *p)
{
	struct exits all = {NULL, 0, NULL, 0};
	json_t *j;

	probes_exits(p, &all);
	j = json_pack("{s:I,s:I,s:o}", "within_ns", (json_int_t)p->opts.pairs_ns, "lost",
		      (json_int_t)p->skel->bss->pairs_lost, "rows", rows_to_json(p, &all));
	exits_free(&all);
	return j;
}
