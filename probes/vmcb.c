// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probes/internal.h"
#include "probes/kernel.h"
#include "probes/vmcb.h"

#define LOAD_64 (BPF_LD | BPF_IMM | BPF_DW)

static bool is_place(const struct bpf_insn *in, uint64_t place)
{
	uint64_t value = (uint32_t)in[0].imm | (uint64_t)(uint32_t)in[1].imm << 32;

	return in[0].code == LOAD_64 && !in[0].src_reg && value == place;
}

/*
 * The variable's address wherever its place is. libbpf would do the same for an `extern`, but looks for one
 * that a kernel lacks in all modules, which wants more than CAP_BPF, and fails.
 */
static bool fill_in(struct bpf_program *prog, uint64_t place, const struct kernel_var *var)
{
	size_t n = bpf_program__insn_cnt(prog);
	struct bpf_insn *in = calloc(n + 1, sizeof(*in));
	bool done;

	if (!in)
		return false;
	memcpy(in, bpf_program__insns(prog), n * sizeof(*in));
	for (size_t i = 0; i + 1 < n; i++)
		if (is_place(&in[i], place)) {
			in[i].src_reg = BPF_PSEUDO_BTF_ID;
			in[i].imm = var->id;
			in[i + 1].imm = var->types_fd;
		}
	done = !bpf_program__set_insns(prog, in, n);
	free(in);
	return done;
}

static void svm_choose(struct probes *p)
{
	struct probes_bpf *s = p->skel;
	struct bpf_program *const programs[] = {
		s->progs.on_exit_svm,		    s->progs.on_exit_svm_reason_first,
		s->progs.on_entry_svm,		    s->progs.on_exit_svm_full,
		s->progs.on_exit_svm_full_reason_first, s->progs.on_entry_svm_full,
	};
	bool all = true;

	if (p->backend != BACKEND_SVM ||
	    !kernel_percpu_var(p->kernel, "kvm_amd", "svm_data", "current_vmcb", &p->svm_data))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		all &= fill_in(programs[i], SVM_DATA_PLACE, &p->svm_data);
	s->rodata->cfg_svm_data = all;
}

/* The kernel's own, so that types_fd is 0. Before 6.2 and since 6.15 the count is a variable. */
static void count_choose(struct probes *p)
{
	struct probes_bpf *s = p->skel;
	struct bpf_program *prog;
	struct kernel_var var;
	bool all = true;

	if (!kernel_percpu_var(p->kernel, "", "__preempt_count", NULL, &var))
		return;
	bpf_object__for_each_program(prog, s->obj)
		all &= fill_in(prog, PREEMPT_COUNT_PLACE, &var);
	s->rodata->cfg_typed_count = all;
}

void vmcb_choose(struct probes *p)
{
	svm_choose(p);
	count_choose(p);
}

void vmcb_chosen(struct probes *p)
{
	if (p->svm_data.types_fd > 0)
		close(p->svm_data.types_fd);
	p->svm_data.types_fd = 0;
}
