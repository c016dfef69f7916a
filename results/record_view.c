// SPDX-License-Identifier: MIT
/* What a record says: its members in structs, values of metrics, settings. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/strlist.h"
#include "results/record.h"

/* ---- members ---- */

struct record record_of(const json_t *rec)
{
	struct record r;

	members_read(&record_members, rec, &r);
	return r;
}

struct record_params record_params_of(const json_t *rec)
{
	struct record_params p;

	members_read(&params_members, record_of(rec).params, &p);
	return p;
}

struct record_plan record_plan_of(const json_t *rec)
{
	struct record_plan p;

	members_read(&plan_members, record_of(rec).plan, &p);
	return p;
}

struct record_environment record_environment_of(const json_t *rec)
{
	struct record_environment e;

	members_read(&environment_members, record_of(rec).environment, &e);
	return e;
}

struct record_sample record_sample_of(const json_t *sample)
{
	struct record_sample s;

	members_read(&sample_members, sample, &s);
	return s;
}

struct record_bottleneck record_bottleneck_of(const struct record_sample *s)
{
	struct record_bottleneck b;

	members_read(&bottleneck_members, s->bottleneck, &b);
	return b;
}

struct record_life record_life_of(const struct record_sample *s)
{
	struct record_life l;

	members_read(&life_members, s->life, &l);
	return l;
}

static bool read_item(const struct members *m, const json_t *list, size_t i, void *to)
{
	const json_t *item = json_array_get(list, i);

	if (item)
		members_read(m, item, to);
	return item;
}

bool record_sample(const json_t *samples, size_t i, struct record_sample *s)
{
	const json_t *item = json_array_get(samples, i);

	if (!read_item(&sample_members, samples, i, s))
		return false;
	/* One that does not say of which boot it is was a boot of its own. */
	if (!json_object_get(item, "boot"))
		s->boot = (int64_t)i;
	return true;
}

bool record_exit(const json_t *exits, size_t i, struct record_exit *e)
{
	return read_item(&exit_members, exits, i, e);
}

bool record_op(const json_t *ops, size_t i, struct record_op *op)
{
	return read_item(&op_members, ops, i, op);
}

bool record_thread(const json_t *threads, size_t i, struct record_thread *t)
{
	return read_item(&thread_members, threads, i, t);
}

bool record_step(const json_t *steps, size_t i, struct record_step *s)
{
	return read_item(&step_members, steps, i, s);
}

bool record_check(const json_t *checks, size_t i, struct record_check *c)
{
	return read_item(&check_members, checks, i, c);
}

bool record_input(const json_t *inputs, size_t i, struct record_input *in)
{
	return read_item(&input_members, inputs, i, in);
}

bool record_text(const json_t *texts, size_t i, const char **text)
{
	const json_t *item = json_array_get(texts, i);

	*text = "?";
	if (json_is_string(item))
		*text = json_string_value(item);
	return item;
}

void record_add_check(json_t *checks, const char *name, bool ok, const char *detail)
{
	const struct record_check c = {.name = name, .ok = ok, .detail = detail};

	json_array_append_new(checks, members_write(&check_members, &c));
}

const char *record_str(const json_t *object, const char *key)
{
	return text_or(json_string_value(json_object_get(object, key)), "");
}

/* ---- metrics ---- */

static bool read_summary(const json_t *m, struct interval *out)
{
	struct record_summary s;

	members_read(&summary_members, m, &s);
	*out = (struct interval){s.median, s.ci_low, s.ci_high, (size_t)s.n};
	return json_is_object(m);
}

bool record_summary(const json_t *rec, const char *metric, struct interval *out)
{
	return read_summary(json_object_get(record_of(rec).summary, metric), out);
}

bool record_next_metric(const json_t *rec, void **at, const char **metric, struct interval *out)
{
	json_t *summary = record_of(rec).summary;

	if (*at)
		*at = json_object_iter_next(summary, *at);
	else
		*at = json_object_iter(summary);
	if (!*at)
		return false;
	*metric = json_object_iter_key(*at);
	return read_summary(json_object_iter_value(*at), out);
}

bool record_value(const struct record_sample *s, const char *metric, double *out)
{
	const json_t *v = json_object_get(s->metrics, metric);

	*out = json_number_value(v);
	return s->ok && json_is_number(v);
}

double *record_values(const json_t *rec, const char *metric, size_t *n)
{
	const json_t *samples = record_of(rec).samples;
	double *x = xcalloc(json_array_size(samples), sizeof(*x));
	struct record_sample s;

	*n = 0;
	for (size_t i = 0; record_sample(samples, i, &s); i++)
		*n += record_value(&s, metric, &x[*n]);
	if (!*n) {
		free(x);
		x = NULL;
	}
	return x;
}

size_t record_ok_samples(const json_t *rec)
{
	const json_t *samples = record_of(rec).samples;
	struct record_sample s;
	size_t n = 0;

	for (size_t i = 0; record_sample(samples, i, &s); i++)
		n += s.ok;
	return n;
}

bool record_hist(const json_t *rec, const char *name, struct hist *out)
{
	const json_t *samples = record_of(rec).samples;
	struct hist *one = xcalloc(1, sizeof(*one));
	struct record_sample s;

	hist_init(out);
	for (size_t i = 0; record_sample(samples, i, &s); i++)
		if (s.ok && !hist_from_json(json_object_get(s.hists, name), one))
			hist_merge(out, one);
	free(one);
	return out->count > 0;
}

double record_window_ns(const json_t *rec, const struct record_sample *s)
{
	double ns = json_number_value(json_object_get(s->metrics, "window_ns"));

	if (ns > 0)
		return ns;
	return (double)MAX(record_params_of(rec).duration_ns, 0);
}

/* ---- settings ---- */

static const json_t *find_setting(const json_t *rec, const char *name)
{
	struct record r = record_of(rec);
	const json_t *v = json_object_get(r.params, name);

	if (v)
		return v;
	return json_object_get(r.knobs, name);
}

bool record_setting(const json_t *rec, const char *name, double *out)
{
	const json_t *v = find_setting(rec, name);
	const char *text = json_string_value(v);
	char *end;

	if (json_is_number(v)) {
		*out = json_number_value(v);
		return true;
	}
	if (!text || !*text)
		return false;
	*out = strtod(text, &end);
	return !*end;
}

bool record_setting_text(const json_t *rec, const char *name, char *buf, size_t size)
{
	const json_t *v = find_setting(rec, name);

	if (json_is_string(v))
		snprintf(buf, size, "%s", json_string_value(v));
	else if (json_is_number(v))
		snprintf(buf, size, "%.15g", json_number_value(v));
	else if (json_is_true(v))
		snprintf(buf, size, "on");
	else if (json_is_false(v))
		snprintf(buf, size, "off");
	else
		return false;
	return *buf != '\0';
}

const char *record_knob(const json_t *rec, const char *name)
{
	return record_str(record_of(rec).knobs, name);
}

static void add_sorted(struct strbuf *sb, json_t *object, const char *skip, char separator)
{
	struct strlist keys = STRLIST_INIT;
	const char *key;
	json_t *v;

	json_object_foreach (object, key, v)
		if (!skip || strcmp(key, skip) != 0)
			strlist_add(&keys, key);
	strlist_sort(&keys);
	for (size_t i = 0; i < keys.n; i++) {
		char *text = json_text(json_object_get(object, keys.v[i]));

		strbuf_addf(sb, "%c%s=%s", separator, keys.v[i], text);
		free(text);
	}
	strlist_free(&keys);
}

char *record_knobs(const json_t *rec)
{
	struct strbuf sb = STRBUF_INIT;
	char *text;

	add_sorted(&sb, record_of(rec).knobs, NULL, ' ');
	text = xstrdup(strbuf_str(&sb) + (sb.len > 0));
	strbuf_free(&sb);
	return text;
}

const char *record_machine(const json_t *rec)
{
	const struct record_environment env = record_environment_of(rec);

	return text_or(record_str(env.lab, MEMBER_KEY(struct record_lab, host_machine)), env.machine);
}

int64_t record_machine_speed(const json_t *rec)
{
	const struct record_environment env = record_environment_of(rec);
	struct record_lab lab;

	if (!env.lab)
		return env.calibration_ns;
	members_read(&lab_members, env.lab, &lab);
	return lab.host_calibration_ns;
}

char *record_config(const json_t *rec)
{
	struct record r = record_of(rec);
	struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "%s/%s/%s/%s/%s/%s", r.workload, r.mode, r.vmm, r.guest, r.substrate, r.time_base);
	add_sorted(&sb, r.knobs, NULL, ';');
	add_sorted(&sb, r.params, "reps", ';');
	return strbuf_take(&sb);
}

char *record_series(const json_t *rec)
{
	char *config = record_config(rec), *series = NULL;
	const char *machine = record_machine(rec);

	if (!*machine || !strcmp(record_of(rec).time_base, "virtual"))
		return config;
	series = xasprintf("%s;@%s", config, machine);
	for (char *c = series + strlen(config) + 1; *c; c++)
		if (*c == ';') /* a setting ends there */
			*c = ',';
	free(config);
	return series;
}

/* FNV-1a, 64 bits: nobody gains by a collision. */
static void hash_texts(uint64_t *hash, const char *const *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *s = text[i];

		do
			*hash = (*hash ^ (unsigned char)*s) * 1099511628211u;
		while (*s++);
	}
}

char *record_build(const json_t *rec)
{
	const struct record_environment env = record_environment_of(rec);
	const char *const host[] = {env.kernel, env.cpu, record_str(env.lab, "qemu"),
				    record_str(env.lab, "host_kernel"), record_str(env.lab, "host_cpu")};
	const json_t *inputs = record_of(rec).inputs;
	uint64_t hash = 14695981039346656037u;
	struct record_input in;
	size_t i;

	for (i = 0; record_input(inputs, i, &in); i++) {
		if (!*in.sha256)
			return xstrdup("");
		hash_texts(&hash, (const char *const[]){in.name, in.sha256}, 2);
	}
	if (!i)
		return xstrdup("");
	hash_texts(&hash, host, ARRAY_SIZE(host));
	return xasprintf("%016llx", (unsigned long long)hash);
}
