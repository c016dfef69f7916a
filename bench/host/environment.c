// SPDX-License-Identifier: MIT
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "bench/host/condition.h"
#include "bench/host/environment.h"
#include "bench/host/programs.h"
#include "results/record.h"
#include "version.h"

#define JITTER_PROBES   20
#define JITTER_SLEEP_NS (200 * NSEC_PER_USEC)
#define JITTER_LIMIT_NS (20 * NSEC_PER_MSEC)
#define STEAL_LIMIT_PCT 2.0

/* "model name	: X" of the first processor. */
static char *cpuinfo_value(const char *key)
{
	struct strbuf sb = STRBUF_INIT;
	char *found = NULL, *at;

	if (!file_read("/proc/cpuinfo", &sb) && (at = strstr(sb.buf, key)) && (at = strchr(at, ':'))) {
		at += 1 + (at[1] == ' ');
		found = xasprintf("%.*s", (int)strcspn(at, "\n"), at);
	}
	strbuf_free(&sb);
	if (found)
		return found;
	return xstrdup("unknown");
}

static void add_line(json_t *env, const char *name, char *value)
{
	json_object_set_new(env, name, *value ? json_string(value) : json_null());
	free(value);
}

char *environment_machine(void)
{
	const char *given = getenv("EXITLAB_MACHINE");
	struct utsname u;
	char *machine;

	uname(&u);
	if (!text_or(given, NULL) && (!strcmp(u.nodename, "(none)") || !strcmp(u.nodename, "localhost")))
		return xstrdup("");
	machine = xasprintf("%.63s", text_or(given, u.nodename));
	str_one_line(machine);
	return machine;
}

#define KEY(name) MEMBER_KEY(struct record_environment, name)

json_t *environment_json(void)
{
	json_t *env = json_object();
	struct utsname u;
	char *version = qemu_version();

	uname(&u);
	add_line(env, KEY(machine), environment_machine());
	json_object_set_new(env, KEY(kernel), json_sprintf("%s %s", u.release, u.version));
	add_line(env, KEY(cpu), cpuinfo_value("model name"));
	add_line(env, KEY(microcode), cpuinfo_value("microcode"));
	json_object_set_new(env, KEY(cpus), json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_set_new(env, KEY(mem_bytes),
			    json_integer((json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)));
	add_line(env, KEY(governor), file_read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
	add_line(env, KEY(smt), file_read_line("/sys/devices/system/cpu/smt/control"));
	add_line(env, KEY(no_turbo), file_read_line("/sys/devices/system/cpu/intel_pstate/no_turbo"));
	add_line(env, KEY(command_line), file_read_line("/proc/cmdline"));
	add_line(env, KEY(clocksource), file_read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
	if (!version)
		version = xstrdup("");
	add_line(env, KEY(qemu), version);
	json_object_set_new(env, KEY(exitlab), json_string(EXITLAB_VERSION));
	json_object_set_new(env, KEY(calibration_ns), json_integer((json_int_t)condition_calibrate()));
	return env;
}

static void read_steal(struct noise *n)
{
	struct strbuf sb = STRBUF_INIT;
	unsigned long long v[8] = {0};

	if (!file_read("/proc/stat", &sb) &&
	    sscanf(sb.buf, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4],
		   &v[5], &v[6], &v[7]) == 8) {
		n->steal_ticks = v[7];
		for (size_t i = 0; i < ARRAY_SIZE(v); i++)
			n->total_ticks += v[i];
	}
	strbuf_free(&sb);
}

void noise_read(struct noise *n)
{
	*n = (struct noise){0};
	read_steal(n);
	for (int i = 0; i < JITTER_PROBES; i++) {
		uint64_t t = clock_ns();

		clock_sleep_ns(JITTER_SLEEP_NS);
		t = clock_ns() - t - JITTER_SLEEP_NS;
		n->jitter_ns = MAX(n->jitter_ns, t);
	}
}

json_t *noise_json(const struct noise *before, const struct noise *after, json_t *tags)
{
	double total = (double)(after->total_ticks - before->total_ticks);
	double steal = 100 * (double)(after->steal_ticks - before->steal_ticks) / MAX(total, 1);
	uint64_t jitter = MAX(before->jitter_ns, after->jitter_ns);
	struct record_noise noise;

	if (steal > STEAL_LIMIT_PCT)
		json_array_append_new(tags, json_sprintf("noisy: %.1f %% steal", steal));
	if (jitter > JITTER_LIMIT_NS)
		json_array_append_new(tags, json_sprintf("noisy: a 200 us sleep took %.1f ms longer",
							 (double)jitter / 1e6));
	noise = (struct record_noise){.steal_pct = steal, .jitter_ns = (int64_t)jitter};
	return members_write(&noise_members, &noise);
}
