// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <perfmon/pfmlib.h>
#include <perfmon/pfmlib_perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/number.h"
#include "base/opts.h"
#include "base/strlist.h"
#include "probes/counters.h"

struct counter {
	char event[136];
	pid_t tid;
	int fd, group;
};

struct counters {
	struct counter *counter;
	size_t n;
};

/* ---- the list ---- */

static int modifiers(const char *m, size_t len, struct counter_spec *out)
{
	for (size_t i = 0; i < len; i++) {
		switch (m[i]) {
		case 'u':
			out->user = true;
			break;
		case 'k':
			out->kernel = true;
			break;
		case 'G':
			out->guest = true;
			break;
		case 'H':
		case 'h':
			out->host = true;
			break;
		default:
			return -EINVAL;
		}
	}
	return 0;
}

/*
 * The last :part is a list of modifiers if it is made of them only; else it belongs to the name (a unit
 * mask).
 */
static void split_modifiers(struct counter_spec *out)
{
	char *colon = strrchr(out->name, ':');
	struct counter_spec tried = *out;

	if (!colon || !colon[1] || modifiers(colon + 1, strlen(colon + 1), &tried))
		return;
	*out = tried;
	out->name[colon - out->name] = '\0';
}

int counter_spec_next(const char **list, int *group, struct counter_spec *out)
{
	const char *s = *list;
	bool closes;
	size_t len;

	*out = (struct counter_spec){.group = 0};
	s += strspn(s, ", ");
	if (!*s)
		return 0;
	if (*s == '{') {
		*group = abs(*group) + 1;
		s++;
	}
	len = strcspn(s, ",}");
	if (!len || len >= sizeof(out->name) || memchr(s, '{', len)) {
		log_error("counters: cannot read \"%s\"; expected EVENT[:ukGH],... with groups in {}", *list);
		return -EINVAL;
	}
	memcpy(out->name, s, len);
	out->group = MAX(*group, 0);
	closes = s[len] == '}';
	if (closes)
		*group = -*group;
	*list = s + len + closes;
	split_modifiers(out);
	return 1;
}

/* ---- names ---- */

static int start_library(void)
{
	static bool started;

	if (!started && pfm_initialize() != PFM_SUCCESS)
		return -EOPNOTSUPP;
	started = true;
	return 0;
}

static void each_event(void (*fn)(const pfm_pmu_info_t *, const pfm_event_info_t *, void *), void *ctx)
{
	for (int pmu = 0; pmu < PFM_PMU_MAX; pmu++) {
		pfm_pmu_info_t info = {.size = sizeof(info)};

		if (pfm_get_pmu_info((pfm_pmu_t)pmu, &info) != PFM_SUCCESS || !info.is_present)
			continue;
		for (int i = info.first_event; i != -1; i = pfm_get_event_next(i)) {
			pfm_event_info_t ev = {.size = sizeof(ev)};

			if (pfm_get_event_info(i, PFM_OS_PERF_EVENT_EXT, &ev) == PFM_SUCCESS)
				fn(&info, &ev, ctx);
		}
	}
}

static void lower(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

static void collect_name(const pfm_pmu_info_t *pmu, const pfm_event_info_t *ev, void *ctx)
{
	struct strlist *l = ctx;

	(void)pmu;
	strlist_add(l, ev->name);
	lower(l->v[l->n - 1]);
}

static void unknown_event(const char *name, int code)
{
	struct strlist l = STRLIST_INIT;
	char wanted[128];
	const char *near = NULL;

	snprintf(wanted, sizeof(wanted), "%s", name);
	lower(wanted);
	each_event(collect_name, &l);
	if (l.n)
		near = opts_nearest(wanted, (const char *const *)l.v);
	if (near)
		log_error("counters: no event %s (%s); did you mean %s?", name, pfm_strerror(code), near);
	else
		log_error(
			"counters: no event %s (%s); `bench list counters` shows what this machine has",
			name, pfm_strerror(code));
	strlist_free(&l);
}

static void print_event(const pfm_pmu_info_t *pmu, const pfm_event_info_t *ev, void *out)
{
	char name[128];

	snprintf(name, sizeof(name), "%s", ev->name);
	lower(name);
	fprintf(out, "%-12s %-36s %.80s\n", pmu->name, name, text_or(ev->desc, ""));
}

void counters_list(FILE *out)
{
	if (!start_library())
		each_event(print_event, out);
}

/* ---- opening ---- */

static int encode(const struct counter_spec *s, struct perf_event_attr *attr)
{
	pfm_perf_encode_arg_t arg = {.attr = attr, .size = sizeof(arg)};
	int err;

	memset(attr, 0, sizeof(*attr));
	attr->size = sizeof(*attr);
	err = pfm_get_os_event_encoding(s->name, PFM_PLM0 | PFM_PLM3, PFM_OS_PERF_EVENT_EXT, &arg);
	if (err != PFM_SUCCESS) {
		unknown_event(s->name, err);
		return -EINVAL;
	}
	attr->inherit = 1;
	attr->read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
	attr->exclude_user = s->kernel && !s->user;
	attr->exclude_kernel = attr->exclude_hv = s->user && !s->kernel;
	attr->exclude_host = s->guest && !s->host;
	attr->exclude_guest = s->host && !s->guest;
	return 0;
}

static void full_name(const struct counter_spec *s, char *buf, size_t size)
{
	bool any = s->user || s->kernel || s->guest || s->host;

	snprintf(buf, size, "%s%s%s%s%s%s", s->name, text_if(any, ":"), text_if(s->user, "u"),
		 text_if(s->kernel, "k"), text_if(s->guest, "G"), text_if(s->host, "H"));
}

/* Of the same group on the same thread, or -1. */
static int leader(const struct counters *c, int group, pid_t tid)
{
	for (size_t i = 0; group && i < c->n; i++)
		if (c->counter[i].group == group && c->counter[i].tid == tid)
			return c->counter[i].fd;
	return -1;
}

/* 0, 1 when the machine cannot count it, -errno. */
static int open_one(struct counters *c, const struct counter_spec *s, struct perf_event_attr *attr, pid_t tid)
{
	int fd = perf_event_open(attr, tid, -1, leader(c, s->group, tid), PERF_FLAG_FD_CLOEXEC);
	struct counter *n;

	if (fd < 0 && (errno == ENOENT || errno == EOPNOTSUPP || errno == ENODEV))
		return 1;
	if (fd < 0 && errno == ESRCH)
		return 0;
	if (fd < 0) {
		log_error("counters: %s: %s; run as root or set kernel.perf_event_paranoid to 1",
			  s->name, strerror(errno));
		return -errno;
	}
	c->counter = xgrow(c->counter, c->n, sizeof(*c->counter));
	n = &c->counter[c->n++];
	*n = (struct counter){.tid = tid, .fd = fd, .group = s->group};
	full_name(s, n->event, sizeof(n->event));
	return 0;
}

static int open_threads(struct counters *c, const struct counter_spec *s, pid_t pid)
{
	struct perf_event_attr attr;
	int err = encode(s, &attr);
	struct dirent *e;
	char path[64];
	DIR *d;

	if (err)
		return err;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (!err && d && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]))
			err = open_one(c, s, &attr, atoi(e->d_name));
	if (d)
		closedir(d);
	return err;
}

int counters_open(struct counters **out, const char *list, pid_t pid)
{
	struct counters *c = xcalloc(1, sizeof(*c));
	bool said = false;
	struct counter_spec s;
	int err = start_library(), group = 0, more;

	*out = NULL;
	if (err)
		log_error("counters: libpfm4 does not work on this machine");
	else if (pid <= 0) {
		log_error("counters: they count one process; choose it with --pid or --name");
		err = -EINVAL;
	}
	while (!err && (more = counter_spec_next(&list, &group, &s))) {
		err = more;
		if (more > 0)
			err = open_threads(c, &s, pid);
		if (err == 1 && !said)
			log_warn(
				"counters: this machine cannot count %s (no PMU, or not in this mode); software events work",
				s.name);
		said |= err == 1;
		err = MIN(err, 0);
	}
	if (err) {
		counters_close(c);
		return err;
	}
	*out = c;
	return 0;
}

void counters_close(struct counters *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		close(c->counter[i].fd);
	free(c->counter);
	free(c);
}

json_t *counters_to_json(struct counters *c)
{
	json_t *out = json_array();

	for (size_t i = 0; c && i < c->n; i++) {
		struct {
			uint64_t value, enabled, running;
		} v;
		double share;

		if (read(c->counter[i].fd, &v, sizeof(v)) != sizeof(v))
			continue;
		/* Never on the PMU: there is no number to give. */
		if (v.enabled && !v.running)
			continue;
		share = ratio_or((double)v.running, (double)v.enabled, 0);
		json_array_append_new(out, json_pack("{s:s,s:i,s:I,s:f}", "event", c->counter[i].event, "tid",
						     (int)c->counter[i].tid, "count",
						     (json_int_t)ratio_or((double)v.value, share, 0),
						     "scale", share));
	}
	return out;
}
