// SPDX-License-Identifier: MIT
/* bench run as a whole: where it can be carried out, and what it prints. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/journal.h"
#include "base/log.h"
#include "bench/host/condition.h"
#include "bench/host/outer.h"
#include "bench/run/deterministic.h"
#include "bench/lab/lab.h"
#include "bench/lab/machine.h"
#include "bench/sample/observer.h"
#include "bench/run/run.h"
#include "bench/host/kvm_params.h"
#include "bench/host/substrate.h"
#include "results/store.h"

static bool wants_either(const struct run_args *args)
{
	return !args->on || !strcmp(args->on, "auto");
}

static bool wants_lab(const struct run_args *args, unsigned lacks)
{
	if (args->deterministic)
		return true;
	if (wants_either(args))
		return lacks;
	return !strcmp(args->on, "lab");
}

#define QUICK_BOOTS 3 /* enough for a median that one odd boot does not decide */

/*
 * Ten boots give an interval worth printing; in the lab, where each takes seven seconds, the seven with which
 * one changed metric among forty can be told from chance, so that one path is measured within a minute. Runs
 * that agree to the last digit need two to show that they do.
 */
static unsigned default_reps(const struct plan *p, bool lab)
{
	if (p->args->deterministic)
		return 2;
	if (p->pairs)
		return lab ? 20 : 40; /* at most */
	if (p->args->quick)
		return QUICK_BOOTS;
	return lab ? 7 : 10;
}

/* A knob that is a parameter of the other vendor's module, or NULL. */
static const char *foreign_knob(const struct plan *p, const char *module)
{
	for (size_t i = 0; i < p->n_cells; i++) {
		const struct knobs *ks = &p->cell[i].knobs;

		for (size_t k = 0; k < ks->n; k++) {
			const struct kvm_param *param = kvm_param_find(ks->k[k].name);

			if (param && !kvm_param_name(param, module))
				return param->knob;
		}
	}
	return NULL;
}

/* The first lab that has all of it, or NULL. */
static const struct machine *machine_with(unsigned needs)
{
	size_t i = 0;

	while (machine_table[i] && needs & ~machine_table[i]->has)
		i++;
	return machine_table[i];
}

/* What a lab has by its nature, and the next one has not. */
static char *machine_lacks_parts(const struct machine *m, const struct plan *p)
{
	static const struct {
		unsigned need;
		const char *what;
	} parts[] = {
		{NEED_KVM | NEED_KVM_LINUX | NEED_KVM_XEN, "no KVM"},
		{NEED_VFIO, "no IOMMU and no SR-IOV card"},
		{NEED_VHOST, "no vhost-net"},
		{NEED_VHOST_SCSI, "no vhost_scsi"},
		{NEED_NVME_VF, "no NVMe controller with SR-IOV"},
		{NEED_XEN, "no Xen"},
	};
	unsigned needs = plan_needs(p);

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		unsigned lacks = needs & parts[i].need & ~m->has;
		const struct machine *other = machine_with(lacks);

		if (lacks && other)
			return xasprintf("lab %s has %s; use --lab=%s", m->name, parts[i].what, other->name);
	}
	return NULL;
}

/* Why the plan cannot run in this lab, or NULL. Caller frees. */
static char *machine_lacks(const struct machine *m, const struct plan *p)
{
	char *why = machine_lacks_parts(m, p);
	const char *knob = NULL;

	if (why)
		return why;
	if (m->kvm)
		knob = foreign_knob(p, m->kvm);
	if (knob)
		return xasprintf("%s=: lab %s has %s, which has no such thing", knob, m->name, m->kvm);
	return lab_missing(m, NULL);
}

/* 0, or -ENOTSUP (logged): neither this machine nor its lab can run the plan. */
static int check_substrate(const struct plan *p, bool lab, const char *why)
{
	const struct run_args *args = p->args;
	char *no_lab;

	if (lab && lab_inside()) {
		log_error("this lab cannot: %s", text_or(why, "already inside one"));
		return -ENOTSUP;
	}
	if (!lab && why) {
		log_error("this host cannot: %s; use --on=lab", why);
		return -ENOTSUP;
	}
	if (!lab)
		return 0;
	if (args->peer) {
		log_error("--peer=%s: the lab reaches no other machine%s%s; use --on=host", args->peer,
			  text_if(why, ", and here: "), text_or(why, ""));
		return -ENOTSUP;
	}
	no_lab = machine_lacks(machine_find(p->args->lab), p);
	if (no_lab && why && wants_either(args))
		log_error("%s here, and there can be no lab: %s", why, no_lab);
	else if (no_lab)
		log_error("there can be no lab: %s", no_lab);
	if (no_lab) {
		free(no_lab);
		return -ENOTSUP;
	}
	if (wants_either(args))
		log_info("running in the lab: this host cannot do it (%s)", text_or(why, "--deterministic"));
	return 0;
}

static void print_result(const struct plan *p, const struct run_result *r)
{
	json_t *all;

	if (outer_told().inner)
		return;
	if (!p->args->json) {
		if (json_array_size(r->records) && p->args->overhead)
			overhead_print(r->records);
		else if (json_array_size(r->records))
			run_print_table(r->records, p->cell[0].workload);
		return;
	}
	if (json_array_size(r->records) == 1) {
		all = json_incref(json_array_get(r->records, 0));
	} else {
		all = json_pack("{s:O, s:o}", "records", r->records, "comparison",
				run_comparison(r->records));
	}
	json_print(all, stdout, JSON_INDENT(2));
	json_decref(all);
}

static int run_somewhere(const struct plan *p, bool lab, struct store *store,
			 const struct run_call *call, struct run_result *result)
{
	if (p->args->deterministic)
		return run_plan_deterministic(p, store, call, result);
	if (lab)
		return run_plan_in_lab(p, store, call, result);
	return run_plan(p, store, call, result);
}

static int exit_status(int err, const struct run_result *r)
{
	if (r->interrupted)
		return 128 + SIGINT;
	if (err == -EINVAL)
		return EXIT_USAGE;
	if (err)
		return EXIT_CANNOT;
	if (!r->ok || !json_array_size(r->records))
		return EXIT_FAILED;
	return EXIT_OK;
}

static int run_stored(const struct plan *p, bool lab, const struct run_call *call, struct run_result *result)
{
	/* The bench outside a lab has made the machine worse already. */
	const char *condition = outer_told().inner ? NULL : p->args->condition;
	struct condition c;
	struct store *store = NULL;
	int err;

	journal_recover();
	err = condition_begin(&c, condition);
	if (err)
		return exit_status(err, result);
	err = store_open(&store, p->args->store);
	if (!err)
		err = run_somewhere(p, lab, store, call, result);
	store_close(store);
	condition_end(&c);
	return exit_status(err, result);
}

int run_made(struct plan *p, unsigned reps, const struct run_call *call, struct run_result *result)
{
	const struct run_args *args = p->args;
	unsigned needs = plan_needs(p);
	char *why = NULL;
	int status = EXIT_OK;
	bool lab;

	*result = (struct run_result){.records = NULL};
	/* Who names the host has KVM's module loaded anew there, if no guest uses it. */
	if (args->on && !strcmp(args->on, "host") && kvm_params_free_to_change())
		needs &= ~NEED_LAB;
	lab = wants_lab(args, host_lacks(needs, &why));
	plan_order(p, (unsigned)or_usual(reps, default_reps(p, lab)));
	if (args->dry_run)
		plan_print(p, stdout);
	else if (check_substrate(p, lab, why))
		status = EXIT_CANNOT;
	else
		status = run_stored(p, lab, call, result);
	free(why);
	return status;
}

int run_workload(const char *workload, const struct run_args *args, const struct run_call *call)
{
	struct run_result result;
	struct plan plan;
	int status, err = plan_make(&plan, workload, args);

	if (err == -ENOTSUP)
		return EXIT_CANNOT;
	if (err)
		return EXIT_USAGE;
	status = run_made(&plan, (unsigned)args->reps, call, &result);
	if (result.records)
		print_result(&plan, &result);
	json_decref(result.records);
	plan_free(&plan);
	return status;
}
