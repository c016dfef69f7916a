// SPDX-License-Identifier: MIT
/*
 * Exits as fast as a machine can count them: the rows of the exit probe fed by BPF_PROG_TEST_RUN, because
 * tp_btf programs cannot be run that way and no KVM of today makes a million exits a second on one CPU.
 */
#include "probes/common.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct window_state window;
struct hot_state hot SEC(".data.hot") = {};
const volatile __u32 cfg_rows = ROWS_DEFAULT;

#include "probes/rows.bpf.h"

struct batch {
	__u32 slot, seed;
};

/* 40 kinds of exit in changing order; every fourth goes to userspace. */
static long one_exit(__u32 i, void *ctx)
{
	struct batch *b = ctx;
	struct vcpu_state *s = &hot.vcpu[b->slot & (PROBE_VCPUS - 1)];
	__u64 now = bpf_ktime_get_ns();
	__u32 r = b->seed = b->seed * 1664525 + 1013904223;

	s->slot = b->slot;
	s->reason = r >> 28 & 7;
	s->key = (r >> 20 & 255) % 5;
	s->exit_ns = now - 500 - (r & 0xffff);
	s->user_ns = r >> 8 & 3 ? 0 : now - 100;
	exit_record(s, row_ready(s), now, i & 1, PLAIN, false);
	return 0;
}

/* (exits, slot, seed) */
SEC("raw_tp")
int replay(struct bpf_raw_tracepoint_args *ctx)
{
	struct batch b = {.slot = ctx->args[1], .seed = ctx->args[2]};

	bpf_loop(ctx->args[0], one_exit, &b, 0);
	return 0;
}
