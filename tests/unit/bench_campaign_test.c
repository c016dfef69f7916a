// SPDX-License-Identifier: MIT
/* A campaign's directory: what each attempt runs, which is listened to, and what a new bench finds there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "bench/fleet/campaign.h"

struct fixture {
	char dir[64], *campaign;
	struct jobfile f;
};

static void write_text(const char *dir, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(file_write_atomic(path, text, strlen(text)), 0);
	free(path);
}

static void read_jobs(struct fixture *x, const char *text)
{
	char *path = xasprintf("%s/jobs.ini", x->dir);

	jobfile_free(&x->f);
	write_text(x->dir, "jobs.ini", text);
	assert_int_equal(jobfile_read(&x->f, path), 0);
	free(path);
}

static int fixture_make(void **state)
{
	struct fixture *x = xcalloc(1, sizeof(*x));

	strcpy(x->dir, "/tmp/exitlab-campaign-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	x->campaign = xasprintf("%s/c", x->dir);
	read_jobs(x, "[a]\nworkload=exit-cost\nguest=micro\non=host\n"
		     "[it's]\nworkload=net-throughput\nmode=vhost\non=host\n"
		     "[in-lab]\nworkload=boot\non=lab\n");
	*state = x;
	return 0;
}

static int fixture_free(void **state)
{
	struct fixture *x = *state;

	dir_remove_all(x->dir);
	jobfile_free(&x->f);
	free(x->campaign);
	free(x);
	return 0;
}

static int open_again(struct fixture *x, struct campaign *c, bool resume)
{
	const struct campaign_want want = {.partition = "", .dir = x->campaign, .resume = resume};

	return campaign_open(c, &x->f, &want);
}

static void words_are_a_shells(void **state)
{
	struct fixture *x = *state;
	struct strbuf sb = STRBUF_INIT;
	struct campaign c;

	read_jobs(x, "[a]\nworkload=boot\nmode=it's$(x)\n");
	assert_int_equal(open_again(x, &c, false), 0);
	c.v[0].attempt = 2;
	campaign_commands(&c.v[0], "7", &sb);
	assert_non_null(strstr(strbuf_str(&sb), "it'\\''s$(x)' "));
	assert_non_null(strstr(strbuf_str(&sb), "'--reps=7' "));
	assert_non_null(strstr(strbuf_str(&sb), "/c/001/store-2' "));
	assert_non_null(strstr(strbuf_str(&sb), "/c/001/status-2\n"));
	assert_non_null(strstr(strbuf_str(&sb), "'doctor' '--store="));
	strbuf_free(&sb);
	campaign_free(&c);
}

static size_t commands_in(const struct campaign_plan *p)
{
	struct strbuf sb = STRBUF_INIT;
	size_t n = 0;

	campaign_commands(p, NULL, &sb);
	for (const char *s = strstr(strbuf_str(&sb), "'run' "); s; s = strstr(s + 1, "'run' "))
		n++;
	strbuf_free(&sb);
	return n;
}

/* The last plan and, round the end, the first. */
static void an_aa_experiment_is_one_job(void **state)
{
	struct fixture *x = *state;
	const struct campaign_want want = {.partition = "", .dir = x->campaign, .again_from = 2, .again = 2};
	struct campaign c;

	assert_int_equal(campaign_open(&c, &x->f, &want), 0);
	assert_int_equal(c.n, 3);
	assert_int_equal(commands_in(&c.v[0]), 2);
	assert_int_equal(commands_in(&c.v[1]), 1);
	assert_int_equal(commands_in(&c.v[2]), 2);
	campaign_free(&c);
}

/* A machine that was thought dead writes its end after all. */
static void only_the_newest_attempt_is_heard(void **state)
{
	struct fixture *x = *state;
	struct campaign c;

	assert_int_equal(open_again(x, &c, false), 0);
	c.v[0].attempt = 1;
	assert_int_equal(campaign_is_out(&c.v[0], "17"), 0);
	assert_false(campaign_has_ended(&c.v[0]));
	campaign_again(&c.v[0]);
	c.v[0].attempt = 2;
	assert_int_equal(campaign_is_out(&c.v[0], "18"), 0);
	write_text(c.v[0].dir, "status-1", "0 n1\n");
	assert_false(campaign_has_ended(&c.v[0]));
	write_text(c.v[0].dir, "status-2", "3");
	assert_false(campaign_has_ended(&c.v[0]));
	write_text(c.v[0].dir, "status-2", "3 n2\n");
	assert_true(campaign_has_ended(&c.v[0]));
	assert_int_equal(c.v[0].status, 3);
	assert_string_equal(c.v[0].node, "n2");
	assert_int_equal(campaign_take_in(&c, &c.v[0]), 0);
	assert_int_equal(c.v[0].state, PLAN_OVER);
	campaign_free(&c);
}

static void what_was_left_is_taken_up(void **state)
{
	struct fixture *x = *state;
	struct campaign c;

	assert_int_equal(open_again(x, &c, false), 0);
	write_text(c.v[0].dir, "over", "1 n7\n");
	write_text(c.v[1].dir, "script-1", "");
	write_text(c.v[1].dir, "script-2", "");
	write_text(c.v[1].dir, "job-2", "99");
	campaign_free(&c);
	assert_int_equal(open_again(x, &c, true), 0);
	assert_int_equal(c.v[0].state, PLAN_OVER);
	assert_int_equal(c.v[0].status, 1);
	assert_string_equal(c.v[0].node, "n7");
	assert_int_equal(c.v[1].state, PLAN_IS_OUT);
	assert_int_equal(c.v[1].attempt, 2);
	assert_string_equal(c.v[1].job, "99");
	assert_int_equal(c.v[2].state, PLAN_WAITS);
	assert_int_equal(c.v[2].attempt, 0);
	campaign_free(&c);
}

static void a_directory_has_one_sweep(void **state)
{
	struct fixture *x = *state;
	struct campaign c;

	assert_int_equal(open_again(x, &c, false), 0);
	campaign_free(&c);
	assert_int_equal(open_again(x, &c, false), -EEXIST);
	campaign_free(&c);
	read_jobs(x, "[other]\nworkload=boot\n");
	assert_int_equal(open_again(x, &c, true), -EINVAL);
	campaign_free(&c);
	free(x->campaign);
	x->campaign = xasprintf("%s/a b", x->dir);
	assert_int_equal(open_again(x, &c, false), -EINVAL);
	campaign_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(words_are_a_shells, fixture_make, fixture_free),
		cmocka_unit_test_setup_teardown(an_aa_experiment_is_one_job, fixture_make, fixture_free),
		cmocka_unit_test_setup_teardown(only_the_newest_attempt_is_heard, fixture_make, fixture_free),
		cmocka_unit_test_setup_teardown(what_was_left_is_taken_up, fixture_make, fixture_free),
		cmocka_unit_test_setup_teardown(a_directory_has_one_sweep, fixture_make, fixture_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
