// SPDX-License-Identifier: MIT
/*
 * The runner's conversation with guests that talk for ever, too much, or twice: one budget a sample.
 * Class 23.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "bench/sample/progress.h"
#include "bench/sample/sample_impl.h"

/* A busy machine may take its time where no limit is to be met. */
static const struct talk_limits limits = {
	.boot_ns = 60 * NSEC_PER_SEC,
	.slack_ns = 60 * NSEC_PER_SEC,
	.off_ns = 200 * NSEC_PER_MSEC,
	.bytes = 64 * KIB,
	.line_bytes = 16 * KIB,
	.names = 20,
	.log_bytes = MIB,
};

static struct {
	struct workload workload;
	struct cell cell;
	struct progress progress;
	struct sample_want want;
	struct vm_boot boot;
	char dir[32];
	pid_t guest;
} rig;

/* What is said is repeated so many times, with a pause; %u in it is the number. */
struct talk {
	const char *first, *text;
	unsigned times;
	unsigned pause_us;
};

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(0);
}

/* The guest: a process that stays until it is killed, as one does that never powers off. */
static void guest_main(int fd, const struct talk *t)
{
	signal(SIGPIPE, SIG_IGN);
	alarm(30);
	say(fd, t->first);
	for (unsigned i = 0; i < t->times; i++) {
		char *line = xasprintf(t->text, i); /* NOLINT */

		say(fd, line);
		free(line);
		if (t->pause_us)
			usleep(t->pause_us);
	}
	for (;;)
		pause();
}

static void start(const struct talk_limits *l)
{
	char *argv[] = {(char *)"sleep", (char *)"30", NULL};
	char *path;

	strcpy(rig.dir, "/tmp/exitlab-talk-XXXXXX");
	assert_non_null(mkdtemp(rig.dir));
	path = xasprintf("%s/agent.log", rig.dir);
	rig.cell = (struct cell){.workload = &rig.workload, .label = (char *)"test", .guest = "none"};
	rig.progress.quiet = true;
	rig.want = (struct sample_want){.cell = &rig.cell, .progress = &rig.progress};
	rig.boot = (struct vm_boot){.want = &rig.want,
				    .cell = &rig.cell,
				    .limits = l,
				    .log_dir = rig.dir,
				    .metrics = json_object(),
				    .hists = json_object()};
	rig.boot.job.rounds = 2;
	rig.boot.agent_log = fopen(path, "we");
	assert_non_null(rig.boot.agent_log);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, rig.boot.agent_fd), 0);
	assert_int_equal(proc_spawn(&rig.boot.vmm, argv, NULL), 0); /* the "VMM" */
	rig.boot.stage = STAGE_BOOT;
	rig.boot.stage_ns[STAGE_BOOT] = clock_ns();
	free(path);
}

static void end(void)
{
	proc_end(&rig.boot.vmm, 0);
	kill(rig.guest, SIGKILL);
	waitpid(rig.guest, NULL, 0);
	fclose(rig.boot.agent_log);
	close(rig.boot.agent_fd[0]);
	json_decref(rig.boot.metrics);
	json_decref(rig.boot.hists);
	strbuf_free(&rig.boot.line);
	free(rig.boot.error);
	dir_remove_all(rig.dir);
}

/* The runner's verdict, and in rig.boot.error its reason. */
static int converse(const struct talk *t)
{
	rig.guest = fork();
	if (!rig.guest) {
		close(rig.boot.agent_fd[0]);
		guest_main(rig.boot.agent_fd[1], t);
	}
	close_fd(&rig.boot.agent_fd[1]);
	return boot_converse(&rig.boot, 1);
}

#define HELLO "exitlab hello 1 6.1\n"

static const struct {
	const char *what;
	struct talk talk;
	int err;
	const char *error; /* NULL: the sample is good */
} cases[] = {
	{"all is well, but for the power-off", {HELLO "exitlab ready\nexitlab metric x 1\nexitlab done\n", "", 0, 0}, 0, NULL},
	{"power-off put off for ever", {HELLO, "exitlab done\n", 1000, 20000}, 0, NULL},
	{"as many names as there may be", {HELLO, "exitlab metric m%u 1\nexitlab done\n", 20, 0}, 0, NULL},
	{"silence", {"", "", 0, 0}, -ETIMEDOUT, "stage boot"},
	{"silence after hello", {HELLO, "", 0, 0}, -ETIMEDOUT, "stage job"},
	{"notes for ever", {HELLO, "exitlab note still here\n", 1000, 20000}, -ETIMEDOUT, "stage job"},
	{"hellos for ever", {"", HELLO, 1000, 20000}, -EIO, "a second time"},
	{"a line without an end", {HELLO, "exitlab note", 10000, 0}, -EIO, "a line of more than 16 KiB"},
	{"noise", {HELLO, "it is warm today\n", 10000, 0}, -EIO, "more than 64 KiB"},
	{"empty lines", {HELLO, "\n", 10000, 0}, -EIO, "more than 64 KiB"},
	{"names", {HELLO, "exitlab metric m%u 1\n", 1000, 0}, -EIO, "more than 20 names"},
	{"histograms", {HELLO, "exitlab hist h%u 0 0 0 0 \n", 1000, 0}, -EIO, "more than 20 names"},
};

/* Of the limit that a case is there to meet. */
static void short_limits(struct talk_limits *l, const struct talk *t)
{
	l->slack_ns = 200 * NSEC_PER_MSEC;
	if (!*t->first)
		l->boot_ns = 200 * NSEC_PER_MSEC;
}

static void one_budget_a_sample(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct talk_limits l = limits;
		uint64_t t0 = clock_ns();
		int err;

		if (cases[i].err == -ETIMEDOUT)
			short_limits(&l, &cases[i].talk);
		start(&l);
		err = converse(&cases[i].talk);
		if (err != cases[i].err || !rig.boot.error != !cases[i].error ||
		    (rig.boot.error && !strstr(rig.boot.error, cases[i].error)))
			fail_msg("%s: %d, %s", cases[i].what, err, rig.boot.error ? rig.boot.error : "good");
		if (clock_ns() - t0 > 10 * NSEC_PER_SEC)
			fail_msg("%s: took its time", cases[i].what);
		end();
	}
}

/* What serves the disk counts: read before the guest is let go, and when it begins to tell. */
static void commands_of_the_window(void **state)
{
	static const struct talk t = {HELLO "exitlab metric early 1\nexitlab ready\n",
				      "exitlab metric m%u 1\nexitlab done\n", 3, 50000};
	char go[3], *path;
	int peek;

	(void)state;
	start(&limits);
	path = xasprintf("%s/num_cmds", rig.dir);
	assert_int_equal(file_write_atomic(path, "17\n", 3), 0);
	rig.boot.path.target.commands = path;
	rig.boot.job.start_together = true;
	peek = dup(rig.boot.agent_fd[1]);
	assert_int_equal(converse(&t), 0);
	assert_int_equal(rig.boot.n_commands, 2);
	assert_int_equal(rig.boot.commands[0], 17);
	assert_int_equal(read(peek, go, sizeof(go)), 3); /* it was let go */
	close(peek);
	end();
	free(path);
}

/* A guest that writes to its console as fast as it can fills this machine's disk otherwise. */
static void logs_are_bounded(void **state)
{
	static const struct talk quiet = {"", "", 0, 0};
	char *path;
	int fd;

	(void)state;
	start(&limits);
	path = xasprintf("%s/console.log", rig.dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 2 * MIB), 0);
	assert_int_equal(converse(&quiet), -EIO);
	assert_non_null(strstr(rig.boot.error, "console.log has grown beyond 1 MiB"));
	end();
	close(fd);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_budget_a_sample),
		cmocka_unit_test(logs_are_bounded),
		cmocka_unit_test(commands_of_the_window),
	};

	log_init("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
