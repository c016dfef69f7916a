// SPDX-License-Identifier: MIT
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "vmm/core/dev_opts.h"

static void parse_text(void **state)
{
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{"", 0},        {NULL, 0},           {"a=1", 0},       {"a=1,b=2", 0},
		{"a=", 0},      {"a=b=c", 0},        {"a", -EINVAL},   {"=1", -EINVAL},
		{",", -EINVAL}, {"a=1,", -EINVAL},   {"a=1,a=2", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dev_opts *o = NULL;

		if (dev_opts_parse(&o, cases[i].text) != cases[i].err)
			fail_msg("\"%s\"", cases[i].text);
		dev_opts_free(o);
	}
}

static void too_many_keys(void **state)
{
	char text[40 * 6 + 1];
	struct dev_opts *o;
	int n = 0;

	(void)state;
	for (int i = 0; i < 40; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%sk%d=1", i ? "," : "", i);
	assert_int_equal(dev_opts_parse(&o, text), -EINVAL);
}

static void values(void **state)
{
	static const char *const modes[] = {"virtio", "vhost", NULL};
	struct dev_opts *o;
	uint64_t v = 7;
	bool b = false;
	int w = -1;

	(void)state;
	assert_int_equal(dev_opts_parse(&o, "mode=vhost,queues=2,on=yes,bad=x,eq=a=b"), 0);
	assert_int_equal(dev_opts_word(o, "mode", modes, &w), 0);
	assert_int_equal(w, 1);
	assert_int_equal(dev_opts_u64(o, "queues", &v, 1, 8), 0);
	assert_int_equal(v, 2);
	assert_int_equal(dev_opts_u64(o, "queues", &v, 3, 8), -EINVAL);
	assert_int_equal(dev_opts_u64(o, "absent", &v, 3, 8), 0);
	assert_int_equal(v, 2);
	assert_int_equal(dev_opts_bool(o, "on", &b), 0);
	assert_true(b);
	assert_int_equal(dev_opts_bool(o, "bad", &b), -EINVAL);
	assert_int_equal(dev_opts_word(o, "bad", modes, &w), -EINVAL);
	assert_int_equal(dev_opts_u64(o, "bad", &v, 0, 9), -EINVAL);
	assert_string_equal(dev_opts_str(o, "eq", ""), "a=b");
	assert_int_equal(dev_opts_done(o), 0);
	dev_opts_free(o);
}

static void key_nobody_asked_for(void **state)
{
	struct dev_opts *o;

	(void)state;
	assert_int_equal(dev_opts_parse(&o, "queues=2,queuse=3"), 0);
	assert_string_equal(dev_opts_str(o, "queues", NULL), "2");
	assert_int_equal(dev_opts_done(o), -EINVAL);
	dev_opts_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_text),
		cmocka_unit_test(too_many_keys),
		cmocka_unit_test(values),
		cmocka_unit_test(key_nobody_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
