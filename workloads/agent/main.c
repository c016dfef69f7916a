// SPDX-License-Identifier: MIT
/*
 * The agent's command line: `agent run` does a job, `agent peer` is the other end of one, as PID 1 it is
 * the guest's init.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "workloads/agent/agent.h"

static int parse_args(struct workload_job *job, char **argv)
{
	char line[JOB_LINE_MAX] = "", bad[64] = "";
	size_t len = 0;

	for (; *argv && len < sizeof(line); argv++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s ", *argv);
	if (len < sizeof(line) && !job_parse(job, line, bad))
		return 0;
	log_error("bad key or value: %s; KEY=VALUE as in workloads/job.h", bad);
	return -EINVAL;
}

static int run_main(struct agent *a)
{
	struct utsname u;
	char line[160];

	uname(&u);
	snprintf(line, sizeof(line), "hello %d %s", PROTOCOL_VERSION, u.release);
	report_line(line);
	report_flush();
	agent_run(a);
	report_line("done");
	report_flush();
	return agent_failed() ? EXIT_FAILED : EXIT_OK;
}

static const char usage[] =
	"Usage: agent run|peer KEY=VALUE...\n"
	"As PID 1 the agent is the init of an Exitlab guest. Keys (workloads/job.h):\n";

static void print_usage(FILE *out)
{
	fputs(usage, out);
	for (const struct job_key *k = job_keys; k->name; k++)
		fprintf(out, "  %-12s %s (default %s)\n", k->name, k->help, *k->def ? k->def : "none");
}

int main(int argc, char **argv)
{
	static struct agent a;

	/* The program that kernel-ops starts. */
	if (argc == 2 && !strcmp(argv[1], "nothing"))
		return EXIT_OK;
	signal(SIGPIPE, SIG_IGN);
	/* As process 1 of a container it has a command. */
	if (getpid() == 1 && (argc < 2 || strcmp(argv[1], "run") != 0))
		return init_main();
	log_init("agent", LOG_INFO);
	if (argc >= 2 && !strcmp(argv[1], "--help")) {
		print_usage(stdout);
		return EXIT_OK;
	}
	if (argc < 2 || (strcmp(argv[1], "run") != 0 && strcmp(argv[1], "peer") != 0)) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (parse_args(&a.job, argv + 2))
		return EXIT_USAGE;
	if (!strcmp(argv[1], "peer"))
		return peer_main(&a);
	return run_main(&a);
}
