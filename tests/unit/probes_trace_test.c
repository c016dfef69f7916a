// SPDX-License-Identifier: MIT
/* The timeline is valid JSON in the Chrome trace format, and its slices nest and follow one another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "probes/trace.h"

static json_t *write_and_parse(const struct trace_slice *s, size_t n)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	json_error_t err;
	json_t *j;

	trace_write_head(f);
	trace_write_track(f, 10, 11, 0);
	for (size_t i = 0; i < n; i++)
		trace_write_exit(f, &s[i]);
	trace_write_tail(f, 7);
	fclose(f);
	j = json_loads(text, 0, &err);
	if (!j)
		fail_msg("%s at line %d: %s", err.text, err.line, text);
	free(text);
	return j;
}

static const json_t *event(const json_t *events, const char *name)
{
	const json_t *e;
	size_t i;

	json_array_foreach(events, i, e)
		if (json_object_get(e, "name") &&
		    !strcmp(json_string_value(json_object_get(e, "name")), name))
			return e;
	fail_msg("no event %s", name);
	return NULL;
}

static double num(const json_t *e, const char *name)
{
	return json_number_value(json_object_get(e, name));
}

static void test_empty(void **state)
{
	json_t *j = write_and_parse(NULL, 0);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(j, "traceEvents")), 2);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "otherData"), "dropped")), 7);
	json_decref(j);
}

static void test_slices(void **state)
{
	static const struct trace_slice s[] = {
		{.tgid = 10,
		 .tid = 11,
		 .reason = "npf",
		 .key = "e1000 TDT",
		 .guest_from_ns = 1000,
		 .exit_ns = 5003,
		 .user_ns = 6000,
		 .entry_ns = 9001},
		{.tgid = 10, .tid = 11, .reason = "cpuid", .key = "", .exit_ns = 20000, .entry_ns = 21500},
	};
	json_t *j = write_and_parse(s, ARRAY_SIZE(s)), *events = json_object_get(j, "traceEvents");
	const json_t *exit = event(events, "npf"), *user = event(events, "userspace"),
		     *guest = event(events, "guest");

	(void)state;
	assert_true(num(guest, "ts") == 1.0 && num(guest, "dur") == 4.003);
	assert_true(num(exit, "ts") == 5.003 && num(exit, "dur") == 3.998);
	assert_true(num(user, "ts") == 6.0 && num(user, "dur") == 3.001);
	/* The part in userspace ends with the exit that it belongs to. */
	assert_true(num(user, "ts") + num(user, "dur") <= num(exit, "ts") + num(exit, "dur") + 1e-9);
	assert_string_equal(json_string_value(json_object_get(json_object_get(exit, "args"), "key")),
			    "e1000 TDT");
	assert_true(num(event(events, "cpuid"), "dur") == 1.5);
	assert_null(json_object_get(event(events, "cpuid"), "args"));
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
