// SPDX-License-Identifier: MIT
/*
 * The medium behind a disk, with each engine: what is refused, what reaches the file, what a file
 * that shrinks, a lock or a full disk comes back as; and the thread that serves it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/fake.h"
#include "vmm/block/disk_priv.h"
#include "vmm/block/io_thread.h"
#include "vmm/core/threads.h"

#define SIZE  (1 * MIB)
#define DEPTH 16

static struct threads running = {.started = true};

static const char *const engines[] = {"sync", "io_uring"};

static char path[] = "/var/tmp/exitlab-block.XXXXXX";
static struct disk *disk;
static struct disk_queue *queue;
static _Alignas(4096) uint8_t buf[256 * KIB], other[256 * KIB];

static int disk_new(struct disk **out, const char *text)
{
	struct dev_opts *o;
	int err;

	assert_int_equal(dev_opts_parse(&o, text), 0);
	err = disk_open(out, o, "disk0");
	if (!err)
		assert_int_equal(dev_opts_done(o), 0);
	dev_opts_free(o);
	return err;
}

/* Not the old one cut: some file systems write that out first. */
static void fresh_file(off_t size)
{
	int fd;

	unlink(path);
	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

/* A fresh file of SIZE bytes, opened with these options. */
static void start(const char *engine, const char *more)
{
	char text[PATH_MAX + 128];

	fresh_file(SIZE);
	snprintf(text, sizeof(text), "file=%s,engine=%s%s", path, engine, more);
	assert_int_equal(disk_new(&disk, text), 0);
	assert_int_equal(disk_queue_open(&queue, disk, DEPTH), 0);
}

static void stop(void)
{
	disk_queue_close(queue);
	disk_close(disk);
	queue = NULL;
	disk = NULL;
}

struct job {
	struct disk_req req;
	struct iovec iov[4];
	int err, done;
};

static void on_done(struct disk_req *req, int err)
{
	struct job *j = (struct job *)req;

	_Static_assert(offsetof(struct job, req) == 0, "cast");
	j->err = err;
	j->done++;
}

static void job_init(struct job *j, enum disk_op op, uint64_t at, uint64_t len, void *mem)
{
	*j = (struct job){.req = {.op = op, .at = at, .len = len, .done = on_done}};
	j->iov[0] = (struct iovec){mem, len};
	j->req.iov = j->iov;
	j->req.n_iov = op == DISK_READ || op == DISK_WRITE;
}

/* One request and what came of it. */
static int run_job(struct job *j)
{
	disk_submit(queue, &j->req);
	assert_int_equal(j->done, 0); /* never from within submit */
	assert_int_equal(disk_in_flight(queue), 1);
	disk_drain(queue);
	assert_int_equal(j->done, 1);
	assert_int_equal(disk_in_flight(queue), 0);
	return j->err;
}

static int run(enum disk_op op, uint64_t at, uint64_t len, void *mem)
{
	struct job j;

	job_init(&j, op, at, len, mem);
	return run_job(&j);
}

static void fill(uint8_t *p, size_t n, uint8_t seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(seed + i * 7 + i / 256);
}

/* ---- requests ---- */

static void bounds(void **state)
{
	static const struct {
		enum disk_op op;
		uint64_t at, len;
		int err;
	} cases[] = {
		{DISK_READ, 0, 512, 0},
		{DISK_READ, SIZE - 512, 512, 0},
		{DISK_READ, SIZE, 512, -ERANGE},
		{DISK_READ, SIZE - 512, 1024, -ERANGE},
		{DISK_READ, UINT64_MAX - 511, 512, -ERANGE},
		{DISK_READ, UINT64_MAX - 511, 1024, -ERANGE}, /* at + len wraps */
		{DISK_READ, 512, UINT64_MAX - 511, -ERANGE},
		{DISK_READ, 1, 512, -EINVAL},
		{DISK_READ, 0, 511, -EINVAL},
		{DISK_READ, 0, 0, -EINVAL},
		{DISK_WRITE, SIZE, 512, -ERANGE},
		{DISK_WRITE, SIZE - 512, 1024, -ERANGE},
		{DISK_WRITE, UINT64_MAX - 511, 1024, -ERANGE},
		{DISK_DISCARD, SIZE, 4096, -ERANGE},
		{DISK_DISCARD, SIZE - 4096, 8192, -ERANGE},
		{DISK_DISCARD, 0, 4096, 0},
		{DISK_ZERO, UINT64_MAX - 511, 1024, -ERANGE},
		{DISK_ZERO, 0, 4096, 0},
		{DISK_FLUSH, 0, 0, 0},
	};

	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		start(engines[e], ",direct=off");
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			int err = run(cases[i].op, cases[i].at, cases[i].len, buf);

			if (err != cases[i].err)
				fail_msg("%s, case %zu: %d, want %d", engines[e], i, err, cases[i].err);
		}
		stop();
	}
}

static void limits(void **state)
{
	struct job j;

	(void)state;
	start("io_uring", ",direct=off");
	job_init(&j, DISK_READ, 0, 512, buf);
	j.req.n_iov = 0;
	assert_int_equal(run_job(&j), -EINVAL);
	job_init(&j, DISK_READ, 0, 512, buf);
	j.req.n_iov = IOV_MAX + 1;
	assert_int_equal(run_job(&j), -EINVAL);
	disk->info.size = 2 * DISK_LEN_MAX;
	assert_int_equal(run(DISK_WRITE, 0, DISK_LEN_MAX + 512, buf), -EINVAL);
	stop();
}

/* What is written is read back, in memory of every alignment, with direct I/O and without. */
static void round_trips(const char *engine, const char *more)
{
	static const unsigned skew[] = {0, 1, 512, 513, 2048};

	start(engine, more);
	for (size_t i = 0; i < ARRAY_SIZE(skew); i++) {
		uint64_t at = 4096 * (i + 1);
		struct job j;

		fill(buf + skew[i], 8192, (uint8_t)i);
		memset(other, 0xee, sizeof(other));
		assert_int_equal(run(DISK_WRITE, at, 8192, buf + skew[i]), 0);
		/* Three parts, one of them ragged. */
		job_init(&j, DISK_READ, at, 8192, NULL);
		j.iov[0] = (struct iovec){other + skew[i], 4096};
		j.iov[1] = (struct iovec){other + skew[i] + 4096, 1000};
		j.iov[2] = (struct iovec){other + skew[i] + 5096, 3096};
		j.req.n_iov = 3;
		assert_int_equal(run_job(&j), 0);
		assert_memory_equal(buf + skew[i], other + skew[i], 8192);
		assert_int_equal(other[skew[i] + 8192], 0xee);
	}
	stop();
}

static void data(void **state)
{
	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		round_trips(engines[e], ",direct=off");
		round_trips(engines[e], "");
		round_trips(engines[e], ",cache=writethrough");
	}
}

static void many_at_once(void **state)
{
	struct job j[5 * DEPTH];

	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		unsigned done = 0;

		start(engines[e], ",direct=off");
		fill(buf, sizeof(buf), 3);
		for (unsigned i = 0; i < ARRAY_SIZE(j); i++) {
			job_init(&j[i], i % 8 == 7 ? DISK_FLUSH : DISK_WRITE, 512 * i, 512,
				 buf + 512 * i);
			disk_submit(queue, &j[i].req);
		}
		assert_int_equal(disk_in_flight(queue), ARRAY_SIZE(j));
		disk_drain(queue);
		for (unsigned i = 0; i < ARRAY_SIZE(j); i++)
			done += j[i].done == 1 && !j[i].err;
		assert_int_equal(done, ARRAY_SIZE(j));
		assert_int_equal(disk_host_requests(queue), ARRAY_SIZE(j));
		assert_int_equal(run(DISK_READ, 512 * 6, 512, other), 0);
		assert_memory_equal(other, buf + 512 * 6, 512);
		stop();
	}
}

static bool is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/* A file system without ranges of zeroes has them written; both ways leave the neighbours alone. */
static void ranges(void **state)
{
	static const struct {
		enum disk_op op;
		bool durable, may_unmap, by_hand;
	} cases[] = {
		{DISK_DISCARD, false, false, false}, {DISK_ZERO, false, false, false},
		{DISK_ZERO, false, true, false},     {DISK_ZERO, true, false, false},
		{DISK_ZERO, false, false, true},
	};

	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			struct job j;

			start(engines[e], ",direct=off");
			memset(buf, 0x55, 16384);
			assert_int_equal(run(DISK_WRITE, 0, 16384, buf), 0);
			disk->no_zero = cases[i].by_hand;
			job_init(&j, cases[i].op, 4096, 8192, NULL);
			j.req.durable = cases[i].durable;
			j.req.may_unmap = cases[i].may_unmap;
			assert_int_equal(run_job(&j), 0);
			assert_int_equal(run(DISK_READ, 0, 16384, other), 0);
			assert_memory_equal(other, buf, 4096);
			assert_true(is_zero(other + 4096, 8192));
			assert_memory_equal(other + 12288, buf, 4096);
			stop();
		}
	}
}

/* A file in which no hole can be made, as on 9p or ramfs, is a disk that cannot discard. */
static void no_holes(void **state)
{
	char text[128], medium[64];
	int fd = fake_medium_no_holes(SIZE, medium);

	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		snprintf(text, sizeof(text), "file=%s,direct=off,engine=%s", medium, engines[e]);
		assert_int_equal(disk_new(&disk, text), 0);
		assert_int_equal(disk_queue_open(&queue, disk, DEPTH), 0);
		assert_int_equal(disk_info(disk)->discard, 0);
		assert_int_equal(run(DISK_DISCARD, 0, 4096, NULL), -EOPNOTSUPP);
		disk->info.discard = 4096; /* one that loses it later says so, too */
		assert_int_equal(run(DISK_DISCARD, 0, 4096, NULL), -EPERM);
		stop();
	}
	close(fd);
	start("sync", "");
	assert_true(disk_info(disk)->discard >= 512);
	stop();
}

/* ---- a medium that is not what it was ---- */

static void shrunken(void **state)
{
	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		/* A read behind the new end. */
		start(engines[e], ",direct=off");
		assert_int_equal(truncate(path, SIZE / 2), 0);
		assert_int_equal(run(DISK_READ, 0, 4096, buf), 0);
		assert_int_equal(run(DISK_READ, SIZE / 2 - 512, 1024, buf), -EIO);
		assert_int_equal(run(DISK_READ, 0, 4096, buf), -ENODEV);
		assert_int_equal(run(DISK_WRITE, 0, 4096, buf), -ENODEV);
		assert_int_equal(run(DISK_FLUSH, 0, 0, NULL), -ENODEV);
		stop();
		/* A flush: what was written may be gone. */
		start(engines[e], ",direct=off");
		assert_int_equal(truncate(path, SIZE - 512), 0);
		assert_int_equal(run(DISK_FLUSH, 0, 0, NULL), -ENODEV);
		stop();
	}
}

/* The host's own error comes through: a limit on file sizes stands for a full disk. */
static void host_errors(void **state)
{
	struct rlimit was, small = {SIZE / 2, RLIM_INFINITY};

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		start(engines[e], ",direct=off");
		getrlimit(RLIMIT_FSIZE, &was);
		setrlimit(RLIMIT_FSIZE, &small);
		assert_int_equal(run(DISK_WRITE, SIZE / 2, 4096, buf), -EFBIG);
		/* The part before the limit was written, the request failed all the same. */
		assert_int_equal(run(DISK_WRITE, SIZE / 2 - 4096, 8192, buf), -EFBIG);
		setrlimit(RLIMIT_FSIZE, &was);
		assert_int_equal(run(DISK_WRITE, SIZE / 2, 4096, buf), 0);
		stop();
	}
}

static void read_only(void **state)
{
	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		start(engines[e], ",direct=off,readonly=on");
		assert_true(disk_info(disk)->read_only);
		assert_int_equal(run(DISK_READ, 0, 4096, buf), 0);
		assert_int_equal(run(DISK_WRITE, 0, 4096, buf), -EROFS);
		assert_int_equal(run(DISK_ZERO, 0, 4096, NULL), -EROFS);
		assert_int_equal(run(DISK_DISCARD, 0, 4096, NULL), -EROFS);
		assert_int_equal(run(DISK_FLUSH, 0, 0, NULL), 0);
		stop();
	}
}

/* ---- opening ---- */

static void refused(void **state)
{
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{"", -EINVAL},
		{"file=", -EINVAL},
		{"file=/nonexistent/disk", -ENOENT},
		{"file=/tmp", -EINVAL},
		{"file=/dev/null", -EINVAL},
		{"file=/x,engine=threads", -EINVAL},
		{"file=/x,cache=none", -EINVAL},
		{"file=/x,readonly=2", -EINVAL},
		{"file=/x,serial=123456789012345678901", -EINVAL},
	};
	struct disk *d;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(disk_new(&d, cases[i].text), cases[i].err);
}

static void sizes(void **state)
{
	static const struct {
		off_t bytes;
		int err;
		uint64_t size;
	} cases[] = {{0, -EINVAL, 0},
		     {511, -EINVAL, 0},
		     {512, 0, 512},
		     {1000, 0, 512},
		     {SIZE + 1, 0, SIZE}};
	char text[PATH_MAX];
	struct disk *d;

	(void)state;
	snprintf(text, sizeof(text), "file=%s,direct=off,serial=12345678901234567890", path);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fresh_file(cases[i].bytes);
		assert_int_equal(disk_new(&d, text), cases[i].err);
		if (cases[i].err)
			continue;
		assert_int_equal(disk_info(d)->size, cases[i].size);
		assert_string_equal(disk_info(d)->serial, "12345678901234567890");
		disk_close(d);
	}
}

/* Two writers of one file would destroy it; any number may read. */
static void locks(void **state)
{
	char text[PATH_MAX], ro[PATH_MAX + 16];
	struct disk *a, *b;

	(void)state;
	fresh_file(SIZE);
	snprintf(text, sizeof(text), "file=%s,direct=off", path);
	snprintf(ro, sizeof(ro), "%s,readonly=on", text);
	assert_int_equal(disk_new(&a, text), 0);
	assert_int_equal(disk_new(&b, text), -EBUSY);
	assert_int_equal(disk_new(&b, ro), -EBUSY);
	disk_close(a);
	assert_int_equal(disk_new(&a, ro), 0);
	assert_int_equal(disk_new(&b, ro), 0);
	disk_close(a);
	assert_int_equal(disk_new(&a, text), -EBUSY);
	disk_close(b);
}

/* ---- the thread ---- */

struct server {
	struct io_thread *thread;
	int kick;
	uint64_t kicks;
	unsigned work, done, arms, looks;
};

static bool server_serve(void *arg)
{
	struct server *s = arg;
	unsigned n = __atomic_exchange_n(&s->work, 0, __ATOMIC_ACQ_REL);

	__atomic_fetch_add(&s->looks, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->done, n, __ATOMIC_RELEASE);
	return n;
}

static bool server_arm(void *arg)
{
	struct server *s = arg;

	__atomic_fetch_add(&s->arms, 1, __ATOMIC_RELEASE);
	return __atomic_load_n(&s->work, __ATOMIC_ACQUIRE);
}

static unsigned load(const unsigned *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void until_at_least(const unsigned *p, unsigned n)
{
	for (unsigned i = 0; i < 20000 && load(p) < n; i++)
		usleep(100);
	assert_true(load(p) >= n);
}

static void give_work(struct server *s)
{
	__atomic_fetch_add(&s->work, 1, __ATOMIC_ACQ_REL);
	assert_int_equal(write(s->kick, &(uint64_t){1}, 8), 8);
}

static void server_start(struct server *s, uint64_t poll_ns)
{
	static const struct io_thread_ops ops = {server_serve, server_arm};

	*s = (struct server){.kick = eventfd(0, EFD_NONBLOCK)};
	assert_int_equal(io_thread_create(&s->thread, &running, "server", poll_ns, &ops, s), 0);
	assert_int_equal(io_thread_watch(s->thread, s->kick, &s->kicks), 0);
}

static void server_stop(struct server *s)
{
	io_thread_unwatch(s->thread, s->kick);
	io_thread_destroy(s->thread);
	close(s->kick);
}

/* It sleeps when there is nothing to do, and one kick is enough. */
static void thread_sleeps(void **state)
{
	struct server s;
	unsigned looks;

	(void)state;
	server_start(&s, 0);
	for (unsigned i = 1; i <= 20; i++) {
		give_work(&s);
		until_at_least(&s.done, i);
	}
	until_at_least(&s.arms, 1);
	usleep(2000);
	looks = load(&s.looks);
	usleep(5000);
	assert_int_equal(load(&s.looks), looks);
	server_stop(&s);
	assert_int_equal(s.done, 20);
	assert_int_equal(s.kicks, 20);
}

/* Pauses shorter than poll_ns make it look on: work is found without a kick. */
static void thread_polls(void **state)
{
	struct server s;
	unsigned arms;

	(void)state;
	server_start(&s, 2000 * NSEC_PER_MSEC);
	give_work(&s);
	until_at_least(&s.done, 1);
	until_at_least(&s.arms, 1);
	usleep(200000);
	give_work(&s); /* a pause of 200 ms: it looks for 400 from now on */
	until_at_least(&s.done, 2);
	arms = load(&s.arms);
	__atomic_store_n(&s.work, 1, __ATOMIC_RELEASE);
	until_at_least(&s.done, 3);
	assert_int_equal(load(&s.arms), arms);
	server_stop(&s);
}

/* Longer ones do not. */
static void thread_gives_up(void **state)
{
	struct server s;
	unsigned looks;

	(void)state;
	server_start(&s, NSEC_PER_MSEC);
	for (unsigned i = 1; i <= 3; i++) {
		give_work(&s);
		until_at_least(&s.done, i);
		usleep(20000);
		looks = load(&s.looks);
	}
	give_work(&s);
	until_at_least(&s.done, 4);
	until_at_least(&s.arms, 5);
	assert_true(load(&s.looks) <= looks + 3);
	server_stop(&s);
}

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	log_init("test", LOG_ERROR);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds),	cmocka_unit_test(limits),
		cmocka_unit_test(data),		cmocka_unit_test(many_at_once),
		cmocka_unit_test(ranges),	cmocka_unit_test(shrunken),
		cmocka_unit_test(no_holes),
		cmocka_unit_test(host_errors),	cmocka_unit_test(read_only),
		cmocka_unit_test(refused),	cmocka_unit_test(sizes),
		cmocka_unit_test(locks),	cmocka_unit_test(thread_sleeps),
		cmocka_unit_test(thread_polls), cmocka_unit_test(thread_gives_up),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
