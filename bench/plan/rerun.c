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
#include "bench/plan/rerun.h"
#include "results/record.h"

#define RUN_TIMEOUT_NS (12 * 3600 * NSEC_PER_SEC) /* a plan has its own, tighter ones */

static void add_option(struct strlist *w, const char *name, const char *value)
{
	if (*value)
		strlist_addf(w, "--%s=%s", name, value);
}

/* A value that is the default is left out: the command says what was chosen. */
static void add_words(struct strlist *w, const json_t *params, const char *mode)
{
	static const struct {
		const char *param, *option, *standard;
	} words[] = {{"kernel", "kernel", "default"}, {"nic", "nic", ""},     {"vf", "vf", ""},
		     {"peer", "peer", ""},	      {"pin", "pin", "auto"}};
	static const struct {
		const char *param, *option;
	} flags[] = {{"ipv6", "--ipv6"},
		     {"tune", "--tune"},
		     {"no_probes", "--no-probes"},
		     {"unsafe_interrupts", "--allow-unsafe-interrupts"}};
	const char *topology = record_str(params, "topology");

	/* Mode sriov brings the wire with it, and so does a peer; the others had it beside them. */
	if (!strcmp(topology, "wire") && strcmp(mode, "sriov") != 0 && !*record_str(params, "peer"))
		add_option(w, "topology", topology);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(record_str(params, words[i].param), words[i].standard) != 0)
			add_option(w, words[i].option, record_str(params, words[i].param));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (json_is_true(json_object_get(params, flags[i].param)))
			strlist_add(w, flags[i].option);
}

static void add_params(struct strlist *w, const json_t *params, const json_t *knobs)
{
	json_int_t duration = json_integer_value(json_object_get(params, "duration_ns"));
	json_int_t work = json_integer_value(json_object_get(params, "work"));
	const char *tool = record_str(params, "tool");

	if (duration && !work)
		strlist_addf(w, "--duration=%lldns", (long long)duration);
	if (work)
		strlist_addf(w, "--work=%lld", (long long)work);
	if (*tool && strcmp(tool, "engine") != 0 && !json_object_get(knobs, "tool"))
		add_option(w, "tool", tool);
}

struct strlist rerun_argv(const json_t *rec, uint64_t reps, const char *store)
{
	json_t *knobs = json_object_get(rec, "knobs"), *v;
	struct strlist w = STRLIST_INIT;
	const char *name;

	strlist_add(&w, path_self());
	strlist_add(&w, "run");
	strlist_add(&w, record_str(rec, "workload"));
	add_option(&w, "mode", record_str(rec, "mode"));
	add_option(&w, "vmm", record_str(rec, "vmm"));
	if (strcmp(record_str(rec, "guest"), "none") != 0)
		add_option(&w, "guest", record_str(rec, "guest"));
	add_option(&w, "on", record_str(rec, "substrate"));
	if (!strcmp(record_str(rec, "time_base"), "virtual"))
		strlist_add(&w, "--deterministic");
	json_object_foreach (knobs, name, v)
		if (json_is_string(v))
			strlist_addf(&w, "--set=%s=%s", name, json_string_value(v));
	add_params(&w, json_object_get(rec, "params"), knobs);
	add_words(&w, json_object_get(rec, "params"), record_str(rec, "mode"));
	strlist_addf(&w, "--reps=%zu",
		     reps ? (size_t)reps : json_array_size(json_object_get(rec, "samples")));
	add_option(&w, "store", store ? store : "");
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
