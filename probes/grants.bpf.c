// SPDX-License-Identifier: MIT
/*
 * What the back end of a Xen guest's driver does with the guest's memory. It is a part of the VMM, so these
 * hook the VMM's own functions (grants.c says which), where they are called.
 */
#include "probes/common.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct grant_state grants;

/* Where struct pt_regs of x86-64 has the third and the fourth argument of a function. */
enum { PT_RCX = 11, PT_RDX = 12 };

SEC("uprobe")
int on_grant_map(__u64 *regs)
{
	if (hot.gate && tgid_watched())
		__sync_fetch_and_add(&grants.maps, (__u32)regs[PT_RDX]);
	return 0;
}

SEC("uprobe")
int on_grant_copy(__u64 *regs)
{
	if (hot.gate && tgid_watched())
		__sync_fetch_and_add(&grants.copies, (__u32)regs[PT_RCX]);
	return 0;
}
