// SPDX-License-Identifier: MIT
/* The list of domains that xl prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "bench/profile/xen_domains.h"

#define UUID "45786974-6c61-6200-8000-000000000080"

static void domains_have_numbers_and_names(void **state)
{
	static const char list[] = "UUID                                  ID    name\n"
				   "abc      15    no UUID\n"
				   "00000000-0000-0000-0000-000000000000     0    Domain-0                      \n" UUID
				   "     7    7 of 9\n" UUID "    12    (null)\n" UUID "    13    a\tb\n" UUID
				   " 32752    Xen's own\n" UUID " x  none\n" UUID "\n" UUID "   14    ";
	struct xen_domains d;

	(void)state;
	xen_domains_parse(&d, list);
	assert_int_equal(d.n, 4);
	assert_string_equal(d.domain[0].name, "Domain-0");
	assert_string_equal(xen_domains_find(&d, "7")->name, "7 of 9");
	assert_int_equal(xen_domains_find(&d, "7 of 9")->id, 7);
	assert_null(strchr(xen_domains_by_id(&d, 13)->name, '\t'));
	assert_null(xen_domains_find(&d, "8"));
	assert_null(xen_domains_find(&d, ""));
	assert_null(xen_domains_find(&d, "4294967303")); /* 7 in 32 bits */
	xen_domains_free(&d);
}

static void a_long_name_is_cut(void **state)
{
	char list[1024];
	struct xen_domains d;
	int n = snprintf(list, sizeof(list), UUID "  1  ");

	(void)state;
	memset(list + n, 'x', sizeof(list) - (size_t)n - 1);
	list[sizeof(list) - 1] = '\0';
	xen_domains_parse(&d, list);
	assert_int_equal(d.n, 1);
	assert_int_equal(strlen(d.domain[0].name), VM_NAME - 1);
	xen_domains_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains_have_numbers_and_names),
		cmocka_unit_test(a_long_name_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
