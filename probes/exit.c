// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hist_json.h"
#include "probes/exit.h"
#include "probes/exits.h"
#include "probes/internal.h"
#include "probes/names.h"
#include "probes/reasons.h"

static pid_t last_tid(const struct vcpu_state *v)
{
	return (pid_t)or_usual(v->tid, v->ended_tid);
}

static struct exit_sum sum_of_vcpu(const struct vcpu_state *v, uint32_t reason, uint64_t key)
{
	return (struct exit_sum){
		.serial = v->serial,
		.tgid = (pid_t)v->tgid,
		.tid = last_tid(v),
		.vcpu = v->vcpu_id,
		.reason = reason,
		.key = key,
		.min_ns = UINT64_MAX,
	};
}

static bool reason_wanted(const struct probes *p, uint32_t reason)
{
	return p->opts.nested == NESTED_TOO || REASON_IS_NESTED(reason) == (p->opts.nested == NESTED_ONLY);
}

static int add_row(struct probes *p, struct exits *e, const struct exit_row *row)
{
	struct exit_sum like = sum_of_vcpu(&probes_hot(p)->vcpu[row->vcpu], row->reason, row->key);

	if (!reason_wanted(p, row->reason))
		return 0;
	like.untraced = row->untraced;
	like.fast_count = row->fast_count;
	like.fast_ns = row->fast_ns;
	like.user_count = row->user_count;
	like.user_ns = row->user_ns;
	like.wait_ns = row->wait_ns;
	like.asleep_ns = row->asleep_ns;
	like.guest_ns = row->guest_ns;
	like.timed = row->count;
	like.timed_ns = like.total_ns = row->sum;
	like.min_ns = row->min;
	like.max_ns = row->max;
	like.count = like.timed + like.untraced;
	if (!exits_add(e, &like))
		return -ENOMEM;
	for (uint32_t i = 0; i < HIST_SLOTS; i++)
		if (row->slots[ROW_SLOT(i)] && exits_add_bin(e, i, row->slots[ROW_SLOT(i)]))
			return -ENOMEM;
	return 0;
}

static int add_open(struct probes *p, struct exits *e, size_t rows, const struct vcpu_state *v, uint64_t now)
{
	struct exit_sum like = sum_of_vcpu(v, v->reason, v->key), *s = NULL;

	if (v->where & IN_GUEST) {
		/* Belongs to an exit that is still to come. */
		like.reason = REASON_NONE;
		like.key = KEY_NONE;
		like.guest_ns = sub_floor(now, v->entry_ns);
		return exits_add(e, &like) ? 0 : -ENOMEM;
	}
	if (!(v->where & IN_EXIT) || !reason_wanted(p, v->reason))
		return 0;
	for (size_t i = 0; i < rows && !s; i++)
		if (!exit_sum_compare(&e->sum[i], &like))
			s = &e->sum[i];
	if (!s)
		s = exits_add(e, &like);
	if (!s)
		return -ENOMEM;
	exit_sum_add_open(s, v, now);
	return 0;
}

uint64_t probes_counted_until(struct probes *p)
{
	return probes_hot(p)->gate ? clock_ns() : p->skel->bss->window.close_ns;
}

int probes_exits(struct probes *p, struct exits *out)
{
	uint64_t now = probes_counted_until(p);
	int err = 0;

	*out = (struct exits){NULL, 0, NULL, 0};
	for (uint32_t i = 0; i < probes_rows_used(p) && !err; i++)
		if (p->rows[i].count || p->rows[i].untraced) /* one that was handed back is empty */
			err = add_row(p, out, &p->rows[i]);
	for (uint32_t i = 1, rows = (uint32_t)out->n; i < probes_vcpus_used(p) && !err; i++)
		err = add_open(p, out, rows, &probes_hot(p)->vcpu[i], now);
	if (err)
		exits_free(out);
	else
		exits_sort(out);
	return err;
}

bool probes_device(struct probes *p, const struct exit_sum *s, char *buf, size_t size)
{
	return !p->opts.key_rip && names_find(p->names, s->tgid, p->backend, s->reason, s->key, buf, size);
}

bool probes_hlt(struct probes *p, const struct exit_sum *s)
{
	return reason_kind(p->backend, s->reason) == KIND_HLT;
}

enum probe_backend probes_backend(struct probes *p)
{
	return p->backend;
}

static json_t *sum_to_json(struct probes *p, const struct exits *e, const struct exit_sum *s)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{"code", REASON_PLAIN(s->reason)},
		{"count", s->count},	       {"total_ns", s->total_ns},
		{"guest_ns", s->guest_ns},     {"kvm_fast_ns", s->fast_ns},   {"kvm_ns", exit_sum_kvm_ns(s)},
		{"user_ns", s->user_ns},       {"wait_ns", s->wait_ns},	      {"asleep_ns", s->asleep_ns},
		{"fast_count", s->fast_count}, {"user_count", s->user_count}, {"untraced", s->untraced},
	};
	json_t *j = json_pack("{s:i,s:i,s:s,s:s}", "vcpu", s->vcpu, "tid", (int)s->tid, "reason",
			      reason_name(p->backend, s->reason), "key",
			      key_text(p->backend, s->reason, s->key, p->opts.key_rip));
	struct hist hist;
	char device[64];

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		json_object_set_new(j, numbers[i].name, json_integer((json_int_t)numbers[i].value));
	hist_init(&hist);
	exits_hist(e, s, &hist);
	json_object_set_new(j, "hlt", json_boolean(probes_hlt(p, s)));
	json_object_set_new(j, "hist", hist_to_json(&hist));
	if (!p->opts.pid)
		json_object_set_new(j, "pid", json_integer(s->tgid));
	if (probes_device(p, s, device, sizeof(device)))
		json_object_set_new(j, "device", json_string(device));
	return j;
}

json_t *exits_to_json(struct probes *p)
{
	json_t *out = json_array();
	struct exits e;

	if (probes_exits(p, &e))
		return out;
	for (size_t i = 0; i < e.n; i++)
		if (e.sum[i].count)
			json_array_append_new(out, sum_to_json(p, &e, &e.sum[i]));
	exits_free(&e);
	return out;
}

static void add_kind(struct probes *p, struct probes_totals *t, uint32_t reason, uint64_t n)
{
	enum reason_kind kind = reason_kind(p->backend, reason);

	if (kind == KIND_PIO)
		t->pio += n;
	if (kind == KIND_HLT)
		t->hlt += n;
	if (kind == KIND_HYPERCALL)
		t->hypercalls += n;
}

void probes_totals(struct probes *p, struct probes_totals *t)
{
	*t = (struct probes_totals){.lost = p->skel->bss->window.lost};
	/* With nobody's slot: of vCPUs whose own are others' by now. */
	for (uint32_t i = 0; i < probes_vcpus_used(p); i++) {
		const struct vcpu_state *v = &probes_hot(p)->vcpu[i];

		t->exits += v->exits + v->untraced;
		t->untraced += v->untraced;
		t->userspace_exits += v->user_exits;
		t->mmio += v->user_mmio;
		t->guest_ns += v->guest_total_ns;
		if (v->where & IN_GUEST)
			t->guest_ns += sub_floor(probes_counted_until(p), v->entry_ns);
		if (v->where & IN_EXIT) /* not in its row yet */
			add_kind(p, t, v->reason, 1);
	}
	for (uint32_t i = 0; i < probes_rows_used(p); i++) {
		const struct exit_row *row = &p->rows[i];

		t->fast += row->fast_count + row->untraced;
		add_kind(p, t, row->reason, row->count + row->untraced);
	}
	t->injected = p->skel->bss->notify.injected;
}

json_t *totals_to_json(struct probes *p)
{
	struct probes_totals t;

	probes_totals(p, &t);
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "exits", (json_int_t)t.exits,
			 "untraced", (json_int_t)t.untraced, "fast", (json_int_t)t.fast, "pio",
			 (json_int_t)t.pio, "mmio", (json_int_t)t.mmio, "hlt", (json_int_t)t.hlt,
			 "hypercalls", (json_int_t)t.hypercalls, "injected", (json_int_t)t.injected,
			 "userspace_exits", (json_int_t)t.userspace_exits, "guest_ns",
			 (json_int_t)t.guest_ns);
}

/* Without a gate the window is the time from open to now; a boot's ends at its marker. */
json_t *window_to_json(struct probes *p)
{
	const struct window_state *w = &p->skel->bss->window;

	if (p->opts.span != PROBE_WINDOW)
		return json_pack("{s:b,s:b,s:I,s:I}", "opened", 1, "closed", (int)(w->closed > 0), "open_ns",
				 (json_int_t)p->open_ns, "close_ns", (json_int_t)probes_counted_until(p));
	return json_pack("{s:b,s:b,s:I,s:I,s:I}", "opened", (int)(w->opened > 0), "closed",
			 (int)(w->closed > 0 && !probes_hot(p)->gate), "open_ns", (json_int_t)w->open_ns,
			 "close_ns", (json_int_t)w->close_ns, "total_ns", (json_int_t)w->total_ns);
}

json_t *laps_to_json(struct probes *p)
{
	const struct window_state *w = &p->skel->bss->window;
	json_t *laps = json_array();

	for (uint32_t i = 0; i < MIN(w->laps, WINDOW_LAPS); i++)
		json_array_append_new(laps, json_integer((json_int_t)w->lap[i]));
	return laps;
}
