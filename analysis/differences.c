// SPDX-License-Identifier: MIT
/* What differs between two records besides what was measured, and which of it forbids a comparison. */
#include <stdlib.h>
#include <string.h>

#include "analysis/compare.h"
#include "base/strbuf.h"
#include "results/record.h"

struct list {
	struct compare_difference *d;
	size_t n;
};

static char *text_or_dash(const char *text)
{
	return xstrdup(text_or(text, "-"));
}

static char *text_of(const json_t *v)
{
	char *text;

	if (!v || json_is_null(v))
		return xstrdup("-");
	text = json_text(v);
	if (*text)
		return text;
	free(text);
	return xstrdup("-");
}

/* Takes both texts over. */
static void add_if_unequal(struct list *l, bool blocking, const char *what, char *base, char *changed)
{
	if (!strcmp(base, changed)) {
		free(base);
		free(changed);
		return;
	}
	l->d = xgrow(l->d, l->n, sizeof(*l->d));
	l->d[l->n++] = (struct compare_difference){xstrdup(what), base, changed, blocking};
}

/* "6.1.0-56-amd64 #1 SMP PREEMPT_DYNAMIC ...": the build's part only matters where the releases agree. */
static void add_host_kernel(struct list *l, const char *base, const char *changed)
{
	char *ta = text_or_dash(base), *tb = text_or_dash(changed);
	size_t na = strcspn(ta, " "), nb = strcspn(tb, " ");

	if (na != nb || strncmp(ta, tb, na) != 0)
		ta[na] = tb[nb] = '\0';
	add_if_unequal(l, true, "host kernel", ta, tb);
}

/* The kernel stands above, in a row of its own; the number of boots shows in the intervals. */
static bool passed_over(const char *key)
{
	return !strcmp(key, "kernel") || !strcmp(key, "reps");
}

/* Members of either object but those told otherwise or not at all; those of objects inside have a
 * dotted name. */
static void add_members(struct list *l, const char *prefix, const json_t *a, const json_t *b)
{
	json_t *all = json_object(), *v;
	const char *key;

	if (a)
		json_object_update(all, (json_t *)a);
	if (b)
		json_object_update_missing(all, (json_t *)b);
	json_object_foreach (all, key, v) {
		const json_t *va = json_object_get(a, key), *vb = json_object_get(b, key);
		char *name;

		if (passed_over(key))
			continue;
		name = xasprintf("%s%s", prefix, key);
		if (json_is_object(v)) {
			char *deeper = xasprintf("%s.", name);

			add_members(l, deeper, va, vb);
			free(deeper);
		} else {
			add_if_unequal(l, false, name, text_of(va), text_of(vb));
		}
		free(name);
	}
	json_decref(all);
}

static bool find_input(const json_t *inputs, const char *name, struct record_input *in)
{
	for (size_t i = 0; record_input(inputs, i, in); i++)
		if (!strcmp(in->name, name))
			return true;
	return false;
}

static void add_input(struct list *l, const struct record_input *a, const struct record_input *b)
{
	const char *const members[][2] = {
		{a->version, b->version}, {a->build, b->build}, {a->sha256, b->sha256}};
	bool kernel = !strcmp(a->name, "kernel"); /* the only one that another build of ours leaves alone */
	char *what = xasprintf("%s (input)", a->name);
	size_t first = 0, before = l->n;

	if (kernel)
		first = ARRAY_SIZE(members) - 1;
	/* The first member that differs tells it best. */
	for (size_t i = first; i < ARRAY_SIZE(members) && l->n == before; i++)
		add_if_unequal(l, kernel, what, text_or_dash(members[i][0]), text_or_dash(members[i][1]));
	free(what);
}

static void add_inputs(struct list *l, const json_t *base, const json_t *changed)
{
	struct record_input a, b;

	for (size_t i = 0; record_input(base, i, &a); i++)
		if (find_input(changed, a.name, &b))
			add_input(l, &a, &b);
}

static void blocking_first(struct list *l)
{
	struct compare_difference *sorted = xcalloc(l->n, sizeof(*sorted));
	size_t n = 0;

	for (int pass = 1; pass >= 0; pass--)
		for (size_t i = 0; i < l->n; i++)
			if (l->d[i].blocking == pass)
				sorted[n++] = l->d[i];
	free(l->d);
	l->d = sorted;
}

size_t compare_differences(const json_t *base, const json_t *changed,
			   struct compare_difference **out)
{
	const struct record a = record_of(base), b = record_of(changed);
	const struct {
		const char *what, *base, *changed;
		bool blocking;
	} top[] = {{"workload", a.workload, b.workload, true},
		   {"substrate", a.substrate, b.substrate, true},
		   {"time base", a.time_base, b.time_base, true},
		   {"guest", a.guest, b.guest, true},
		   {"mode", a.mode, b.mode, false},
		   {"vmm", a.vmm, b.vmm, false}};
	struct list l = {NULL, 0};

	for (size_t i = 0; i < ARRAY_SIZE(top); i++)
		add_if_unequal(&l, top[i].blocking, top[i].what, text_or_dash(top[i].base),
			       text_or_dash(top[i].changed));
	add_host_kernel(&l, record_environment_of(base).kernel, record_environment_of(changed).kernel);
	add_members(&l, "", a.knobs, b.knobs);
	add_members(&l, "", a.params, b.params);
	add_inputs(&l, a.inputs, b.inputs);
	add_members(&l, "environment.", a.environment, b.environment);
	blocking_first(&l);
	*out = l.d;
	return l.n;
}

char *compare_blocking(const struct compare_difference *d, size_t n)
{
	struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < n && d[i].blocking; i++) {
		strbuf_sep(&sb, ", ");
		strbuf_addf(&sb, "another %s (%.60s -> %.60s)", d[i].what, d[i].base, d[i].changed);
	}
	return sb.buf; /* NULL: nothing forbids it */
}

void compare_differences_free(struct compare_difference *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(d[i].what);
		free(d[i].base);
		free(d[i].changed);
	}
	free(d);
}
