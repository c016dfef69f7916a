// SPDX-License-Identifier: MIT
#include "probes/internal.h"
#include "probes/kernel.h"
#include "probes/mmu.h"

static const char *const names[MMU_COUNTS] = {
	[MMU_FAULT] = "faults",
	[MMU_FAULT_NOT_PRESENT] = "not_present",
	[MMU_FAULT_WRITE_PROTECTED] = "write_protected",
	[MMU_FAULT_EXEC] = "exec",
	[MMU_FAULT_MMIO] = "mmio",
	[MMU_FAULT_FAST] = "fast",
	[MMU_MAP_4K] = "map_4k",
	[MMU_MAP_2M] = "map_2m",
	[MMU_MAP_1G] = "map_1g",
	[MMU_PAGE_ALLOC] = "page_alloc",
	[MMU_PAGE_ZAP] = "page_zap",
	[MMU_SYNC] = "sync",
	[MMU_UNSYNC] = "unsync",
	[MMU_SPLIT] = "split_huge",
	[MMU_ZAP_ALL] = "zap_all",
	[MMU_ASYNC_PF] = "async_pf",
	[MMU_DIRTY_RING] = "dirty_ring",
	[MMU_UNMAP_RANGE] = "unmap_range",
};

void mmu_choose(struct probes *p)
{
	struct probes_bpf *s = p->skel;
	bool on = p->opts.mmu, vcpu = kernel_tracepoint_arg(p->kernel, "kvm_page_fault", "kvm_vcpu") == 0;
	bool split = on && kernel_has_tracepoint(p->kernel, "kvm_mmu_split_huge_page");

	bpf_program__set_autoload(s->progs.on_page_fault, on && vcpu);
	bpf_program__set_autoload(s->progs.on_page_fault_old, on && !vcpu);
	bpf_program__set_autoload(s->progs.on_set_spte, on);
	bpf_program__set_autoload(s->progs.count_fast_page_fault, on);
	bpf_program__set_autoload(s->progs.count_kvm_mmu_get_page, on);
	bpf_program__set_autoload(s->progs.count_kvm_mmu_prepare_zap_page, on);
	bpf_program__set_autoload(s->progs.count_kvm_mmu_sync_page, on);
	bpf_program__set_autoload(s->progs.count_kvm_mmu_unsync_page, on);
	bpf_program__set_autoload(s->progs.count_kvm_mmu_split_huge_page, split);
	bpf_program__set_autoload(s->progs.count_kvm_mmu_zap_all_fast, on);
	bpf_program__set_autoload(s->progs.count_kvm_try_async_get_page, on);
	bpf_program__set_autoload(s->progs.count_kvm_dirty_ring_push, on);
	bpf_program__set_autoload(s->progs.count_kvm_unmap_hva_range, on);
}

json_t *mmu_to_json(struct probes *p)
{
	json_t *j = json_object();

	for (int i = 0; i < MMU_COUNTS; i++)
		json_object_set_new(j, names[i], json_integer((json_int_t)p->skel->bss->mmu[i]));
	return j;
}
