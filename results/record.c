// SPDX-License-Identifier: MIT
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "results/record.h"

#define TABLE(of, LIST, type)                                                                     \
	static const struct member of##_rows[] = {LIST(MEMBER_ROW, struct type)};                 \
	const struct members of##_members = {of##_rows, ARRAY_SIZE(of##_rows)}

TABLE(record, RECORD_MEMBERS, record);
TABLE(params, PARAMS_MEMBERS, record_params);
TABLE(plan, PLAN_MEMBERS, record_plan);
TABLE(environment, ENVIRONMENT_MEMBERS, record_environment);
TABLE(lab, LAB_MEMBERS, record_lab);
TABLE(input, INPUT_MEMBERS, record_input);
TABLE(sample, SAMPLE_MEMBERS, record_sample);
TABLE(vm, VM_MEMBERS, record_vm);
TABLE(op, OP_MEMBERS, record_op);
TABLE(thread, THREAD_MEMBERS, record_thread);
TABLE(bottleneck, BOTTLENECK_MEMBERS, record_bottleneck);
TABLE(life, LIFE_MEMBERS, record_life);
TABLE(step, STEP_MEMBERS, record_step);
TABLE(stages, STAGES_MEMBERS, record_stages);
TABLE(noise, NOISE_MEMBERS, record_noise);
TABLE(summary, SUMMARY_MEMBERS, record_summary);
TABLE(exit, EXIT_MEMBERS, record_exit);
TABLE(check, CHECK_MEMBERS, record_check);

const struct record_part record_parts[] = {
	{"", &record_members},
	{".params", &params_members},
	{".plan", &plan_members},
	{".environment", &environment_members},
	{".environment.lab", &lab_members},
	{".inputs[]", &input_members},
	{".samples[]", &sample_members},
	{".samples[].vms[]", &vm_members},
	{".samples[].exits[]", &exit_members},
	{".samples[].ops[]", &op_members},
	{".samples[].threads[]", &thread_members},
	{".samples[].bottleneck", &bottleneck_members},
	{".samples[].checks[]", &check_members},
	{".samples[].life", &life_members},
	{".samples[].life.steps[]", &step_members},
	{".samples[].stage_ns", &stages_members},
	{".samples[].noise", &noise_members},
	{".summary.METRIC", &summary_members},
	{".exits[]", &exit_members},
	{".checks[]", &check_members},
	{NULL, NULL},
};

/* ---- validation ---- */

static int refuse(const char *name, const char *path, const char *member, const char *what)
{
	log_error("%s: %s.%s: %s; see results/SCHEMA.md", name, path, member, what);
	return -EINVAL;
}

static int check_object(const json_t *object, const struct members *m, const char *name, const char *path)
{
	const char *why, *wrong;

	if (!json_is_object(object))
		return refuse(name, path, "", "not an object");
	wrong = members_wrong(m, object, &why);
	if (wrong)
		return refuse(name, path, wrong, why);
	return 0;
}

static int check_list(const json_t *list, const struct members *m, const char *name, const char *path)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		char at[96];
		int err;

		snprintf(at, sizeof(at), "%s[%zu]", path, i);
		err = check_object(item, m, name, at);
		if (err)
			return err;
	}
	return 0;
}

static int check_hists(json_t *hists, const char *name, const char *path)
{
	struct hist *h = xcalloc(1, sizeof(*h));
	const char *key;
	json_t *v;
	int err = 0;

	json_object_foreach (hists, key, v) {
		if (hist_from_json(v, h)) {
			err = refuse(name, path, key, "not a histogram");
			break;
		}
	}
	free(h);
	return err;
}

static int check_metrics(json_t *metrics, const char *name, const char *path)
{
	const char *key;
	json_t *v;

	json_object_foreach (metrics, key, v)
		if (!json_is_number(v) || !isfinite(json_number_value(v)))
			return refuse(name, path, key, "metric is not a finite number");
	return 0;
}

/* A failed sample has an error and no metrics: it must never be read as zeros. */
static int check_sample(const json_t *sample, const char *name, const char *path)
{
	struct record_sample s;
	int err = check_object(sample, &sample_members, name, path);

	if (err)
		return err;
	members_read(&sample_members, sample, &s);
	if (!s.ok) {
		if (!json_object_get(sample, "error"))
			return refuse(name, path, "error", "missing in a failed sample");
		if (json_object_size(s.metrics))
			return refuse(name, path, "metrics", "present in a failed sample");
		return 0;
	}
	if (!s.metrics)
		return refuse(name, path, "metrics", "missing");
	err = check_metrics(s.metrics, name, path);
	if (err)
		return err;
	return check_hists(s.hists, name, path);
}

static int check_samples(const json_t *samples, const char *name)
{
	json_t *sample;
	size_t i;

	json_array_foreach (samples, i, sample) {
		char at[48];
		int err;

		snprintf(at, sizeof(at), ".samples[%zu]", i);
		err = check_sample(sample, name, at);
		if (err)
			return err;
	}
	return 0;
}

static int check_summary(json_t *summary, const char *name)
{
	const char *key;
	json_t *v;

	json_object_foreach (summary, key, v) {
		char at[96];
		int err;

		snprintf(at, sizeof(at), ".summary.%s", key);
		err = check_object(v, &summary_members, name, at);
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
	struct record r = record_of(rec);
	int err;

	/* First, because the rest of a newer record may mean anything. */
	if (r.schema > RECORD_SCHEMA) {
		log_error("%s: record of schema %lld, this program knows %d; use a newer exitlab",
			  name, (long long)r.schema, RECORD_SCHEMA);
		return -EINVAL;
	}
	err = check_object(rec, &record_members, name, "");
	if (err)
		return err;
	if (!id_ok(r.id))
		return refuse(name, "", "id", "not 1 to 31 letters, digits and dashes");
	err = check_samples(r.samples, name);
	if (err)
		return err;
	err = check_list(r.exits, &exit_members, name, ".exits");
	if (err)
		return err;
	err = check_list(r.inputs, &input_members, name, ".inputs");
	if (err)
		return err;
	err = check_list(r.checks, &check_members, name, ".checks");
	if (err)
		return err;
	return check_summary(r.summary, name);
}

/* Records of before have the knob npt=on|off. */
static void rename_old_knobs(json_t *rec)
{
	json_t *knobs = json_object_get(rec, "knobs"), *npt = json_object_get(knobs, "npt");

	if (!json_is_string(npt))
		return;
	json_object_set_new(knobs, "paging",
			    json_string(strcmp(json_string_value(npt), "off") ? "nested" : "shadow"));
	json_object_del(knobs, "npt");
}

json_t *record_read(const char *path)
{
	struct strbuf text = STRBUF_INIT;
	json_t *rec = NULL;
	json_error_t e;
	int err = file_read(path, &text);

	if (err) {
		log_error("%s: %s", path, strerror(-err));
		goto out;
	}
	rec = json_loadb(strbuf_str(&text), text.len, 0, &e);
	if (!rec) {
		log_error("%s:%d: %s; the file is damaged", path, e.line, e.text);
		goto out;
	}
	if (record_validate(rec, path)) {
		json_decref(rec);
		rec = NULL;
		goto out;
	}
	rename_old_knobs(rec);
out:
	strbuf_free(&text);
	return rec;
}
