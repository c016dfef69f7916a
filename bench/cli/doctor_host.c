// SPDX-License-Identifier: MIT
/* What of this host decides how steady and how deep its numbers are. */
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
#include "bench/host/environment.h"

#define NOISE_NS    (100 * NSEC_PER_MSEC)
#define JITTER_GOOD NSEC_PER_MSEC /* beyond a sleep of 200 us; a sample is tagged as noisy at 20 times that */

struct finding find_btf(void)
{
	if (file_exists("/sys/kernel/btf/vmlinux"))
		return found(GOOD, xstrdup("/sys/kernel/btf/vmlinux"), NULL);
	return found(BAD, xstrdup("no BTF"),
		     "a kernel with CONFIG_DEBUG_INFO_BTF=y; without it: --no-probes, or the lab");
}

struct finding find_numbers(void)
{
	if (proc_numbers_differ())
		return found(BAD, xstrdup("of a PID namespace of our own: the probes find no process"),
			     "start bench in the host's (--pid=host of a container), or --no-probes, or the lab");
	return found(GOOD, xstrdup("the kernel's own"), NULL);
}

struct finding find_pmu(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE, .size = sizeof(attr),
				       .config = PERF_COUNT_HW_CPU_CYCLES, .disabled = 1};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	int err = errno;

	if (fd >= 0) {
		close(fd);
		return found(GOOD, xstrdup("hardware events"), NULL);
	}
	if (err == EACCES || err == EPERM)
		return found(WARN, xstrdup("not allowed"), "run as root, or lower kernel.perf_event_paranoid");
	return found(INFO, xstrdup("none: software events only"),
		     "cycles and cache misses need bare metal, or a hypervisor that gives its guests a PMU");
}

struct finding find_governor(void)
{
	char *v = file_read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
	struct finding f;

	if (!*v)
		f = found(INFO, xstrdup("none: fixed, or set by a host above"), NULL);
	else if (strcmp(v, "performance") != 0)
		f = found(WARN, xstrdup(v), "for steadier times: cpupower frequency-set -g performance");
	else
		f = found(GOOD, xstrdup(v), NULL);
	free(v);
	return f;
}

struct finding find_smt(void)
{
	char *v = file_read_line("/sys/devices/system/cpu/smt/control");
	struct finding f;

	if (!strcmp(v, "on"))
		f = found(WARN, xstrdup("on: siblings disturb one another"),
			  "echo off >/sys/devices/system/cpu/smt/control");
	else if (!strcmp(v, "notsupported"))
		f = found(GOOD, xstrdup("none on this processor"), NULL);
	else if (*v)
		f = found(GOOD, xstrdup(v), NULL);
	else
		f = found(INFO, xstrdup("unknown"), NULL);
	free(v);
	return f;
}

/* "always [madvise] never" -> "madvise" */
static char *chosen_word(const char *line)
{
	const char *open = strchr(line, '['), *end = NULL;

	if (open)
		end = strchr(open, ']');
	if (!end)
		return xstrdup("none");
	return xasprintf("%.*s", (int)(end - open - 1), open + 1);
}

struct finding find_huge_pages(void)
{
	char *line = file_read_line("/sys/kernel/mm/transparent_hugepage/enabled"), *thp = chosen_word(line);
	uint64_t reserved = 0;
	char *what;
	bool off;

	file_read_u64("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", &reserved);
	off = !strcmp(thp, "never") || !strcmp(thp, "none");
	what = xasprintf("transparent: %s; set aside: %llu of 2 MiB", thp, (unsigned long long)reserved);
	free(line);
	free(thp);
	if (!off)
		return found(GOOD, what, NULL);
	return found(WARN, what,
		     "guest memory in small pages costs TLB misses: echo madvise "
		     ">/sys/kernel/mm/transparent_hugepage/enabled");
}

/* Noise is measured once, for the rows steal and jitter. */
static void noise_once(struct noise *before, struct noise *after)
{
	static struct noise a, b;

	if (!a.total_ticks) {
		noise_read(&a);
		clock_sleep_ns(NOISE_NS);
		noise_read(&b);
	}
	*before = a;
	*after = b;
}

struct finding find_steal(void)
{
	struct noise a, b;
	uint64_t stolen;

	noise_once(&a, &b);
	stolen = b.steal_ticks - a.steal_ticks;
	if (stolen)
		return found(WARN, xasprintf("%llu of %llu ticks in 0.1 s", (unsigned long long)stolen,
					     (unsigned long long)(b.total_ticks - a.total_ticks)),
			     "a host above takes time away: compare within one plan only, or use --deterministic");
	return found(GOOD, xstrdup("none in 0.1 s"), NULL);
}

struct finding find_jitter(void)
{
	struct noise a, b;
	uint64_t worst;
	char *what;

	noise_once(&a, &b);
	worst = MAX(a.jitter_ns, b.jitter_ns);
	what = xasprintf("a sleep of 200 us took up to %s longer", fmt_ns((double)worst));
	if (worst <= JITTER_GOOD)
		return found(GOOD, what, NULL);
	return found(WARN, what, "the machine is busy: times will be noisy; wait, or use --deterministic");
}
