// SPDX-License-Identifier: MIT
/* The journal: written before the change, undone in reverse, by the next start when its owner was killed. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"

static char dir[64], a[96], b[96];

static int set_up(void **state)
{
	char *j;

	(void)state;
	strcpy(dir, "/tmp/journal-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(a, sizeof(a), "%s/a", dir);
	snprintf(b, sizeof(b), "%s/b", dir);
	j = xasprintf("%s/journals", dir);
	setenv("EXITLAB_JOURNAL_DIR", j, 1);
	free(j);
	return file_write_atomic(a, "old-a\n", 6) || file_write_atomic(b, "old-b\n", 6);
}

static int tear_down(void **state)
{
	(void)state;
	return dir_remove_all(dir);
}

static void holds(const char *path, const char *want)
{
	char *line = file_read_line(path);

	/* Writing in place does not shorten a file, as it would not shorten an attribute of sysfs. */
	line[MIN(strlen(line), strlen(want))] = '\0';
	assert_string_equal(line, want);
	free(line);
}

static void test_close_undoes(void **state)
{
	struct journal *j;

	(void)state;
	assert_int_equal(journal_open(&j), 0);
	assert_int_equal(journal_write(j, a, "new-1", NULL), 0);
	assert_int_equal(journal_write(j, a, "new-2", NULL), 0);
	assert_int_equal(journal_write(j, b, "new-b", "undo"), 0);
	holds(a, "new-2");
	assert_int_equal(journal_close(j), 0);
	holds(a, "old-a");
	holds(b, "undo");
	assert_int_equal(journal_recover(), 0);
}

/* What is in it stays, and is no reason to forget it. */
static void test_directory_goes(void **state)
{
	char *made = xasprintf("%s/made", dir), *full = xasprintf("%s/full", dir);
	char *in = xasprintf("%s/x", full);
	struct journal *j;

	(void)state;
	assert_int_equal(journal_open(&j), 0);
	assert_int_equal(journal_mkdir(j, made), 0);
	assert_int_equal(journal_mkdir(j, made), -EEXIST);
	assert_true(file_exists(made));
	assert_int_equal(journal_close(j), 0);
	assert_false(file_exists(made));

	assert_int_equal(journal_open(&j), 0);
	assert_int_equal(journal_mkdir(j, full), 0);
	assert_int_equal(file_write_atomic(in, "x", 1), 0);
	assert_int_not_equal(journal_close(j), 0);
	assert_true(file_exists(full));
	unlink(in);
	assert_int_equal(journal_recover(), 1);
	assert_false(file_exists(full));
	free(in);
	free(full);
	free(made);
}

static void test_link_goes(void **state)
{
	char *link = xasprintf("%s/link", dir);
	struct journal *j;

	(void)state;
	assert_int_equal(journal_open(&j), 0);
	assert_int_equal(journal_symlink(j, a, link), 0);
	assert_int_equal(journal_symlink(j, b, link), -EEXIST);
	holds(link, "old-a");
	assert_int_equal(journal_close(j), 0);
	assert_false(file_exists(link));
	holds(a, "old-a");
	free(link);
}

static void journal_file(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name), *j = xasprintf("%s/journals", dir);

	assert_int_equal(dir_make_all(j), 0);
	assert_int_equal(file_write_atomic(path, text, strlen(text)), 0);
	free(path);
	free(j);
}

static void test_living_owner_is_left_alone(void **state)
{
	struct journal *j;

	(void)state;
	assert_int_equal(journal_open(&j), 0);
	assert_int_equal(journal_write(j, a, "new-a", NULL), 0);
	assert_int_equal(journal_recover(), 0);
	holds(a, "new-a");
	assert_int_equal(journal_close(j), 0);
	holds(a, "old-a");
}

static void killed_owner(void)
{
	struct journal *j;
	pid_t pid = fork();

	if (!pid) {
		if (journal_open(&j) || journal_write(j, a, "new-a", NULL) ||
		    journal_write(j, b, "new-b", NULL))
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	holds(a, "new-a");
}

static void test_recover_after_kill(void **state)
{
	(void)state;
	killed_owner();
	assert_int_equal(journal_recover(), 2);
	holds(a, "old-a");
	holds(b, "old-b");
	assert_int_equal(journal_recover(), 0);
}

/* Whatever their names are, in which order the directory has them, and how long their numbers. */
static void test_newest_is_undone_first(void **state)
{
	static const char *const names[] = {"1-98", "3-99", "2-1000"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *name = xasprintf("journals/journal.%s", names[i]);
		char *text = xasprintf("%s\tby-%zu\n", a, i);

		journal_file(name, text);
		free(name);
		free(text);
	}
	assert_int_equal(journal_recover(), 3);
	holds(a, "by-0");
}

static void test_gone_path_is_fine(void **state)
{
	(void)state;
	killed_owner();
	assert_int_equal(unlink(b), 0);
	assert_int_equal(journal_recover(), 2);
	holds(a, "old-a");
}

static void test_notes_and_commands(void **state)
{
	char *command, *undo;
	struct journal *j;

	(void)state;
	command = xasprintf("cp %s %s", a, b);
	undo = xasprintf("cp %s/kept %s", dir, b);
	journal_file("kept", "kept\n");
	assert_int_equal(journal_open(&j), 0);
	assert_int_equal(journal_note(j, a, "noted"), 0);
	assert_int_equal(journal_run(j, command, undo), 0);
	holds(a, "old-a");
	holds(b, "old-a");
	assert_int_equal(journal_close(j), 0);
	holds(a, "noted");
	holds(b, "kept");
	free(command);
	free(undo);
}

/* A line without its end was being noted when its owner died: what it names was not changed. */
static void test_torn_line(void **state)
{
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), "%s\tundone\n%s\t", a, b);
	journal_file("journals/journal.1-1", text);
	assert_int_equal(journal_recover(), 1);
	holds(a, "undone");
	holds(b, "old-b");
}

/* What cannot be undone does not keep the rest from it, and stays in the journal; a command is tried once. */
static void test_failed_step(void **state)
{
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), "%s\tundone\n%s\tx\n", a, dir);
	journal_file("journals/journal.1-1", text);
	assert_int_equal(journal_recover(), -EISDIR);
	holds(a, "undone");
	assert_int_equal(journal_recover(), -EISDIR);
	snprintf(text, sizeof(text), "%s\tagain!\nrun\tfalse\n", a);
	journal_file("journals/journal.1-1", text);
	assert_int_equal(journal_recover(), 2);
	holds(a, "again!");
	assert_int_equal(journal_recover(), 0);
}

static void test_nothing_changed_without_a_note(void **state)
{
	struct journal *j;

	(void)state;
	assert_int_equal(journal_open(&j), 0);
	assert_int_equal(journal_write(j, "/nonexistent/file", "x", NULL), -ENOENT);
	assert_int_equal(journal_close(j), 0);
	setenv("EXITLAB_JOURNAL_DIR", "/proc/nowhere", 1);
	assert_int_not_equal(journal_open(&j), 0);
}

/* ---- each write fails once ---- */

static int writes_left; /* until the one that fails; 0: none does */

static bool write_fails(void)
{
	if (!writes_left || --writes_left)
		return false;
	errno = ENOSPC;
	return true;
}

/* In the place of the C library's, for all that this program is made of. */
ssize_t write(int fd, const void *data, size_t n)
{
	return write_fails() ? -1 : syscall(SYS_write, fd, data, n);
}

int fsync(int fd)
{
	return write_fails() ? -1 : (int)syscall(SYS_fsync, fd);
}

/* Two changes by a process that is killed after them. True: its k-th write failed. */
static bool changes_in_child(int k)
{
	pid_t pid = fork();
	struct journal *j;
	int status;
	bool went;

	if (pid) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		return WEXITSTATUS(status);
	}
	writes_left = k;
	went = !journal_open(&j);
	went = went && !journal_write(j, a, "new-a", NULL);
	went = went && !journal_write(j, b, "new-b", NULL);
	_exit(!went);
}

static void test_each_write_fails(void **state)
{
	int k = 0;
	bool failed;

	(void)state;
	do {
		assert_int_equal(set_up(NULL), 0);
		failed = changes_in_child(++k);
		assert_true(journal_recover() >= 0);
		holds(a, "old-a");
		holds(b, "old-b");
		assert_int_equal(tear_down(NULL), 0);
	} while (failed);
	assert_int_equal(k, 7); /* note, its fsync and the change, twice; then none was left to fail */
}

/* Putting back may fail as well: what is left stands in the journal for the next start. */
static void test_each_write_of_recovery_fails(void **state)
{
	(void)state;
	for (int k = 1; k <= 2; k++) {
		assert_int_equal(set_up(NULL), 0);
		assert_false(changes_in_child(0));
		holds(b, "new-b");
		writes_left = k;
		journal_recover();
		assert_int_equal(writes_left, 0);
		assert_true(journal_recover() >= 0);
		holds(a, "old-a");
		holds(b, "old-b");
		assert_int_equal(tear_down(NULL), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_close_undoes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_directory_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_link_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_living_owner_is_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_recover_after_kill, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_newest_is_undone_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone_path_is_fine, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_notes_and_commands, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_torn_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failed_step, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_changed_without_a_note, set_up, tear_down),
		cmocka_unit_test(test_each_write_fails),
		cmocka_unit_test(test_each_write_of_recovery_fails),
	};

	log_init("test", LOG_ERROR);
	return cmocka_run_group_tests_name("base/journal", tests, NULL, NULL);
}
