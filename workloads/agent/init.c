// SPDX-License-Identifier: MIT
/* The agent as PID 1 of the guest. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "workloads/agent/agent.h"

#define SYSLOG_ACTION_CONSOLE_LEVEL 8

static void mount_all(void)
{
	static const struct {
		const char *type, *dir;
	} mounts[] = {{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/tmp"}};

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		mkdir(mounts[i].dir, 0755);
		mount(mounts[i].type, mounts[i].dir, mounts[i].type, 0, NULL);
	}
}

/* Lines then mix with the kernel's, which from here on says only that it dies. */
static int open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);

	klogctl(SYSLOG_ACTION_CONSOLE_LEVEL, NULL, 1);
	if (fd >= 0 && write(fd, "\n", 1) < 0) /* behind what stands there */
		close_fd(&fd);
	return fd;
}

/* The kernel hands what it does not know itself on to its first process. */
static bool kernel_says(const char *name, const char *value)
{
	const char *v = getenv(name);

	return v && !strcmp(v, value);
}

/* The second serial port, raw; the console when the VMM has none. */
static int open_report(void)
{
	struct termios tio;
	int fd;

	if (kernel_says("exitlab_port", "console"))
		return open_console();
	fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0 && tcgetattr(fd, &tio)) /* fails with EIO when the VMM has no such UART */
		close_fd(&fd);
	if (fd < 0)
		return open_console();
	cfmakeraw(&tio);
	cfsetspeed(&tio, B115200);
	tcsetattr(fd, TCSANOW, &tio);
	return fd;
}

static void say_hello(uint64_t booted_ns)
{
	struct utsname u;
	char line[160];

	uname(&u);
	snprintf(line, sizeof(line), "hello %d %s", PROTOCOL_VERSION, u.release);
	report_line(line);
	report_metric("guest_boot_ns", (double)booted_ns);
	report_flush();
}

/* The words "NAME.KEY=VALUE" of the kernel's command line, for the module NN-NAME.ko: as modprobe does. */
static void add_parameters(const char *file, const char *cmdline, struct strbuf *out)
{
	const char *name = strchr(file, '-');
	size_t len = name ? strcspn(++name, ".") : 0;

	for (const char *w = cmdline; len && *w; w += strspn(w, " \n")) {
		size_t n = strcspn(w, " \n");

		if (n > len && !strncmp(w, name, len) && w[len] == '.')
			strbuf_addf(out, "%.*s ", (int)(n - len - 1), w + len + 1);
		w += n;
	}
}

static int load_module(const char *name, const char *cmdline)
{
	struct strbuf params = STRBUF_INIT;
	char path[288];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/modules/%s", name);
	add_parameters(name, cmdline, &params);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if ((fd < 0 || syscall(SYS_finit_module, fd, strbuf_str(&params), 0)) && errno != EEXIST)
		err = agent_fail(-errno, "module %s: %s", name, strerror(errno));
	close_fd(&fd);
	strbuf_free(&params);
	return err;
}

static int is_file(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* Names sort in load order; see workloads/image.h. */
static int load_modules(void)
{
	struct strbuf cmdline = STRBUF_INIT;
	struct dirent **name;
	int err = 0, n = scandir("/modules", &name, is_file, alphasort);

	file_read("/proc/cmdline", &cmdline);
	for (int i = 0; i < n; i++) {
		if (!err)
			err = load_module(name[i]->d_name, strbuf_str(&cmdline));
		free(name[i]);
	}
	strbuf_free(&cmdline);
	if (n >= 0)
		free(name);
	return err;
}

static int read_job(struct workload_job *job)
{
	struct strbuf sb = STRBUF_INIT;
	char bad[64] = "";
	int err = file_read("/exitlab.job", &sb);

	if (err)
		agent_fail(err, "/exitlab.job: %s", strerror(-err));
	else if ((err = job_parse(job, strbuf_str(&sb), bad)))
		agent_fail(err, "/exitlab.job: bad key or value: %s", bad);
	strbuf_free(&sb);
	return err;
}

int init_main(void)
{
	static struct agent a = {.vm = true};
	int marked = marker_write(MARKER_BOOTED);
	uint64_t booted_ns = clock_ns();

	mount_all();
	report_open(open_report());
	say_hello(booted_ns);
	if (marked)
		agent_fail(marked, "the marker port cannot be written: %s", strerror(-marked));
	if (!agent_failed() && !read_job(&a.job) && !load_modules()) {
		if (kernel_says("exitlab_names", "guest"))
			report_regions();
		agent_run(&a);
	}
	report_line("done");
	report_flush();
	reboot(kernel_says("exitlab_end", "reset") ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;)
		pause(); /* PID 1 must not return */
}
