// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hist_json.h"
#include "probes/exit.h"
#include "probes/internal.h"
#include "probes/names.h"
#include "probes/reasons.h"

static uint32_t rows_used(struct probes *p)
{
	return MIN(p->skel->bss->n_rows, ROWS_DEFAULT);
}

static uint32_t vcpus_used(struct probes *p)
{
	return MIN(p->skel->data->n_vcpus, PROBE_VCPUS);
}

static void row_to_hist(const struct exit_row *row, struct hist *h)
{
	h->count = row->count;
	h->sum = row->sum;
	h->min = row->min;
	h->max = row->max;
	for (unsigned i = 0; i < HIST_SLOTS; i++)
		h->slots[i] = row->slots[ROW_SLOT(i)];
}

static void row_to_sum(struct probes *p, const struct exit_row *row, struct exit_sum *s)
{
	const struct vcpu_state *v = &probes_hot(p)->vcpu[row->vcpu];

	s->tgid = (pid_t)v->tgid;
	s->tid = (pid_t)(v->tid ? v->tid : v->ended_tid);
	s->vcpu = v->vcpu_id;
	s->reason = row->reason;
	s->key = row->key;
	s->untraced = row->untraced;
	s->fast_count = row->fast_count;
	s->fast_ns = row->fast_ns;
	s->user_count = row->user_count;
	s->user_ns = row->user_ns;
	s->guest_ns = row->guest_ns;
	row_to_hist(row, &s->hist);
	s->count = s->hist.count + s->untraced;
}

static bool same_row(const struct exit_sum *a, const struct exit_sum *b)
{
	return a->tid == b->tid && a->vcpu == b->vcpu && a->reason == b->reason && a->key == b->key;
}

/*
 * A vCPU that sits in an exit now (a halted one, most often) has not reached its row yet: the exit
 * happened, so it counts. The last exit of a thread that has ended may be the only one of its kind; it then
 * makes a row of its own.
 */
static uint32_t add_pending(struct probes *p, struct exit_sum *sums, uint32_t n)
{
	for (uint32_t i = 1; i < vcpus_used(p); i++) {
		const struct vcpu_state *v = &probes_hot(p)->vcpu[i];
		struct exit_sum like = {
			.tgid = (pid_t)v->tgid,
			.tid = (pid_t)(v->tid ? v->tid : v->ended_tid),
			.vcpu = v->vcpu_id,
			.reason = v->reason,
			.key = v->key,
		};
		uint32_t r = 0;

		if (v->where != IN_EXIT)
			continue;
		while (r < n && !same_row(&sums[r], &like))
			r++;
		if (r == n && v->tid)
			continue;
		if (r == n) {
			hist_init(&like.hist);
			sums[n++] = like;
		}
		sums[r].count++;
	}
	return n;
}

int probes_exits(struct probes *p, struct exit_sum **out, size_t *n)
{
	uint32_t used = rows_used(p);
	struct exit_sum *s = calloc(used + PROBE_VCPUS, sizeof(*s));

	if (!s)
		return -ENOMEM;
	for (uint32_t i = 0; i < used; i++)
		row_to_sum(p, &p->rows[i], &s[i]);
	*out = s;
	*n = add_pending(p, s, used);
	return 0;
}

void exit_sum_subtract(struct exit_sum *s, const struct exit_sum *before)
{
	if (!same_row(s, before))
		return;
	s->count -= MIN(s->count, before->count);
	s->untraced -= before->untraced;
	s->fast_count -= before->fast_count;
	s->fast_ns -= before->fast_ns;
	s->user_count -= before->user_count;
	s->user_ns -= before->user_ns;
	s->guest_ns -= before->guest_ns;
	hist_subtract(&s->hist, &before->hist);
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

static json_t *sum_to_json(struct probes *p, const struct exit_sum *s)
{
	char device[64];
	json_t *j = json_pack("{s:i,s:i,s:s,s:I,s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "vcpu", s->vcpu, "tid",
			      (int)s->tid, "reason", reason_name(p->backend, s->reason), "code",
			      (json_int_t)s->reason, "key",
			      key_text(p->backend, s->reason, s->key, p->opts.key_rip), "count",
			      (json_int_t)s->count, "total_ns", (json_int_t)s->hist.sum, "guest_ns",
			      (json_int_t)s->guest_ns, "kvm_fast_ns", (json_int_t)s->fast_ns, "kvm_ns",
			      (json_int_t)exit_sum_kvm_ns(s), "user_ns", (json_int_t)s->user_ns);

	json_object_set_new(j, "fast_count", json_integer((json_int_t)s->fast_count));
	json_object_set_new(j, "user_count", json_integer((json_int_t)s->user_count));
	json_object_set_new(j, "untraced", json_integer((json_int_t)s->untraced));
	json_object_set_new(j, "hlt", json_boolean(probes_hlt(p, s)));
	json_object_set_new(j, "hist", hist_to_json(&s->hist));
	if (!p->opts.pid)
		json_object_set_new(j, "pid", json_integer(s->tgid));
	if (probes_device(p, s, device, sizeof(device)))
		json_object_set_new(j, "device", json_string(device));
	return j;
}

json_t *exits_to_json(struct probes *p)
{
	json_t *out = json_array();
	struct exit_sum *sums;
	size_t n;

	if (probes_exits(p, &sums, &n))
		return out;
	for (size_t i = 0; i < n; i++)
		if (sums[i].count)
			json_array_append_new(out, sum_to_json(p, &sums[i]));
	free(sums);
	return out;
}

static void add_kind(struct probes *p, struct probes_totals *t, uint32_t reason, uint64_t n)
{
	enum reason_kind kind = reason_kind(p->backend, reason);

	t->pio += kind == KIND_PIO ? n : 0;
	t->hlt += kind == KIND_HLT ? n : 0;
}

void probes_totals(struct probes *p, struct probes_totals *t)
{
	*t = (struct probes_totals){.lost = p->skel->bss->window.lost};
	for (uint32_t i = 1; i < vcpus_used(p); i++) {
		const struct vcpu_state *v = &probes_hot(p)->vcpu[i];

		t->exits += v->exits + v->untraced;
		t->untraced += v->untraced;
		t->userspace_exits += v->user_exits;
		t->mmio += v->user_mmio;
		t->guest_ns += v->guest_total_ns;
		if (v->where == IN_EXIT) /* not in its row yet */
			add_kind(p, t, v->reason, 1);
	}
	for (uint32_t i = 0; i < rows_used(p); i++) {
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
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "exits", (json_int_t)t.exits,
			 "untraced", (json_int_t)t.untraced, "fast", (json_int_t)t.fast, "pio",
			 (json_int_t)t.pio, "mmio", (json_int_t)t.mmio, "hlt", (json_int_t)t.hlt,
			 "injected", (json_int_t)t.injected, "userspace_exits",
			 (json_int_t)t.userspace_exits, "guest_ns", (json_int_t)t.guest_ns);
}

/* Without a gate the window is the time from open to now. */
json_t *window_to_json(struct probes *p)
{
	const struct window_state *w = &p->skel->bss->window;

	if (!p->opts.window)
		return json_pack("{s:b,s:b,s:I,s:I}", "opened", 1, "closed", 0, "open_ns",
				 (json_int_t)p->open_ns, "close_ns", (json_int_t)clock_ns());
	return json_pack("{s:b,s:b,s:I,s:I,s:I}", "opened", (int)(w->opened > 0), "closed",
			 (int)(w->closed > 0 && !probes_hot(p)->gate), "open_ns", (json_int_t)w->open_ns,
			 "close_ns", (json_int_t)w->close_ns, "total_ns", (json_int_t)w->total_ns);
}
