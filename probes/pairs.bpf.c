// SPDX-License-Identifier: MIT
/*
 * Exits that follow one another closely: what a hypervisor that looked ahead could handle at once (Agesen et
 * al., "Software Techniques for Avoiding Hardware Virtualization Exits", 2012). Called where an exit is over,
 * by the programs that count in full detail: nobody else pays for it.
 */
#include "probes/common.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile __u64 cfg_pairs_ns = 0; /* at most so long in the guest between the two */

__u64 pairs_lost;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_PAIRS);
	__type(key, struct pair_id);
	__type(value, struct pair_sum);
} pairs SEC(".maps");

/* The exit before of each slot's vCPU. */
struct last_exit last_exit[PROBE_VCPUS];

static __always_inline struct pair_sum *pair_find(const struct pair_id *id)
{
	static const struct pair_sum none;
	struct pair_sum *sum = bpf_map_lookup_elem(&pairs, id);

	if (sum)
		return sum;
	bpf_map_update_elem(&pairs, id, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&pairs, id);
}

int pair_count(__u32 slot)
{
	struct vcpu_state *s = &hot.vcpu[slot & (PROBE_VCPUS - 1)];
	struct last_exit *last = &last_exit[slot & (PROBE_VCPUS - 1)];
	struct pair_id id = {last->key, s->key, last->reason, s->reason};
	bool close = last->serial == s->serial && s->guest_ns && s->guest_ns <= cfg_pairs_ns;
	struct pair_sum *sum;

	*last = (struct last_exit){s->key, s->reason, s->serial};
	if (!close)
		return 0;
	sum = pair_find(&id);
	if (!sum) {
		__sync_fetch_and_add(&pairs_lost, 1);
		return 0;
	}
	__sync_fetch_and_add(&sum->count, 1);
	__sync_fetch_and_add(&sum->guest_ns, s->guest_ns);
	return 0;
}

int pair_break(__u32 slot)
{
	last_exit[slot & (PROBE_VCPUS - 1)].serial = 0;
	return 0;
}
