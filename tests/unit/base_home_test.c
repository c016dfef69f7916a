// SPDX-License-Identifier: MIT
/* Where a user's files are, and that they never lie where anybody can put some first. */
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/home.h"

#define NOBODY_KNOWS 3999999999u

static void set(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static void assert_place(const char *xdg, const char *home, const char *want)
{
	char *got;

	set("XDG_STATE_HOME", xdg);
	set("HOME", home);
	got = home_path("XDG_STATE_HOME", ".local/state");
	assert_string_equal(got, want);
	free(got);
}

static void test_places(void **state)
{
	const struct passwd *user = getpwuid(geteuid());
	char *ours;

	(void)state;
	if (!user)
		skip();
	ours = xasprintf("%s/.local/state/exitlab", user->pw_dir);
	assert_place("/x", "/h", "/x/exitlab");
	assert_place("", "/h", "/h/.local/state/exitlab");
	assert_place(NULL, "/h", "/h/.local/state/exitlab");
	assert_place("here", "/h", "/h/.local/state/exitlab");
	assert_place(NULL, NULL, ours);
	assert_place(NULL, "", ours);
	assert_place(NULL, "here", ours);
	free(ours);
}

/* A user whom no database knows. */
static void test_no_home(void **state)
{
	int status;
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		skip();
	child = fork();
	if (!child) {
		set("XDG_STATE_HOME", NULL);
		set("HOME", NULL);
		if (setresuid(NOBODY_KNOWS, NOBODY_KNOWS, NOBODY_KNOWS))
			_exit(2);
		_exit(home_path("XDG_STATE_HOME", ".local/state") != NULL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_no_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
