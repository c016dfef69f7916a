/* SPDX-License-Identifier: MIT */
/* The rows of exit.bpf.c: how one finished exit is counted. Included once, after the cfg_ variables. */
#ifndef PROBES_ROWS_BPF_H
#define PROBES_ROWS_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ROWS_DEFAULT);
	__type(key, __u32);
	__type(value, struct exit_row);
} rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} trace_ring SEC(".maps");

/*
 * A map and not a variable: libbpf would copy 8 MiB of zeroes into it at each load, 40 ms of a micro
 * guest's set-up.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROBE_VCPUS);
	__type(key, __u32);
	__type(value, struct exit_table);
} tables SEC(".maps");

__u32 n_rows;
__u64 trace_dropped;

/* ---- rows ---- */

static __always_inline __u32 table_hash(__u32 reason, __u64 key)
{
	__u64 h = (key ^ key >> 32 ^ ((__u64)reason << 20)) * 0x9e3779b97f4a7c15ull;

	return h >> 40;
}

/* Number + 1 of the row, made when new; 0: no room. */
static __noinline __u32 row_find(struct vcpu_state *s, __u32 reason, __u64 key)
{
	__u32 h = table_hash(reason, key), limit = cfg_rows, tries = EXIT_PROBES_OTHER, number;
	struct exit_table *table;
	struct exit_row *row;

	table = s ? bpf_map_lookup_elem(&tables, &s->slot) : NULL;
	if (!table)
		return 0;
	if (key != KEY_OTHER) {
		limit -= ROWS_RESERVED;
		tries = EXIT_PROBES;
	}
	for (__u32 i = 0; i < EXIT_PROBES_OTHER && i < tries; i++) {
		struct exit_slot *e = &table->slot[(h + i) & (EXIT_TABLE - 1)];

		if (e->row && e->reason == reason && e->key == key)
			return e->row;
		if (e->row)
			continue;
		if (n_rows >= limit)
			return 0;
		number = __sync_fetch_and_add(&n_rows, 1);
		row = bpf_map_lookup_elem(&rows, &number);
		if (!row)
			return 0;
		row->reason = reason;
		row->key = key;
		row->vcpu = s->slot;
		row->min = ~0ull;
		e->reason = reason;
		e->key = key;
		e->row = number + 1;
		return e->row;
	}
	return 0;
}

static __always_inline struct exit_slot *recent_row(struct vcpu_state *s)
{
	/* Ports differ in their low bits, registers above those, a direction in bit 16. */
	__u32 at = s->reason ^ s->key ^ s->key >> 3 ^ s->key >> 16;

	/* A compiler that knows it to be small would leave out the mask that the verifier wants. */
	barrier_var(at);
	return &s->recent[at & (RECENT_ROWS - 1)];
}

static __noinline __u32 row_find_any(struct vcpu_state *s)
{
	struct exit_slot *r;
	__u32 number;

	if (!s)
		return 0;
	number = row_find(s, s->reason, s->key);
	if (!number)
		number = row_find(s, s->reason, KEY_OTHER);
	r = recent_row(s);
	r->row = number;
	r->reason = s->reason;
	r->key = s->key;
	return number;
}

static __always_inline struct exit_row *row_of(struct vcpu_state *s)
{
	struct exit_slot *r = recent_row(s);
	__u32 number = r->row;

	if (!number || r->reason != s->reason || r->key != s->key)
		number = row_find_any(s);
	if (!number) {
		__sync_fetch_and_add(&window.lost, 1);
		return NULL;
	}
	number--;
	return bpf_map_lookup_elem(&rows, &number);
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

/* A row's exits take about the same time each: the last one's logarithm nearly always holds again. */
static __always_inline unsigned int row_log2(struct exit_row *h, __u64 v)
{
	__u32 log2 = h->log2 & 63;

	if (v >> log2 != 1)
		h->log2 = log2 = log2_u64(v);
	return log2;
}

static __always_inline void hist_count(struct exit_row *h, __u64 v)
{
	unsigned int slot = HIST_SLOT_OF(v, row_log2(h, v));

	if (slot > HIST_SLOTS - 1)
		slot = HIST_SLOTS - 1;
	h->count++;
	h->sum += v;
	if (v < h->min)
		h->min = v;
	if (v > h->max)
		h->max = v;
	h->slots[ROW_SLOT(slot)]++;
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
	e->key = s->key;
	e->reason = s->reason;
	e->vcpu = s->slot;
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

/* The exit that began at exit_ns ends now. */
static __always_inline void exit_record(struct vcpu_state *s, __u64 now, bool fast, enum detail detail)
{
	struct exit_row *row = row_of(s);
	__u64 total = now - s->exit_ns;

	if (!row)
		return;
	hist_count(row, total);
	row->guest_ns += s->guest_ns;
	if (s->user_ns) {
		row->user_count++;
		row->user_ns += now - s->user_ns;
	} else if (fast) {
		row->fast_count++;
		row->fast_ns += total;
	}
	if (s->where & WAS_OFF)
		off_count(s, row);
	if (detail == FULL && hot.flags & HOT_TRACE)
		trace_exit(s, now);
}

#endif
