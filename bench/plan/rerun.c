// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/strbuf.h"
#include "bench/host/paths.h"
#include "bench/modes/mode.h"
#include "bench/plan/rerun.h"
#include "bench/plan/run_args.h"
#include "results/record.h"
#include "workloads/job.h"

#define RUN_TIMEOUT_NS (12 * 3600 * NSEC_PER_SEC) /* a plan has its own, tighter ones */

static void add_option(struct strlist *w, const char *name, const char *value)
{
	if (*value)
		strlist_addf(w, "--%s=%s", name, value);
}

/* Adds an option as it was typed. */
static void add_given(struct strlist *w, const char *name, const json_t *given)
{
	if (json_is_true(given))
		strlist_addf(w, "--%s", name);
	else if (json_is_string(given))
		add_option(w, name, json_string_value(given));
}

/* The value is the default anyway: the option need not be given. */
static bool is_plain(const char *name, const char *value)
{
	static const char *const plain[][2] = {
		{"kernel", "default"}, {"pin", "auto"}, {"tool", "engine"}, {"topology", "local"}};

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (!strcmp(plain[i][0], name) && !strcmp(plain[i][1], value))
			return true;
	return false;
}

/* What held without being typed: a default that may be another one now, what the rest of the plan brought. */
static void add_held(struct strlist *w, const struct opt *o, const json_t *param)
{
	const char *unit = text_if(o->type == OPT_DURATION, "ns");

	if (json_is_true(param))
		strlist_addf(w, "--%s", o->name);
	else if (json_integer_value(param))
		strlist_addf(w, "--%s=%lld%s", o->name, (long long)json_integer_value(param), unit);
	else if (json_is_string(param) && !is_plain(o->name, json_string_value(param)))
		add_option(w, o->name, json_string_value(param));
}

/* A function of a card brings the wire with it, and so does a peer; other modes had it beside them. */
static bool brings_wire(const struct record *r)
{
	const struct mode *m = mode_find(r->mode, MODE_NET);

	return (m && m->front == FRONT_VFIO) || *record_str(r->params, "peer");
}

/* Another option says it already: fixed work replaces the window, the mode implies the topology. */
static bool is_said(const struct record *r, const char *name)
{
	if (!strcmp(name, "duration"))
		return json_integer_value(json_object_get(r->params, "work"));
	if (!strcmp(name, "topology"))
		return brings_wire(r);
	return false;
}

/* The traffic generator stands among the knobs as a key of the job, too. */
static bool is_set(const struct record *r, const char *name)
{
	return job_key_find(name) && json_object_get(r->knobs, name);
}

/* Beside the cell: what was given, in records without options{} and for defaults what held. */
static void add_options(struct strlist *w, const struct record *r)
{
	for (size_t i = 0; run_options[i].name; i++) {
		const struct run_option *o = &run_options[i];
		const json_t *given = json_object_get(r->options, o->name);

		if (!(o->roles & RUN_REPLAY) || is_set(r, o->name))
			continue;
		if (given)
			add_given(w, o->name, given);
		else if (!is_said(r, o->name))
			add_held(w, &run_opts[i], json_object_get(r->params, o->param));
	}
}

/* "host", "lab", or "lab-" and the machine's name. */
static void add_substrate(struct strlist *w, const char *substrate)
{
	if (!strncmp(substrate, "lab-", 4))
		add_option(w, "lab", substrate + 4);
	else
		add_option(w, "on", substrate);
}

struct strlist rerun_argv(const json_t *rec, uint64_t reps, const char *store)
{
	struct record r = record_of(rec);
	struct strlist w = STRLIST_INIT;
	const char *name;
	json_t *v;

	strlist_add(&w, path_self());
	strlist_add(&w, "run");
	strlist_add(&w, r.workload);
	add_option(&w, "mode", r.mode);
	add_option(&w, "vmm", r.vmm);
	if (strcmp(r.guest, "none") != 0)
		add_option(&w, "guest", r.guest);
	add_substrate(&w, r.substrate);
	if (!strcmp(r.time_base, "virtual"))
		strlist_add(&w, "--deterministic");
	json_object_foreach (r.knobs, name, v)
		if (json_is_string(v))
			strlist_addf(&w, "--set=%s=%s", name, json_string_value(v));
	add_options(&w, &r);
	strlist_addf(&w, "--reps=%zu", (size_t)or_usual(reps, json_array_size(r.samples)));
	add_option(&w, "store", text_or(store, ""));
	strlist_add(&w, "--json");
	return w;
}

static void leave_it_to_the_child(int sig)
{
	(void)sig;
}

json_t *rerun_take(char **argv)
{
	/* Ctrl-C reaches the child too, which ends cleanly and keeps its finished boots; were we to
	 * die, so would it. */
	struct sigaction wait = {.sa_handler = leave_it_to_the_child}, old;
	struct strbuf out = STRBUF_INIT;
	json_t *rec = NULL;
	json_error_t e;
	int status;

	sigaction(SIGINT, &wait, &old);
	status = proc_run(argv, &out, RUN_TIMEOUT_NS);
	sigaction(SIGINT, &old, NULL);

	if (status < 0) {
		log_error("bench run: %s", strerror(-status));
	} else {
		/* Status 1 still has a record: a boot or a check failed, and it says which. */
		rec = json_loads(strbuf_str(&out), 0, &e);
		if (!rec)
			log_error("bench run %s ended with status %d and no record; its messages "
				  "are above",
				  argv[2], status);
		else if (record_validate(rec, "bench run")) {
			json_decref(rec);
			rec = NULL;
		}
	}
	strbuf_free(&out);
	return rec;
}
