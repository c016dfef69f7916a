// SPDX-License-Identifier: MIT
#include "bench/cli/vendors_table.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figure.h"
#include "base/strlist.h"
#include "base/table.h"
#include "results/record.h"

/* Both vendors' names of what a guest did, as fnmatch(3) takes them. */
static const struct {
	const char *what, *names[4];
} kinds[] = {
	{"ports", {"io", "io_instruction"}},
	{"MSRs", {"msr", "msr_read", "msr_write"}},
	{"CPUID", {"cpuid"}},
	{"registers of devices, memory touched first", {"npf", "ept_violation", "ept_misconfig"}},
	{"exceptions; page faults under shadow paging", {"*_exception", "exception_nmi"}},
	{"INVLPG, INVPCID", {"invlpg", "invpcid"}},
	{"control registers", {"*_cr[0-8]", "cr0_sel_write", "cr_access"}},
	{"interrupts of the host", {"interrupt", "external_interrupt"}},
	{"the host's timer, as VT-x's preemption timer", {"preemption_timer"}},
	{"the guest is ready for an interrupt", {"vintr", "interrupt_window"}},
	{"HLT", {"hlt", "idle_halt"}},
};

static bool is_kind(const char *reason, size_t kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds[kind].names) && kinds[kind].names[i]; i++)
		if (!fnmatch(kinds[kind].names[i], reason, 0))
			return true;
	return false;
}

/* The row that an exit belongs to; ARRAY_SIZE(kinds): none. */
static size_t kind_of(const char *reason)
{
	size_t k = 0;

	while (k < ARRAY_SIZE(kinds) && !is_kind(reason, k))
		k++;
	return k;
}

static double kind_count(const json_t *rec, size_t kind)
{
	const json_t *exits = record_of(rec).exits;
	struct record_exit e;
	double sum = 0;

	for (size_t i = 0; record_exit(exits, i, &e); i++)
		if (kind_of(e.reason) == kind)
			sum += e.count;
	return sum;
}

static const char *paging_of(const json_t *rec)
{
	return text_or(record_knob(rec, "paging"), "nested");
}

static bool is_linux_boot(const json_t *rec)
{
	struct record r = record_of(rec);

	return !strcmp(r.workload, "boot") && !strcmp(r.guest, "linux") && !strcmp(r.vmm, "builtin") &&
	       r.ok && json_array_size(r.exits);
}

static bool same_column(const json_t *a, const json_t *b)
{
	return !strcmp(record_of(a).substrate, record_of(b).substrate) && !strcmp(paging_of(a), paging_of(b));
}

/* rec is oldest first. */
static bool is_newest(json_t *const *rec, size_t n, size_t at)
{
	for (size_t i = at + 1; i < n; i++)
		if (is_linux_boot(rec[i]) && same_column(rec[i], rec[at]))
			return false;
	return true;
}

static void add_row(struct table *t, const char *what, const struct fig_set *set, size_t kind)
{
	table_cell(t, "%s", what);
	for (size_t i = 0; i < set->n; i++)
		table_cell(t, "%.0f", kind_count(set->rec[i], kind));
}

static void add_sums(struct table *t, const struct fig_set *set)
{
	table_cell(t, "all");
	for (size_t i = 0; i < set->n; i++) {
		double sum = 0;

		for (size_t k = 0; k <= ARRAY_SIZE(kinds); k++)
			sum += kind_count(set->rec[i], k);
		table_cell(t, "%.0f", sum);
	}
}

void vendors_table_print(json_t *const *rec, size_t n)
{
	struct strlist header = STRLIST_INIT;
	struct fig_set set = {xcalloc(n + 1, sizeof(*set.rec)), 0};
	struct table *t;

	strlist_add(&header, "exits of a Linux boot:");
	for (size_t i = 0; i < n; i++) {
		if (!is_linux_boot(rec[i]) || !is_newest(rec, n, i))
			continue;
		set.rec[set.n++] = rec[i];
		strlist_addf(&header, ":%s, %s", record_of(rec[i]).substrate, paging_of(rec[i]));
	}
	if (set.n) {
		t = table_new_from((const char *const *)header.v);
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			add_row(t, kinds[k].what, &set, k);
		add_row(t, "others", &set, ARRAY_SIZE(kinds));
		add_sums(t, &set);
		table_print(t, stdout);
		printf("\n");
	}
	strlist_free(&header);
	free(set.rec);
}
