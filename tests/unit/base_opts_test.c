// SPDX-License-Identifier: MIT
/* Options: every type, every spelling, every mistake; and back to a command line that parses to the same. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/opts.h"

struct args {
	bool flag;
	const char *word, *text, *maybe;
	struct opt_list list;
	uint64_t number, count, size, time_ns;
};

#define ARG(member) offsetof(struct args, member)

static const struct opt opts[] = {
	{"flag", 'f', OPT_FLAG, ARG(flag), NULL, "a flag"},
	{"word", 'w', OPT_STR, ARG(word), "one|other", "one of two words"},
	{"text", 't', OPT_STR, ARG(text), "TEXT", "any text"},
	{"maybe", 0, OPT_OPTIONAL, ARG(maybe), "X", "with or without a value"},
	{"list", 'l', OPT_LIST, ARG(list), "K=V", "several"},
	{"number", 'n', OPT_U64, ARG(number), "N", "a number"},
	{"count", 0, OPT_COUNT, ARG(count), "N", "one or more"},
	{"size", 0, OPT_SIZE, ARG(size), "SIZE", "bytes"},
	{"time", 0, OPT_DURATION, ARG(time_ns), "TIME", "a time"},
	OPT_END,
};

static const struct command cmd = {.name = "test",
				   .args = "[ARG...]",
				   .summary = "a test",
				   .examples = "test",
				   .opts = opts};

#define MAX_WORDS 16

/* Parse a command line given as one string with blanks between its words. */
static int parse(const char *line, struct args *a, int *argc, char **argv)
{
	static char copy[512];

	*a = (struct args){0};
	*argc = 0;
	argv[(*argc)++] = (char *)"test";
	strncpy(copy, line, sizeof(copy) - 1);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		argv[(*argc)++] = w;
	argv[*argc] = NULL;
	return opts_parse("prog", &cmd, argc, argv, a);
}

static void test_types(void **state)
{
	static const struct {
		const char *line;
		bool flag;
		const char *word, *text, *maybe;
		uint64_t number, size, time_ns;
		int positionals;
	} cases[] = {
		{"--flag", .flag = true},
		{"-f", .flag = true},
		{"--flag --no-flag", .flag = false},
		{"--word=one a b", .word = "one", .positionals = 2},
		{"a --word other b", .word = "other", .positionals = 2},
		{"-w one -t x", .word = "one", .text = "x"},
		{"-tx", .text = "x"},
		{"--text=", .text = ""},
		{"--maybe next", .maybe = "", .positionals = 1},
		{"--maybe=next", .maybe = "next"},
		{"-n 12 --size=512M --time=250ms", .number = 12, .size = 512 * MIB, .time_ns = 250000000},
		{"--number=0x10 --time=2", .number = 16, .time_ns = 2000000000},
		{"-- --flag", .positionals = 1},
	};
	char *argv[MAX_WORDS];
	struct args a;
	int argc;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse(cases[i].line, &a, &argc, argv), 0);
		assert_int_equal(argc - 1, cases[i].positionals);
		assert_int_equal(a.flag, cases[i].flag);
		assert_string_equal(a.word ? a.word : "-", cases[i].word ? cases[i].word : "-");
		assert_string_equal(a.text ? a.text : "-", cases[i].text ? cases[i].text : "-");
		assert_string_equal(a.maybe ? a.maybe : "-", cases[i].maybe ? cases[i].maybe : "-");
		assert_int_equal(a.number, cases[i].number);
		assert_int_equal(a.size, cases[i].size);
		assert_int_equal(a.time_ns, cases[i].time_ns);
	}
}

static void test_mistakes(void **state)
{
	static const char *const lines[] = {
		"--nothing", "-x", "--word=third", "--word", "-t", "--number=ten", "--number=-1",
		"--number=99999999999999999999",
		"--count=0", "--size=12Q", "--time=soon", "--time=0", "--flag=yes",
	};
	char *argv[MAX_WORDS];
	struct args a;
	int argc;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (parse(lines[i], &a, &argc, argv) != -EINVAL)
			fail_msg("\"%s\" is accepted", lines[i]);
}

struct line {
	char text[512];
};

static void collect(void *ctx, const char *word)
{
	struct line *l = ctx;

	strcat(l->text, *l->text ? " " : "");
	strcat(l->text, word);
}

static void test_emit(void **state)
{
	static const char *const lines[] = {
		"", "--flag", "--word=one --text=x", "--maybe", "--maybe=x", "--list=a=1 --list=b=2,3",
		"--flag --word=other --text=y --list=z --number=7 --count=1 --size=1048576 --time=250000000ns",
	};
	char *argv[MAX_WORDS];
	struct args a;
	int argc;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct line out = {""};

		assert_int_equal(parse(lines[i], &a, &argc, argv), 0);
		opts_emit(opts, &a, collect, &out);
		assert_string_equal(out.text, lines[i]);
		free(a.list.item);
	}
}

static void test_nearest(void **state)
{
	static const char *const words[] = {"throughput", "latency", "boot", NULL};

	(void)state;
	assert_string_equal(opts_nearest("throughptu", words), "throughput");
	assert_string_equal(opts_nearest("bott", words), "boot");
	assert_string_equal(opts_nearest("bot", words), "boot");
	assert_null(opts_nearest("memory", words));
	assert_null(opts_nearest("to", words)); /* two slips away: nothing of it is left */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_emit),
		cmocka_unit_test(test_nearest),
	};

	log_init("test", LOG_ERROR);
	return cmocka_run_group_tests_name("base/opts", tests, NULL, NULL);
}
