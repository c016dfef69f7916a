/* SPDX-License-Identifier: MIT */
/* What has been counted so far, as OpenMetrics: of each VM its exits, the parts of their time, histograms. */
#ifndef BENCH_PROFILE_METRICS_PAGE_H
#define BENCH_PROFILE_METRICS_PAGE_H

#include "base/strbuf.h"
#include "bench/profile/exit_view.h"
#include "bench/profile/vm_name.h"

struct metrics_vm {
	pid_t pid;
	struct vm_name name;
	struct view by_key, by_reason;
};

/* Ends with "# EOF". Sizes are bounded by the rows that the probes keep. */
void metrics_page(const struct metrics_vm *vm, size_t n, uint64_t lost, struct strbuf *out);
/* The VMs of the exits, the caller's to free. */
size_t metrics_vms(struct probes *p, const struct exits *exits, struct metrics_vm **vms);
void metrics_vms_free(struct metrics_vm *vms, size_t n);

#endif
