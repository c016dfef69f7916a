// SPDX-License-Identifier: MIT
/* The job line and the agent's line protocol: both are read by programs that others write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/job.h"
#include "workloads/lines.h"

static void round_trip(void **state)
{
	struct workload_job a, b;
	char line[JOB_LINE_MAX];

	(void)state;
	assert_int_equal(
		job_parse(&a,
			  "workload=net-pps direction=both  rate=18446744073709551615\tflood=on\n",
			  NULL),
		0);
	assert_int_equal(a.direction, JOB_BOTH);
	assert_true(a.flood);
	assert_int_equal(a.rate, UINT64_MAX);
	assert_int_equal(a.streams, 1); /* a default */
	assert_true(job_write(&a, line, sizeof(line)) > 0);
	assert_int_equal(strncmp(line, "workload=net-pps ", 17), 0);
	assert_int_equal(job_parse(&b, line, NULL), 0);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void defaults_write_nothing(void **state)
{
	struct workload_job a;
	char line[64];

	(void)state;
	assert_int_equal(job_parse(&a, "", NULL), 0);
	assert_true(job_write(&a, line, sizeof(line)) > 0);
	assert_string_equal(line, "workload=null");
}

static void bad_lines(void **state)
{
	static const struct {
		const char *line, *bad;
		int err;
	} cases[] = {
		{"workload", "workload", -EINVAL},
		{"speed=9", "speed=9", -EINVAL},
		{"workload=null rate=", "rate=", -EINVAL},
		{"rate=-1", "rate=-1", -EINVAL},
		{"rate=1k", "rate=1k", -EINVAL},
		{"rate=18446744073709551616", "rate=18446744073709551616", -ERANGE},
		{"direction=up", "direction=up", -EINVAL},
		{"flood=yes", "flood=yes", -EINVAL},
		{"ifname=0123456789abcdef", "ifname=0123456789abcdef", -ERANGE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct workload_job job;
		char bad[64];

		assert_int_equal(job_parse(&job, cases[i].line, bad), cases[i].err);
		assert_string_equal(bad, cases[i].bad);
	}
}

static void very_long_word(void **state)
{
	struct workload_job job;
	char line[1200], bad[64];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	assert_int_equal(job_parse(&job, line, bad), -ERANGE);
	assert_int_equal(strlen(bad), 63);
}

static void writer_respects_room(void **state)
{
	struct workload_job job;
	char line[JOB_LINE_MAX];
	int full;

	(void)state;
	job_parse(&job, "workload=net-latency peer=10.77.0.1 rate=100", NULL);
	full = job_write(&job, line, sizeof(line));
	assert_int_equal(job_write(&job, line, (size_t)full), -ERANGE);
	assert_int_equal(job_write(&job, line, (size_t)full + 1), full);
	assert_int_equal(job_write(&job, line, 0), -ERANGE);
}

static void values_as_people_write_them(void **state)
{
	static const struct {
		const char *key, *value;
		int err;
		uint64_t want;
	} cases[] = {
		{"mem_bytes", "8M", 0, 8 << 20},
		{"msg_size", "64K", 0, 65536},
		{"warmup_ns", "250ms", 0, 250000000},
		{"warmup_ns", "5", 0, 5},
		{"streams", "4", 0, 4},
		{"streams", "four", -EINVAL, 0},
		{"warmup_ns", "1parsec", -EINVAL, 0},
		{"no_such_key", "1", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct workload_job job;
		uint64_t got;

		job_defaults(&job);
		assert_int_equal(job_set_text(&job, cases[i].key, cases[i].value), cases[i].err);
		if (cases[i].err)
			continue;
		memcpy(&got, (char *)&job + job_key_find(cases[i].key)->offset, sizeof(got));
		assert_int_equal(got, cases[i].want);
	}
}

static void lines_parse(void **state)
{
	static const struct {
		const char *text;
		int err;
		enum line_kind kind;
		const char *name;
		double value;
	} cases[] = {
		{"exitlab hello 1 6.1.0-56-amd64\r\n", 0, LINE_HELLO, "6.1.0-56-amd64", 1},
		{"exitlab ready\n", 0, LINE_READY, "", 0},
		{"exitlab metric throughput_bps 1.5e9", 0, LINE_METRIC, "throughput_bps", 1.5e9},
		{"exitlab done\r", 0, LINE_DONE, "", 0},
		{"[    0.1] exitlab ready", 0, LINE_OTHER, "", 0},
		{"", 0, LINE_OTHER, "", 0},
		{"exitlab metric throughput_bps", -EBADMSG, LINE_METRIC, NULL, 0},
		{"exitlab metric throughput_bps nan", -EBADMSG, LINE_METRIC, NULL, 0},
		{"exitlab metric throughput_bps 12x", -EBADMSG, LINE_METRIC, NULL, 0},
		{"exitlab metr", -EBADMSG, LINE_OTHER, NULL, 0},
		{"exitlab ", -EBADMSG, LINE_OTHER, NULL, 0},
		{"exitlab done soon", -EBADMSG, LINE_DONE, NULL, 0},
		{"exitlab hist x 2 3 1 2 1:1,2:1", 0, LINE_HIST, "x", 0},
		{"exitlab hist x 0 0 0 0 ", 0, LINE_HIST, "x", 0},
		{"exitlab hist x 2 3 1 2 1:1", -EBADMSG, LINE_HIST, NULL, 0}, /* a slot lost */
		{"exitlab hist x 2 3 1 2 1:1,99999:1", -EBADMSG, LINE_HIST, NULL, 0},
		{"exitlab hist x 2 3 1 2 1:1,2:1trailing", -EBADMSG, LINE_HIST, NULL, 0},
		{"exitlab hist x 2 3", -EBADMSG, LINE_HIST, NULL, 0},
		{"exitlab metric exit_cost_ns.pio_2 7", 0, LINE_METRIC, "exit_cost_ns.pio_2", 7},
		/* names that would be run, or be a file elsewhere */
		{"exitlab metric exit_cost_ns.`id` 7", -EBADMSG, LINE_METRIC, NULL, 0},
		{"exitlab metric a<b> 7", -EBADMSG, LINE_METRIC, NULL, 0},
		{"exitlab metric ../../x 7", -EBADMSG, LINE_METRIC, NULL, 0},
		{"exitlab metric .x 7", -EBADMSG, LINE_METRIC, NULL, 0},
		{"exitlab metric Upper 7", -EBADMSG, LINE_METRIC, NULL, 0},
		{"exitlab metric \xc2\x9b 7", -EBADMSG, LINE_METRIC, NULL, 0},
		{"exitlab region mmio c0001000 1000 virtio-net0-mmio\r\n", 0, LINE_REGION, "virtio-net0-mmio", 0},
		{"exitlab region pio 6200 100 virtio-blk1", 0, LINE_REGION, "virtio-blk1", 0},
		{"exitlab region port 6200 100 virtio-blk1", -EBADMSG, LINE_REGION, NULL, 0},
		{"exitlab region mmio 0x6200 100 x", -EBADMSG, LINE_REGION, NULL, 0},
		{"exitlab region mmio 6200 0 x", -EBADMSG, LINE_REGION, NULL, 0},
		{"exitlab region mmio 11112222333344445 1 x", -EBADMSG, LINE_REGION, NULL, 0},
		{"exitlab region mmio ffffffffffffffff 2 x", -EBADMSG, LINE_REGION, NULL, 0},
		{"exitlab region mmio 6200 1 a`id`", -EBADMSG, LINE_REGION, NULL, 0},
		{"exitlab region mmio 6200", -EBADMSG, LINE_REGION, NULL, 0},
		{"exitlab hist a/b 0 0 0 0 ", -EBADMSG, LINE_HIST, NULL, 0},
		{"exitlab hist a`b 0 0 0 0 ", -EBADMSG, LINE_HIST, NULL, 0},
	};
	static struct agent_line line;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(line_parse(cases[i].text, &line), cases[i].err);
		assert_int_equal(line.kind, cases[i].kind);
		if (!cases[i].name)
			continue;
		assert_string_equal(line.name, cases[i].name);
		assert_true(line.value == cases[i].value);
	}
}

static void fail_text(void **state)
{
	static struct agent_line line;

	(void)state;
	assert_int_equal(line_parse("exitlab fail module e1000: No such device\r\n", &line), 0);
	assert_int_equal(line.kind, LINE_FAIL);
	assert_string_equal(line.text, "module e1000: No such device");
}

static void hist_round_trip(void **state)
{
	static struct agent_line line;
	static struct hist h;
	struct strbuf sb = STRBUF_INIT;

	(void)state;
	hist_init(&h);
	for (uint64_t v = 0; v < 1000000; v += 777)
		hist_add(&h, v);
	hist_add(&h, UINT64_MAX / 4);
	line_add_hist(&sb, "latency_ns", &h);
	assert_int_equal(line_parse(strbuf_str(&sb), &line), 0);
	assert_memory_equal(&line.hist, &h, sizeof(h));
	strbuf_free(&sb);
}

static void metric_writer(void **state)
{
	struct strbuf sb = STRBUF_INIT;

	(void)state;
	line_add_metric(&sb, "bytes", 12345678901234.0);
	line_add_metric(&sb, "loss_pct", 0.125);
	assert_string_equal(strbuf_str(&sb),
			    "exitlab metric bytes 12345678901234\nexitlab metric loss_pct 0.125\n");
	strbuf_free(&sb);
}

/* Whatever comes in: no crash (ASan watches), and what is accepted can be written and read again.
 * The seed is fixed. */
static void random_lines(void **state)
{
	static const char *const words[] = {
		"workload=null",	"exitlab ", "hist ", "metric ", "x ", "1:2,", "rate=",
		"18446744073709551615", "-",	    "=",     "\n",	" ",  "both", "direction="};
	static struct agent_line line;
	unsigned accepted = 0;

	(void)state;
	srand(11);
	for (int round = 0; round < 20000; round++) {
		char text[400] = "", written[JOB_LINE_MAX];
		struct workload_job job, back;

		for (int i = rand() % 12; i; i--)
			strcat(text, words[(size_t)rand() % ARRAY_SIZE(words)]);
		if (*text && rand() % 4 == 0)
			text[(size_t)rand() % strlen(text)] = (char)(rand() % 255 + 1);
		line_parse(text, &line);
		if (job_parse(&job, text, NULL))
			continue;
		accepted++;
		assert_true(job_write(&job, written, sizeof(written)) > 0);
		assert_int_equal(job_parse(&back, written, NULL), 0);
		assert_memory_equal(&job, &back, sizeof(job));
	}
	assert_true(accepted > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(defaults_write_nothing),
		cmocka_unit_test(bad_lines),
		cmocka_unit_test(very_long_word),
		cmocka_unit_test(writer_respects_room),
		cmocka_unit_test(values_as_people_write_them),
		cmocka_unit_test(lines_parse),
		cmocka_unit_test(fail_text),
		cmocka_unit_test(hist_round_trip),
		cmocka_unit_test(metric_writer),
		cmocka_unit_test(random_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
