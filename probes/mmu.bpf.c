// SPDX-License-Identifier: MIT
/*
 * Page faults of the guest's memory and the work on its page tables. All of it runs in the vCPU's own
 * thread.
 */
#include "probes/common.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

__u64 mmu[MMU_COUNTS];

/* Bits of the error code as KVM passes it on, on every back end. */
#define PF_PRESENT 1
#define PF_WRITE   2
#define PF_RSVD    8
#define PF_FETCH   16

static __always_inline bool counted(void)
{
	return hot.gate && vcpu_current();
}

static __always_inline int count_one(enum mmu_count what)
{
	if (counted())
		__sync_fetch_and_add(&mmu[what], 1);
	return 0;
}

static __always_inline int fault(__u64 code)
{
	enum mmu_count kind = MMU_FAULT_NOT_PRESENT;

	if (!counted())
		return 0;
	if (code & PF_RSVD)
		kind = MMU_FAULT_MMIO;
	else if (code & PF_PRESENT && code & PF_WRITE)
		kind = MMU_FAULT_WRITE_PROTECTED;
	else if (code & PF_PRESENT && code & PF_FETCH)
		kind = MMU_FAULT_EXEC;
	__sync_fetch_and_add(&mmu[MMU_FAULT], 1);
	__sync_fetch_and_add(&mmu[kind], 1);
	return 0;
}

SEC("tp_btf/kvm_page_fault")
int BPF_PROG(on_page_fault, struct kvm_vcpu *vcpu, __u64 address, __u64 code)
{
	return fault(code);
}

/* Before 6.1 ("KVM: Add extra information in kvm_page_fault trace point"). */
SEC("tp_btf/kvm_page_fault")
int BPF_PROG(on_page_fault_old, unsigned long address, unsigned int code)
{
	return fault(code);
}

SEC("tp_btf/kvm_mmu_set_spte")
int BPF_PROG(on_set_spte, int level)
{
	enum mmu_count what = MMU_MAP_1G;

	if (level <= 1)
		what = MMU_MAP_4K;
	else if (level == 2)
		what = MMU_MAP_2M;
	return count_one(what);
}

#define COUNTER(tracepoint, what)                                                                 \
	SEC("tp_btf/" #tracepoint)                                                                \
	int count_##tracepoint(void *ctx)                                                         \
	{                                                                                         \
		return count_one(what);                                                           \
	}

COUNTER(fast_page_fault, MMU_FAULT_FAST)
COUNTER(kvm_mmu_get_page, MMU_PAGE_ALLOC)
COUNTER(kvm_mmu_prepare_zap_page, MMU_PAGE_ZAP)
COUNTER(kvm_mmu_sync_page, MMU_SYNC)
COUNTER(kvm_mmu_unsync_page, MMU_UNSYNC)
COUNTER(kvm_mmu_split_huge_page, MMU_SPLIT)
COUNTER(kvm_mmu_zap_all_fast, MMU_ZAP_ALL)
COUNTER(kvm_try_async_get_page, MMU_ASYNC_PF)
COUNTER(kvm_dirty_ring_push, MMU_DIRTY_RING)
COUNTER(kvm_unmap_hva_range, MMU_UNMAP_RANGE)
