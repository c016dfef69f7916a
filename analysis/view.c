// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/view.h"

static const json_t *at_path(const json_t *rec, const char *path)
{
	char key[64];

	while (rec && *path) {
		size_t len = strcspn(path, ".");

		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		rec = json_object_get(rec, key);
		path += len + (path[len] == '.');
	}
	return rec;
}

const char *view_str(const json_t *rec, const char *path)
{
	const char *s = json_string_value(at_path(rec, path));

	return s ? s : "";
}

const char *view_env(const json_t *rec, const char *name)
{
	static const char *const where[] = {"environment.host.", "environment."};
	char path[96];

	for (size_t i = 0; i < ARRAY_SIZE(where); i++) {
		snprintf(path, sizeof(path), "%s%s", where[i], name);
		if (*view_str(rec, path))
			return view_str(rec, path);
	}
	return "";
}

static const json_t *setting(const json_t *rec, const char *name)
{
	const json_t *v = json_object_get(json_object_get(rec, "params"), name);

	return v ? v : json_object_get(json_object_get(rec, "knobs"), name);
}

bool view_number(const json_t *rec, const char *name, double *out)
{
	const json_t *v = setting(rec, name);
	char *end;

	if (json_is_number(v)) {
		*out = json_number_value(v);
		return true;
	}
	if (!json_is_string(v) || !*json_string_value(v))
		return false;
	*out = strtod(json_string_value(v), &end);
	return !*end;
}

bool view_text(const json_t *rec, const char *name, char *buf, size_t size)
{
	const json_t *v = setting(rec, name);

	if (json_is_string(v))
		snprintf(buf, size, "%s", json_string_value(v));
	else if (json_is_number(v))
		snprintf(buf, size, "%.15g", json_number_value(v));
	else if (json_is_boolean(v))
		snprintf(buf, size, "%s", json_is_true(v) ? "on" : "off");
	else
		return false;
	return *buf != '\0';
}

static double number_or_nan(const json_t *v)
{
	return json_is_number(v) ? json_number_value(v) : NAN;
}

bool view_summary(const json_t *rec, const char *metric, struct interval *out)
{
	const json_t *m = json_object_get(json_object_get(rec, "summary"), metric);

	if (!json_is_number(json_object_get(m, "median")))
		return false;
	out->point = json_number_value(json_object_get(m, "median"));
	out->low = number_or_nan(json_object_get(m, "ci_low"));
	out->high = number_or_nan(json_object_get(m, "ci_high"));
	out->n = (size_t)json_integer_value(json_object_get(m, "n"));
	return true;
}

size_t view_samples(const json_t *rec, const char *metric, double **out)
{
	const json_t *samples = json_object_get(rec, "samples"), *s;
	size_t i, n = 0;

	*out = xcalloc(json_array_size(samples) + 1, sizeof(**out));
	json_array_foreach (samples, i, s) {
		const json_t *v = json_object_get(json_object_get(s, "metrics"), metric);

		if (json_is_true(json_object_get(s, "ok")) && json_is_number(v))
			(*out)[n++] = json_number_value(v);
	}
	return n;
}

size_t view_n(const json_t *rec)
{
	const json_t *samples = json_object_get(rec, "samples"), *s;
	size_t i, n = 0;

	json_array_foreach (samples, i, s)
		n += json_is_true(json_object_get(s, "ok"));
	return n;
}

bool view_hist(const json_t *rec, const char *name, struct hist *out)
{
	const json_t *samples = json_object_get(rec, "samples"), *s;
	struct hist *one = xcalloc(1, sizeof(*one));
	size_t i;

	hist_init(out);
	json_array_foreach (samples, i, s) {
		const json_t *h = json_object_get(json_object_get(s, "hists"), name);

		if (json_is_true(json_object_get(s, "ok")) && h && !hist_from_json(h, one))
			hist_merge(out, one);
	}
	free(one);
	return out->count > 0;
}

double view_num(const json_t *obj, const char *key)
{
	return json_number_value(json_object_get(obj, key));
}

double view_window_ns(const json_t *rec, const json_t *sample)
{
	double ns = view_num(json_object_get(sample, "metrics"), "window_ns");

	if (ns <= 0)
		ns = view_num(json_object_get(rec, "params"), "duration_ns");
	return ns > 0 ? ns : 0;
}

const struct metric_info *view_metric(const char *name)
{
	const struct metric_info *exact = metric_find(name);
	char base[64];

	if (exact)
		return exact;
	snprintf(base, sizeof(base), "%.*s", (int)strcspn(name, "."), name);
	return metric_find(base);
}
