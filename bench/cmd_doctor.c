// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/table.h"
#include "bench/bench.h"
#include "bench/doctor.h"
#include "bench/environment.h"
#include "bench/lab.h"
#include "bench/paths.h"
#include "bench/substrate.h"

struct doctor_args {
	bool json;
};

static const char *const verdict_word[] = {"ok", "warning", "missing", "-"};

struct finding found(enum verdict v, char *what, const char *todo)
{
	return (struct finding){v, what, todo ? xstrdup(todo) : NULL};
}

/* ---- one function a row ---- */

static struct finding find_kvm(void)
{
	enum kvm_backend b = host_kvm_backend();

	if (b == KVM_NONE)
		return found(BAD, xstrdup("no usable /dev/kvm"), "load kvm_intel or kvm_amd; until then everything runs in the lab");
	if (b == KVM_PVM)
		return found(WARN, xstrdup("pvm: no VT-x or AMD-V below it"),
			     "micro guests run here, Linux guests in the lab");
	return found(GOOD, xstrdup(kvm_backend_name(b)), NULL);
}

/* Not guessed: boots the micro guest with our VMM. */
static struct finding find_micro(void)
{
	static const char job[] = "workload=null";
	const char *vmm = path_find("vmm"), *micro = path_find("micro.elf");
	char *argv[] = {(char *)vmm, "--kernel",    (char *)micro, "--cmdline", (char *)job,
			"--console", "none",	    "--agent",	   "stdio",	"--mem",
			"32M",	     "--no-reboot", NULL};
	struct strbuf out = STRBUF_INIT;
	uint64_t start = clock_ns();
	int status;
	struct finding f;

	if (!vmm || !micro)
		return found(WARN, xstrdup("not tried: the VMM or the micro guest is not built"), "run make");
	status = proc_run(argv, &out, 20 * NSEC_PER_SEC);
	if (strstr(strbuf_str(&out), "exitlab done"))
		f = found(GOOD, xasprintf("booted and ended in %s", fmt_ns((double)(clock_ns() - start))),
			  NULL);
	else
		f = found(BAD, xasprintf("did not come up (status %d)", status),
			  "see build/vmm's message: run it by hand");
	strbuf_free(&out);
	return f;
}

static char *module_parameter(const char *module, const char *name)
{
	char *path = xasprintf("/sys/module/%s/parameters/%s", module, name), *v = file_read_line(path);

	free(path);
	return v;
}

static struct finding find_nested_paging(void)
{
	char *npt = module_parameter("kvm_amd", "npt"), *ept = module_parameter("kvm_intel", "ept");
	char *v = *npt ? npt : ept;
	struct finding f = !*v ? found(INFO, xstrdup("unknown: no kvm_amd or kvm_intel module"), NULL)
			   : *v == 'Y' || *v == '1'
				   ? found(GOOD, xasprintf("on (%s)", *npt ? "NPT" : "EPT"), NULL)
				   : found(WARN, xstrdup("off: shadow paging"),
					   "reload kvm_amd with npt=1 or kvm_intel with ept=1");

	free(npt);
	free(ept);
	return f;
}

static struct finding find_avic(void)
{
	char *avic = module_parameter("kvm_amd", "avic"),
	     *apicv = module_parameter("kvm_intel", "enable_apicv");
	char *v = *avic ? avic : apicv;
	struct finding f = !*v ? found(INFO, xstrdup("unknown"), NULL)
			   : *v == 'Y' || *v == '1'
				   ? found(GOOD, xstrdup(*avic ? "AVIC on" : "APICv on"), NULL)
				   : found(INFO, xstrdup("off: every interrupt is an exit"), NULL);

	free(avic);
	free(apicv);
	return f;
}

static struct finding device_file(const char *path, const char *todo)
{
	if (!access(path, R_OK | W_OK))
		return found(GOOD, xstrdup(path), NULL);
	return found(errno == EACCES ? WARN : BAD, xasprintf("%s: %s", path, strerror(errno)),
		     errno == EACCES ? "run as root, or add yourself to its group" : todo);
}

static struct finding find_tap(void)
{
	return device_file("/dev/net/tun", "modprobe tun; until then net modes run in the lab");
}

static struct finding find_vhost(void)
{
	return device_file("/dev/vhost-net", "modprobe vhost_net; until then mode vhost runs in the lab");
}

size_t count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static struct finding find_btf(void)
{
	if (file_exists("/sys/kernel/btf/vmlinux"))
		return found(GOOD, xstrdup("/sys/kernel/btf/vmlinux"), NULL);
	return found(BAD, xstrdup("no BTF"), "a kernel with CONFIG_DEBUG_INFO_BTF=y; without it: --no-probes, or the lab");
}

static const char *tracing_dir(void)
{
	return file_exists("/sys/kernel/tracing/events") ? "/sys/kernel/tracing"
							 : "/sys/kernel/debug/tracing";
}

static struct finding find_tracepoints(void)
{
	char *path = xasprintf("%s/events/kvm", tracing_dir());
	size_t n = count_entries(path);

	free(path);
	if (n)
		return found(GOOD, xasprintf("%zu events", n), NULL);
	return found(WARN, xstrdup("tracefs is not mounted, or KVM has none"), "mount -t tracefs nodev /sys/kernel/tracing (probes work without it)");
}

static struct finding find_kvm_exit(void)
{
	switch (host_kvm_backend()) {
	case KVM_NONE:
		return found(INFO, xstrdup("no KVM"), NULL);
	case KVM_PVM:
		return found(WARN, xstrdup("this back end emits none"), "what it does emit is used: kvm_pio, kvm_mmio, kvm_userspace_exit");
	default:
		return found(GOOD, xstrdup("emitted by kvm_amd and kvm_intel"), NULL);
	}
}

static struct finding find_pmu(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_HW_CPU_CYCLES,
				       .disabled = 1};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	int err = errno;

	if (fd >= 0) {
		close(fd);
		return found(GOOD, xstrdup("hardware events"), NULL);
	}
	if (err == EACCES)
		return found(WARN, xstrdup("not allowed"), "run as root, or lower kernel.perf_event_paranoid");
	return found(INFO, xstrdup("none: software events only"), NULL);
}

static struct finding find_governor(void)
{
	char *v = file_read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
	struct finding f =
		!*v ? found(INFO, xstrdup("none (fixed, or set by a host above)"), NULL)
		: strcmp(v, "performance")
			? found(WARN, xstrdup(v), "for steadier times: cpupower frequency-set -g performance")
			: found(GOOD, xstrdup(v), NULL);

	free(v);
	return f;
}

static struct finding find_smt(void)
{
	char *v = file_read_line("/sys/devices/system/cpu/smt/control");
	struct finding f =
		!strcmp(v, "on")
			? found(WARN, xstrdup("on"),
				"siblings disturb one another: echo off > /sys/devices/system/cpu/smt/control")
			: found(GOOD, xstrdup(*v ? v : "unknown"), NULL);

	free(v);
	return f;
}

static struct finding find_huge_pages(void)
{
	char *v = file_read_line("/sys/kernel/mm/transparent_hugepage/enabled");
	struct finding f = found(INFO, xasprintf("transparent: %s", *v ? v : "none"), NULL);

	free(v);
	return f;
}

static struct finding find_noise(void)
{
	struct noise a, b;

	noise_read(&a);
	clock_sleep_ns(100 * NSEC_PER_MSEC);
	noise_read(&b);
	if (b.steal_ticks > a.steal_ticks)
		return found(WARN,
			     xasprintf("%llu of %llu ticks stolen in 0.1 s",
				       (unsigned long long)(b.steal_ticks - a.steal_ticks),
				       (unsigned long long)(b.total_ticks - a.total_ticks)),
			     "a shared machine: compare within one plan only");
	return found(GOOD,
		     xasprintf("worst oversleep of 200 us: %s",
			       fmt_ns((double)MAX(a.jitter_ns, b.jitter_ns))),
		     NULL);
}

static struct finding find_lab(void)
{
	char *version = NULL, *why = lab_inside() ? xstrdup("we are inside one") : lab_missing(&version);
	struct finding f = why ? found(lab_inside() ? INFO : BAD, xstrdup(why), NULL)
			       : found(GOOD, xasprintf("QEMU %s, kernel in %s", version, path_cache()), NULL);

	free(why);
	free(version);
	return f;
}

static const struct {
	const char *name, *topic;
	struct finding (*find)(void);
} rows[] = {
	{"kvm", "KVM back end", find_kvm},
	{"micro_guest", "micro guest", find_micro},
	{"nested_paging", "nested paging", find_nested_paging},
	{"avic", "AVIC / APICv", find_avic},
	{"tap", "TAP", find_tap},
	{"vhost_net", "vhost-net", find_vhost},
	{"iommu", "IOMMU", find_iommu},
	{"interrupt_remapping", "interrupt remapping", find_remapping},
	{"sriov", "SR-IOV cards", find_sriov},
	{"iommu_groups", "IOMMU groups", find_groups},
	{"acs", "ACS", find_acs},
	{"reset", "reset methods", find_reset},
	{"assignment", "device assignment", find_assignment},
	{"btf", "BTF", find_btf},
	{"tracepoints", "kvm tracepoints", find_tracepoints},
	{"kvm_exit", "kvm_exit", find_kvm_exit},
	{"pmu", "PMU", find_pmu},
	{"governor", "governor", find_governor},
	{"smt", "SMT", find_smt},
	{"huge_pages", "huge pages", find_huge_pages},
	{"noise", "noise", find_noise},
	{"lab", "lab", find_lab},
};

static void print_json(const struct finding *f)
{
	json_t *out = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		json_object_set_new(out, rows[i].name,
				    json_pack("{s:s, s:s, s:s?}", "verdict", verdict_word[f[i].verdict],
					      "found", f[i].what, "todo", f[i].todo));
	json_dumpf(out, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(out);
}

static void print_table(const struct finding *f)
{
	struct table *t = table_new(4, "topic:", "state:", "found:", "what to do:");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		table_cell(t, "%s", rows[i].topic);
		table_cell(t, "%s", verdict_word[f[i].verdict]);
		table_cell(t, "%s", f[i].what);
		table_cell(t, "%s", f[i].todo ? f[i].todo : "");
	}
	table_print(t, stdout);
}

static int doctor_main(int argc, char **argv)
{
	struct doctor_args a = {0};
	struct finding f[ARRAY_SIZE(rows)];
	int status;

	if (!bench_parse(&cmd_doctor, &argc, argv, &a, &status))
		return status;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		f[i] = rows[i].find();
	if (a.json)
		print_json(f);
	else
		print_table(f);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		free(f[i].what);
		free(f[i].todo);
	}
	return EXIT_OK;
}

static const struct opt doctor_opts[] = {
	{"json", 'j', OPT_FLAG, offsetof(struct doctor_args, json), NULL, "as JSON"},
	OPT_END,
};

const struct command cmd_doctor = {
	.name = "doctor",
	.summary = "what this host and its lab can measure, and what to change",
	.examples = "bench doctor\nbench doctor --json\nbench lab exec -- bench doctor",
	.opts = doctor_opts,
	.run = doctor_main,
};
