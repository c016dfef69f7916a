// SPDX-License-Identifier: MIT
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "probes/cost.h"
#include "probes/counters.h"
#include "probes/cpu.h"
#include "probes/exit.h"
#include "probes/grants.h"
#include "probes/hooks.h"
#include "probes/internal.h"
#include "probes/kernel.h"
#include "probes/life.h"
#include "probes/mmu.h"
#include "probes/names.h"
#include "probes/notify.h"
#include "probes/pairs.h"
#include "probes/reasons.h"
#include "probes/steps.h"
#include "probes/trace.h"
#include "probes/vmcb.h"

#define STILL "the VMM's own statistics, throughput and latency still work"

/* libbpf's last complaint: one line of ours quotes it, the rest is for --debug. */
static char libbpf_last[256];

/* A program that is refused comes with the verifier's log, whose end says why. */
#define VERIFIER_TAIL 2000

static int on_libbpf_message(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char *text;
	int len;

	if (level == LIBBPF_DEBUG)
		return 0;
	len = vasprintf(&text, fmt, ap);
	if (len < 0)
		return 0;
	if (level == LIBBPF_WARN && !libbpf_last[0])
		snprintf(libbpf_last, sizeof(libbpf_last), "%.*s", MIN((int)strcspn(text, "\n"), 250), text);
	log_debug("%s", text + sub_floor((uint64_t)len, VERIFIER_TAIL));
	free(text);
	return 0;
}

/* ---- what the machine has ---- */

static bool has_capability(int cap)
{
	struct strbuf sb = STRBUF_INIT;
	unsigned long long eff = 0;
	const char *s;

	if (!file_read("/proc/self/status", &sb) && (s = strstr(strbuf_str(&sb), "CapEff:")))
		eff = strtoull(s + 7, NULL, 16);
	strbuf_free(&sb);
	return eff >> cap & 1;
}

static bool cpu_flag(const char *flag)
{
	struct strbuf sb = STRBUF_INIT;
	char word[32];
	bool found;

	snprintf(word, sizeof(word), " %s ", flag);
	found = !file_read("/proc/cpuinfo", &sb) && strstr(strbuf_str(&sb), word);
	strbuf_free(&sb);
	return found;
}

static enum probe_backend find_backend(void)
{
	if (file_exists("/sys/module/kvm_amd") && cpu_flag("svm"))
		return BACKEND_SVM;
	if (file_exists("/sys/module/kvm_intel") && cpu_flag("vmx"))
		return BACKEND_VMX;
	return BACKEND_OTHER;
}

/* CAP_SYS_ADMIN stands in for both. */
static bool may_trace(void)
{
	enum { SYS_ADMIN = 21, PERFMON = 38, BPF = 39 };

	return has_capability(SYS_ADMIN) || (has_capability(PERFMON) && has_capability(BPF));
}

/* securityfs tells, where somebody has mounted it; else what the kernel was booted with. */
static bool locked_down(void)
{
	static const char *const places[][2] = {
		{"/sys/kernel/security/lockdown", "[confidentiality]"},
		{"/proc/cmdline", "lockdown=confidentiality"},
	};
	const char *const *place = places[!file_exists(places[0][0])];
	char *line = file_read_line(place[0]);
	bool locked = strstr(line, place[1]);

	free(line);
	return locked;
}

static int check_machine(void)
{
	if (locked_down()) {
		log_error(
			"probes: the kernel is locked down (confidentiality) and lets no BPF program read it; boot "
			"without lockdown=confidentiality; " STILL);
		return -EPERM;
	}
	if (!may_trace()) {
		log_error(
			"probes: no permission to load BPF programs; run as root, or give bench CAP_BPF and CAP_PERFMON; " STILL);
		return -EPERM;
	}
	if (!file_exists("/sys/kernel/btf/vmlinux")) {
		log_error(
			"probes: the kernel carries no type information (/sys/kernel/btf/vmlinux); use one built with "
			"CONFIG_DEBUG_INFO_BTF; " STILL);
		return -EOPNOTSUPP;
	}
	if (proc_numbers_differ()) {
		log_error(
			"probes: bench is in a PID namespace of its own, whose process numbers are not the "
			"kernel's: nothing would be found; start it in the host's (--pid=host of a container); " STILL);
		return -EOPNOTSUPP;
	}
	/* The device node may be there before the module is. */
	if (!file_exists("/dev/kvm") || !file_exists("/sys/module/kvm")) {
		log_error(
			"probes: KVM is not loaded; modprobe kvm_amd or kvm_intel, or use the lab (--on=lab)");
		return -ENODEV;
	}
	return 0;
}

/* ---- open ---- */

/* Of the programs that count exits those of this back end, this kernel's prototype, the detail asked for. */
static void choose_exits(struct probes *p)
{
	bool full = p->opts.key_rip || p->opts.trace || p->opts.life || p->opts.pairs_ns;
	bool reason_first = kernel_tracepoint_arg(p->kernel, "kvm_exit", "kvm_vcpu") == 1;
	struct probes_bpf *s = p->skel;
	const struct {
		enum probe_backend backend;
		bool full;
		struct bpf_program *exit, *exit_reason_first, *entry;
	} table[] = {
		{BACKEND_SVM, false, s->progs.on_exit_svm, s->progs.on_exit_svm_reason_first,
		 s->progs.on_entry_svm},
		{BACKEND_SVM, true, s->progs.on_exit_svm_full, s->progs.on_exit_svm_full_reason_first,
		 s->progs.on_entry_svm_full},
		{BACKEND_VMX, false, s->progs.on_exit_vmx, s->progs.on_exit_vmx_reason_first,
		 s->progs.on_entry_vmx},
		{BACKEND_VMX, true, s->progs.on_exit_vmx_full, s->progs.on_exit_vmx_full_reason_first,
		 s->progs.on_entry_vmx_full},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		bool this = p->opts.exits && p->backend == table[i].backend && full == table[i].full;

		bpf_program__set_autoload(table[i].exit, this && !reason_first);
		bpf_program__set_autoload(table[i].exit_reason_first, this && reason_first);
		bpf_program__set_autoload(table[i].entry, this);
	}
}

static void choose_programs(struct probes *p)
{
	bool exits = p->opts.exits, svm = p->backend == BACKEND_SVM, vmx = p->backend == BACKEND_VMX,
	     other = p->backend == BACKEND_OTHER;
	bool vcpu_ends = kernel_can_hook(p->kernel, "kvm_arch_vcpu_destroy");
	struct probes_bpf *s = p->skel;
	const struct {
		struct bpf_program *prog;
		bool load;
	} table[] = {
		{s->progs.on_userspace_svm, exits && svm},
		{s->progs.on_userspace_vmx, exits && vmx},
		{s->progs.on_clock_update,
		 exits && !other && kernel_has_tracepoint(p->kernel, "kvm_pvclock_update")},
		{s->progs.on_nested_exit,
		 exits && !other && kernel_has_tracepoint(p->kernel, "kvm_nested_vmexit")},
		{s->progs.on_vmgexit,
		 exits && svm && kernel_has_tracepoint(p->kernel, "kvm_vmgexit_enter")},
		{s->progs.on_vmx_mmio, exits && vmx},
		{s->progs.on_vmx_fast_mmio, exits && vmx},
		{s->progs.on_marker, p->opts.span != PROBE_ALL && (!svm || !exits)},
		{s->progs.on_run, exits && other},
		{s->progs.on_run_end, exits && other},
		{s->progs.on_vcpu_end, vcpu_ends},
	};

	choose_exits(p);
	s->rodata->cfg_vcpu_ends = vcpu_ends;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		bpf_program__set_autoload(table[i].prog, table[i].load);
}

static void set_filters(struct probes *p)
{
	struct probes_bpf *s = p->skel;
	long preempt_count;

	if (kernel_preempt_count(p->kernel, &preempt_count)) {
		s->rodata->cfg_knows_context = true;
		s->rodata->cfg_preempt_count = preempt_count;
	}
	s->rodata->cfg_tgid = (uint32_t)p->opts.pid;
	s->rodata->cfg_vcpu = p->opts.vcpu;
	if (p->opts.key_rip)
		s->data_hot->hot.flags |= HOT_RIP;
	if (p->opts.trace || p->opts.life)
		s->data_hot->hot.flags |= HOT_TRACE;
	if (p->opts.span != PROBE_ALL)
		s->data_hot->hot.flags |= HOT_MARKER;
	if (p->opts.span == PROBE_BOOT)
		s->data_hot->hot.flags |= HOT_BOOT;
	if (p->opts.pairs_ns)
		s->data_hot->hot.flags |= HOT_PAIRS;
	/* Slot 0 is nobody's (idle is thread 0); the rows that all vCPUs share are its. */
	s->data_hot->hot.vcpu[0].tid = UINT32_MAX;
	s->data_hot->hot.vcpu[0].tgid = (uint32_t)p->opts.pid;
	s->data_hot->hot.vcpu[0].vcpu_id = -1;
	snprintf((char *)s->rodata->cfg_vhost, sizeof(s->rodata->cfg_vhost), "vhost-%d", (int)p->opts.pid);
	if (p->opts.trace || p->opts.life)
		bpf_map__set_max_entries(s->maps.trace_ring, TRACE_RING_BYTES);
}

static int load_failed(int err)
{
	if (err == -EPERM) {
		log_error(
			"probes: the kernel refused the BPF programs (%s); raise `ulimit -l` on kernels before 5.11, or "
			"look for a security module that forbids it; " STILL,
			libbpf_last);
		return -EPERM;
	}
	log_error("probes: this kernel's KVM does not fit the BPF programs: %s; " STILL, libbpf_last);
	return -EOPNOTSUPP;
}

static int map_rows(struct probes *p)
{
	void *rows;

	p->rows_size = (size_t)ROWS_DEFAULT * sizeof(struct exit_row);
	rows = mmap(NULL, p->rows_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    bpf_map__fd(p->skel->maps.rows), 0);
	if (rows == MAP_FAILED)
		return -errno;
	p->rows = rows;
	return 0;
}

static int load_and_attach(struct probes *p)
{
	int err;

	p->skel = probes_bpf__open();
	if (!p->skel)
		return -errno;
	set_filters(p);
	choose_programs(p);
	vmcb_choose(p);
	notify_choose(p);
	cpu_choose(p);
	mmu_choose(p);
	grants_choose(p);
	steps_choose(p);
	pairs_choose(p);
	err = probes_bpf__load(p->skel);
	vmcb_chosen(p);
	if (!err)
		err = probes_bpf__attach(p->skel);
	if (err)
		return load_failed(err);
	grants_attach(p);
	return map_rows(p);
}

static int start_programs(struct probes *p)
{
	struct hooks hooks;
	int err;

	libbpf_last[0] = '\0';
	err = hooks_begin(&hooks, p->kernel);
	if (err)
		return load_failed(err);
	err = load_and_attach(p);
	hooks_end(&hooks);
	return err;
}

int probes_open(struct probes **out, const struct probes_opts *opts)
{
	struct probes *p;
	int err = check_machine();

	*out = NULL;
	if (err)
		return err;
	libbpf_set_print(on_libbpf_message);
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->opts = *opts;
	p->backend = find_backend();
	p->kernel = kernel_open();
	p->names = names_new(opts->span != PROBE_WINDOW);
	err = -ENOMEM;
	if (p->kernel)
		err = start_programs(p);
	if (!err && opts->trace)
		err = trace_open(p);
	if (!err && opts->life)
		err = life_open(p);
	if (!err && opts->counters)
		err = counters_open(&p->counters, opts->counters, opts->pid);
	if (err) {
		probes_close(p);
		return err;
	}
	p->open_ns = clock_ns();
	if (opts->span != PROBE_WINDOW) {
		p->skel->bss->window.last_open_ns = p->open_ns;
		p->skel->data_hot->hot.gate = 1;
	}
	if (!opts->no_cost)
		cost_start(p);
	*out = p;
	return 0;
}

void probes_close(struct probes *p)
{
	if (!p)
		return;
	cost_stop(p);
	trace_close(p);
	life_close(p);
	counters_close(p->counters);
	if (p->rows)
		munmap(p->rows, p->rows_size);
	probes_bpf__destroy(p->skel);
	kernel_close(p->kernel);
	names_free(p->names);
	free(p);
}

/* ---- read ---- */

static uint64_t misses_of(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (bpf_program__fd(prog) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
		return 0;
	return info.recursion_misses;
}

/*
 * Do these programs time interrupts? A device's may arrive while they run for another one (an assigned
 * function's do, once in some thousand), and is then not timed. What interrupts there were is counted where
 * they are injected.
 */
static bool times_interrupts(const struct probes *p, const struct bpf_program *prog)
{
	return prog == p->skel->progs.on_accept || prog == p->skel->progs.on_raise;
}

/*
 * What they look for is never in an interrupt, and nothing else can come while they run: a skipped call would
 * have counted nothing.
 */
static bool counts_in_thread(const struct probes *p, const struct bpf_program *prog)
{
	const struct probes_bpf *s = p->skel;
	const struct bpf_program *const of_kicks[] = {s->progs.on_kick, s->progs.on_kick_end,
						      s->progs.on_kick_mask, s->progs.on_kick_mask_end,
						      s->progs.on_waking};

	for (size_t i = 0; i < ARRAY_SIZE(of_kicks); i++)
		if (prog == of_kicks[i])
			return true;
	return false;
}

/* Calls of our programs that the kernel skipped because one was running already. */
static uint64_t missed_runs(struct probes *p)
{
	struct bpf_program *prog;
	uint64_t missed = 0;

	bpf_object__for_each_program(prog, p->skel->obj) {
		if (!times_interrupts(p, prog) && !counts_in_thread(p, prog))
			missed += misses_of(prog);
	}
	return missed;
}

uint64_t probes_lost(struct probes *p)
{
	const struct window_state *w = &p->skel->bss->window;

	return w->lost + sub_floor(w->laps, WINDOW_LAPS) + missed_runs(p);
}

uint64_t probes_untimed(const struct probes *p)
{
	return misses_of(p->skel->progs.on_accept) + misses_of(p->skel->progs.on_raise);
}

static uint64_t window_ns(struct probes *p)
{
	const struct window_state *w = &p->skel->bss->window;

	if (!probes_hot(p)->gate)
		return w->total_ns;
	return w->total_ns + clock_ns() - w->last_open_ns;
}

bool probes_cost_ns(struct probes *p, uint64_t *out)
{
	return cost_ns(p, window_ns(p), out);
}

const char *probes_backend_text(struct probes *p)
{
	if (p->backend == BACKEND_OTHER && file_exists("/sys/module/kvm_pvm"))
		return "pvm";
	return backend_name(p->backend);
}

void probes_name_region(struct probes *p, pid_t tgid, const struct stats_region *region)
{
	names_add(p->names, tgid, region);
}

void probes_ask_names(struct probes *p, pid_t tgid)
{
	if (p->opts.exits)
		names_ask(p->names, tgid);
}

void probes_poll(struct probes *p)
{
	trace_poll(p);
	recycle(p);
}

int probes_read(struct probes *p, json_t **out)
{
	uint64_t lost = probes_lost(p), own_ns;
	json_t *j = json_object(), *grants;
	const char *missing;

	json_object_set_new(j, "backend", json_string(probes_backend_text(p)));
	json_object_set_new(j, "window", window_to_json(p));
	if (p->opts.exits) {
		json_object_set_new(j, "exits", exits_to_json(p));
		json_object_set_new(j, "totals", totals_to_json(p));
		json_object_set_new(j, "laps", laps_to_json(p));
		missing = names_missing(p->names); /* after the rows, which ask for names */
		if (missing)
			json_object_set_new(j, "names_note", json_string(missing));
	}
	if (p->opts.notify)
		json_object_set_new(j, "notify", notify_to_json(p));
	if (p->opts.cpu)
		json_object_set_new(j, "threads", cpu_to_json(p));
	grants = grants_to_json(p);
	if (grants)
		json_object_set_new(j, "grants", grants);
	if (p->opts.mmu)
		json_object_set_new(j, "mmu", mmu_to_json(p));
	if (p->opts.life)
		json_object_set_new(j, "life", life_to_json(p));
	if (p->opts.pairs_ns)
		json_object_set_new(j, "pairs", pairs_to_json(p));
	if (p->opts.counters)
		json_object_set_new(j, "counters", counters_to_json(p->counters));
	if (p->opts.counters && p->opts.span != PROBE_ALL)
		json_object_set_new(j, "counters_note", json_string(PROBES_COUNTERS_UNGATED));
	json_object_set_new(j, "lost", json_integer((json_int_t)lost));
	if (probes_cost_ns(p, &own_ns))
		json_object_set_new(j, "overhead_ns", json_integer((json_int_t)own_ns));
	if (p->backend == BACKEND_OTHER)
		json_object_set_new(j, "note", json_string(PROBES_NO_KVM_EXIT));
	*out = j;
	return 0;
}
