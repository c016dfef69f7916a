// SPDX-License-Identifier: MIT
/* What a lab's init says, however it is cut on its way to us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "bench/lab/lab_impl.h"
#include "bench/lab/lab_wire.h"
#include "tests/unit/fake_record.h"

static void add_frame(struct strbuf *sb, uint32_t type, const void *data, uint32_t len)
{
	struct lab_frame f = {type, len};

	strbuf_add(sb, &f, sizeof(f));
	strbuf_add(sb, data, len);
}

static void add_session(struct strbuf *sb, int32_t status)
{
	add_frame(sb, LAB_READY, "", 0);
	add_frame(sb, LAB_FILE, "deep/file\0first ", 16);
	add_frame(sb, LAB_FILE, "deep/file\0second", 16);
	add_frame(sb, LAB_EXIT, &status, sizeof(status));
}

static struct lab lab_make(enum lab_channel channel, const struct lab_spec *spec)
{
	return (struct lab){.spec = spec, .channel = channel, .ctl_fd = -1};
}

static void any_cut_gives_the_same(void **state)
{
	static const char banner[] = "Emulator 3.0\n====\n" LAB_MAGIC;
	struct strbuf said = STRBUF_INIT;

	(void)state;
	strbuf_add(&said, banner, sizeof(banner));
	add_session(&said, 7);
	for (size_t cut = 1; cut < said.len; cut++) {
		char *dir = fake_dir(), *path = xasprintf("%s/deep/file", dir), *text;
		struct lab_spec spec = {.out_dir = dir};
		struct lab lab = lab_make(LAB_SPEAKS, &spec);

		strbuf_add(&lab.inbox, said.buf, cut);
		assert_int_equal(lab_take_frames(&lab), 0);
		assert_int_equal(lab.done, false);
		strbuf_add(&lab.inbox, said.buf + cut, said.len - cut);
		assert_int_equal(lab_take_frames(&lab), 0);
		assert_true(lab.ready && lab.done);
		assert_int_equal(lab.status, 7);
		text = file_read_line(path);
		assert_string_equal(text, "first second");
		dir_remove_all(dir);
		strbuf_free(&lab.inbox);
		free(text);
		free(path);
		free(dir);
	}
	strbuf_free(&said);
}

static void what_is_no_frame_ends_it(void **state)
{
	static const struct {
		enum lab_channel channel;
		uint32_t type, len, bytes; /* as told, as sent */
		int want;
	} cases[] = {
		{LAB_TALKS, LAB_STDOUT, LAB_FRAME_MAX + 1, 8, -EPROTO},
		{LAB_TALKS, LAB_STDOUT, UINT32_MAX, 8, -EPROTO},
		{LAB_LEAVES, LAB_EXIT, 3, 3, -EPROTO},
		{LAB_LEAVES, LAB_EXIT, 0, 0, -EPROTO},
		{LAB_LEAVES, 'z', 4, 4, 0}, /* of a newer init */
		{LAB_TALKS, LAB_FAIL, 4, 4, -EIO},
		/* An emulator that prints and prints: no frame ever comes. */
		{LAB_SPEAKS, 'z', LAB_FRAME_MAX, LAB_FRAME_MAX, -EPROTO},
	};
	static const char zeros[LAB_FRAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lab_frame f = {cases[i].type, cases[i].len};
		struct lab_spec spec = {.out_dir = NULL};
		struct lab lab = lab_make(cases[i].channel, &spec);

		strbuf_add(&lab.inbox, &f, sizeof(f));
		strbuf_add(&lab.inbox, zeros, cases[i].bytes);
		assert_int_equal(lab_take_frames(&lab), cases[i].want);
		assert_false(lab.done);
		strbuf_free(&lab.inbox);
	}
}

static void a_file_stays_below_its_directory(void **state)
{
	char *dir = fake_dir(), *out = xasprintf("%s/out", dir), *outside = xasprintf("%s/x", dir);
	struct lab_spec spec = {.out_dir = out};
	struct lab lab = lab_make(LAB_LEAVES, &spec);

	(void)state;
	add_frame(&lab.inbox, LAB_FILE, "../x\0hello", 10);
	add_frame(&lab.inbox, LAB_FILE, "no end of the name", 18);
	add_frame(&lab.inbox, LAB_FILE, "", 0);
	assert_int_equal(lab_take_frames(&lab), 0);
	assert_false(file_exists(outside));
	assert_false(file_exists(out));
	dir_remove_all(dir);
	strbuf_free(&lab.inbox);
	free(outside);
	free(out);
	free(dir);
}

/* A command that reads nothing: whatever we have to say waits in memory, whole, in order. */
static void a_lab_that_does_not_read_holds_nobody(void **state)
{
	static char data[LAB_FRAME_MAX], got[65536];
	struct lab_spec spec = {.out_dir = NULL};
	struct lab lab = lab_make(LAB_TALKS, &spec);
	size_t sent = 0, had = 0;
	uint32_t sum = 0;
	int pair[2];

	(void)state;
	alarm(20);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	lab.ctl_fd = pair[0];
	for (int i = 0; i < 40; i++) {
		memset(data, i, sizeof(data));
		assert_int_equal(lab_send_frame(&lab, LAB_STDIN, data, sizeof(data)), 0);
		sent += sizeof(struct lab_frame) + sizeof(data);
	}
	assert_true(lab.outbox.len > 0 && lab.outbox.len < sent);
	while (had < sent) {
		ssize_t n = read(pair[1], got, sizeof(got));

		assert_true(n > 0);
		had += (size_t)n;
		for (ssize_t k = 0; k < n; k++)
			sum += (uint8_t)got[k];
		assert_int_equal(lab_flush(&lab), 0);
	}
	assert_int_equal(lab.outbox.len, 0);
	assert_int_equal(sum, 40 / 2 * 39 * LAB_FRAME_MAX + 40 * (LAB_STDIN + 1));
	close(pair[1]);
	assert_int_equal(lab_send_frame(&lab, LAB_STDIN, data, 1), -EPIPE); /* and nothing kills us */
	close(pair[0]);
	strbuf_free(&lab.outbox);
}

/*
 * What a machine may take without a time-out is its own processor time: one that others keep from it, here
 * by a sleep, is nothing that it has taken, unless it is several times as long.
 */
static void processor_time_is_the_limit(void **state)
{
	static const struct {
		const char *machine;
		uint64_t cpu_ns, timeout_ns;
		bool late;
	} cases[] = {
		{"sleep 1", 500 * NSEC_PER_MSEC, 0, false},
		{"sleep 1", 500 * NSEC_PER_MSEC, 200 * NSEC_PER_MSEC, true},
		{"sleep 60", 100 * NSEC_PER_MSEC, 0, true},
		{"while :; do :; done", 200 * NSEC_PER_MSEC, 0, true},
	};
	int32_t status = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *argv[] = {(char *)"sh", (char *)"-c", (char *)cases[i].machine, NULL};
		struct lab_spec spec = {.cpu_ns = cases[i].cpu_ns,
					.timeout_ns = cases[i].timeout_ns};
		struct lab lab = lab_make(LAB_LEAVES, &spec);
		struct strbuf left = STRBUF_INIT;
		int err;

		add_frame(&left, LAB_EXIT, &status, sizeof(status));
		lab.signal_fd = -1;
		lab.ctl_fd = memfd_create("left", MFD_CLOEXEC);
		assert_int_equal(fd_write_all(lab.ctl_fd, left.buf, left.len), 0);
		lab.deadline_ns = clock_ns() + or_usual(spec.timeout_ns, spec.cpu_ns);
		assert_int_equal(proc_spawn(&lab.emulator, argv, &(struct proc_opts){0}), 0);
		err = lab_session(&lab);
		assert_int_equal(err, cases[i].late * -ETIMEDOUT);
		assert_int_equal(lab.timed_out, cases[i].late);
		assert_int_equal(lab.done, !cases[i].late);
		proc_end(&lab.emulator, 0);
		close(lab.ctl_fd);
		strbuf_free(&left);
		strbuf_free(&lab.inbox);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_cut_gives_the_same),
		cmocka_unit_test(what_is_no_frame_ends_it),
		cmocka_unit_test(a_file_stays_below_its_directory),
		cmocka_unit_test(a_lab_that_does_not_read_holds_nobody),
		cmocka_unit_test(processor_time_is_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
