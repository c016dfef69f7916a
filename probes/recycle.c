// SPDX-License-Identifier: MIT
#include <bpf/bpf.h>
#include <string.h>

#include "probes/cpu.h"
#include "probes/exits.h"
#include "probes/internal.h"
#include "probes/notify.h"
#include "probes/recycle.h"

static uint32_t in_use(uint32_t used, const struct free_numbers *f)
{
	return used - (f->put - __atomic_load_n(&f->taken, __ATOMIC_ACQUIRE));
}

static void hand_back(struct free_numbers *f, uint32_t number)
{
	f->number[f->put % FREE_NUMBERS] = (uint16_t)number;
	__atomic_store_n(&f->put, f->put + 1, __ATOMIC_RELEASE);
}

/* Half of what vCPUs can have of their own is taken. */
static bool room_is_short(struct probes *p)
{
	return in_use(probes_vcpus_used(p), &p->skel->bss->free_slots) > PROBE_VCPUS / 2 ||
	       in_use(probes_rows_used(p), &p->skel->bss->free_rows) >
		       (ROWS_DEFAULT - ROWS_SHARED - ROWS_RESERVED) / 2;
}

/* ---- rows ---- */

static int rows_fd(struct probes *p)
{
	return bpf_map__fd(p->skel->maps.row_numbers);
}

/* Others count in it meanwhile. */
#define GROW(field, by) __atomic_fetch_add(&to->field, by, __ATOMIC_RELAXED)

static void row_merge(struct exit_row *to, const struct exit_row *row)
{
	GROW(untraced, row->untraced);
	GROW(fast_count, row->fast_count);
	GROW(fast_ns, row->fast_ns);
	GROW(user_count, row->user_count);
	GROW(user_ns, row->user_ns);
	GROW(guest_ns, row->guest_ns);
	GROW(wait_ns, row->wait_ns);
	GROW(asleep_ns, row->asleep_ns);
	GROW(count, row->count);
	GROW(sum, row->sum);
	to->min = MIN(to->min, row->min);
	to->max = MAX(to->max, row->max);
	for (size_t i = 0; i < HIST_SLOTS; i++)
		if (row->slots[i])
			GROW(slots[i], row->slots[i]);
}

/* Nobody's row of a reason, made of the row of this number when there is none yet; UINT32_MAX: of none. */
static struct exit_row *row_of_nobody(struct probes *p, uint32_t reason, uint32_t number)
{
	struct row_id id = {.reason = reason, .key = KEY_OTHER};
	uint32_t value = number + 1;

	if (value && !bpf_map_update_elem(rows_fd(p), &id, &value, BPF_NOEXIST))
		return &p->rows[number];
	if (bpf_map_lookup_elem(rows_fd(p), &id, &value))
		return NULL;
	return &p->rows[value - 1];
}

/* The row of a vCPU that has ended becomes nobody's, or is added to that one. */
static void row_give_up(struct probes *p, uint32_t number)
{
	struct exit_row *row = &p->rows[number], *to;
	struct row_id id = {.slot = row->vcpu, .reason = row->reason, .key = row->key};

	p->ended.kicks += notify_kicks_of(p, row);
	bpf_map_delete_elem(rows_fd(p), &id);
	row->vcpu = 0;
	row->key = KEY_OTHER;
	to = row_of_nobody(p, row->reason, number);
	if (!to || to == row)
		return;
	row_merge(to, row);
	memset(row, 0, sizeof(*row));
	hand_back(&p->skel->bss->free_rows, number);
}

/* ---- vCPUs ---- */

/* A row that is all zeroes; UINT32_MAX: there is none. */
static uint32_t row_take(struct probes *p)
{
	struct free_numbers *f = &p->skel->bss->free_rows;
	uint32_t at = __atomic_load_n(&f->taken, __ATOMIC_RELAXED);

	while (at != f->put)
		if (__atomic_compare_exchange_n(&f->taken, &at, at + 1, false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return f->number[at % FREE_NUMBERS];
	return UINT32_MAX;
}

/* Its last exit has no entry any more: it counts like a finished one. */
static void open_exit_give_up(struct probes *p, const struct vcpu_state *v)
{
	struct exit_row *to = row_of_nobody(p, v->reason, UINT32_MAX);
	struct exit_sum s = {0};
	uint32_t number = UINT32_MAX;

	if (!to)
		number = row_take(p);
	if (number != UINT32_MAX) {
		p->rows[number] = (struct exit_row){.reason = v->reason, .key = KEY_OTHER, .min = UINT64_MAX};
		to = row_of_nobody(p, v->reason, number);
	}
	if (!to) {
		__atomic_fetch_add(&p->skel->bss->window.lost, 1, __ATOMIC_RELAXED);
		return;
	}
	exit_sum_add_open(&s, v, v->end_ns);
	GROW(count, 1);
	GROW(sum, s.total_ns);
	GROW(user_count, v->user_ns > 0);
	GROW(user_ns, s.user_ns);
	GROW(guest_ns, s.guest_ns);
	GROW(wait_ns, s.wait_ns);
	GROW(asleep_ns, s.asleep_ns);
	to->min = MIN(to->min, s.total_ns);
	to->max = MAX(to->max, s.total_ns);
	GROW(slots[ROW_SLOT(hist_slot(s.total_ns))], 1);
}

static void totals_give_up(struct probes *p, const struct vcpu_state *v)
{
	struct vcpu_state *to = &p->skel->data_hot->hot.vcpu[0];

	to->exits += v->exits;
	to->untraced += v->untraced;
	to->user_exits += v->user_exits;
	to->user_mmio += v->user_mmio;
	to->guest_total_ns += v->guest_total_ns;
}

/* Its rows first, so that there are rows to take for its last exit. */
static void vcpu_give_up(struct probes *p, struct vcpu_state *v)
{
	uint32_t slot = v->slot;

	for (uint32_t i = 0; i < probes_rows_used(p); i++)
		if (p->rows[i].vcpu == slot)
			row_give_up(p, i);
	if (v->where & IN_EXIT)
		open_exit_give_up(p, v);
	totals_give_up(p, v);
	cpu_give_up(p, v->tgid, v->ended_tid);
	if (!p->opts.pid) /* else they are not by slot */
		memset(p->skel->bss->raised[slot], 0, sizeof(p->skel->bss->raised[slot]));
	memset(v, 0, sizeof(*v));
	hand_back(&p->skel->bss->free_slots, slot);
}

/* The one that ended first, or NULL. */
static struct vcpu_state *vcpu_ended(struct probes *p)
{
	struct vcpu_state *first = NULL;

	for (uint32_t i = 1; i < probes_vcpus_used(p); i++) {
		struct vcpu_state *v = &p->skel->data_hot->hot.vcpu[i];

		if (v->serial && !v->vcpu && (!first || v->end_ns < first->end_ns))
			first = v;
	}
	return first;
}

void recycle(struct probes *p)
{
	struct vcpu_state *v;

	while (room_is_short(p) && (v = vcpu_ended(p)))
		vcpu_give_up(p, v);
	cpu_prune(p);
}
