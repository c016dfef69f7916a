/* SPDX-License-Identifier: MIT */
/* The ring that --trace and `bench life` are read from. */
#ifndef PROBES_STEPS_BPF_H
#define PROBES_STEPS_BPF_H

struct trace_ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

extern __u64 trace_dropped;

#endif
