/* SPDX-License-Identifier: MIT */
/* The rows of exit.bpf.c: how one finished exit is counted. Included once, after the cfg_ variables. */
#ifndef PROBES_ROWS_BPF_H
#define PROBES_ROWS_BPF_H

#include "probes/steps.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ROWS_DEFAULT);
	__type(key, __u32);
	__type(value, struct exit_row);
} rows SEC(".maps");

struct trace_ring_map trace_ring SEC(".maps");

/* Number + 1 of a row. Asked only when the vCPU's recent rows do not know. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ROWS_DEFAULT);
	__type(key, struct row_id);
	__type(value, __u32);
} row_numbers SEC(".maps");

__u32 n_rows; /* in use so far */
struct free_numbers free_rows;
__u64 trace_dropped;

/* ---- rows ---- */

/* The number of a row that is all zeroes, while fewer than `limit` are in use; -1: no room. */
static __noinline int row_take(__u32 limit)
{
	int number;

	if (n_rows - (free_rows.put - free_rows.taken) >= limit)
		return -1;
	number = free_take(&free_rows);
	if (number >= 0)
		return number;
	/* Asked first: a number that only grows would come round again. */
	return n_rows < cfg_rows ? __sync_fetch_and_add(&n_rows, 1) : -1;
}

/* Number + 1 of the row, made when new and fewer than `limit` are used; 0: no room. */
static __noinline __u32 row_find(__u32 slot, __u32 reason, __u64 key, __u32 limit)
{
	struct row_id id = {.slot = slot, .reason = reason, .key = key};
	__u32 *known = bpf_map_lookup_elem(&row_numbers, &id), number;
	struct exit_row *row;

	if (known)
		return *known;
	number = row_take(limit);
	row = bpf_map_lookup_elem(&rows, &number);
	if (!row)
		return 0;
	row->reason = reason;
	row->key = key;
	row->vcpu = slot;
	row->min = ~0ull;
	number++;
	/* Another vCPU may have made the row that all share meanwhile: then that one counts. */
	if (!bpf_map_update_elem(&row_numbers, &id, &number, BPF_NOEXIST))
		return number;
	known = bpf_map_lookup_elem(&row_numbers, &id);
	return known ? *known : 0;
}

/* Ports differ in low bits, registers above those, directions in bit 16: a product's top bits have all. */
static __always_inline struct exit_slot *recent_row(struct vcpu_state *s, __u32 reason, __u64 key)
{
	return &s->recent[(reason + key) * 0x9e3779b97f4a7c15ull >> (64 - RECENT_BITS)];
}

/*
 * The vCPU's row of this exit; when there is no room for its key, that of its reason's other keys. 0: for
 * those neither, and exit_record_shared is left.
 */
static __noinline __u32 row_find_any(struct vcpu_state *s)
{
	struct exit_slot *r;
	__u32 number;

	if (!s)
		return 0;
	number = row_find(s->slot, s->reason, s->key, cfg_rows - ROWS_SHARED - ROWS_RESERVED);
	if (!number)
		number = row_find(s->slot, s->reason, KEY_OTHER, cfg_rows - ROWS_SHARED);
	r = recent_row(s, s->reason, s->key);
	r->row = number;
	r->reason = s->reason;
	r->key = s->key;
	return number;
}

/* Number + 1 of the row, or 0. */
static __always_inline __u32 row_of(struct vcpu_state *s)
{
	__u32 reason = s->reason, number;
	__u64 key = s->key;
	struct exit_slot *r = recent_row(s, reason, key);

	barrier_var(r); /* or its address is worked out anew for each member */
	number = r->row;
	if (!number || r->reason != reason || r->key != key)
		number = row_find_any(s);
	return number;
}

static __always_inline unsigned int log2_u64(__u64 v)
{
	unsigned int r = 0;

	if (v >> 32) {
		v >>= 32;
		r += 32;
	}
	if (v >> 16) {
		v >>= 16;
		r += 16;
	}
	if (v >> 8) {
		v >>= 8;
		r += 8;
	}
	if (v >> 4) {
		v >>= 4;
		r += 4;
	}
	if (v >> 2) {
		v >>= 2;
		r += 2;
	}
	return r + (v >> 1);
}

/* How many low bits of v do not choose its slot. */
static __always_inline unsigned int row_shift(__u64 v)
{
	unsigned int log2 = log2_u64(v);

	return log2 > HIST_SUB_BITS ? log2 - HIST_SUB_BITS : 0;
}

/* Where the row has a slot that is not among the first, or is beyond all. */
static __always_inline unsigned int row_far(unsigned int slot)
{
	return ROW_SLOT(slot > HIST_SLOTS - 1 ? HIST_SLOTS - 1 : slot);
}

/* HIST_SLOT_OF by its shift, and where the row has that slot. */
static __always_inline unsigned int row_at(__u64 top, unsigned int shift)
{
	unsigned int slot = shift * HIST_SUB + (unsigned int)top, at = slot - ROW_FIRST_SLOT;

	if (at >= HIST_SLOTS - ROW_FIRST_SLOT)
		at = row_far(slot);
	return at;
}

/* A row's exits take about the same time each: the last one's power of two nearly always holds again. */
static __always_inline void hist_count(struct exit_row *h, __u64 v)
{
	unsigned int shift = h->shift & 63, at;
	__u64 top = v >> shift;

	if (top - HIST_SUB >= HIST_SUB) {
		shift = row_shift(v) & 63;
		h->shift = shift;
		top = v >> shift;
	}
	at = row_at(top, shift);
	if (at < HIST_SLOTS)
		h->slots[at]++;
	h->count++;
	h->sum += v;
	if (v < h->min)
		h->min = v;
	if (v > h->max)
		h->max = v;
}

static __always_inline void trace_exit(struct vcpu_state *s, __u64 now)
{
	struct exit_event *e = bpf_ringbuf_reserve(&trace_ring, sizeof(*e), 0);

	if (!e) {
		__sync_fetch_and_add(&trace_dropped, 1);
		return;
	}
	e->exit_ns = s->exit_ns;
	e->user_ns = s->user_ns;
	e->entry_ns = now;
	e->guest_ns = s->guest_ns;
	e->key = s->key;
	e->reason = s->reason;
	e->vcpu = s->slot;
	e->cpu = bpf_get_smp_processor_id();
	e->tid = (__u32)bpf_get_current_pid_tgid();
	bpf_ringbuf_submit(e, 0);
}

static __always_inline void off_forget(struct vcpu_state *s)
{
	s->off_ns = s->wait_ns = s->asleep_ns = s->user_off_ns = 0;
	s->where &= ~WAS_OFF;
}

/* What was taken apart goes to the row of the exit that ends now. */
static __noinline int off_count(struct vcpu_state *s, struct exit_row *row)
{
	if (!s || !row)
		return 0;
	off_take_apart(s);
	row->wait_ns += s->wait_ns;
	row->asleep_ns += s->asleep_ns;
	if (s->user_ns)
		row->user_ns -= s->user_off_ns;
	off_forget(s);
	return 0;
}

#define SHARE(field, n) __sync_fetch_and_add(&row->field, n)

/* The row of this exit's reason that all vCPUs share. NULL: not even that, counted as lost. */
static __always_inline struct exit_row *row_shared(struct vcpu_state *s)
{
	__u32 number = row_find(0, s->reason, KEY_OTHER, cfg_rows) - 1;

	return bpf_map_lookup_elem(&rows, &number);
}

/* The exit that ends now, there: a crowd of vCPUs costs which of them it was, never counts or times. */
static __noinline int exit_record_shared(struct vcpu_state *s, __u64 now, bool fast)
{
	struct exit_row *row;
	unsigned int at;
	__u64 total;

	if (!s)
		return 0;
	row = row_shared(s);
	if (!row) {
		__sync_fetch_and_add(&window.lost, 1);
		return 0;
	}
	total = now - s->exit_ns;
	off_take_apart(s);
	SHARE(count, 1);
	SHARE(sum, total);
	SHARE(guest_ns, s->guest_ns);
	SHARE(wait_ns, s->wait_ns);
	SHARE(asleep_ns, s->asleep_ns);
	if (s->user_ns) {
		SHARE(user_count, 1);
		SHARE(user_ns, now - s->user_ns - s->user_off_ns);
	} else if (fast) {
		SHARE(fast_count, 1);
		SHARE(fast_ns, total);
	}
	if (total < row->min)
		row->min = total;
	if (total > row->max)
		row->max = total;
	at = row_shift(total) & 63;
	at = row_at(total >> at, at);
	barrier_var(at); /* or the compiler leaves out the check that the verifier wants */
	if (at < HIST_SLOTS)
		SHARE(slots[at], 1);
	off_forget(s);
	return 0;
}

/* The row of the exit that ends, or NULL. */
static __always_inline struct exit_row *row_ready(struct vcpu_state *s)
{
	__u32 number = row_of(s) - 1;

	return bpf_map_lookup_elem(&rows, &number);
}

/* The exit that began at exit_ns ends now; odd: its thread may have been off its CPU meanwhile. */
static __always_inline void exit_record(struct vcpu_state *s, struct exit_row *row, __u64 now, bool fast,
					enum detail detail, bool odd)
{
	__u64 total = now - s->exit_ns;

	if (!row) {
		exit_record_shared(s, now, fast);
		return;
	}
	hist_count(row, total);
	row->guest_ns += s->guest_ns;
	if (s->user_ns) {
		row->user_count++;
		row->user_ns += now - s->user_ns;
	} else if (fast) {
		row->fast_count++;
		row->fast_ns += total;
	}
	if (odd && s->where & WAS_OFF)
		off_count(s, row);
	if (detail == FULL && hot.flags & HOT_TRACE)
		trace_exit(s, now);
	if (detail == FULL && hot.flags & HOT_PAIRS)
		pair_count(s->slot);
}

/* One that this kernel did not trace: no time is known. */
static __noinline __attribute__((unused)) int exit_record_untraced(struct vcpu_state *s)
{
	struct exit_row *row;

	if (!s)
		return 0;
	row = row_ready(s);
	if (!row)
		row = row_shared(s);
	if (row)
		SHARE(untraced, 1);
	else
		__sync_fetch_and_add(&window.lost, 1);
	return 0;
}

#endif
