// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "results/query.h"
#include "results/read_ahead.h"
#include "results/store.h"
#include "tests/unit/fake_record.h"

static char *dir;

static int setup(void **state)
{
	(void)state;
	dir = fake_dir();
	return dir ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	dir_remove_all(dir);
	free(dir);
	return 0;
}

static char *in_store(const char *path)
{
	return xasprintf("%s/%s", dir, path);
}

static struct store *open_store(void)
{
	struct store *s = NULL;

	assert_int_equal(store_open(&s, dir), 0);
	return s;
}

/* One committed run; its id into id. */
static void commit_one(struct store *s, const char *mode, double value, char id[32])
{
	json_t *rec = fake_record(mode, "throughput_bps", &value, 1);
	char *run_dir, *log;

	assert_int_equal(store_begin(s, id, &run_dir), 0);
	log = xasprintf("%s/vmm.log", run_dir);
	assert_int_equal(file_write_atomic(log, "hello\n", 6), 0);
	assert_int_equal(store_commit(s, id, rec), 0);
	json_decref(rec);
	free(log);
	free(run_dir);
}

static size_t count_entries(const char *sub)
{
	char *path = in_store(sub);
	DIR *d = opendir(path);
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	free(path);
	return n;
}

static size_t count_rows(struct store *s)
{
	struct run_row *rows;
	size_t n;

	assert_int_equal(store_list(s, NULL, &rows, &n), 0);
	run_rows_free(rows, n);
	return n;
}

static void a_run_is_seen_only_when_committed(void **state)
{
	struct store *s = open_store(), *other = open_store();
	char id[32], *run_dir, *kept;
	double v = 1;
	json_t *rec = fake_record("vhost", "throughput_bps", &v, 1);

	(void)state;
	assert_int_equal(store_begin(s, id, &run_dir), 0);
	assert_int_equal(count_rows(s), 0);
	assert_null(store_load(s, id));
	/* Another bench that starts meanwhile leaves a living run alone. */
	store_close(other);
	other = open_store();
	assert_true(file_exists(run_dir));
	assert_int_equal(store_commit(s, id, rec), 0);
	json_decref(rec);
	assert_int_equal(count_rows(s), 1);
	assert_int_equal(count_rows(other), 1);
	assert_int_equal(count_entries("tmp"), 0);
	rec = store_load(other, id);
	assert_string_equal(record_str(rec, "id"), id);
	kept = store_run_dir(other, "last");
	assert_true(file_exists(kept));
	free(kept);
	json_decref(rec);
	free(run_dir);
	store_close(other);
	store_close(s);
}

static void abort_and_close_leave_nothing(void **state)
{
	struct store *s = open_store();
	char id[32], *run_dir;

	(void)state;
	assert_int_equal(store_begin(s, id, &run_dir), 0);
	free(run_dir);
	store_abort(s, id);
	assert_int_equal(count_entries("tmp"), 0);
	assert_int_equal(store_begin(s, id, &run_dir), 0);
	free(run_dir);
	store_close(s);
	assert_int_equal(count_entries("tmp"), 0);
	assert_int_equal(count_entries("runs"), 0);
}

static void invalid_record_is_not_committed(void **state)
{
	struct store *s = open_store();
	char id[32], *run_dir;
	json_t *rec = json_pack("{s:i}", "schema", 1);

	(void)state;
	assert_int_equal(store_begin(s, id, &run_dir), 0);
	assert_int_equal(store_commit(s, id, rec), -EINVAL);
	assert_int_equal(count_entries("runs"), 0);
	store_abort(s, id);
	json_decref(rec);
	free(run_dir);
	store_close(s);
}

static void references(void **state)
{
	struct store *s = open_store();
	char id[3][32], *path;
	json_t *rec;

	(void)state;
	for (int i = 0; i < 3; i++)
		commit_one(s, "virtio", i, id[i]);
	path = xasprintf("%s/runs/%s", dir, id[0]);
	const struct {
		const char *ref, *id; /* NULL: refused */
	} cases[] = {
		{"last", id[2]},  {"last~0", id[2]}, {"last~2", id[0]},
		{"last~3", NULL}, {"last~-1", NULL}, {"last~x", NULL},
		{id[1], id[1]},	  {path, id[0]},     {"2", NULL},
		{"", NULL},	  {"9999", NULL},    {"/nonexistent/record.json", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		rec = store_load(s, cases[i].ref);
		if (!rec != !cases[i].id || (rec && strcmp(record_str(rec, "id"), cases[i].id)))
			fail_msg("'%s' gave %s", cases[i].ref,
				 rec ? record_str(rec, "id") : "nothing");
		json_decref(rec);
	}
	/* A prefix that only one run has. */
	assert_int_equal(store_remove(s, id[0]), 0);
	assert_int_equal(store_remove(s, "last~1"), 0);
	rec = store_load(s, "2");
	assert_string_equal(record_str(rec, "id"), id[2]);
	json_decref(rec);
	assert_int_equal(count_entries("runs"), 1);
	assert_int_equal(count_rows(s), 1);
	free(path);
	store_close(s);
}

static void index_is_rebuilt_when_missing_or_damaged(void **state)
{
	static const char *const damage[] = {
		NULL, "", "this is no database at all, only text to fill a page"};
	struct store *s = open_store();
	char *index = in_store("index.sqlite"), id[32];

	(void)state;
	for (int i = 0; i < 5; i++)
		commit_one(s, "virtio", i, id);
	store_close(s);
	for (size_t i = 0; i < ARRAY_SIZE(damage); i++) {
		unlink(index);
		if (damage[i])
			assert_int_equal(file_write_atomic(index, damage[i], strlen(damage[i])), 0);
		s = open_store();
		assert_int_equal(count_rows(s), 5);
		store_close(s);
	}
	free(index);
}

static void index_of_another_layout_is_rebuilt(void **state)
{
	struct store *s = open_store();
	char *index = in_store("index.sqlite"), id[32];
	sqlite3 *db;

	(void)state;
	commit_one(s, "virtio", 1, id);
	store_close(s);
	assert_int_equal(sqlite3_open(index, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "DROP TABLE metric; PRAGMA user_version=99", NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	s = open_store();
	assert_int_equal(count_rows(s), 1);
	store_close(s);
	free(index);
}

/* A kill between the rename and the index, and directories added or deleted by hand. */
static void index_follows_the_directories(void **state)
{
	struct store *s = open_store();
	char id[3][32], *from, *to;

	(void)state;
	for (int i = 0; i < 3; i++)
		commit_one(s, "virtio", i, id[i]);
	store_close(s);
	from = xasprintf("%s/runs/%s", dir, id[1]);
	to = in_store("elsewhere");
	assert_int_equal(rename(from, to), 0);
	s = open_store();
	assert_int_equal(count_rows(s), 2);
	store_close(s);
	assert_int_equal(rename(to, from), 0);
	s = open_store();
	assert_int_equal(count_rows(s), 3);
	store_close(s);
	free(from);
	free(to);
}

static void unreadable_runs_are_counted_not_lost(void **state)
{
	struct store *s = open_store();
	char id[32], *path;

	(void)state;
	commit_one(s, "virtio", 1, id);
	path = xasprintf("%s/runs/%s/record.json", dir, id);
	assert_int_equal(file_write_atomic(path, "{ \"schema\": 1, ", 15), 0);
	assert_int_equal(store_reindex(s), 0);
	assert_int_equal(count_rows(s), 0);
	assert_int_equal(store_unreadable(s), 1);
	assert_int_equal(count_entries("runs"), 1);
	free(path);
	store_close(s);
}

static void newer_store_is_refused(void **state)
{
	char *format = in_store("format");
	struct store *s = open_store();

	(void)state;
	store_close(s);
	assert_int_equal(file_write_atomic(format, "2\n", 2), 0);
	assert_int_equal(store_open(&s, dir), -EPROTONOSUPPORT);
	assert_int_equal(file_write_atomic(format, "one\n", 4), 0);
	assert_int_equal(store_open(&s, dir), -EINVAL);
	free(format);
}

/* The newest run lies in the future, as after a clock that was wrong: "last" is still what came
 * last. */
static void clock_set_back(void **state)
{
	struct store *s = open_store();
	char first[32], second[32], *path;
	json_t *rec;

	(void)state;
	commit_one(s, "virtio", 1, first);
	rec = store_load(s, first);
	json_object_set_new(rec, "order", json_integer(4102444800000)); /* the year 2100 */
	path = xasprintf("%s/runs/%s/record.json", dir, first);
	assert_int_equal(json_dump_file(rec, path, 0), 0);
	json_decref(rec);
	free(path);
	assert_int_equal(store_reindex(s), 0);
	commit_one(s, "virtio", 2, second);
	rec = store_load(s, "last");
	assert_string_equal(record_str(rec, "id"), second);
	assert_true(json_integer_value(json_object_get(rec, "order")) == 4102444800001);
	json_decref(rec);
	store_close(s);
}

static void import_keeps_id_and_files(void **state)
{
	struct store *s = open_store(), *from;
	char id[32], *from_name = in_store("other"), *from_dir, *log;
	json_t *rec;

	(void)state;
	assert_int_equal(store_open(&from, from_name), 0);
	commit_one(from, "e1000", 3, id);
	from_dir = store_run_dir(from, id);
	rec = store_load(from, id);
	json_object_set_new(rec, "argv", json_pack("[ss]", "bench", "as-it-was-called"));
	assert_int_equal(store_import_dir(s, from_dir, rec), 0);
	assert_int_equal(store_import_dir(s, from_dir, rec), -EEXIST);
	json_decref(rec);
	rec = store_load(s, id);
	assert_string_equal(json_string_value(json_array_get(json_object_get(rec, "argv"), 1)),
			    "as-it-was-called");
	log = xasprintf("%s/runs/%s/vmm.log", dir, id);
	assert_true(file_exists(log));
	assert_int_equal(count_rows(s), 1);
	json_decref(rec);
	free(log);
	free(from_dir);
	free(from_name);
	store_close(from);
	store_close(s);
	assert_int_equal(count_entries("tmp"), 0);
}

static json_t *numbered_record(int i)
{
	double value = i;
	json_t *rec = fake_record("virtio", "throughput_bps", &value, 1);
	char id[32];

	snprintf(id, sizeof(id), "numbered-%d", i);
	json_object_set_new(rec, "id", json_string(id));
	return rec;
}

/* Of two that bring in the same run, the second has nothing to do; its other runs come in. */
static void two_import_the_same_run(void **state)
{
	struct store *s[2] = {open_store(), open_store()};

	(void)state;
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < 2; k++) {
			json_t *rec = numbered_record(k * (i + 1)); /* 0 1, 0 2 */

			assert_int_equal(store_import_stage(s[i], NULL, rec), 0);
			json_decref(rec);
		}
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(store_import_flush(s[i]), 0);
	assert_int_equal(count_rows(s[1]), 3);
	for (int i = 0; i < 2; i++)
		store_close(s[i]);
	assert_int_equal(count_entries("runs"), 3);
	assert_int_equal(count_entries("tmp"), 0);
}

static void what_was_not_flushed_is_absent(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		struct store *s = open_store();

		store_import_stage(s, NULL, numbered_record(1));
		_exit(!file_exists(dir));
	}
	waitpid(pid, NULL, 0);
	assert_int_equal(count_entries("tmp"), 2); /* the directory and its lock */
	store_close(open_store());
	assert_int_equal(count_entries("tmp"), 0);
	assert_int_equal(count_entries("runs"), 0);
}

/* In order, unreadable ones in their places; stopped early, it gives back what it has read. */
static void read_ahead_keeps_the_order(void **state)
{
	enum { N = 100, BAD = 41 };
	char *dirs[N];

	(void)state;
	for (int i = 0; i < N; i++) {
		char *path = xasprintf("%s/many/%d/record.json", dir, i);
		json_t *rec = numbered_record(i);

		dirs[i] = xasprintf("%s/many/%d", dir, i);
		assert_int_equal(dir_make_all(dirs[i]), 0);
		if (i != BAD)
			assert_int_equal(json_dump_file(rec, path, 0), 0);
		json_decref(rec);
		free(path);
	}
	for (int stop = N; stop > 0; stop -= 90) {
		struct read_ahead *r = read_ahead_start(dirs, N);

		for (int i = 0; i < stop; i++) {
			json_t *rec = read_ahead_next(r), *want = numbered_record(i);

			assert_string_equal(record_str(rec, "id"), i == BAD ? "" : record_str(want, "id"));
			json_decref(want);
			json_decref(rec);
		}
		assert_true(stop < N || !read_ahead_next(r));
		read_ahead_end(r);
	}
	for (int i = 0; i < N; i++)
		free(dirs[i]);
}

static void accepted_marks_survive_a_rebuild(void **state)
{
	struct store *s = open_store();
	struct series_point *p;
	char id[32];
	size_t n;

	(void)state;
	commit_one(s, "virtio", 1, id);
	commit_one(s, "virtio", 2, id);
	assert_int_equal(store_accept(s, "last", "no_such_metric", "why"), -ENOENT);
	assert_int_equal(store_accept(s, "last", "throughput_bps", "new kernel"), 0);
	assert_int_equal(store_reindex(s), 0);
	assert_int_equal(store_series(s, NULL, "throughput_bps", &p, &n), 0);
	assert_int_equal(n, 2);
	assert_false(p[0].accepted);
	assert_true(p[1].accepted);
	assert_true(p[0].median == 1 && p[1].median == 2 && p[0].order < p[1].order);
	assert_ptr_equal(p[0].series, p[1].series);
	assert_true(p[0].low != p[0].low); /* NAN: one sample has no interval */
	free(p);
	store_close(s);
}

/* Two copies of a run, a level accepted in each: what is imported joins what is there. */
static void accepted_marks_of_a_copy_join_ours(void **state)
{
	struct store *s = open_store();
	struct series_point *p;
	char id[32], *copy = fake_dir(), *marks = xasprintf("%s/accepted.json", copy), *name, *path;
	static const char theirs[] =
		"{\"throughput_bps\": \"theirs\", \"latency_ns\": \"new\", \"odd\": 1}";
	json_t *now;
	size_t n;

	(void)state;
	commit_one(s, "virtio", 1, id);
	assert_int_equal(store_join_marks(s, copy, id), 0);
	assert_int_equal(file_write_atomic(marks, theirs, strlen(theirs)), 0);
	assert_int_equal(store_join_marks(s, copy, id), 0);
	assert_int_equal(store_series(s, NULL, "throughput_bps", &p, &n), 0);
	assert_true(p[0].accepted);
	free(p);
	assert_int_equal(store_accept(s, id, "throughput_bps", "ours"), 0);
	assert_int_equal(store_join_marks(s, copy, id), 0);
	name = xasprintf("runs/%s/accepted.json", id);
	path = in_store(name);
	now = json_load_file(path, 0, NULL);
	assert_string_equal(record_str(now, "throughput_bps"), "ours");
	assert_string_equal(record_str(now, "latency_ns"), "new");
	assert_int_equal(json_object_size(now), 2);
	assert_int_equal(file_write_atomic(marks, "[", 1), 0);
	assert_int_equal(store_join_marks(s, copy, id), -EIO);
	json_decref(now);
	dir_remove_all(copy);
	free(path);
	free(name);
	free(marks);
	free(copy);
	store_close(s);
}

static void filters(void **state)
{
	struct store *s = open_store();
	char id[32];
	static const struct {
		struct run_filter f;
		size_t n;
	} cases[] = {
		{{0}, 4},
		{{.mode = "virtio"}, 3},
		{{.mode = "virtio", .last = 2}, 2},
		{{.workload = "boot"}, 0},
		{{.since = "2026"}, 4},
		{{.since = "2027"}, 0},
		{{.vmm = "builtin", .mode = "vhost"}, 1},
	};

	(void)state;
	for (int i = 0; i < 4; i++)
		commit_one(s, i ? "virtio" : "vhost", i, id);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run_row *rows;
		size_t n;

		assert_int_equal(store_list(s, &cases[i].f, &rows, &n), 0);
		assert_int_equal(n, cases[i].n);
		for (size_t k = 1; k < n; k++)
			assert_true(rows[k - 1].order < rows[k].order);
		run_rows_free(rows, n);
	}
	store_close(s);
}

/* ---- processes ---- */

static _Noreturn void commit_for_ever(void)
{
	struct store *s;

	for (int i = 0;; i++) {
		char id[32];

		if (store_open(&s, dir))
			_exit(1);
		for (int k = 0; k < 5; k++)
			commit_one(s, "virtio", i, id);
		if (i % 3 == 2)
			store_remove(s, "last");
		store_close(s);
	}
}

static void check_whole(struct store *s)
{
	struct run_row *rows;
	size_t n;

	assert_int_equal(store_unreadable(s), 0);
	assert_int_equal(store_list(s, NULL, &rows, &n), 0);
	assert_int_equal(n, count_entries("runs"));
	assert_int_equal(count_entries("tmp"), 0);
	for (size_t i = 0; i < n; i++) {
		json_t *rec = store_load(s, rows[i].id);

		assert_non_null(rec);
		json_decref(rec);
	}
	run_rows_free(rows, n);
}

/* EXITLAB_SOAK=200 makes it the long version. */
static void killed_at_random_moments(void **state)
{
	const char *soak = getenv("EXITLAB_SOAK");
	int rounds = soak ? atoi(soak) : 12;
	unsigned seed = (unsigned)clock_ns();

	(void)state;
	print_message("seed %u\n", seed);
	for (int i = 0; i < rounds; i++) {
		struct store *s;
		pid_t pid = fork();
		int status;

		if (!pid)
			commit_for_ever();
		clock_sleep_ns(NSEC_PER_MSEC * 5 + (uint64_t)(rand_r(&seed) % 90) * NSEC_PER_MSEC);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		s = open_store();
		check_whole(s);
		store_close(s);
	}
}

/* A run inside the lab is seen through 9p, its lock is not; a day later it is no run any more. */
static void a_run_of_another_kernel_is_left_alone(void **state)
{
	const struct timespec old[2] = {{.tv_sec = time(NULL) - 2 * 86400},
					{.tv_sec = time(NULL) - 2 * 86400}};
	char *run = in_store("tmp/other"), *lock = in_store("tmp/other.lock");

	(void)state;
	store_close(open_store());
	assert_int_equal(dir_make_all(run), 0);
	assert_int_equal(file_write_atomic(lock, "another-kernel\n", 15), 0);
	store_close(open_store());
	assert_true(file_exists(run));
	assert_int_equal(utimensat(AT_FDCWD, lock, old, 0), 0);
	store_close(open_store());
	assert_false(file_exists(run));
	assert_false(file_exists(lock));
	free(run);
	free(lock);
}

static void two_writers_lose_nothing(void **state)
{
	enum { EACH = 8 };
	struct store *s;
	pid_t pid[2];

	(void)state;
	for (int p = 0; p < 2; p++) {
		pid[p] = fork();
		if (pid[p])
			continue;
		s = open_store();
		for (int i = 0; i < EACH; i++) {
			char id[32];

			commit_one(s, "virtio", i, id);
		}
		store_close(s);
		_exit(0);
	}
	for (int p = 0; p < 2; p++) {
		int status;

		waitpid(pid[p], &status, 0);
		assert_int_equal(status, 0);
	}
	s = open_store();
	assert_int_equal(count_rows(s), 2 * EACH);
	check_whole(s);
	store_close(s);
}

static void first_opened_by_many_at_once(void **state)
{
	enum { MANY = 8, ROUNDS = 10 };

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		char *path = xasprintf("%s/%d", dir, round);
		pid_t pid[MANY];
		int gate[2];

		assert_int_equal(pipe(gate), 0);
		for (int p = 0; p < MANY; p++) {
			struct store *s;
			char c;

			pid[p] = fork();
			if (pid[p])
				continue;
			close(gate[1]);
			_exit(read(gate[0], &c, 1) != 0 || store_open(&s, path));
		}
		close(gate[0]);
		close(gate[1]);
		for (int p = 0; p < MANY; p++) {
			int status;

			waitpid(pid[p], &status, 0);
			assert_int_equal(status, 0);
		}
		free(path);
	}
}

/* As nobody, since root may write everywhere. */
static void read_only_store_can_be_read(void **state)
{
	struct store *s = open_store();
	char id[32], *run_dir;
	int status;
	pid_t pid;

	(void)state;
	commit_one(s, "virtio", 1, id);
	store_close(s);
	chmod(dir, 0755);
	pid = fork();
	if (!pid) {
		if (!geteuid() && seteuid(65534))
			_exit(1);
		if (geteuid() != 65534) {
			char *runs = in_store("runs");

			chmod(runs, 0555);
			free(runs);
		}
		if (store_open(&s, dir))
			_exit(2);
		if (count_rows(s) != 1)
			_exit(3);
		if (store_begin(s, id, &run_dir) != -EROFS || store_remove(s, "last") != -EROFS)
			_exit(4);
		store_close(s);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	run_dir = in_store("runs");
	chmod(run_dir, 0755);
	free(run_dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_run_is_seen_only_when_committed),
		TEST(abort_and_close_leave_nothing),
		TEST(invalid_record_is_not_committed),
		TEST(references),
		TEST(index_is_rebuilt_when_missing_or_damaged),
		TEST(index_of_another_layout_is_rebuilt),
		TEST(index_follows_the_directories),
		TEST(unreadable_runs_are_counted_not_lost),
		TEST(newer_store_is_refused),
		TEST(clock_set_back),
		TEST(import_keeps_id_and_files),
		TEST(two_import_the_same_run),
		TEST(what_was_not_flushed_is_absent),
		TEST(read_ahead_keeps_the_order),
		TEST(accepted_marks_survive_a_rebuild),
		TEST(accepted_marks_of_a_copy_join_ours),
		TEST(filters),
		TEST(killed_at_random_moments),
		TEST(a_run_of_another_kernel_is_left_alone),
		TEST(two_writers_lose_nothing),
		TEST(first_opened_by_many_at_once),
		TEST(read_only_store_can_be_read),
	};

	log_init("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
