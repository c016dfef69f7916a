// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
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

/* Of root's powers those over files are left, and below one directory only. */
static const char keeper_script[] =
	"import os, socket, sys\n"
	"def refused(call, *args):\n"
	"    try: call(*args)\n"
	"    except OSError: return True\n"
	"status = dict(line.split(':\\t', 1) for line in open('/proc/self/status').read().splitlines())\n"
	"assert refused(socket.socket)\n"
	"assert status['NoNewPrivs'] == '1'\n"
	"here, ours = sys.argv[1], sys.argv[1] + '/ours'\n"
	"open(here + '/new', 'w').write('new')\n"
	"for path in here + '/new', ours:\n"
	"    os.chmod(path, 0o755)\n"
	"    for mode in 0o4755, 0o2755: assert refused(os.chmod, path, mode)\n"
	"    assert refused(lambda: os.chmod('/..' + path, 0o4755, dir_fd=os.open('/', os.O_RDONLY)))\n"
	"    with open(path) as f: assert refused(os.fchmod, f.fileno(), 0o4755)\n"
	"open(ours, 'w').write('changed')\n"
	"if os.environ['ROOT'] == '0': sys.exit()\n"
	"assert status['CapEff'] == status['CapBnd'] == '000000000000000e', status\n"
	"assert os.getresuid() == os.getresgid() == (65533, 65533, 65533) and os.getgroups() == []\n"
	"assert os.stat(here + '/new').st_uid == 65533\n"
	"open('/etc/shadow').read()\n"
	"for path in '/dev/null', here + '/../proc_test.other', '/etc/passwd': assert refused(open, path, 'a'), path\n"
	"assert refused(os.chown, ours, 1, 1) and refused(os.kill, os.getppid(), 0)\n";

static void keeps_to_files(void **state)
{
	char dir[] = "/tmp/proc_test.XXXXXX", path[64];
	char *argv[] = {(char *)"/usr/bin/python3", (char *)"-c", (char *)keeper_script, dir, NULL};
	const char *dirs[] = {dir, NULL};
	struct proc_opts o = {.writable = dirs};
	struct proc p;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/ours", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	setenv("ROOT", geteuid() ? "0" : "1", 1);
	assert_int_equal(proc_spawn(&p, argv, &o), 0);
	assert_int_equal(proc_wait(&p, LIMIT_NS), 0);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/new", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
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
		cmocka_unit_test(keeps_to_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
