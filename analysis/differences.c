// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "analysis/compare.h"
#include "base/strbuf.h"
#include "results/record.h"

struct list {
	struct compare_difference *d;
	size_t n;
};

static char *text_of(const json_t *v)
{
	char *s;

	if (!v || json_is_null(v) || (json_is_string(v) && !*json_string_value(v)))
		return xstrdup("-");
	if (json_is_string(v))
		return xstrdup(json_string_value(v));
	s = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	return s ? s : xstrdup("?");
}

static void add(struct list *l, bool blocking, const char *what, char *base, char *changed)
{
	l->d = xgrow(l->d, l->n, sizeof(*l->d));
	l->d[l->n++] = (struct compare_difference){xstrdup(what), base, changed, blocking};
}

static void add_if_unequal(struct list *l, bool blocking, const char *what, const json_t *a,
			   const json_t *b)
{
	char *ta = text_of(a), *tb = text_of(b);

	if (strcmp(ta, tb) != 0) {
		add(l, blocking, what, ta, tb);
		return;
	}
	free(ta);
	free(tb);
}

/* "6.1.0-56-amd64 #1 SMP PREEMPT_DYNAMIC ...": the build's part only matters where the releases agree. */
static void add_host_kernel(struct list *l, const json_t *a, const json_t *b)
{
	char *ta = text_of(a), *tb = text_of(b);
	size_t na = strcspn(ta, " "), nb = strcspn(tb, " ");

	if (na != nb || strncmp(ta, tb, na) != 0)
		ta[na] = tb[nb] = '\0';
	if (strcmp(ta, tb) != 0) {
		add(l, true, "host kernel", ta, tb);
		return;
	}
	free(ta);
	free(tb);
}

/* The kernel stands above, in a row of its own; the number of boots shows in the intervals; noise
 * is never equal. */
static bool passed_over(const char *key)
{
	return !strcmp(key, "kernel") || !strcmp(key, "reps") || !strcmp(key, "noise");
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
			add_if_unequal(l, false, name, va, vb);
		}
		free(name);
	}
	json_decref(all);
}

static const json_t *input_named(const json_t *rec, const char *name)
{
	json_t *in;
	size_t i;

	json_array_foreach (json_object_get(rec, "inputs"), i, in)
		if (!strcmp(record_str(in, "name"), name))
			return in;
	return NULL;
}

static void add_input(struct list *l, const char *name, const json_t *a, const json_t *b)
{
	static const char *const members[] = {"version", "build", "sha256"};
	char *what = xasprintf("%s (input)", name);
	bool kernel = !strcmp(name, "kernel"); /* the only one that another build of ours leaves alone */

	/* The first member that differs tells it best. */
	for (size_t i = kernel ? ARRAY_SIZE(members) - 1 : 0; i < ARRAY_SIZE(members); i++) {
		size_t before = l->n;

		add_if_unequal(l, kernel, what, json_object_get(a, members[i]),
			       json_object_get(b, members[i]));
		if (l->n > before)
			break;
	}
	free(what);
}

static void add_inputs(struct list *l, const json_t *base, const json_t *changed)
{
	json_t *in;
	size_t i;

	json_array_foreach (json_object_get(base, "inputs"), i, in) {
		const char *name = record_str(in, "name");

		if (input_named(changed, name))
			add_input(l, name, in, input_named(changed, name));
	}
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
	static const struct {
		const char *key, *what;
		bool blocking;
	} top[] = {{"workload", "workload", true},
		   {"substrate", "substrate", true},
		   {"time_base", "time base", true},
		   {"guest", "guest", true},
		   {"mode", "mode", false},
		   {"vmm", "vmm", false}};
	const json_t *ea = json_object_get(base, "environment"),
		     *eb = json_object_get(changed, "environment");
	struct list l = {NULL, 0};

	for (size_t i = 0; i < ARRAY_SIZE(top); i++)
		add_if_unequal(&l, top[i].blocking, top[i].what, json_object_get(base, top[i].key),
			       json_object_get(changed, top[i].key));
	add_host_kernel(&l, json_object_get(ea, "kernel"), json_object_get(eb, "kernel"));
	add_members(&l, "", json_object_get(base, "knobs"), json_object_get(changed, "knobs"));
	add_members(&l, "", json_object_get(base, "params"), json_object_get(changed, "params"));
	add_inputs(&l, base, changed);
	add_members(&l, "environment.", ea, eb);
	blocking_first(&l);
	*out = l.d;
	return l.n;
}

char *compare_blocking(const struct compare_difference *d, size_t n)
{
	struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < n && d[i].blocking; i++)
		strbuf_addf(&sb, "%sanother %s (%.60s -> %.60s)", i ? ", " : "", d[i].what,
			    d[i].base, d[i].changed);
	return sb.len ? strbuf_take(&sb) : NULL;
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
