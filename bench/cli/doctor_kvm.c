// SPDX-License-Identifier: MIT
/*
 * What this host's KVM is and does. Where it can be tried, it is: a micro guest runs, and its exits are
 * counted.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/table.h"
#include "bench/cli/doctor.h"
#include "bench/host/paths.h"
#include "bench/host/substrate.h"

#define MICRO_LIMIT_NS (20 * NSEC_PER_SEC)

/* The micro guest runs once, for all rows that ask. */
static struct micro_run {
	bool tried, built, done;
	int status;
	uint64_t ns;
	int64_t kvm_exits; /* -1: could not be counted */
} micro;

static const char *tracing_dir(void)
{
	if (file_exists("/sys/kernel/tracing/events"))
		return "/sys/kernel/tracing";
	return "/sys/kernel/debug/tracing";
}

/* Counts a tracepoint in us and in the children that we start from now on; -1 when that is not possible. */
static int count_tracepoint(const char *name)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .inherit = 1};
	char *path = xasprintf("%s/events/%s/id", tracing_dir(), name);
	uint64_t id;
	int err = file_read_u64(path, &id);

	free(path);
	if (err)
		return -1;
	attr.config = id;
	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void run_micro(void)
{
	const char *vmm = path_find("vmm"), *image = path_find("micro.elf");
	char *argv[] = {(char *)vmm, "--kernel",    (char *)image, "--cmdline", "workload=null",
			"--console", "none",	    "--agent",	   "stdio",	"--mem",
			"32M",	     "--no-reboot", NULL};
	struct strbuf out = STRBUF_INIT;
	uint64_t start = clock_ns();
	int fd = count_tracepoint("kvm/kvm_exit");

	micro.tried = true;
	micro.kvm_exits = -1;
	micro.built = vmm && image;
	if (micro.built)
		micro.status = proc_run(argv, &out, MICRO_LIMIT_NS);
	micro.ns = clock_ns() - start;
	micro.done = micro.built && strstr(strbuf_str(&out), "exitlab done");
	if (micro.done && fd >= 0 && read(fd, &micro.kvm_exits, sizeof(micro.kvm_exits)) < 0)
		micro.kvm_exits = -1;
	close_fd(&fd);
	strbuf_free(&out);
}

static const struct micro_run *micro_run(void)
{
	if (!micro.tried)
		run_micro();
	return &micro;
}

struct finding find_kvm(void)
{
	switch (host_kvm_backend()) {
	case KVM_NONE:
		if (!access("/dev/kvm", F_OK))
			return found(BAD, xasprintf("/dev/kvm: %s", strerror(EACCES)),
				     "join the group that owns it (usermod -aG kvm NAME); until then everything runs in the lab");
		return found(BAD, xstrdup("no /dev/kvm"),
			     "switch VT-x or AMD-V on in the firmware, modprobe kvm_intel or kvm_amd; until then everything runs in the lab");
	case KVM_PVM:
		return found(WARN, xstrdup("pvm: no VT-x or AMD-V below it"),
			     "a host with VT-x or AMD-V gives real times; the lab has AMD-V");
	default:
		return found(GOOD, xstrdup(kvm_backend_name(host_kvm_backend())), NULL);
	}
}

static struct finding micro_failed(int status)
{
	char *todo = xasprintf("%s --kernel %s --cmdline workload=null --agent stdio says why", path_tool("vmm"),
			       path_tool("micro.elf"));
	struct finding f = found(BAD, xasprintf("did not come up (status %d)", status), todo);

	free(todo);
	return f;
}

struct finding find_micro(void)
{
	const struct micro_run *m = micro_run();

	if (host_kvm_backend() == KVM_NONE)
		return found(INFO, xstrdup("no KVM"), NULL);
	if (!m->built)
		return found(WARN, xstrdup("not tried: the VMM or the micro guest is not built"), "run make");
	if (!m->done)
		return micro_failed(m->status);
	return found(GOOD, xasprintf("booted and ended in %s", fmt_ns((double)m->ns)), NULL);
}

struct finding find_linux(void)
{
	enum kvm_backend b = host_kvm_backend();

	static const char todo[] = "the lab runs them; bench run goes there by itself";

	if (b == KVM_NONE)
		return found(WARN, xstrdup("no KVM"), todo);
	if (b != KVM_SVM && b != KVM_VMX)
		return found(WARN, xstrdup("no: this back end interprets kernels"), todo);
	if (micro_run()->built && !micro_run()->done)
		return found(BAD, xstrdup("no: not even the micro guest runs"), "see the row above");
	return found(GOOD, xstrdup("run here"), NULL);
}

static char *module_parameter(const char *module, const char *name)
{
	char *path = xasprintf("/sys/module/%s/parameters/%s", module, name), *v = file_read_line(path);

	free(path);
	return v;
}

/* A feature that either vendor's module has under a name of its own. */
struct feature {
	const char *amd, *amd_name, *intel, *intel_name;
	enum verdict off;
	const char *off_text, *off_todo, *unknown_todo;
};

static struct finding find_feature(const struct feature *f)
{
	char *amd = module_parameter("kvm_amd", f->amd), *intel = module_parameter("kvm_intel", f->intel);
	const char *v = intel, *name = f->intel_name;
	struct finding r;

	if (*amd) {
		v = amd;
		name = f->amd_name;
	}
	if (!*v)
		r = found(INFO, xstrdup("no kvm_amd or kvm_intel module"), f->unknown_todo);
	else if (*v == 'Y' || *v == '1')
		r = found(GOOD, xasprintf("on (%s)", name), NULL);
	else
		r = found(f->off, xstrdup(f->off_text), f->off_todo);
	free(amd);
	free(intel);
	return r;
}

struct finding find_nested_paging(void)
{
	static const struct feature f = {"npt", "NPT", "ept", "EPT", WARN, "off: shadow paging",
					 "reload kvm_amd with npt=1 or kvm_intel with ept=1", "the lab has it (NPT)"};

	return find_feature(&f);
}

struct finding find_avic(void)
{
	static const struct feature f = {"avic", "AVIC", "enable_apicv", "APICv", INFO,
					 "off: every interrupt is an exit",
					 "where the processor has it: kvm_amd avic=1 or kvm_intel enable_apicv=1", NULL};

	return find_feature(&f);
}

struct finding find_tracepoints(void)
{
	char *path = xasprintf("%s/events/kvm", tracing_dir());
	size_t n = count_entries(path);

	free(path);
	if (n)
		return found(GOOD, xasprintf("%zu events", n), NULL);
	if (geteuid())
		return found(WARN, xstrdup("tracefs is closed to this user"), "run as root");
	return found(WARN, xstrdup("tracefs is not mounted, or KVM has none"),
		     "mount -t tracefs nodev /sys/kernel/tracing (the probes work without it)");
}

struct finding find_kvm_exit(void)
{
	const struct micro_run *m = micro_run();

	if (m->kvm_exits > 0)
		return found(GOOD,
			     xasprintf("fires: %lld times while the micro guest ran",
				       (long long)m->kvm_exits),
			     NULL);
	if (!m->kvm_exits)
		return found(WARN, xstrdup("never fires on this back end"),
			     "kvm_pio, kvm_mmio and kvm_userspace_exit are used instead; the lab has kvm_exit");
	return found(INFO, xstrdup("not tried: needs a micro guest and perf events"), "run as root");
}
