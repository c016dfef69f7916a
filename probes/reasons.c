// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/hypercalls.h"
#include "probes/reasons.h"

struct reason {
	uint32_t code;
	const char *name;
	enum reason_kind kind;
};

/* AMD64 APM volume 2, appendix C; names as in <asm/svm.h>. */
static const struct reason svm_reasons[] = {
	{0x0, "read_cr0", KIND_PLAIN},
	{0x2, "read_cr2", KIND_PLAIN},
	{0x3, "read_cr3", KIND_PLAIN},
	{0x4, "read_cr4", KIND_PLAIN},
	{0x8, "read_cr8", KIND_PLAIN},
	{0x10, "write_cr0", KIND_PLAIN},
	{0x12, "write_cr2", KIND_PLAIN},
	{0x13, "write_cr3", KIND_PLAIN},
	{0x14, "write_cr4", KIND_PLAIN},
	{0x18, "write_cr8", KIND_PLAIN},
	{0x20, "read_dr0", KIND_PLAIN},
	{0x21, "read_dr1", KIND_PLAIN},
	{0x22, "read_dr2", KIND_PLAIN},
	{0x23, "read_dr3", KIND_PLAIN},
	{0x24, "read_dr4", KIND_PLAIN},
	{0x25, "read_dr5", KIND_PLAIN},
	{0x26, "read_dr6", KIND_PLAIN},
	{0x27, "read_dr7", KIND_PLAIN},
	{0x30, "write_dr0", KIND_PLAIN},
	{0x31, "write_dr1", KIND_PLAIN},
	{0x32, "write_dr2", KIND_PLAIN},
	{0x33, "write_dr3", KIND_PLAIN},
	{0x34, "write_dr4", KIND_PLAIN},
	{0x35, "write_dr5", KIND_PLAIN},
	{0x36, "write_dr6", KIND_PLAIN},
	{0x37, "write_dr7", KIND_PLAIN},
	{0x40, "de_exception", KIND_PLAIN},
	{0x41, "db_exception", KIND_PLAIN},
	{0x43, "bp_exception", KIND_PLAIN},
	{0x44, "of_exception", KIND_PLAIN},
	{0x45, "br_exception", KIND_PLAIN},
	{0x46, "ud_exception", KIND_PLAIN},
	{0x47, "nm_exception", KIND_PLAIN},
	{0x48, "df_exception", KIND_PLAIN},
	{0x4a, "ts_exception", KIND_PLAIN},
	{0x4b, "np_exception", KIND_PLAIN},
	{0x4c, "ss_exception", KIND_PLAIN},
	{0x4d, "gp_exception", KIND_PLAIN},
	{0x4e, "pf_exception", KIND_PLAIN},
	{0x50, "mf_exception", KIND_PLAIN},
	{0x51, "ac_exception", KIND_PLAIN},
	{0x52, "mc_exception", KIND_PLAIN},
	{0x53, "xf_exception", KIND_PLAIN},
	{0x60, "interrupt", KIND_PLAIN},
	{0x61, "nmi", KIND_PLAIN},
	{0x62, "smi", KIND_PLAIN},
	{0x63, "init", KIND_PLAIN},
	{0x64, "vintr", KIND_PLAIN},
	{0x65, "cr0_sel_write", KIND_PLAIN},
	{0x66, "read_idtr", KIND_PLAIN},
	{0x67, "read_gdtr", KIND_PLAIN},
	{0x68, "read_ldtr", KIND_PLAIN},
	{0x69, "read_rt", KIND_PLAIN},
	{0x6a, "write_idtr", KIND_PLAIN},
	{0x6b, "write_gdtr", KIND_PLAIN},
	{0x6c, "write_ldtr", KIND_PLAIN},
	{0x6d, "write_rt", KIND_PLAIN},
	{0x6e, "rdtsc", KIND_PLAIN},
	{0x6f, "rdpmc", KIND_PLAIN},
	{0x70, "pushf", KIND_PLAIN},
	{0x71, "popf", KIND_PLAIN},
	{0x72, "cpuid", KIND_PLAIN},
	{0x73, "rsm", KIND_PLAIN},
	{0x74, "iret", KIND_PLAIN},
	{0x75, "swint", KIND_PLAIN},
	{0x76, "invd", KIND_PLAIN},
	{0x77, "pause", KIND_PLAIN},
	{0x78, "hlt", KIND_HLT},
	{0x79, "invlpg", KIND_PLAIN},
	{0x7a, "invlpga", KIND_PLAIN},
	{0x7b, "io", KIND_PIO},
	{0x7c, "msr", KIND_MSR},
	{0x7d, "task_switch", KIND_PLAIN},
	{0x7e, "ferr_freeze", KIND_PLAIN},
	{0x7f, "shutdown", KIND_PLAIN},
	{0x80, "vmrun", KIND_PLAIN},
	{0x81, "vmmcall", KIND_HYPERCALL},
	{0x82, "vmload", KIND_PLAIN},
	{0x83, "vmsave", KIND_PLAIN},
	{0x84, "stgi", KIND_PLAIN},
	{0x85, "clgi", KIND_PLAIN},
	{0x86, "skinit", KIND_PLAIN},
	{0x87, "rdtscp", KIND_PLAIN},
	{0x88, "icebp", KIND_PLAIN},
	{0x89, "wbinvd", KIND_PLAIN},
	{0x8a, "monitor", KIND_PLAIN},
	{0x8b, "mwait", KIND_PLAIN},
	{0x8c, "mwait_cond", KIND_PLAIN},
	{0x8d, "xsetbv", KIND_PLAIN},
	{0x8e, "rdpru", KIND_PLAIN},
	{0x8f, "write_efer_trap", KIND_PLAIN},
	{0x90, "write_cr0_trap", KIND_PLAIN},
	{0x94, "write_cr4_trap", KIND_PLAIN},
	{0x98, "write_cr8_trap", KIND_PLAIN},
	{0xa2, "invpcid", KIND_PLAIN},
	{0xa5, "buslock", KIND_PLAIN},
	{0xa6, "idle_halt", KIND_HLT},
	{0x400, "npf", KIND_MMIO},
	{0x401, "avic_incomplete_ipi", KIND_PLAIN},
	{0x402, "avic_unaccelerated_access", KIND_APIC},
	{0x403, "vmgexit", KIND_PLAIN},
	{0x80000001, "vmgexit_mmio_read", KIND_MMIO},
	{0x80000002, "vmgexit_mmio_write", KIND_MMIO},
	{0x80000003, "vmgexit_nmi_complete", KIND_PLAIN},
	{0x80000004, "vmgexit_ap_hlt_loop", KIND_PLAIN},
	{0x80000005, "vmgexit_ap_jump_table", KIND_PLAIN},
	{0x80000010, "vmgexit_page_state_change", KIND_PLAIN},
	{0x80000011, "vmgexit_guest_request", KIND_PLAIN},
	{0x80000012, "vmgexit_ext_guest_request", KIND_PLAIN},
	{0x80000013, "vmgexit_ap_creation", KIND_PLAIN},
	{0x8000fffd, "vmgexit_hypervisor_feature", KIND_PLAIN},
	{0xffffffff, "invalid_guest_state", KIND_PLAIN},
};

/* SDM volume 3, appendix C; names as in <asm/vmx.h>. */
static const struct reason vmx_reasons[] = {
	{0, "exception_nmi", KIND_VECTOR}, {1, "external_interrupt", KIND_PLAIN},
	{2, "triple_fault", KIND_PLAIN}, {3, "init_signal", KIND_PLAIN},
	{4, "sipi_signal", KIND_PLAIN}, {7, "interrupt_window", KIND_PLAIN},
	{8, "nmi_window", KIND_PLAIN}, {9, "task_switch", KIND_PLAIN}, {10, "cpuid", KIND_PLAIN},
	{12, "hlt", KIND_HLT}, {13, "invd", KIND_PLAIN}, {14, "invlpg", KIND_PLAIN},
	{15, "rdpmc", KIND_PLAIN}, {16, "rdtsc", KIND_PLAIN}, {18, "vmcall", KIND_HYPERCALL},
	{19, "vmclear", KIND_PLAIN}, {20, "vmlaunch", KIND_PLAIN}, {21, "vmptrld", KIND_PLAIN},
	{22, "vmptrst", KIND_PLAIN}, {23, "vmread", KIND_PLAIN}, {24, "vmresume", KIND_PLAIN},
	{25, "vmwrite", KIND_PLAIN}, {26, "vmoff", KIND_PLAIN}, {27, "vmon", KIND_PLAIN},
	{28, "cr_access", KIND_CR}, {29, "dr_access", KIND_DR},
	{30, "io_instruction", KIND_PIO}, {31, "msr_read", KIND_MSR}, {32, "msr_write", KIND_MSR},
	{33, "invalid_state", KIND_PLAIN}, {34, "msr_load_fail", KIND_PLAIN},
	{36, "mwait_instruction", KIND_PLAIN}, {37, "monitor_trap_flag", KIND_PLAIN},
	{39, "monitor_instruction", KIND_PLAIN}, {40, "pause_instruction", KIND_PLAIN},
	{41, "mce_during_vmentry", KIND_PLAIN}, {43, "tpr_below_threshold", KIND_PLAIN},
	{44, "apic_access", KIND_APIC}, {45, "eoi_induced", KIND_VECTOR},
	{46, "gdtr_idtr", KIND_PLAIN}, {47, "ldtr_tr", KIND_PLAIN},
	{48, "ept_violation", KIND_MMIO}, {49, "ept_misconfig", KIND_MMIO},
	{50, "invept", KIND_PLAIN}, {51, "rdtscp", KIND_PLAIN},
	{52, "preemption_timer", KIND_PLAIN}, {53, "invvpid", KIND_PLAIN},
	{54, "wbinvd", KIND_PLAIN}, {55, "xsetbv", KIND_PLAIN}, {56, "apic_write", KIND_APIC},
	{57, "rdrand", KIND_PLAIN}, {58, "invpcid", KIND_PLAIN}, {59, "vmfunc", KIND_PLAIN},
	{60, "encls", KIND_PLAIN}, {61, "rdseed", KIND_PLAIN}, {62, "pml_full", KIND_PLAIN},
	{63, "xsaves", KIND_PLAIN}, {64, "xrstors", KIND_PLAIN}, {67, "umwait", KIND_PLAIN},
	{68, "tpause", KIND_PLAIN}, {74, "bus_lock", KIND_PLAIN}, {75, "notify", KIND_PLAIN},
	{76, "seamcall", KIND_PLAIN}, {77, "tdcall", KIND_PLAIN}, {84, "msr_read_imm", KIND_MSR},
	{85, "msr_write_imm", KIND_MSR},
};

/* KVM_EXIT_*: what a back end without kvm_exit shows. */
static const struct reason user_reasons[] = {
	{0, "unknown", KIND_PLAIN}, {1, "exception", KIND_PLAIN}, {2, "io", KIND_PIO},
	{3, "hypercall", KIND_PLAIN}, {4, "debug", KIND_PLAIN}, {5, "hlt", KIND_HLT},
	{6, "mmio", KIND_MMIO}, {7, "irq_window_open", KIND_PLAIN}, {8, "shutdown", KIND_PLAIN},
	{9, "fail_entry", KIND_PLAIN}, {10, "intr", KIND_PLAIN}, {11, "set_tpr", KIND_PLAIN},
	{12, "tpr_access", KIND_PLAIN}, {16, "nmi", KIND_PLAIN},
	{17, "internal_error", KIND_PLAIN}, {24, "system_event", KIND_PLAIN},
	{26, "ioapic_eoi", KIND_PLAIN}, {27, "hyperv", KIND_PLAIN}, {29, "rdmsr", KIND_PLAIN},
	{30, "wrmsr", KIND_PLAIN}, {31, "dirty_ring_full", KIND_PLAIN},
	{32, "ap_reset_hold", KIND_PLAIN}, {33, "bus_lock", KIND_PLAIN}, {34, "xen", KIND_PLAIN},
	{37, "notify", KIND_PLAIN}, {39, "memory_fault", KIND_PLAIN},
};

static const struct {
	const char *name;
	const struct reason *reason;
	size_t n;
} backends[] = {
	[BACKEND_SVM] = {"svm", svm_reasons, ARRAY_SIZE(svm_reasons)},
	[BACKEND_VMX] = {"vmx", vmx_reasons, ARRAY_SIZE(vmx_reasons)},
	[BACKEND_OTHER] = {"other", user_reasons, ARRAY_SIZE(user_reasons)},
};

static char *ring_buffer(void)
{
	static char ring[16][40];
	static unsigned next;

	return ring[next++ % ARRAY_SIZE(ring)];
}

const char *backend_name(enum probe_backend backend)
{
	return backends[backend].name;
}

static const struct reason *reason_of(enum probe_backend backend, uint32_t code)
{
	for (size_t i = 0; i < backends[backend].n; i++)
		if (backends[backend].reason[i].code == code)
			return &backends[backend].reason[i];
	return NULL;
}

static const char *code_name(enum probe_backend backend, uint32_t code)
{
	const struct reason *r = reason_of(backend, code);
	char *buf;

	if (r)
		return r->name;
	buf = ring_buffer();
	snprintf(buf, 40, "0x%" PRIx32, code);
	return buf;
}

const char *reason_name(enum probe_backend backend, uint32_t reason)
{
	const char *name = code_name(backend, REASON_PLAIN(reason));
	char *buf;

	if (!REASON_IS_NESTED(reason))
		return name;
	buf = ring_buffer();
	snprintf(buf, 40, "nested %s", name);
	return buf;
}

int reason_by_name(enum probe_backend backend, const char *name)
{
	for (size_t i = 0; i < backends[backend].n; i++)
		if (!strcmp(backends[backend].reason[i].name, name))
			return (int)backends[backend].reason[i].code;
	return -1;
}

enum reason_kind reason_kind(enum probe_backend backend, uint32_t reason)
{
	const struct reason *r = reason_of(backend, REASON_PLAIN(reason));

	/* Its own hypervisor halts instead, which is an exit of that one. */
	if (!r || (REASON_IS_NESTED(reason) && r->kind == KIND_HLT))
		return KIND_PLAIN;
	return r->kind;
}

static void cr_text(char buf[40], uint64_t key)
{
	static const char *const how[] = {"mov to", "mov from", "clts", "lmsw"};
	unsigned kind = key >> 4 & 3;

	if (kind < 2)
		snprintf(buf, 40, "%s cr%u", how[kind], (unsigned)(key & 0xf));
	else
		snprintf(buf, 40, "%s", how[kind]);
}

const char *key_text(enum probe_backend backend, uint32_t reason, uint64_t key, bool rip)
{
	char *buf = ring_buffer();
	int n = 0;

	buf[0] = '\0';
	if (key == KEY_OTHER)
		return "other";
	if (rip) {
		snprintf(buf, 40, "0x%" PRIx64, key);
		return buf;
	}
	switch (reason_kind(backend, reason)) {
	case KIND_PIO:
		snprintf(buf, 40, "%s 0x%" PRIx64, key & KEY_IN ? "in" : "out", key & 0xffff);
		break;
	case KIND_MMIO:
		if (key != KEY_NONE)
			snprintf(buf, 40, "0x%" PRIx64, key);
		break;
	case KIND_MSR:
		/* VMX has a reason for each; SVM one for both. */
		if (backend == BACKEND_SVM)
			n = snprintf(buf, 40, "%s ", key & KEY_WRITE ? "write" : "read");
		snprintf(buf + n, 40 - (size_t)n, "0x%" PRIx64, key & 0xffffffff);
		break;
	case KIND_HYPERCALL:
		hypercall_text(key, buf, 40);
		break;
	case KIND_VECTOR:
		/* A page fault under shadow paging whose address turned out to be a register's. */
		snprintf(buf, 40, key > 0xff ? "0x%" PRIx64 : "#%" PRIu64, key);
		break;
	case KIND_CR:
		if (key & KEY_SOME)
			cr_text(buf, key);
		break;
	case KIND_DR:
		if (key & KEY_SOME)
			snprintf(buf, 40, "mov %s dr%u", key & 0x10 ? "from" : "to", (unsigned)(key & 7));
		break;
	case KIND_APIC:
		if (key & KEY_SOME)
			snprintf(buf, 40, "%s 0x%x", key & KEY_WRITE ? "write" : "read",
				 (unsigned)(key & 0xfff));
		break;
	case KIND_PLAIN:
	case KIND_HLT:
		break;
	}
	return buf;
}
