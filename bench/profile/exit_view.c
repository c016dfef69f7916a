// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/table.h"
#include "bench/profile/exit_view.h"
#include "bench/profile/symbols.h"
#include "bench/profile/vm_find.h"
#include "probes/reasons.h"
#include "workloads/protocol.h"

static int word_index(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(words[i], word))
			return (int)i;
	return -1;
}

int view_key_parse(const char *word)
{
	static const char *const words[] = {"all", "reason", "device", "port", "gpa", "msr", "vm", "rip"};

	return word_index(word, words, ARRAY_SIZE(words));
}

int view_sort_parse(const char *word)
{
	static const char *const words[] = {"time", "count", "p99"};

	return word_index(word, words, ARRAY_SIZE(words));
}

static bool key_wanted(enum view_key key, enum reason_kind kind)
{
	switch (key) {
	case VIEW_PORT:
		return kind == KIND_PIO;
	case VIEW_GPA:
		return kind == KIND_MMIO;
	case VIEW_MSR:
		return kind == KIND_MSR;
	default:
		return true;
	}
}

/* A VM's rows: what its vCPUs halt, and all else. */
static void vm_texts(struct view_row *r, const struct exit_sum *s)
{
	snprintf(r->reason, sizeof(r->reason), "%s", "exits");
	if (r->hlt)
		snprintf(r->reason, sizeof(r->reason), "%s", "halts");
	snprintf(r->key, sizeof(r->key), "%d", (int)s->tgid);
}

/* Once for each row: a name is looked up in /proc. */
static void name_vms(struct view *v)
{
	struct vm_name name;

	for (size_t i = 0; i < v->n; i++) {
		vm_name_of_pid((pid_t)atoi(v->row[i].key), &name);
		snprintf(v->row[i].device, sizeof(v->row[i].device), "%.*s",
			 (int)sizeof(v->row[i].device) - 1, text_or(name.text, "(ended)"));
	}
}

/*
 * The texts under which a sum is shown. Device first: rows of one device come together whatever their
 * reason.
 */
static void row_texts(struct view_row *r, struct probes *p, const struct exit_sum *s, enum view_key key,
		      const struct symbols *symbols)
{
	enum probe_backend backend = probes_backend(p);

	r->key[0] = r->device[0] = '\0';
	if (key == VIEW_VM) {
		vm_texts(r, s);
		return;
	}
	snprintf(r->reason, sizeof(r->reason), "%s", reason_name(backend, s->reason));
	if (key == VIEW_REASON)
		return;
	snprintf(r->key, sizeof(r->key), "%s", key_text(backend, s->reason, s->key, key == VIEW_RIP));
	if (key == VIEW_RIP)
		symbols_find(symbols, s->key, r->device, sizeof(r->device));
	else
		probes_device(p, s, r->device, sizeof(r->device));
	if (key == VIEW_DEVICE) {
		if (!r->device[0] && r->key[0])
			strcpy(r->device, "(unnamed)");
		else if (!r->device[0])
			strcpy(r->device, "(none)");
		r->key[0] = '\0';
	}
}

static struct view_row *row_of(struct view *v, const struct view_row *like)
{
	struct view_row *r;

	for (size_t i = 0; i < v->n; i++) {
		r = &v->row[i];
		if (!strcmp(r->reason, like->reason) && !strcmp(r->key, like->key) &&
		    !strcmp(r->device, like->device))
			return r;
	}
	v->row = xgrow(v->row, v->n, sizeof(*v->row));
	r = &v->row[v->n++];
	*r = *like;
	hist_init(&r->hist);
	return r;
}

static void add_totals(struct view *v, const struct exit_sum *s, bool hlt)
{
	v->guest_ns += s->guest_ns;
	v->all_ns += s->guest_ns + s->total_ns;
	v->wait_ns += s->wait_ns;
	if (hlt) {
		v->hlt_count += s->count;
		v->hlt_ns += s->total_ns - s->wait_ns;
		return;
	}
	v->count += s->count;
	v->total_ns += s->total_ns;
	v->fast_ns += s->fast_ns;
	v->user_ns += s->user_ns;
	v->asleep_ns += s->asleep_ns;
	v->kvm_ns += exit_sum_kvm_ns(s);
}

uint64_t view_row_kvm_ns(const struct view_row *r)
{
	return sub_floor(r->total_ns, r->fast_ns + r->user_ns + r->wait_ns + r->asleep_ns);
}

static uint64_t sort_value(const struct view_row *r, enum view_sort by)
{
	if (by == SORT_TIME)
		return r->total_ns;
	if (by == SORT_COUNT)
		return r->count;
	return hist_quantile(&r->hist, 0.99);
}

static int compare_rows(const void *a, const void *b, void *sort)
{
	const struct view_row *x = a, *y = b;
	const enum view_sort *by = sort;
	int order = compare_u64(sort_value(y, *by), sort_value(x, *by));

	if (x->hlt != y->hlt)
		return x->hlt - y->hlt;
	if (order)
		return order;
	return strcmp(x->reason, y->reason);
}

static void row_add(struct view_row *r, const struct exits *exits, const struct exit_sum *s)
{
	r->count += s->count;
	r->timed += s->count - s->untraced;
	r->total_ns += s->total_ns;
	r->fast_ns += s->fast_ns;
	r->user_ns += s->user_ns;
	r->wait_ns += s->wait_ns;
	r->asleep_ns += s->asleep_ns;
	exits_hist(exits, s, &r->hist);
}

void view_build(struct view *v, struct probes *p, const struct exits *exits, enum view_key key,
		enum view_sort sort, const struct symbols *symbols)
{
	static struct view_row like;

	*v = (struct view){.by = key};
	for (size_t i = 0; i < exits->n; i++) {
		const struct exit_sum *s = &exits->sum[i];
		enum reason_kind kind = reason_kind(probes_backend(p), s->reason);

		add_totals(v, s, kind == KIND_HLT);
		/* An exit that goes on takes time in an interval in which it did not begin. */
		if ((!s->count && !s->total_ns) || !key_wanted(key, kind))
			continue;
		like = (struct view_row){.hlt = kind == KIND_HLT};
		row_texts(&like, p, s, key, symbols);
		row_add(row_of(v, &like), exits, s);
	}
	if (key == VIEW_VM)
		name_vms(v);
	view_sort(v, sort);
}

void view_count(struct view *v, const struct view_row *like, uint64_t count)
{
	row_of(v, like)->count += count;
}

void view_sort(struct view *v, enum view_sort sort)
{
	if (v->n)
		qsort_r(v->row, v->n, sizeof(*v->row), compare_rows, &sort);
}

void view_free(struct view *v)
{
	free(v->row);
	*v = (struct view){0};
}

static const char *percent_text(uint64_t part, uint64_t whole)
{
	static char ring[8][16];
	static unsigned next;
	char *buf = ring[next++ % ARRAY_SIZE(ring)];

	snprintf(buf, sizeof(ring[0]), "%.1f", 100.0 * (double)part / (double)MAX(whole, 1));
	return buf;
}

static const char *ns_or_dash(uint64_t count, double ns)
{
	return count ? fmt_ns(ns) : "-";
}

/* A time that nothing was spent in is a dash: the eye finds the others. */
static const char *mean_or_dash(uint64_t ns, uint64_t count)
{
	return ns_or_dash(ns, (double)ns / (double)MAX(count, 1));
}

/* Columns that are left out of a table when no row has anything in them. */
enum {
	HAS_KEY = 1 << 0, HAS_DEVICE = 1 << 1, HAS_FAST = 1 << 2, HAS_KVM = 1 << 3, HAS_USER = 1 << 4,
	HAS_WAIT = 1 << 5, HAS_ASLEEP = 1 << 6, HAS_TIMES = 1 << 7
};

static unsigned row_has(const struct view_row *r)
{
	return bits_if(r->key[0], HAS_KEY) | bits_if(r->device[0], HAS_DEVICE) |
	       bits_if(r->fast_ns, HAS_FAST) | bits_if(view_row_kvm_ns(r), HAS_KVM) |
	       bits_if(r->user_ns, HAS_USER) | bits_if(r->wait_ns, HAS_WAIT) |
	       bits_if(r->asleep_ns, HAS_ASLEEP);
}

static struct table *rows_table(const struct view *v, unsigned has)
{
	static const char *const head[][2] = {
		[VIEW_ALL] = {"key:", "device:"},  [VIEW_REASON] = {"key:", "device:"},
		[VIEW_DEVICE] = {"key:", "device:"}, [VIEW_PORT] = {"key:", "device:"},
		[VIEW_GPA] = {"key:", "device:"},  [VIEW_MSR] = {"key:", "device:"},
		[VIEW_VM] = {"pid:", "VM:"},	     [VIEW_RIP] = {"key:", "function:"},
	};
	const struct {
		unsigned only; /* 0: always there */
		const char *name;
	} columns[] = {
		{0, "reason:"},
		{HAS_KEY, head[v->by][0]},
		{HAS_DEVICE, head[v->by][1]},
		{0, ":count"},
		{0, ":per s"},
		{HAS_TIMES, ":time %"},
		{HAS_TIMES, ":total"},
		{HAS_TIMES, ":p50"},
		{HAS_TIMES, ":p99"},
		{HAS_TIMES, ":max"},
		{HAS_FAST, ":fast"},
		{HAS_KVM, ":KVM"},
		{HAS_USER, ":user"},
		{HAS_WAIT, ":waiting"},
		{HAS_ASLEEP, ":asleep"},
	};
	const char *names[ARRAY_SIZE(columns) + 1] = {NULL};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (!columns[i].only || columns[i].only & has)
			names[n++] = columns[i].name;
	return table_new_from(names);
}

static void print_times(struct table *t, const struct view *v, const struct view_row *r)
{
	uint64_t n = r->hist.count;

	table_cell(t, "%s", r->hlt ? "-" : percent_text(r->total_ns, v->total_ns));
	table_cell(t, "%s", fmt_ns((double)r->total_ns));
	table_cell(t, "%s", ns_or_dash(n, (double)hist_quantile(&r->hist, 0.5)));
	table_cell(t, "%s", ns_or_dash(n, (double)hist_quantile(&r->hist, 0.99)));
	table_cell(t, "%s", ns_or_dash(n, (double)r->hist.max));
}

static void print_row(struct table *t, unsigned has, const struct view *v, const struct view_row *r,
		      double seconds)
{
	const struct {
		unsigned bit;
		uint64_t ns;
	} parts[] = {
		{HAS_FAST, r->fast_ns}, {HAS_KVM, view_row_kvm_ns(r)}, {HAS_USER, r->user_ns},
		{HAS_WAIT, r->wait_ns}, {HAS_ASLEEP, r->asleep_ns},
	};

	table_cell(t, "%s", r->reason);
	if (has & HAS_KEY)
		table_cell(t, "%s", r->key);
	if (has & HAS_DEVICE)
		table_cell(t, "%s", r->device);
	table_cell(t, "%s", fmt_si((double)r->count));
	table_cell(t, "%s", seconds > 0 ? fmt_si((double)r->count / seconds) : "-");
	if (has & HAS_TIMES)
		print_times(t, v, r);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (has & parts[i].bit)
			table_cell(t, "%s", mean_or_dash(parts[i].ns, r->timed));
}

void view_print(const struct view *v, double seconds, size_t rows, FILE *out)
{
	size_t n = MIN(or_usual(rows, SIZE_MAX), v->n);
	struct table *t;
	unsigned has = bits_if(!v->counts_only, HAS_TIMES);

	if (!v->n) {
		fprintf(out, "no exits%s\n", text_if(v->count + v->hlt_count, " of this kind"));
		return;
	}
	for (size_t i = 0; i < n; i++)
		has |= row_has(&v->row[i]);
	t = rows_table(v, has);
	for (size_t i = 0; i < n; i++)
		print_row(t, has, v, &v->row[i], seconds);
	table_print(t, out);
	if (n < v->n)
		fprintf(out, "(%zu more rows; --rows=0 shows all)\n", v->n - n);
}

/* A frame's name ends at a semicolon. Registers of a QEMU have the names that it gives them. */
static void print_frame(const char *name, FILE *out)
{
	char text[sizeof(((struct view_row *)0)->device)];

	snprintf(text, sizeof(text), "%s", name);
	str_one_line(text);
	for (char *c = strchr(text, ';'); c; c = strchr(c, ';'))
		*c = ',';
	fprintf(out, ";%s", text);
}

static void print_stack(const struct view_row *r, const char *part, uint64_t ns, FILE *out)
{
	const char *of = text_or(r->device, r->key);

	if (!ns)
		return;
	fputs("exits", out);
	print_frame(r->reason, out);
	if (*of)
		print_frame(of, out);
	print_frame(part, out);
	fprintf(out, " %llu\n", (unsigned long long)ns);
}

void view_print_folded(const struct view *v, FILE *out)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct view_row *r = &v->row[i];

		if (r->hlt)
			continue;
		print_stack(r, "KVM fast path", r->fast_ns, out);
		print_stack(r, "KVM", view_row_kvm_ns(r), out);
		print_stack(r, "userspace", r->user_ns, out);
		print_stack(r, "waiting", r->wait_ns, out);
		print_stack(r, "asleep", r->asleep_ns, out);
	}
}

void view_print_hist(const struct view_row *r, FILE *out)
{
	uint64_t bucket[64] = {0}, most = 0;
	int first = 63, last = 0;

	for (unsigned i = 0; i < HIST_SLOTS; i++) {
		uint64_t low = hist_slot_low(i);
		int b = 63 - __builtin_clzll(low | 1);

		bucket[b] += r->hist.slots[i];
		if (r->hist.slots[i]) {
			first = MIN(first, b);
			last = MAX(last, b);
		}
	}
	for (int b = first; b <= last; b++)
		most = MAX(most, bucket[b]);
	print_plain(out, "\n%s %s%s%s\n", r->reason, r->key, text_if(r->device[0], "  "), r->device);
	for (int b = first; most && b <= last; b++) {
		int bar = (int)(50 * bucket[b] / most);

		fprintf(out, "  %8s .. %-8s |%-50.*s| %s\n", fmt_ns((double)(1ull << b)),
			fmt_ns((double)(2ull << b)), bar,
			"**************************************************", fmt_si((double)bucket[b]));
	}
}

static json_t *row_to_json(const struct view_row *r)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{"count", r->count}, {"total_ns", r->total_ns}, {"p50_ns", hist_quantile(&r->hist, 0.5)},
		{"p99_ns", hist_quantile(&r->hist, 0.99)}, {"kvm_fast_ns", r->fast_ns},
		{"kvm_ns", view_row_kvm_ns(r)}, {"user_ns", r->user_ns}, {"wait_ns", r->wait_ns},
		{"asleep_ns", r->asleep_ns},
	};
	json_t *j = json_pack("{s:s,s:s,s:s}", "reason", r->reason, "key", r->key, "device", r->device);

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		json_object_set_new(j, numbers[i].name, json_integer((json_int_t)numbers[i].value));
	json_object_set_new(j, "hlt", json_boolean(r->hlt));
	return j;
}

json_t *view_to_json(const struct view *v)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(rows, row_to_json(&v->row[i]));
	return rows;
}
