// SPDX-License-Identifier: MIT
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "results/record.h"

/* ---- validation ---- */

enum want { STR, INT, NUM, NUM_OR_NULL, BOOL, ARRAY, OBJECT };

struct member {
	const char *name;
	enum want type;
	bool required;
};

static const struct member record_members[] = {
	{"schema", INT, true},	   {"id", STR, true},	       {"started", STR, true},
	{"workload", STR, true},   {"mode", STR, true},	       {"vmm", STR, true},
	{"guest", STR, true},	   {"substrate", STR, true},   {"time_base", STR, true},
	{"samples", ARRAY, true},  {"plan_id", STR, false},    {"finished", STR, false},
	{"order", INT, false},	   {"argv", ARRAY, false},     {"knobs", OBJECT, false},
	{"params", OBJECT, false}, {"plan", OBJECT, false},    {"environment", OBJECT, false},
	{"inputs", ARRAY, false},  {"summary", OBJECT, false}, {"exits", ARRAY, false},
	{"checks", ARRAY, false},  {"ok", BOOL, false},	       {"overhead_pct", NUM_OR_NULL, false},
};

static const struct member sample_members[] = {
	{"ok", BOOL, true},	  {"index", INT, false},    {"boot", INT, false},
	{"error", STR, false},	  {"tags", ARRAY, false},   {"metrics", OBJECT, false},
	{"exits", ARRAY, false},  {"hists", OBJECT, false}, {"threads", ARRAY, false},
	{"checks", ARRAY, false},
};

static const struct member summary_members[] = {
	{"median", NUM, true}, {"ci_low", NUM_OR_NULL, true}, {"ci_high", NUM_OR_NULL, true},
	{"n", INT, true},      {"unit", STR, false},
};

static const struct member exit_members[] = {
	{"reason", STR, true},		{"key", STR, true},
	{"count", NUM, true},		{"total_ns", NUM_OR_NULL, false},
	{"p50_ns", NUM_OR_NULL, false}, {"p99_ns", NUM_OR_NULL, false},
	{"kvm_ns", NUM_OR_NULL, false}, {"user_ns", NUM_OR_NULL, false},
};

static const struct member input_members[] = {
	{"name", STR, true},
	{"path", STR, false},
	{"sha256", STR, true},
};

static const struct member check_members[] = {
	{"name", STR, true},
	{"ok", BOOL, true},
	{"detail", STR, false},
};

static bool type_matches(const json_t *j, enum want type)
{
	switch (type) {
	case STR:
		return json_is_string(j);
	case INT:
		return json_is_integer(j);
	case NUM_OR_NULL:
		if (json_is_null(j))
			return true;
		/* fall through */
	case NUM:
		return json_is_number(j) && isfinite(json_number_value(j));
	case BOOL:
		return json_is_boolean(j);
	case ARRAY:
		return json_is_array(j);
	case OBJECT:
		return json_is_object(j);
	}
	return false;
}

static int complain(const char *name, const char *path, const char *member, const char *what)
{
	log_error("%s: %s.%s: %s; see results/SCHEMA.md", name, path, member, what);
	return -EINVAL;
}

static int check_members_of(const json_t *obj, const struct member *m, size_t n, const char *name,
			    const char *path)
{
	static const char *const wanted[] = {"not a string",	    "not an integer",
					     "not a finite number", "not a finite number or null",
					     "not true or false",   "not an array",
					     "not an object"};

	if (!json_is_object(obj))
		return complain(name, path, "", "not an object");
	for (; n; n--, m++) {
		const json_t *v = json_object_get(obj, m->name);

		if (!v && m->required)
			return complain(name, path, m->name, "missing");
		if (v && !type_matches(v, m->type))
			return complain(name, path, m->name, wanted[m->type]);
	}
	return 0;
}

#define CHECK(obj, table, name, path) check_members_of(obj, table, ARRAY_SIZE(table), name, path)

static int check_array(const json_t *array, const struct member *m, size_t n, const char *name,
		       const char *path)
{
	json_t *item;
	size_t i;

	json_array_foreach (array, i, item) {
		char at[96];
		int err;

		snprintf(at, sizeof(at), "%s[%zu]", path, i);
		err = check_members_of(item, m, n, name, at);
		if (err)
			return err;
	}
	return 0;
}

static int check_hists(const json_t *hists, const char *name, const char *path)
{
	struct hist *h = xcalloc(1, sizeof(*h));
	const char *key;
	json_t *v;
	int err = 0;

	json_object_foreach ((json_t *)hists, key, v) {
		if (hist_from_json(v, h)) {
			err = complain(name, path, key, "not a histogram");
			break;
		}
	}
	free(h);
	return err;
}

/* A failed sample has an error and no metrics: it must never be read as zeros. */
static int check_sample(const json_t *sample, const char *name, const char *path)
{
	const json_t *metrics = json_object_get(sample, "metrics");
	const char *key;
	json_t *v;
	int err = CHECK(sample, sample_members, name, path);

	if (err)
		return err;
	if (json_is_false(json_object_get(sample, "ok"))) {
		if (!json_is_string(json_object_get(sample, "error")))
			return complain(name, path, "error", "missing in a failed sample");
		if (json_object_size(metrics))
			return complain(name, path, "metrics", "present in a failed sample");
		return 0;
	}
	if (!metrics)
		return complain(name, path, "metrics", "missing");
	json_object_foreach ((json_t *)metrics, key, v)
		if (!type_matches(v, NUM))
			return complain(name, path, key, "metric is not a finite number");
	return check_hists(json_object_get(sample, "hists"), name, path);
}

static int check_summary(const json_t *summary, const char *name)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)summary, key, v) {
		char at[96];
		int err;

		snprintf(at, sizeof(at), ".summary.%s", key);
		err = CHECK(v, summary_members, name, at);
		if (err)
			return err;
	}
	return 0;
}

/* It becomes a directory's name. */
static bool id_ok(const char *id)
{
	size_t n = strspn(id, "0123456789-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return n && n < 32 && !id[n];
}

int record_validate(const json_t *rec, const char *name)
{
	const json_t *schema = json_object_get(rec, "schema");
	json_t *sample;
	int err;
	size_t i;

	/* First, because the rest of a newer record may mean anything. */
	if (json_is_integer(schema) && json_integer_value(schema) > RECORD_SCHEMA) {
		log_error("%s: record of schema %lld, this program knows %d; use a newer exitlab",
			  name, (long long)json_integer_value(schema), RECORD_SCHEMA);
		return -EINVAL;
	}
	err = CHECK(rec, record_members, name, "");
	if (!err && !id_ok(record_str(rec, "id")))
		err = complain(name, "", "id", "not 1 to 31 letters, digits and dashes");
	json_array_foreach (json_object_get(rec, "samples"), i, sample) {
		char at[48];

		snprintf(at, sizeof(at), ".samples[%zu]", i);
		err = err ? err : check_sample(sample, name, at);
	}
#define CHECK_ARRAY(key, table)                                                                    \
	(err = err ? err                                                                           \
		   : check_array(json_object_get(rec, key), table, ARRAY_SIZE(table), name,        \
				 "." key))
	CHECK_ARRAY("exits", exit_members);
	CHECK_ARRAY("inputs", input_members);
	CHECK_ARRAY("checks", check_members);
#undef CHECK_ARRAY
	return err ? err : check_summary(json_object_get(rec, "summary"), name);
}

json_t *record_read(const char *path)
{
	struct strbuf text = STRBUF_INIT;
	json_t *rec = NULL;
	json_error_t e;
	int err = file_read(path, &text);

	if (err) {
		log_error("%s: %s", path, strerror(-err));
	} else {
		rec = json_loadb(strbuf_str(&text), text.len, 0, &e);
		if (!rec)
			log_error("%s:%d: %s; the file is damaged", path, e.line, e.text);
	}
	if (rec && record_validate(rec, path)) {
		json_decref(rec);
		rec = NULL;
	}
	strbuf_free(&text);
	return rec;
}

/* ---- access ---- */

const char *record_str(const json_t *rec, const char *key)
{
	const char *s = json_string_value(json_object_get(rec, key));

	return s ? s : "";
}

double *record_values(const json_t *rec, const char *metric, size_t *n)
{
	json_t *samples = json_object_get(rec, "samples"), *sample;
	double *x = xcalloc(json_array_size(samples), sizeof(*x));
	size_t i;

	*n = 0;
	json_array_foreach (samples, i, sample) {
		json_t *v = json_object_get(json_object_get(sample, "metrics"), metric);

		if (json_is_true(json_object_get(sample, "ok")) && json_is_number(v))
			x[(*n)++] = json_number_value(v);
	}
	if (!*n) {
		free(x);
		x = NULL;
	}
	return x;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_sorted(struct strbuf *sb, const json_t *obj, const char *skip, char separator)
{
	const char **keys = xcalloc(json_object_size(obj), sizeof(*keys)), *key;
	size_t n = 0;
	json_t *v;

	json_object_foreach ((json_t *)obj, key, v)
		if (!skip || strcmp(key, skip) != 0)
			keys[n++] = key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < n; i++) {
		char *text;

		v = json_object_get(obj, keys[i]);
		text = json_is_string(v)
			       ? xstrdup(json_string_value(v))
			       : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
		strbuf_addf(sb, "%c%s=%s", separator, keys[i], text ? text : "");
		free(text);
	}
	free(keys);
}

char *record_knobs(const json_t *rec)
{
	struct strbuf sb = STRBUF_INIT;
	char *text;

	add_sorted(&sb, json_object_get(rec, "knobs"), NULL, ' ');
	text = xstrdup(strbuf_str(&sb) + (sb.len > 0));
	strbuf_free(&sb);
	return text;
}

char *record_series(const json_t *rec)
{
	static const char *const parts[] = {"workload", "mode",	     "vmm",
					    "guest",	"substrate", "time_base"};
	struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		strbuf_addf(&sb, "%s%s", i ? "/" : "", record_str(rec, parts[i]));
	add_sorted(&sb, json_object_get(rec, "knobs"), NULL, ';');
	add_sorted(&sb, json_object_get(rec, "params"), "reps", ';');
	return strbuf_take(&sb);
}
