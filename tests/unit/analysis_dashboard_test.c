// SPDX-License-Identifier: MIT
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "analysis/dashboard.h"
#include "base/file.h"
#include "results/store.h"
#include "tests/golden/fixture.h"

static char dir[] = "/tmp/exitlab-dashboard-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return dir_remove_all(dir);
}

static void put(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name), *slash;

	slash = strrchr(path, '/');
	*slash = '\0';
	assert_int_equal(dir_make_all(path), 0);
	*slash = '/';
	assert_int_equal(file_write_atomic(path, text, strlen(text)), 0);
	free(path);
}

static char *get(const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	struct strbuf text = STRBUF_INIT;

	if (file_read(path, &text))
		fail_msg("%s: missing", path);
	free(path);
	return strbuf_take(&text);
}

/*
 * Keys are quoted when they hold commas; counts are means over samples; a run without the file is a gap of
 * zero.
 */
static void exits_come_from_csv(void **state)
{
	struct series_point p[3] = {{.id = "a"}, {.id = "b"}, {.id = "c"}};
	struct dash_series s = {.p = p, .n = 3};
	struct dash_mix m;

	(void)state;
	put("runs/a/exits.csv", "sample,reason,key,count,total_ns,p50_ns,p99_ns,kvm_ns,user_ns\n"
				"0,io,\"out 0x3f8, \"\"COM1\"\"\",100,1,1,1,1,1\n0,npf,,5,1,1,1,1,1\n"
				"1,io,COM1,300,1,1,1,1,1\n");
	put("runs/b/exits.csv", "sample,reason,key,count\n0,npf,x,7\nbroken line\n0,npf\n");
	{
		char *runs = xasprintf("%s/runs", dir);

		dash_mix_read(&m, &s, runs);
		free(runs);
	}
	assert_int_equal(m.reasons, 2);
	assert_string_equal(m.name[0], "io");
	assert_string_equal(m.name[1], "npf");
	assert_float_equal(m.value[0], 200, 1e-9);
	assert_float_equal(m.value[1], 0, 1e-9);
	assert_float_equal(m.value[3], 2.5, 1e-9);
	assert_float_equal(m.value[4], 7, 1e-9);
	dash_mix_free(&m);
}

/* More reasons than colours: the rare ones are summed, nothing is lost. */
static void rare_reasons_are_summed(void **state)
{
	struct strbuf csv = STRBUF_INIT;
	struct series_point p = {.id = "many"};
	struct dash_series s = {.p = &p, .n = 1};
	struct dash_mix m;
	char *runs = xasprintf("%s/runs", dir);
	double sum = 0;

	(void)state;
	strbuf_adds(&csv, "sample,reason,key,count\n");
	for (int i = 1; i <= 12; i++)
		strbuf_addf(&csv, "0,r%d,,%d\n", i, i);
	put("runs/many/exits.csv", strbuf_str(&csv));
	dash_mix_read(&m, &s, runs);
	assert_int_equal(m.reasons, DASH_REASONS);
	assert_string_equal(m.name[0], "r12");
	assert_string_equal(m.name[DASH_REASONS - 1], "other");
	for (size_t r = 0; r < m.reasons; r++)
		sum += m.value[r];
	assert_float_equal(sum, 78, 1e-9);
	dash_mix_free(&m);
	strbuf_free(&csv);
	free(runs);
}

static void fill_store(struct store *s, int nights)
{
	for (int i = 0; i < nights; i++) {
		struct fixture f = {.workload = "net-throughput",
				    .mode = "vhost",
				    .samples = 8,
				    .factor = i >= nights / 2 ? 0.9 : 1,
				    .seed = (uint64_t)i + 1,
				    .started = 1700000000 + i * 86400,
				    .version = i % 2 ? "bbbb" : "<script>&\"'"};
		json_t *rec = fixture_record(&f);

		json_object_set_new(json_object_get(rec, "knobs"), "queues", json_string("<4>"));
		json_object_set_new(json_object_get(rec, "knobs"), "cpus", json_string("3"));
		json_object_set_new(json_object_get(rec, "params"), "cpus", json_integer(3));
		assert_int_equal(store_import_dir(s, NULL, rec), 0);
		json_decref(rec);
	}
}

/* One run of another configuration: what the two have not in common is in their names. */
static void add_other(struct store *s)
{
	struct fixture f = {.workload = "net-throughput",
			    .mode = "virtio",
			    .samples = 8,
			    .started = 1700000000};
	json_t *rec = fixture_record(&f);

	assert_int_equal(store_import_dir(s, NULL, rec), 0);
	json_decref(rec);
}

static void site_of_a_store(void **state)
{
	char *store_path = xasprintf("%s/a store", dir), *site = xasprintf("%s/site", dir), *page, *index;
	static const char *const only[] = {"throughput_bps", NULL};
	struct dashboard_opts opts = {.out_dir = site, .metrics = only};
	struct dashboard_stats stats;
	struct store *s;
	char *name, *end;

	(void)state;
	assert_int_equal(store_open(&s, store_path), 0);
	fill_store(s, 40);
	add_other(s);
	assert_int_equal(dashboard_build(s, &opts, &stats), 0);
	store_close(s);
	assert_int_equal(stats.series, 2);
	assert_int_equal(stats.points, 41);
	index = get("site/index.html");
	assert_non_null(strstr(index, "data-verdict=\"worse\""));
	assert_non_null(strstr(index, "cpus=3"));
	assert_null(strstr(index, "cpus=3, cpus=3")); /* a knob and a parameter: said once */
	name = strstr(index, "href=\"s/");
	assert_non_null(name);
	end = strchr(name + 6, '"');
	*end = '\0';
	page = xasprintf("site/%s", name + 6);
	free(index);
	index = get(page);
	/* A blank in the store's path is escaped; a build's name cannot close the script element. */
	assert_non_null(strstr(index, "\"rec\":\"../../a%20store/runs/\""));
	assert_null(strstr(index, "<script>&"));
	assert_non_null(strstr(index, "\\u003cscript>"));
	assert_non_null(strstr(index, "\"chg\":[{\"i\":20,"));
	free(index);
	free(page);
	free(site);
	free(store_path);
}

/*
 * Two runs of one build, one after the other: the gate's own screening says whether they would have alarmed
 * it. The first pair is quiet, the second half as fast without any reason.
 */
static void false_alarms_by_the_rule_of_the_gate(void **state)
{
	char *store_path = xasprintf("%s/aa", dir), *site = xasprintf("%s/aa-site", dir), *index;
	static const char *const builds[] = {"a", "a", "b", "b", "c"};
	struct dashboard_opts opts = {.out_dir = site};
	struct dashboard_stats stats;
	struct store *s;

	(void)state;
	assert_int_equal(store_open(&s, store_path), 0);
	for (size_t i = 0; i < ARRAY_SIZE(builds); i++) {
		struct fixture f = {.workload = "net-throughput",
				    .mode = "vhost",
				    .samples = 10,
				    .factor = i == 3 ? 0.5 : 1,
				    .seed = i + 1,
				    .started = 1700000000 + (int64_t)i * 86400,
				    .version = builds[i]};
		json_t *rec = fixture_record(&f);

		assert_int_equal(store_import_dir(s, NULL, rec), 0);
		json_decref(rec);
	}
	assert_int_equal(dashboard_build(s, &opts, &stats), 0);
	store_close(s);
	index = get("aa-site/index.html");
	assert_non_null(strstr(index, "rate: 1 of the newest 2 pairs"));
	free(index);
	free(site);
	free(store_path);
}

static void put_record(struct store *s, const char *workload, int cpus, int work)
{
	static uint64_t seed;
	struct fixture f = {.workload = workload, .mode = "vhost", .samples = 8, .seed = seed + 1,
			    .started = 1700000001 + (int64_t)seed};
	json_t *rec = fixture_record(&f);

	seed++;
	json_object_update_new(json_object_get(rec, "params"),
			       json_pack("{s:i, s:i}", "cpus", cpus, "work", work));
	assert_int_equal(store_import_dir(s, NULL, rec), 0);
	json_decref(rec);
}

/* A card is named by what tells it from others of its workload, not by what was left unset. */
static void names_tell_series_apart(void **state)
{
	char *store_path = xasprintf("%s/names", dir), *site = xasprintf("%s/names-site", dir), *index;
	static const char *const only[] = {"throughput_bps", NULL};
	struct dashboard_opts opts = {.out_dir = site, .metrics = only};
	struct dashboard_stats stats;
	struct store *s;

	(void)state;
	assert_int_equal(store_open(&s, store_path), 0);
	put_record(s, "net-throughput", 1, 0);
	put_record(s, "net-throughput", 1, 7);
	put_record(s, "net-latency", 2, 0);
	assert_int_equal(dashboard_build(s, &opts, &stats), 0);
	store_close(s);
	index = get("names-site/index.html");
	assert_non_null(strstr(index, ">vhost, builtin, work=7 (host)<"));
	assert_null(strstr(index, "work=0"));
	assert_null(strstr(index, "cpus="));
	free(index);
	free(site);
	free(store_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits_come_from_csv),
		cmocka_unit_test(rare_reasons_are_summed),
		cmocka_unit_test(site_of_a_store),
		cmocka_unit_test(false_alarms_by_the_rule_of_the_gate),
		cmocka_unit_test(names_tell_series_apart),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
