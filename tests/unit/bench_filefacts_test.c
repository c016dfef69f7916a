// SPDX-License-Identifier: MIT
/* What is said of programs and kernels, and that it is kept no longer than it is true. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/util.h"
#include "bench/host/file_facts.h"

#define BINARY(text)                                                                                         \
	{                                                                                                    \
		text, sizeof(text)                                                                           \
	}

static void of_what_is_in_it(void **state)
{
	static const struct {
		struct {
			const char *data;
			size_t len;
		} binary;
		const char *type;
	} cases[] = {
		{BINARY("\177ELF\0GNU C11 12.2.0 -mtune=generic -march=x86-64 -g -O2 -std=gnu11\0main.c"),
		 "release"},
		{BINARY("\177ELF\0GNU C11 12.2.0 -mtune=generic -march=x86-64 -g -std=gnu11\0main.c"),
		 "debug"},
		{BINARY("\177ELF\0GNU C11 12.2.0 -mtune=generic -g -O0\0main.c"), "debug"},
		{BINARY("GNU C17 12 -mtune=generic -O2\0GNU C17 12 -mtune=generic -g\0"),
		 "debug"}, /* one file of many */
		{BINARY("GNU C17 12 -mtune=generic -O2\0__asan_init\0__asan_report_load8\0"), "asan"},
		{BINARY("GNU C17 12 -mtune=generic -O2\0__asan_init\0"), "release"},
		{BINARY("\177ELF\0stripped"), "unknown"},
		{BINARY("GNU C\0GNU C library"), "unknown"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(build_type_of(cases[i].binary.data, cases[i].binary.len), cases[i].type);
}

static void none_of_a_file_that_is_not_there(void **state)
{
	struct file_facts f;

	(void)state;
	assert_int_equal(file_facts("/nonexistent", "/tmp", &f), -ENOENT);
}

#define LARGE (9 * MIB)

struct place {
	char dir[32], *file, *kept_dir;
};

static void place_make(struct place *p)
{
	snprintf(p->dir, sizeof(p->dir), "/tmp/exitlab-facts-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->file = xasprintf("%s/large", p->dir);
	p->kept_dir = xasprintf("%s/facts", p->dir);
}

static void place_remove(struct place *p)
{
	assert_int_equal(dir_remove_all(p->dir), 0);
	free(p->file);
	free(p->kept_dir);
}

static void write_large(const char *path, char c)
{
	char *data = xcalloc(1, LARGE);

	memset(data, c, LARGE);
	assert_int_equal(file_write_atomic(path, data, LARGE), 0);
	free(data);
}

/* Once the file is old enough, they are kept. Caller frees what is the file that keeps them. */
static char *facts_kept(const struct place *p, struct file_facts *f)
{
	char *entry, *kept;

	for (int tries = 0; !(entry = dir_entry(p->kept_dir)) && tries < 1000; tries++) {
		usleep(20000);
		assert_int_equal(file_facts(p->file, p->dir, f), 0);
	}
	assert_non_null(entry);
	kept = xasprintf("%s/%s", p->kept_dir, entry);
	free(entry);
	return kept;
}

/* Another hash, so that it shows whether the file was read or its facts were found. */
static void forge(const char *kept)
{
	char *line = file_read_line(kept), *hash = strrchr(line, ' ') - 64;

	memset(hash, 'f', 64);
	assert_int_equal(file_write_atomic(kept, line, strlen(line)), 0);
	free(line);
}

static void kept_while_the_file_is_what_it_was(void **state)
{
	struct file_facts first, found;
	struct place p;
	char hex[65], *kept;

	(void)state;
	place_make(&p);
	write_large(p.file, 'a');
	assert_int_equal(file_facts(p.file, p.dir, &first), 0);
	assert_int_equal(file_sha256(p.file, hex), 0);
	assert_string_equal(first.sha256, hex);
	kept = facts_kept(&p, &first);
	forge(kept);
	assert_int_equal(file_facts(p.file, p.dir, &found), 0);
	assert_memory_equal(found.sha256, "ffffffff", 8);
	assert_string_equal(found.build, first.build);
	write_large(p.file, 'b'); /* as long as before */
	assert_int_equal(file_facts(p.file, p.dir, &found), 0);
	assert_int_equal(file_sha256(p.file, hex), 0);
	assert_string_equal(found.sha256, hex);
	free(kept);
	place_remove(&p);
}

/* Whoever else writes there: the file is read then. */
static void not_taken_from_a_damaged_line(void **state)
{
	static const char *const ends[] = {"", " ", " abc release", " %s", "\nx"};
	struct file_facts first, found;
	struct place p;
	char *kept, *line;

	(void)state;
	place_make(&p);
	write_large(p.file, 'a');
	assert_int_equal(file_facts(p.file, p.dir, &first), 0);
	kept = facts_kept(&p, &first);
	line = file_read_line(kept);
	*(strrchr(line, ' ') - 65) = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		char *damaged = xasprintf("%s%s", line, ends[i]);

		assert_int_equal(file_write_atomic(kept, damaged, strlen(damaged)), 0);
		memset(&found, 0, sizeof(found));
		assert_int_equal(file_facts(p.file, p.dir, &found), 0);
		assert_memory_equal(&found, &first, sizeof(found.sha256));
		free(damaged);
	}
	free(line);
	free(kept);
	place_remove(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_what_is_in_it),
		cmocka_unit_test(none_of_a_file_that_is_not_there),
		cmocka_unit_test(kept_while_the_file_is_what_it_was),
		cmocka_unit_test(not_taken_from_a_damaged_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
