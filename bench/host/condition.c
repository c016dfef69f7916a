// SPDX-License-Identifier: MIT
#include "bench/host/condition.h"

#include <errno.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/rng.h"

#define PERIOD_US         10000 /* short, so that the half that is missing is spread evenly */
#define CALIBRATION_STEPS 200000
#define CALIBRATION_TRIES 5

/* Where CPU time is shared out: a mounted hierarchy of control groups of either version. */
struct controller {
	char *dir; /* NULL: there is none */
	bool v2;
};

static bool list_names_cpu(const char *list, const char *separators)
{
	char *copy = xstrdup(list), *save;
	bool found = false;

	for (char *w = strtok_r(copy, separators, &save); w && !found; w = strtok_r(NULL, separators, &save))
		found = !strcmp(w, "cpu");
	free(copy);
	return found;
}

static bool mount_shares_cpu(const struct mntent *m)
{
	char *name, *list;
	bool shares;

	if (!strcmp(m->mnt_type, "cgroup"))
		return hasmntopt(m, "cpu");
	if (strcmp(m->mnt_type, "cgroup2"))
		return false;
	/* What the root hands down; it has more than that. */
	name = xasprintf("%s/cgroup.subtree_control", m->mnt_dir);
	list = file_read_line(name);
	shares = list_names_cpu(list, " ");
	free(list);
	free(name);
	return shares;
}

static struct controller find_controller(void)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct controller c = {NULL, false};
	struct mntent *m;

	if (!f)
		return c;
	while (!c.dir && (m = getmntent(f)))
		if (mount_shares_cpu(m))
			c = (struct controller){xstrdup(m->mnt_dir), !strcmp(m->mnt_type, "cgroup2")};
	endmntent(f);
	return c;
}

/* The group that we are in, by a line "NUMBER:CONTROLLERS:PATH". NULL: another controller's. Caller frees. */
static char *line_group(char *line, const struct controller *c)
{
	char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;

	if (!path)
		return NULL;
	*path++ = '\0';
	path[strcspn(path, "\n")] = '\0';
	list++;
	if (c->v2 ? *list : !list_names_cpu(list, ","))
		return NULL;
	return xasprintf("%s%s/cgroup.procs", c->dir, path);
}

static char *own_group(const struct controller *c)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[512], *group = NULL;

	while (f && !group && fgets(line, sizeof(line), f))
		group = line_group(line, c);
	if (f)
		fclose(f);
	return group;
}

static int write_in(const char *dir, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	int err = file_write(path, text);

	if (err)
		log_error("%s: %s", path, strerror(-err));
	free(path);
	return err;
}

static int set_quota(const char *group, bool v2, unsigned quota_us)
{
	char text[48];
	int err;

	snprintf(text, sizeof(text), "%u %u", quota_us, PERIOD_US);
	if (v2)
		return write_in(group, "cpu.max", text);
	snprintf(text, sizeof(text), "%u", PERIOD_US);
	err = write_in(group, "cpu.cfs_period_us", text);
	if (err)
		return err;
	snprintf(text, sizeof(text), "%u", quota_us);
	return write_in(group, "cpu.cfs_quota_us", text);
}

static int enter_group(struct condition *c, const struct controller *cpu, const char *group)
{
	char self[16];
	int err = journal_open(&c->journal);

	if (err)
		return err;
	err = journal_mkdir(c->journal, group);
	if (err)
		return err;
	err = set_quota(group, cpu->v2, (unsigned)CPU_COUNT(&c->cpus) * PERIOD_US / 2);
	if (err)
		return err;
	snprintf(self, sizeof(self), "%d", getpid());
	return write_in(group, "cgroup.procs", self);
}

/* Half of the time of the CPUs that we may use. */
static int begin_slow(struct condition *c)
{
	struct controller cpu = find_controller();
	char *group;
	int err;

	if (!cpu.dir) {
		log_error("condition slow: no control group here shares out CPU time (cgroup2 with cpu, or cgroup's cpu)");
		return -ENOTSUP;
	}
	c->home = own_group(&cpu);
	group = xasprintf("%s/exitlab-slow-%d", cpu.dir, getpid());
	err = c->home ? enter_group(c, &cpu, group) : -ENOENT;
	free(group);
	free(cpu.dir);
	return err;
}

static unsigned last_cpu(const cpu_set_t *set)
{
	unsigned last = 0;

	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, set))
			last = i;
	return last;
}

static void stay_on(unsigned cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/* The last CPU is shared with a process that never sleeps. */
static int begin_busy(struct condition *c)
{
	pid_t parent = getpid();

	c->hog = fork();
	if (c->hog < 0) {
		c->hog = 0;
		return -errno;
	}
	if (c->hog)
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "exitlab-busy");
	stay_on(last_cpu(&c->cpus));
	while (getppid() == parent)
		condition_calibrate();
	_exit(0);
}

static int begin_one_core(struct condition *c)
{
	stay_on(last_cpu(&c->cpus));
	c->fewer = true;
	return 0;
}

static const struct {
	const char *name;
	int (*begin)(struct condition *c);
} conditions[] = {
	{"free", NULL},
	{"slow", begin_slow},
	{"busy", begin_busy},
	{"one-core", begin_one_core},
};

int condition_begin(struct condition *c, const char *name)
{
	size_t i = 0;
	int err = 0;

	*c = (struct condition){.hog = 0};
	sched_getaffinity(0, sizeof(c->cpus), &c->cpus);
	while (i < ARRAY_SIZE(conditions) && strcmp(conditions[i].name, text_or(name, "free")))
		i++;
	if (i == ARRAY_SIZE(conditions)) {
		log_error("no condition \"%s\"; there are free, slow, busy and one-core", name);
		return -EINVAL;
	}
	if (conditions[i].begin)
		err = conditions[i].begin(c);
	if (err)
		condition_end(c);
	return err;
}

void condition_end(struct condition *c)
{
	char self[16];

	if (c->hog) {
		kill(c->hog, SIGKILL);
		waitpid(c->hog, NULL, 0);
	}
	if (c->fewer)
		sched_setaffinity(0, sizeof(c->cpus), &c->cpus);
	snprintf(self, sizeof(self), "%d", getpid());
	if (c->home)
		file_write(c->home, self);
	free(c->home);
	if (c->journal)
		journal_close(c->journal);
	*c = (struct condition){.hog = 0};
}

static uint64_t thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t condition_calibrate(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < CALIBRATION_TRIES; i++) {
		uint64_t start = thread_ns(), sum = 0;
		struct rng r;

		rng_seed(&r, 1);
		for (unsigned k = 0; k < CALIBRATION_STEPS; k++)
			sum += rng_next(&r);
		least = MIN(least, thread_ns() - start + !sum);
	}
	return least;
}
