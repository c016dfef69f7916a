// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fig_reasons.h"

static struct reason *reason_get(struct reasons *all, const char *said)
{
	char name[sizeof(all->list->name)];
	struct reason *r;

	snprintf(name, sizeof(name), "%s", said);
	str_one_line(name);
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->list[i].name, name))
			return &all->list[i];
	all->list = xgrow(all->list, all->n, sizeof(*all->list));
	r = &all->list[all->n++];
	*r = (struct reason){.count = 0};
	memcpy(r->name, name, sizeof(name));
	return r;
}

static void add_hist(struct reason *r, const json_t *j)
{
	struct hist *h = xcalloc(1, sizeof(*h));

	if (!r->hist) {
		r->hist = xcalloc(1, sizeof(*r->hist));
		hist_init(r->hist);
	}
	if (!hist_from_json(j, h))
		hist_merge(r->hist, h);
	r->p50_ns = (double)hist_quantile(r->hist, 0.5);
	r->p99_ns = (double)hist_quantile(r->hist, 0.99);
	free(h);
}

void reasons_free(struct reasons *all)
{
	for (size_t i = 0; i < all->n; i++)
		free(all->list[i].hist);
	free(all->list);
}

static void add_exit(struct reason *r, const struct record_exit *e)
{
	r->count += e->count;
	r->total_ns += e->total_ns;
	r->fast_ns += e->kvm_fast_ns;
	r->slow_ns += e->kvm_ns;
	r->user_ns += e->user_ns;
	r->wait_ns += e->wait_ns;
	r->asleep_ns += e->asleep_ns;
	r->hlt = r->hlt || e->hlt || !strcmp(e->reason, "hlt");
	if (e->hist) {
		add_hist(r, e->hist);
	} else if (e->count > r->key_count) {
		r->key_count = e->count;
		r->p50_ns = e->p50_ns;
		r->p99_ns = e->p99_ns;
	}
}

const char *exit_reason(const struct record_exit *e)
{
	return e->reason;
}

const char *exit_device(const struct record_exit *e)
{
	return *e->device ? e->device : e->reason;
}

void reasons_add(const json_t *rec, exit_name_fn name, struct reasons *all)
{
	const json_t *exits = record_of(rec).exits;
	struct record_exit e;

	for (size_t i = 0; record_exit(exits, i, &e); i++)
		add_exit(reason_get(all, name(&e)), &e);
}
