// SPDX-License-Identifier: MIT
/* How a probe looks: exits to userspace inside the window. To be copied (CONTRIBUTING.md). */
#include "probes/common.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

__u64 skeleton_count;

SEC("tp_btf/kvm_userspace_exit")
int BPF_PROG(on_skeleton)
{
	if (hot.gate && vcpu_current())
		__sync_fetch_and_add(&skeleton_count, 1);
	return 0;
}
