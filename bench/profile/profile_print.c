// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/escape.h"
#include "base/number.h"
#include "base/table.h"
#include "bench/profile/profile_print.h"
#include "probes/data.h"
#include "probes/reasons.h"
#include "results/record.h"

void profile_print_head(struct probes *p, const struct vm *vm, double seconds)
{
	if (vm->pid)
		print_plain(stdout, "%s (pid %d), %.2f s, KVM back end %s\n", vm->name.text, (int)vm->pid,
			    seconds, probes_backend_text(p));
	else
		printf("all virtual machines, %.2f s, KVM back end %s\n", seconds, probes_backend_text(p));
	if (probes_backend(p) == BACKEND_OTHER)
		printf("note: " PROBES_NO_KVM_EXIT "\n");
	puts("fast, KVM, user, waiting and asleep are means per exit");
}

static double per_second(uint64_t n, double seconds)
{
	return seconds > 0 ? (double)n / seconds : 0;
}

void profile_print_summary(struct probes *p, const struct view *v, double seconds)
{
	double all = (double)v->all_ns / 100;

	printf("\n%s exits (%s/s)", fmt_si((double)v->count), fmt_si(per_second(v->count, seconds)));
	if (v->hlt_count)
		printf(", %s halts (%s halted)", fmt_si((double)v->hlt_count), fmt_ns((double)v->hlt_ns));
	if (all > 0 && probes_backend(p) == BACKEND_OTHER)
		printf("; vCPU time: guest and KVM %.1f %%, userspace %.1f %%", (double)v->guest_ns / all,
		       (double)(v->user_ns + v->hlt_ns) / all);
	else if (all > 0)
		printf("; vCPU time: guest %.1f %%, KVM %.1f %% (fast path %.1f %%), userspace %.1f %%, halted %.1f %%",
		       (double)v->guest_ns / all, (double)(v->kvm_ns + v->fast_ns) / all,
		       (double)v->fast_ns / all, (double)v->user_ns / all, (double)v->hlt_ns / all);
	if (all > 0)
		printf(", waiting for a CPU %.1f %%, asleep %.1f %%", (double)v->wait_ns / all,
		       (double)v->asleep_ns / all);
	putchar('\n');
}

/* ---- several VMs ---- */

struct vm_sum {
	pid_t tgid;
	unsigned vcpus;
	uint64_t exits, guest_ns, kvm_ns, user_ns, wait_ns, asleep_ns, hlt_ns;
};

static struct vm_sum *vm_sum_of(struct vm_sum **vms, size_t *n, pid_t tgid)
{
	for (size_t i = 0; i < *n; i++)
		if ((*vms)[i].tgid == tgid)
			return &(*vms)[i];
	*vms = xgrow(*vms, *n, sizeof(**vms));
	(*vms)[*n] = (struct vm_sum){.tgid = tgid};
	return &(*vms)[(*n)++];
}

static void vm_sum_add(struct vm_sum *vm, struct probes *p, const struct exit_sum *s)
{
	vm->guest_ns += s->guest_ns;
	vm->wait_ns += s->wait_ns;
	if (probes_hlt(p, s)) {
		vm->hlt_ns += s->total_ns - s->wait_ns;
		return;
	}
	vm->exits += s->count;
	vm->user_ns += s->user_ns;
	vm->asleep_ns += s->asleep_ns;
	vm->kvm_ns += s->fast_ns + exit_sum_kvm_ns(s);
}

static int most_exits_first(const void *a, const void *b)
{
	const struct vm_sum *x = a, *y = b;

	int order = compare_u64(y->exits, x->exits);

	if (order)
		return order;
	return x->tgid - y->tgid;
}

static void print_vm(struct table *t, const struct vm_sum *vm, bool no_kvm_exit, double seconds)
{
	const uint64_t parts[] = {vm->guest_ns, vm->kvm_ns, vm->user_ns,
				  vm->hlt_ns, vm->wait_ns, vm->asleep_ns};
	struct vm named;
	double all = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		all += (double)parts[i] / 100;
	all = MAX(all, 0.01); /* a VM that took no time yet */
	if (vm_of_pid(vm->tgid, &named))
		table_cell(t, "%s", named.name.text);
	else
		table_cell(t, "(ended)");
	table_cell(t, "%d", (int)vm->tgid);
	table_cell(t, "%u", vm->vcpus);
	table_cell(t, "%s", fmt_si((double)vm->exits));
	table_cell(t, "%s", fmt_si(per_second(vm->exits, seconds)));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (i == 1 && no_kvm_exit)
			table_cell(t, "-");
		else
			table_cell(t, "%.1f", (double)parts[i] / all);
}

void profile_print_vms(struct probes *p, const struct exits *exits, double seconds)
{
	/* Without kvm_exit KVM's own time cannot be told from the guest's. */
	bool no_kvm_exit = probes_backend(p) == BACKEND_OTHER;
	struct vm_sum *vms = NULL, *vm;
	size_t n_vms = 0;
	struct table *t;

	for (size_t i = 0; i < exits->n; i++) {
		const struct exit_sum *s = &exits->sum[i];

		vm = vm_sum_of(&vms, &n_vms, s->tgid);
		vm->vcpus += !i || s->serial != s[-1].serial;
		vm_sum_add(vm, p, s);
	}
	if (n_vms > 1) {
		qsort(vms, n_vms, sizeof(*vms), most_exits_first);
		t = table_new(11, "VM:", "pid:", ":vCPUs", ":exits", ":per s",
			      no_kvm_exit ? ":guest and KVM %" : ":guest %", ":KVM %", ":user %",
			      ":halted %", ":waiting %", ":asleep %");
		for (size_t i = 0; i < n_vms; i++)
			print_vm(t, &vms[i], no_kvm_exit, seconds);
		putchar('\n');
		table_print(t, stdout);
	}
	free(vms);
}

static void print_threads(const json_t *threads, double seconds)
{
	struct record_thread th;
	struct table *t;

	if (!json_array_size(threads))
		return;
	t = table_new(7, "thread:", "tid:", "role:", ":CPU %", ":guest %", ":run queue", ":switches");
	for (size_t i = 0; record_thread(threads, i, &th); i++) {
		table_cell(t, "%s", th.name);
		table_cell(t, "%lld", (long long)th.tid);
		table_cell(t, "%s", th.role);
		table_cell(t, "%.1f", th.cpu_ns / seconds / 1e7);
		if (isnan(th.guest_ns))
			table_cell(t, "-");
		else
			table_cell(t, "%.1f", th.guest_ns / seconds / 1e7);
		table_cell(t, "%s", fmt_ns(th.runq_ns));
		table_cell(t, "%s", fmt_si(th.switches));
	}
	putchar('\n');
	table_print(t, stdout);
}

static void print_latency(const json_t *json, const char *text)
{
	static struct hist h;

	if (hist_from_json(json, &h) || !h.count)
		return;
	printf("  %s: p50 %s, p99 %s, max %s (%s seen)\n", text, fmt_ns((double)hist_quantile(&h, 0.5)),
	       fmt_ns((double)hist_quantile(&h, 0.99)), fmt_ns((double)h.max), fmt_si((double)h.count));
}

static void print_notify(const json_t *all)
{
	struct probed_notify n = probed_notify_of(all);
	const struct {
		double count;
		const char *text;
	} counts[] = {
		{n.kicks_ioeventfd, "ioeventfd kicks"}, {n.kicks_userspace, "kicks through userspace"},
		{n.msi, "MSIs"}, {n.injected, "interrupts injected"}, {n.eoi, "EOIs"}, {n.ipi, "IPIs"},
		{n.wakeups, "wake-ups"}, {n.halt_polls_ok, "found by halt polling"},
		{n.suppressed, "interrupts not wanted"}, {n.unattributed, "interrupts of unknown owner"},
	};
	const char *sep = "\nNotifications: ";

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		if (!(counts[i].count > 0)) /* not a number: it cannot be seen */
			continue;
		printf("%s%s %s", sep, fmt_si(counts[i].count), counts[i].text);
		sep = ", ";
	}
	if (*sep == ',')
		putchar('\n');
	if (probed_of(all).notify && isnan(n.kicks_ioeventfd))
		puts("  (kicks through ioeventfd are not counted: this kernel or back end gives no hook for them)");
	print_latency(n.kick_to_service, "kick to service");
	print_latency(n.raise_to_injection, "raise to injection");
}

static void print_object(const char *title, json_t *o)
{
	const char *name, *sep = "";
	json_t *v;

	if (!o)
		return;
	printf("\n%s: ", title);
	json_object_foreach(o, name, v) {
		if (!json_integer_value(v))
			continue;
		print_plain(stdout, "%s%s %s", sep, fmt_si((double)json_integer_value(v)), name);
		sep = ", ";
	}
	putchar('\n');
}

static void print_counters(const json_t *list)
{
	struct probed_counter c;
	struct table *t;

	if (!json_array_size(list))
		return;
	t = table_new(4, "event:", "tid:", ":count", ":counted %");
	for (size_t i = 0; probed_counter(list, i, &c); i++) {
		table_cell(t, "%s", c.event);
		table_cell(t, "%lld", (long long)c.tid);
		table_cell(t, "%s", fmt_si(c.count));
		table_cell(t, "%.0f", 100 * c.scale);
	}
	putchar('\n');
	table_print(t, stdout);
}

static void exit_cell(struct table *t, const json_t *exit)
{
	const char *reason, *key, *device;

	if (json_unpack((json_t *)exit, "{s:s,s:s,s:s}", "reason", &reason, "key", &key, "device", &device))
		reason = key = device = "";
	table_cell(t, "%s %s", reason, text_or(device, key));
}

static void print_pair(struct table *t, const json_t *row)
{
	double count = json_number_value(json_object_get(row, "count"));

	exit_cell(t, json_object_get(row, "first"));
	exit_cell(t, json_object_get(row, "then"));
	table_cell(t, "%s", fmt_si(count));
	table_cell(t, "%.1f", 100 * ratio_or(count, json_number_value(json_object_get(row, "of")), 0));
	table_cell(t, "%s", fmt_ns(ratio_or(json_number_value(json_object_get(row, "guest_ns")), count, 0)));
}

/* Of the exits of a chain all but the first could be handled with the one before. */
static void print_pairs(const struct probed *d, size_t most)
{
	json_t *rows = json_object_get(d->pairs, "rows"), *row;
	const char *within = fmt_ns(json_number_value(json_object_get(d->pairs, "within_ns")));
	double close = 0, exits = json_number_value(json_object_get(d->totals, "exits"));
	struct table *t;
	size_t i;

	if (!d->pairs)
		return;
	t = table_new(5, "exit:", "and then:", ":count", ":% of the first", ":guest between");
	json_array_foreach(rows, i, row) {
		close += json_number_value(json_object_get(row, "count"));
		if (!most || i < most)
			print_pair(t, row);
	}
	printf("\nPairs: %s of %s exits (%.1f %%) follow another one within %s of guest time\n", fmt_si(close),
	       fmt_si(exits), 100 * ratio_or(close, exits, 0), within);
	table_print(t, stdout);
	if (json_integer_value(json_object_get(d->pairs, "lost")))
		puts("(and pairs of more kinds than are kept)");
}

void profile_print_rest(const json_t *all, double seconds, size_t rows)
{
	struct probed d = probed_of(all);

	print_pairs(&d, rows);
	if (*d.names_note)
		print_plain(stdout, "(%s)\n", d.names_note);
	print_notify(all);
	print_object("Page tables", d.mmu);
	print_threads(d.threads, seconds);
	print_counters(d.counters);
	if (*d.counters_note)
		print_plain(stdout, "(%s)\n", d.counters_note);
	putchar('\n');
	if (!isnan(d.overhead_ns))
		printf("The probes themselves took %.2f %% of one CPU. ", d.overhead_ns / seconds / 1e7);
	printf("%.0f events lost.\n", d.lost);
}
