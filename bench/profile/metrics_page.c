// SPDX-License-Identifier: MIT
#include "bench/profile/metrics_page.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/escape.h"
#include "bench/profile/vm_find.h"

/* Bounds of the buckets are powers of two: 0.5 us to 8.6 s. */
#define FIRST_LOG2 9
#define LAST_LOG2  33

static void put_label(FILE *out, const char *name, const char *value, const char *sep)
{
	fprintf(out, "%s%s=\"", sep, name);
	print_escaped(out, LANGUAGE_OPENMETRICS, value);
	fputc('"', out);
}

static void put_label_if(FILE *out, const char *name, const char *value)
{
	if (*value)
		put_label(out, name, value, ",");
}

/* name{pid="...",domain="...",manager="...",pod_uid="...",container="...",reason="..." */
static void put_sample(FILE *out, const char *name, const struct metrics_vm *vm, const struct view_row *r)
{
	fprintf(out, "%s{pid=\"%d\"", name, (int)vm->pid);
	put_label(out, "domain", vm->name.text, ",");
	put_label_if(out, "manager", vm->name.manager);
	put_label_if(out, "pod_uid", vm->name.pod);
	put_label_if(out, "container", vm->name.container);
	put_label(out, "reason", r->reason, ",");
}

static void put_key(FILE *out, const struct view_row *r)
{
	put_label_if(out, "key", r->key);
	put_label_if(out, "device", r->device);
}

static void put_counts(FILE *out, const struct metrics_vm *vm)
{
	for (size_t i = 0; i < vm->by_key.n; i++) {
		put_sample(out, "kvm_exits_total", vm, &vm->by_key.row[i]);
		put_key(out, &vm->by_key.row[i]);
		fprintf(out, "} %" PRIu64 "\n", vm->by_key.row[i].count);
	}
}

static void put_parts(FILE *out, const struct metrics_vm *vm)
{
	for (size_t i = 0; i < vm->by_key.n; i++) {
		const struct view_row *r = &vm->by_key.row[i];
		const struct {
			const char *name;
			uint64_t ns;
		} part[] = {
			{"fast", r->fast_ns}, {"kvm", view_row_kvm_ns(r)}, {"user", r->user_ns},
			{"waiting", r->wait_ns}, {"asleep", r->asleep_ns},
		};

		for (size_t k = 0; k < ARRAY_SIZE(part); k++) {
			if (!part[k].ns)
				continue;
			put_sample(out, "kvm_exit_part_seconds_total", vm, r);
			put_key(out, r);
			put_label(out, "part", part[k].name, ",");
			fprintf(out, "} %.9f\n", (double)part[k].ns / 1e9);
		}
	}
}

/* A bucket holds what is at most its bound, and a slot of the histogram what is less than the next one's. */
static void put_hist(FILE *out, const struct metrics_vm *vm, const struct view_row *r)
{
	uint64_t count = 0;
	unsigned slot = 0;

	for (int log2 = FIRST_LOG2; log2 <= LAST_LOG2; log2++) {
		uint64_t bound = (1ull << log2) - 1;

		for (; slot < HIST_SLOTS && hist_slot_low(slot) <= bound; slot++)
			count += r->hist.slots[slot];
		put_sample(out, "kvm_exit_duration_seconds_bucket", vm, r);
		fprintf(out, ",le=\"%.9f\"} %" PRIu64 "\n", (double)bound / 1e9, count);
	}
	put_sample(out, "kvm_exit_duration_seconds_bucket", vm, r);
	fprintf(out, ",le=\"+Inf\"} %" PRIu64 "\n", r->hist.count);
	put_sample(out, "kvm_exit_duration_seconds_count", vm, r);
	fprintf(out, "} %" PRIu64 "\n", r->hist.count);
	put_sample(out, "kvm_exit_duration_seconds_sum", vm, r);
	fprintf(out, "} %.9f\n", (double)r->hist.sum / 1e9);
}

static void put_hists(FILE *out, const struct metrics_vm *vm)
{
	for (size_t i = 0; i < vm->by_reason.n; i++)
		put_hist(out, vm, &vm->by_reason.row[i]);
}

void metrics_page(const struct metrics_vm *vm, size_t n, uint64_t lost, struct strbuf *out)
{
	static const struct {
		const char *head;
		void (*put)(FILE *out, const struct metrics_vm *vm);
	} families[] = {
		{"# TYPE kvm_exits counter\n# HELP kvm_exits VM exits by reason and register.\n", put_counts},
		{"# TYPE kvm_exit_part_seconds counter\n# UNIT kvm_exit_part_seconds seconds\n"
		 "# HELP kvm_exit_part_seconds Their time: KVM's fast path, KVM, userspace, waiting for a CPU, asleep.\n",
		 put_parts},
		{"# TYPE kvm_exit_duration_seconds histogram\n# UNIT kvm_exit_duration_seconds seconds\n"
		 "# HELP kvm_exit_duration_seconds From the exit to the next entry.\n",
		 put_hists},
	};
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		fputs(families[i].head, f);
		for (size_t k = 0; k < n; k++)
			families[i].put(f, &vm[k]);
	}
	fprintf(f, "# TYPE kvm_exit_events_lost counter\nkvm_exit_events_lost_total %" PRIu64 "\n# EOF\n", lost);
	fclose(f);
	strbuf_add(out, text, len);
	free(text);
}

/* ---- the VMs ---- */

static bool vm_known(const struct metrics_vm *vms, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (vms[i].pid == pid)
			return true;
	return false;
}

/* Those of one process; the histograms stay where they are. */
static void vm_build(struct metrics_vm *vm, struct probes *p, const struct exits *all)
{
	struct exits own = *all;

	own.sum = xcalloc(all->n, sizeof(*own.sum));
	own.n = 0;
	for (size_t i = 0; i < all->n; i++)
		if (all->sum[i].tgid == vm->pid)
			own.sum[own.n++] = all->sum[i];
	view_build(&vm->by_key, p, &own, VIEW_ALL, SORT_COUNT, NULL);
	view_build(&vm->by_reason, p, &own, VIEW_REASON, SORT_COUNT, NULL);
	free(own.sum);
	vm_name_of_pid(vm->pid, &vm->name);
}

size_t metrics_vms(struct probes *p, const struct exits *exits, struct metrics_vm **vms)
{
	size_t n = 0;

	*vms = NULL;
	for (size_t i = 0; i < exits->n; i++) {
		pid_t pid = exits->sum[i].tgid;

		if (vm_known(*vms, n, pid))
			continue;
		*vms = xgrow(*vms, n, sizeof(**vms));
		(*vms)[n] = (struct metrics_vm){.pid = pid};
		vm_build(&(*vms)[n++], p, exits);
	}
	return n;
}

void metrics_vms_free(struct metrics_vm *vms, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		view_free(&vms[i].by_key);
		view_free(&vms[i].by_reason);
	}
	free(vms);
}
