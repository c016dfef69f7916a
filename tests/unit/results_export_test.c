// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ctype.h>

#include "base/util.h"
#include "results/export.h"
#include "tests/unit/fake_record.h"

/* Two runs: one with a failed boot and a knob that CSV and labels must quote, and one with another
 * metric as well. */
static json_t *rec[2];

static int setup(void **state)
{
	json_t *summary;

	(void)state;
	rec[0] = fake_record("virtio", "throughput_bps", (double[]){1e9, 2e9}, 2);
	rec[1] = fake_record("vhost", "throughput_bps", (double[]){3e9}, 1);
	json_array_append_new(json_object_get(rec[0], "samples"),
			      json_pack("{s:b,s:s}", "ok", 0, "error", "timed out"));
	json_object_set_new(rec[0], "knobs", json_pack("{s:s}", "cpus", "0,\"2\""));
	summary = json_object_get(rec[1], "summary");
	json_object_set_new(summary, "boot_ns",
			    json_pack("{s:f,s:f,s:f,s:i}", "median", 5.0, "ci_low", 4.0, "ci_high",
				      6.0, "n", 6));
	json_object_set_new(summary, "exit_cost_ns.cpuid", json_pack("{s:f,s:i}", "median", 7.0, "n", 1));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(rec[0]);
	json_decref(rec[1]);
	return 0;
}

static char *written(const char *format, size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	export_find(format)->write(rec, n, f);
	fclose(f);
	return text;
}

static void csv(void **state)
{
	char *text = written("csv", 1);

	(void)state;
	assert_string_equal(
		text,
		"run,started,workload,mode,vmm,guest,substrate,time_base,knobs,sample,metric,value,unit\n"
		"20260102-030405-abcdef,2026-01-02T03:04:05Z,net-throughput,virtio,builtin,linux,host,real,"
		"\"cpus=0,\"\"2\"\"\",0,throughput_bps,1000000000,bit/s\n"
		"20260102-030405-abcdef,2026-01-02T03:04:05Z,net-throughput,virtio,builtin,linux,host,real,"
		"\"cpus=0,\"\"2\"\"\",1,throughput_bps,2000000000,bit/s\n"
		"20260102-030405-abcdef,2026-01-02T03:04:05Z,net-throughput,virtio,builtin,linux,host,real,"
		"\"cpus=0,\"\"2\"\"\",2,failed,,\n");
	free(text);
}

/* Families stand together, labels are escaped, null intervals are left out, the end is marked. */
static void openmetrics(void **state)
{
	char *text = written("openmetrics", 2), *first, *second;
	size_t n = strlen(text);

	(void)state;
	assert_string_equal(text + n - 6, "# EOF\n");
	assert_non_null(strstr(text, "# TYPE exitlab_throughput_bps gauge\n"));
	assert_non_null(strstr(
		text, "knobs=\"cpus=0,\\\"2\\\"\",stat=\"median\"} 2000000000 1767323045\n"));
	assert_non_null(strstr(text, "exitlab_boot_ns{run=\"20260102-030405-abcdef\""));
	assert_non_null(strstr(text, "stat=\"ci_high\"} 6 1767323045\n"));
	assert_null(strstr(text, "null"));
	assert_non_null(strstr(text, "# TYPE exitlab_exit_cost_ns_cpuid gauge\n"));
	assert_non_null(strstr(text, "exitlab_exit_cost_ns_cpuid{run="));
	assert_null(strstr(text, "ns.cpuid"));
	first = strstr(text, "exitlab_throughput_bps{");
	second = strstr(first + 1, "exitlab_throughput_bps{");
	assert_non_null(second);
	*second = '\0';
	assert_null(strstr(first, "# TYPE"));
	free(text);
}

static void bmf(void **state)
{
	char *text = written("bmf", 2);
	json_t *doc = json_loads(text, 0, NULL);
	json_t *vhost =
		json_object_get(doc, "net-throughput/vhost/builtin/linux/host/real;msg_size=1460");
	json_t *boot = json_object_get(vhost, "boot_ns"),
	       *throughput = json_object_get(vhost, "throughput_bps");

	(void)state;
	assert_int_equal(json_object_size(doc), 2);
	assert_true(json_number_value(json_object_get(boot, "upper_value")) == 6);
	assert_true(json_number_value(json_object_get(throughput, "value")) == 3e9);
	assert_null(json_object_get(throughput, "lower_value"));
	json_decref(doc);
	free(text);
}

/* One word each, whatever a name holds: the commands go to a shell. */
static void test_systems(void **state)
{
	char *ktap, *lava;

	(void)state;
	json_object_set_new(rec[0], "vmm", json_string("a b;$(c)"));
	json_object_set_new(rec[0], "ok", json_false());
	ktap = written("ktap", 2);
	lava = written("lava", 2);
	assert_non_null(strstr(ktap, "KTAP version 1\n1..2\n# throughput_bps 2000000000\n"));
	assert_non_null(strstr(ktap, "\nnot ok 1 net-throughput_virtio_a_b___c__linux_host_real_"));
	assert_non_null(strstr(ktap, "\nok 2 net-throughput_vhost_"));
	assert_non_null(strstr(lava, "lava-test-case net-throughput_virtio_a_b___c__"));
	assert_non_null(strstr(lava, "_1460 --result fail\n"));
	assert_non_null(strstr(lava, "_1460.throughput_bps --result pass --measurement 3000000000 --units 'bit/s'\n"));
	assert_non_null(strstr(lava, ".exit_cost_ns.cpuid --result pass --measurement 7"));
	free(ktap);
	free(lava);
}

static const char *test_text(const json_t *tests, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(tests, i), key));
}

/* A run is one test, each of its medians another; a path has letters, digits, _, - and dots between them. */
static void kcidb(void **state)
{
	json_t *report, *tests, *number;
	char *text;

	(void)state;
	json_object_set_new(rec[0], "vmm", json_string("a b;$(c)..d"));
	json_object_set_new(rec[0], "ok", json_false());
	json_object_set_new(rec[0], "environment", json_pack("{s:s}", "kernel", "6.1.0-49"));
	json_object_set_new(rec[1], "environment", json_pack("{s:s}", "kernel", "6.1.0-49"));
	text = written("kcidb", 2);
	report = json_loads(text, 0, NULL);
	tests = json_object_get(report, "tests");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(report, "version"), "major")), 5);
	assert_int_equal(json_array_size(json_object_get(report, "builds")), 1);
	assert_string_equal(test_text(json_object_get(report, "builds"), 0, "id"), "exitlab:6.1.0-49");
	assert_int_equal(json_array_size(tests), 6);
	assert_string_equal(test_text(tests, 0, "status"), "FAIL");
	assert_string_equal(test_text(tests, 1, "status"), "DONE");
	assert_string_equal(test_text(tests, 2, "status"), "PASS");
	assert_string_not_equal(test_text(tests, 2, "id"), test_text(tests, 3, "id"));
	number = json_object_get(json_array_get(tests, 1), "number");
	assert_float_equal(json_number_value(json_object_get(number, "value")), 2e9, 0);
	assert_string_equal(json_string_value(json_object_get(number, "unit")), "bit/s");
	for (size_t i = 0; i < json_array_size(tests); i++) {
		const char *path = test_text(tests, i, "path");

		assert_int_equal(strncmp(path, "exitlab.net-throughput_", 23), 0);
		for (const char *c = path; *c; c++)
			assert_true(isalnum((unsigned char)*c) || strchr("_-.", *c));
		assert_null(strstr(path, ".."));
		assert_int_equal(strncmp(test_text(tests, i, "id"), "exitlab:", 8), 0);
	}
	json_decref(report);
	free(text);
}

static void json_can_be_read_back(void **state)
{
	char *one = written("json", 1), *two = written("json", 2);
	json_t *a = json_loads(one, 0, NULL), *b = json_loads(two, 0, NULL);

	(void)state;
	assert_true(json_equal(a, rec[0]));
	assert_true(json_equal(json_array_get(json_object_get(b, "records"), 1), rec[1]));
	json_decref(a);
	json_decref(b);
	free(one);
	free(two);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(csv), TEST(openmetrics), TEST(bmf), TEST(test_systems),
					   TEST(kcidb),
					   TEST(json_can_be_read_back)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
