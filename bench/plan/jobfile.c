// SPDX-License-Identifier: MIT
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/strbuf.h"
#include "bench/host/paths.h"
#include "bench/modes/knobs.h"
#include "bench/plan/jobfile.h"
#include "bench/plan/run_args.h"

#define JOB_TIMEOUT_NS (24 * 3600 * NSEC_PER_SEC) /* `bench run` has its own, tighter ones */

struct pair {
	char *key, *value;
};

struct section {
	char *name;
	struct pair *v;
	size_t n;
};

struct parsed {
	const char *path;
	struct section *v;
	size_t n;
	int err;
};

/* Keys that are called otherwise than the option of `bench run`. */
static const struct {
	const char *key, *option;
} aliases[] = {{"guest_kernel", "kernel"}, {"probes", "no-probes"}};

static struct section *section_of(struct parsed *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->v[i].name, name))
			return &p->v[i];
	p->v = xgrow(p->v, p->n, sizeof(*p->v));
	p->v[p->n] = (struct section){.name = xstrdup(name)};
	return &p->v[p->n++];
}

static struct pair *find_pair(const struct section *s, const char *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->v[i].key, key))
			return &s->v[i];
	return NULL;
}

/* 1: go on. Debian builds inih without line numbers for handlers, so the section has to tell the
 * place. */
static int on_pair(void *user, const char *section, const char *key, const char *value)
{
	struct parsed *p = user;
	struct section *s;

	if (!*section) {
		log_error("%s: %s=%s stands before any [section]", p->path, key, value);
		p->err = -EINVAL;
		return 0;
	}
	s = section_of(p, section);
	if (find_pair(s, key)) {
		log_error("%s: [%s]: %s is there twice; a list is %s=a,b", p->path, section, key,
			  key);
		p->err = -EINVAL;
		return 0;
	}
	if (!*value) {
		log_error("%s: [%s]: %s has no value", p->path, section, key);
		p->err = -EINVAL;
		return 0;
	}
	s->v = xgrow(s->v, s->n, sizeof(*s->v));
	s->v[s->n++] = (struct pair){xstrdup(key), xstrdup(value)};
	return 1;
}

/* ---- experiments ---- */

/* "a, b" as the command line wants it. */
static char *without_blanks(const char *list)
{
	char *s = xstrdup(list), *to = s;

	for (const char *from = list; *from; from++)
		if (*from != ' ' && *from != '\t')
			*to++ = *from;
	*to = '\0';
	return s;
}

/* The option of `bench run` that a key stands for; NULL: it is a --set, as is a knob of an option's name. */
static const struct opt *option_of(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (!strcmp(aliases[i].key, key))
			return run_opt_find(aliases[i].option);
	if (knob_find(key))
		return NULL;
	return run_opt_find(key);
}

static int add_flag(struct job_experiment *e, const struct opt *o, const struct pair *p)
{
	bool on;

	if (parse_bool(p->value, &on))
		return -EINVAL;
	/* probes=off is --no-probes. */
	if (strcmp(p->key, o->name) && !strncmp(o->name, "no-", 3))
		on = !on;
	if (on)
		strlist_addf(&e->args, "--%s", o->name);
	return 0;
}

static int add_pair(struct job_experiment *e, const struct pair *p)
{
	const struct opt *o = option_of(p->key);
	char *value;

	if (!strcmp(p->key, "workload"))
		return 0;
	if (o && o->type == OPT_FLAG)
		return add_flag(e, o, p);
	value = without_blanks(p->value);
	if (o)
		strlist_addf(&e->args, "--%s=%s", o->name, value);
	else
		strlist_addf(&e->args, "--set=%s=%s", p->key, value);
	free(value);
	return 0;
}

/* The section's own keys, then the global ones it does not set itself. */
static int add_pairs(struct job_experiment *e, const struct parsed *p, const struct section *s,
		     const struct section *global)
{
	const struct section *const from[] = {s, global};

	for (size_t k = 0; k < ARRAY_SIZE(from); k++) {
		for (size_t i = 0; from[k] && i < from[k]->n; i++) {
			const struct pair *pair = &from[k]->v[i];

			if (k && find_pair(s, pair->key))
				continue;
			if (add_pair(e, pair)) {
				log_error("%s: [%s]: %s=%s: expected on or off", p->path,
					  from[k]->name, pair->key, pair->value);
				return -EINVAL;
			}
		}
	}
	return 0;
}

/* One experiment per workload: a plan has one. */
static int add_experiments(struct jobfile *f, const struct parsed *p, const struct section *s,
			   const struct section *global)
{
	const struct pair *w = find_pair(s, "workload");
	char *list, *save;
	bool several;
	int err = 0;

	if (!w && global)
		w = find_pair(global, "workload");
	if (!w) {
		log_error("%s: [%s]: workload= is missing; see bench list workloads", p->path,
			  s->name);
		return -EINVAL;
	}
	list = without_blanks(w->value);
	several = strchr(list, ',');
	for (char *name = strtok_r(list, ",", &save); name && !err;
	     name = strtok_r(NULL, ",", &save)) {
		struct job_experiment *e;

		f->v = xgrow(f->v, f->n, sizeof(*f->v));
		e = &f->v[f->n++];
		*e = (struct job_experiment){.name = NULL};
		if (several)
			e->name = xasprintf("%s/%s", s->name, name);
		else
			e->name = xstrdup(s->name);
		strlist_add(&e->args, name);
		err = add_pairs(e, p, s, global);
	}
	free(list);
	return err;
}

static int expand(struct jobfile *f, const struct parsed *p)
{
	const struct section *global = NULL;
	int err = 0;

	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->v[i].name, "global"))
			global = &p->v[i];
	for (size_t i = 0; i < p->n && !err; i++)
		if (&p->v[i] != global)
			err = add_experiments(f, p, &p->v[i], global);
	if (!err && !f->n) {
		log_error("%s: no experiment; add a [section] with workload=", p->path);
		err = -EINVAL;
	}
	return err;
}

static void parsed_free(struct parsed *p)
{
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < p->v[i].n; k++) {
			free(p->v[i].v[k].key);
			free(p->v[i].v[k].value);
		}
		free(p->v[i].v);
		free(p->v[i].name);
	}
	free(p->v);
}

int jobfile_read(struct jobfile *f, const char *path)
{
	struct parsed p = {.path = path};
	int line, err;

	*f = (struct jobfile){NULL, 0};
	errno = ENOENT; /* when it does not say why */
	line = ini_parse(path, on_pair, &p);
	if (line == -1) {
		err = -errno;
		log_error("%s: %s", path, strerror(-err));
	} else if (p.err) {
		err = p.err;
	} else if (line) {
		log_error("%s:%d: neither [section] nor key=value", path, line);
		err = -EINVAL;
	} else {
		err = expand(f, &p);
	}
	parsed_free(&p);
	if (err)
		jobfile_free(f);
	return err;
}

void jobfile_free(struct jobfile *f)
{
	for (size_t i = 0; i < f->n; i++) {
		strlist_free(&f->v[i].args);
		free(f->v[i].name);
	}
	free(f->v);
	*f = (struct jobfile){NULL, 0};
}

static bool is_reps(const char *word)
{
	return !strncmp(word, "--reps=", strlen("--reps="));
}

struct strlist job_command(const struct job_experiment *e, const struct job_how *how)
{
	struct strlist run = STRLIST_INIT;

	strlist_add(&run, path_self());
	strlist_add(&run, "run");
	for (size_t i = 0; i < e->args.n; i++)
		if (!how->reps || !is_reps(e->args.v[i]))
			strlist_add(&run, e->args.v[i]);
	if (how->reps)
		strlist_addf(&run, "--reps=%s", how->reps);
	if (how->store)
		strlist_addf(&run, "--store=%s", how->store);
	if (how->dry_run)
		strlist_add(&run, "--dry-run");
	return run;
}

int job_run(const struct job_experiment *e, const struct job_how *how)
{
	struct strlist run = job_command(e, how);
	struct strbuf shown = STRBUF_INIT;
	int status = proc_run(run.v, how->silent ? &shown : NULL, JOB_TIMEOUT_NS);

	if (status < 0) {
		log_error("[%s]: %s run: %s", e->name, run.v[0], strerror(-status));
		status = EXIT_CANNOT;
	}
	strbuf_free(&shown);
	strlist_free(&run);
	return status;
}
