// SPDX-License-Identifier: MIT
#include "analysis/evolution.h"

#include <math.h>
#include <string.h>

#include "base/util.h"

#define OP_METRIC "op_ns."

const struct evolution_step evolution_steps[] = {
	{"bare metal (AMD)", "lab", "host", "", ""},
	{"bare metal (Intel)", "lab-intel", "host", "", ""},
	{"container", "lab", "container", "", ""},
	{"binary translation (TCG)", "lab", "", "qemu:accel=tcg", ""},
	{"Xen PV (AMD)", "lab-xen", "", "xen:pv", ""},
	{"Xen PVH, shadow paging (AMD)", "lab-xen", "", "xen:pvh", "shadow"},
	{"Xen PVH, nested paging (AMD)", "lab-xen", "", "xen:pvh", ""},
	{"KVM, shadow paging (Intel)", "lab-intel", "", "builtin", "shadow"},
	{"KVM, nested paging (Intel)", "lab-intel", "", "builtin", "nested"},
	{"KVM, nested paging (AMD)", "lab", "", "builtin", ""},
	{NULL, NULL, NULL, NULL, NULL},
};

static bool is_kernel_ops(const struct record *r)
{
	return !strcmp(r->workload, "kernel-ops");
}

/* A record without a VM has VMM "none". */
static const char *vmm_of(const struct record *r)
{
	return text_if(strcmp(r->vmm, "none"), r->vmm);
}

bool evolution_is(const struct evolution_step *step, const json_t *rec)
{
	struct record r = record_of(rec);

	return is_kernel_ops(&r) && !strcmp(r.substrate, step->substrate) &&
	       !strcmp(r.mode, step->mode) && !strcmp(vmm_of(&r), step->vmm) &&
	       !strcmp(record_knob(rec, "paging"), step->paging);
}

bool evolution_has_times(const json_t *rec)
{
	return strcmp(record_knob(rec, "observer"), "probes") != 0;
}

bool evolution_has_counts(const json_t *rec)
{
	return strcmp(record_knob(rec, "observer"), "off") != 0;
}

const struct evolution_step *evolution_step_of(const json_t *rec)
{
	for (const struct evolution_step *s = evolution_steps; s->name; s++)
		if (evolution_is(s, rec))
			return s;
	return NULL;
}

/* The lab of Xen is that of KVM with a hypervisor below. */
static const char *bare_substrate(const struct record *r)
{
	if (!strcmp(r->substrate, "lab-xen"))
		return "lab";
	return r->substrate;
}

const json_t *evolution_base(const json_t *rec, json_t *const *recs, size_t n)
{
	struct record r = record_of(rec);

	while (n-- > 0) {
		struct record b = record_of(recs[n]);

		if (is_kernel_ops(&b) && !strcmp(b.mode, "host") &&
		    !strcmp(b.substrate, bare_substrate(&r)) && !strcmp(b.time_base, r.time_base))
			return recs[n];
	}
	return NULL;
}

const char *evolution_metric(size_t i)
{
	for (const struct metric_info *m = metric_table; m->name; m++)
		if (!strncmp(m->name, OP_METRIC, strlen(OP_METRIC)) && !i--)
			return m->name;
	return NULL;
}

const char *evolution_operation(const char *metric)
{
	return metric + strlen(OP_METRIC);
}

double evolution_ratio(const json_t *rec, const json_t *base, const char *metric)
{
	struct interval of, to;

	if (!base || !record_summary(rec, metric, &of) || !record_summary(base, metric, &to) || to.point <= 0)
		return NAN;
	return of.point / to.point;
}
