// SPDX-License-Identifier: MIT
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

#include "base/clock.h"
#include "base/proc.h"
#include "base/strbuf.h"

#define LIMIT_NS (60 * NSEC_PER_SEC)

static int run(const char *script, struct strbuf *out, uint64_t limit_ns)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};

	return proc_run(argv, out, limit_ns);
}

/* More than a pipe holds: the child waits for us; its end of the pipe was non-blocking once. */
static void output_longer_than_a_pipe(void **state)
{
	struct strbuf out = STRBUF_INIT;

	(void)state;
	assert_int_equal(run("head -c 3000000 /dev/zero && exit 7", &out, LIMIT_NS), 7);
	assert_int_equal(out.len, 3000000);
	strbuf_free(&out);
}

static void ends(void **state)
{
	struct strbuf out = STRBUF_INIT;

	(void)state;
	assert_int_equal(run("echo word; kill -9 $$", &out, LIMIT_NS), 128 + 9);
	assert_string_equal(strbuf_str(&out), "word\n");
	assert_int_equal(run("exec sleep 60", &out, 50 * NSEC_PER_MSEC), -ETIMEDOUT);
	assert_int_equal(run("exec sleep 60", NULL, 50 * NSEC_PER_MSEC), -ETIMEDOUT);
	assert_int_equal(proc_run((char *[]){(char *)"/nonexistent", NULL}, NULL, LIMIT_NS), -ENOENT);
	strbuf_free(&out);
}

/* What a confined program is; without root it keeps its user. */
static void confined(void **state)
{
	char *argv[] = {(char *)"sh", (char *)"-c",
			(char *)"id -u; id -G; grep -E '^(NoNewPrivs|CapEff|CapPrm)' /proc/self/status; "
				"ulimit -c; ulimit -t; ulimit -n", NULL};
	struct strbuf out = STRBUF_INIT, want = STRBUF_INIT;

	(void)state;
	assert_int_equal(proc_run_confined(argv, &out, LIMIT_NS), 0);
	assert_non_null(strstr(strbuf_str(&out), "NoNewPrivs:\t1\n"));
	assert_non_null(strstr(strbuf_str(&out), "\n0\n60\n64\n"));
	if (!geteuid()) {
		strbuf_addf(&want, "%d\n%d\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n", PROC_NOBODY,
			    PROC_NOBODY);
		assert_memory_equal(strbuf_str(&out), strbuf_str(&want), want.len);
	}
	strbuf_free(&out);
	strbuf_free(&want);
}

/* Process 1 of its namespaces, which sees only itself, and has our death to fear all the same. */
static void apart(void **state)
{
	char *argv[] = {(char *)"sh", (char *)"-c",
			(char *)"echo $$ $(ls -d /proc/[0-9]* | wc -l); uname -n; readlink /proc/self/ns/net", NULL};
	char path[] = "/tmp/proc-test-XXXXXX", line[64], our_net[64] = "";
	struct proc_opts o = {.hold = true, .apart = true};
	struct proc p;
	FILE *f;

	(void)state;
	if (geteuid())
		skip();
	o.stdout_fd = mkstemp(path);
	assert_int_equal(proc_spawn(&p, argv, &o), 0);
	assert_int_equal(proc_release(&p), 0);
	assert_int_equal(proc_wait(&p, LIMIT_NS), 0);
	f = fopen(path, "r");
	assert_non_null(fgets(line, sizeof(line), f));
	assert_int_equal(strncmp(line, "1 ", 2), 0);
	assert_true(atoi(line + 2) < 6);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_string_equal(line, "container\n");
	/* The network is the caller's to choose. */
	assert_non_null(fgets(line, sizeof(line), f));
	assert_true(readlink("/proc/self/ns/net", our_net, sizeof(our_net) - 1) > 0);
	assert_memory_equal(line, our_net, strlen(our_net));
	fclose(f);
	unlink(path);
	close(o.stdout_fd);
	assert_int_equal(gethostname(line, sizeof(line)), 0);
	assert_string_not_equal(line, "container");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_longer_than_a_pipe),
		cmocka_unit_test(ends),
		cmocka_unit_test(confined),
		cmocka_unit_test(apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
