// SPDX-License-Identifier: MIT
/*
 * vmm-xen: a domain of Xen's as a process. Console and agent are its input and output, it lives as long as
 * the domain does, and where it ends first, whatever ends it, the domain goes too: the command that removes
 * it stands in the journal, and a child of ours carries that out when we are gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/opts.h"
#include "base/proc.h"
#include "bench/vmms/domain/domain.h"
#include "bench/vmms/domain/pc.h"
#include "bench/vmms/domain/vbd.h"
#include "bench/vmms/domain/vif.h"

#define TOOL_NS	   (120 * NSEC_PER_SEC) /* in an emulator on a busy machine */
#define CONSOLE_NS (60 * NSEC_PER_SEC)
#define LOOK_NS	   (20 * NSEC_PER_MSEC)
#define SELF	   "/proc/self/exe"
#define UUID_BEGINS "45786974-6c61-6200-8000-" /* "Exitlab" */
#define PC_QEMU	   "/usr/libexec/xen-qemu-system-i386"
#define XVDA	   "51712" /* its number in the store */
/* The records of scheduling, HVM guests, memory and PV guests; of the least frequent two kinds of each. */
#define TRACE_EVENTS "0x3a3000"
#define TRACE_PAGES  "256"

struct args {
	const char *type, *paging, *kernel, *initrd, *cmdline, *mac, *netns, *disk, *dir, *trace, *destroy;
	uint64_t cpus, mem_bytes;
	bool version;
};

static const struct opt opts[] = {
	{"type", 0, OPT_STR, offsetof(struct args, type), "pv|pvh|hvm",
	 "paravirtualised (default), or hardware-assisted, without a PC or with QEMU for one"},
	{"paging", 0, OPT_STR, offsetof(struct args, paging), "nested|shadow",
	 "pvh, hvm: the processor walks Xen's tables, or Xen shadows those of the domain"},
	{"kernel", 'k', OPT_STR, offsetof(struct args, kernel), "FILE", "vmlinux; hvm: bzImage"},
	{"initrd", 'i', OPT_STR, offsetof(struct args, initrd), "FILE", "initial RAM file system"},
	{"cmdline", 'c', OPT_STR, offsetof(struct args, cmdline), "TEXT", "the kernel's command line"},
	{"cpus", 0, OPT_COUNT, offsetof(struct args, cpus), "N", "virtual processors (default 1)"},
	{"mem", 'm', OPT_SIZE, offsetof(struct args, mem_bytes), "SIZE", "memory (default 256M)"},
	{"mac", 0, OPT_STR, offsetof(struct args, mac), "MAC", "a network card; with --netns"},
	{"netns", 0, OPT_STR, offsetof(struct args, netns), "FILE",
	 "the network namespace that the other end of its card goes to"},
	{"disk", 0, OPT_STR, offsetof(struct args, disk), "DEVICE",
	 "a disk, which is this block device of dom0"},
	{"dir", 0, OPT_STR, offsetof(struct args, dir), "DIR",
	 "for the domain's configuration (default: here)"},
	{"trace", 0, OPT_STR, offsetof(struct args, trace), "FILE",
	 "have xentrace record what Xen does meanwhile"},
	{"destroy", 0, OPT_STR, offsetof(struct args, destroy), "UUID",
	 "nothing but destroy that domain, if it is there"},
	{"version", 0, OPT_FLAG, offsetof(struct args, version), NULL,
	 "the version of the Xen that is running"},
	OPT_END,
};

static const struct command command = {
	.name = "",
	.args = "--kernel FILE [--initrd FILE]",
	.summary = "run a domain of Xen's as if it were a process",
	.details =
		"Wants root in dom0, and Xen's xl, xenstore-read and xentrace. The domain's console is standard input and\n"
		"output. SIGTERM, and any other end of this program, destroys the domain.\n"
		"\nExit status: 0 the domain powered off, 1 it ended in another way, 2 bad arguments, 3 there can be no domain.",
	.examples = "vmm-xen --type=pvh --kernel=vmlinux --initrd=guest.cpio --cmdline='console=hvc0 quiet'",
	.opts = opts,
};

/* One domain, what it is told, and what looks on. */
struct domain {
	struct domain_want want;
	char name[32], uuid[40];
	unsigned id;
	int tty;
	struct journal *journal;
	struct proc tracer;
	int trace_fd; /* what it writes */
	char *first_part; /* of a PC's kernel */
};

static void parse_args(int argc, char **argv, struct args *a)
{
	int r = opts_parse("vmm-xen", &command, &argc, argv, a);

	if (r)
		exit(r > 0 ? EXIT_OK : EXIT_USAGE);
	if (argc > 1)
		die(EXIT_USAGE, "%s: takes options only; see --help", argv[1]);
	if (!a->kernel && !a->destroy && !a->version)
		die(EXIT_USAGE, "--kernel is needed; see --help");
	if (!a->mac != !a->netns)
		die(EXIT_USAGE, "--mac and --netns: one is nothing without the other");
	a->type = text_or(a->type, "pv");
	a->paging = text_or(a->paging, "nested");
	if (strcmp(a->paging, "nested") != 0 && strcmp(a->paging, "shadow") != 0)
		die(EXIT_USAGE, "--paging=%s: it is nested or shadow", a->paging);
	a->dir = text_or(a->dir, ".");
	a->cmdline = text_or(a->cmdline, "console=hvc0");
	a->cpus = or_usual(a->cpus, 1);
	a->mem_bytes = or_usual(a->mem_bytes, 256 * MIB);
}

/* As "QEMU emulator version 10.0.2" is one: xen 4.17.7. */
static int print_version(void)
{
	char *major = file_read_line("/sys/hypervisor/version/major"), *extra, *minor;

	if (!*major) {
		free(major);
		return EXIT_CANNOT;
	}
	minor = file_read_line("/sys/hypervisor/version/minor");
	extra = file_read_line("/sys/hypervisor/version/extra");
	printf("xen %s.%s%s\n", major, minor, extra);
	free(major);
	free(minor);
	free(extra);
	return EXIT_OK;
}

/* Our own output is the domain's: what a tool prints goes to say_fd. */
static int run_tool(char *const argv[], int say_fd)
{
	struct proc_opts o = {.stdout_fd = say_fd, .stderr_fd = say_fd};
	struct proc p;
	int err = proc_spawn(&p, argv, &o);

	if (err)
		return err;
	err = proc_wait(&p, TOOL_NS);
	if (err == -ETIMEDOUT)
		proc_end(&p, 0);
	return err;
}

/*
 * A domain that is not there any more is what was wanted. xl that was killed in the middle left one without a
 * name.
 */
static int destroy_domain(const char *uuid)
{
	char *find[] = {"xl", "vm-list", NULL}, *destroy[] = {"xl", "destroy", NULL, NULL};
	struct strbuf list = STRBUF_INIT;
	int err = proc_run(find, &list, TOOL_NS);
	unsigned id;

	if (err) {
		log_error("xl vm-list: status %d", err);
	} else if (!domain_find_uuid(strbuf_str(&list), uuid, &id)) {
		destroy[2] = xasprintf("%u", id);
		err = run_tool(destroy, STDERR_FILENO);
		if (err)
			log_error("xl destroy %u: status %d", id, err);
		free(destroy[2]);
	}
	strbuf_free(&list);
	return err;
}

/* A child outlives us, to undo what our journal has when we cannot. */
static int start_janitor(void)
{
	int alive[2];

	if (pipe2(alive, O_CLOEXEC))
		return -errno;
	switch (fork()) {
	case -1:
		return -errno;
	case 0:
		proc_stand_in(alive[0], STDIN_FILENO);
		/* Nothing that a tool opens shall be its standard error. */
		if (open("/dev/null", O_WRONLY) < 0 || open("/dev/null", O_WRONLY) < 0)
			_exit(EXIT_FAILED);
		proc_wait_hangup(STDIN_FILENO);
		journal_recover();
		_exit(EXIT_OK);
	}
	close(alive[0]);
	return 0; /* alive[1] closes when we end */
}

static int promise_end(struct domain *d)
{
	char *self = realpath(SELF, NULL), *undo = xasprintf("%s --destroy=%s", text_or(self, SELF), d->uuid);
	int err = journal_open(&d->journal);

	if (!err)
		err = journal_note(d->journal, "run", undo);
	if (!err)
		err = start_janitor();
	free(undo);
	free(self);
	return err;
}

/* Xen's tools wait for it without end. */
static int check_store(void)
{
	char *argv[] = {"xenstore-read", "/local/domain/0/name", NULL};
	struct strbuf name = STRBUF_INIT;
	int err = proc_run(argv, &name, CONSOLE_NS);

	strbuf_free(&name);
	if (err >= 0)
		return 0;
	log_error("xenstore-read: %s; is xenstored running?", strerror(-err));
	return err;
}

/* Debian's Xen is built without. */
static int check_shadow(const struct domain_want *w)
{
	char *argv[] = {"xl", "info", "virt_caps", NULL};
	struct strbuf caps = STRBUF_INIT;
	int err = 0;

	if (!w->shadow)
		return 0;
	if (proc_run(argv, &caps, TOOL_NS) || !strstr(strbuf_str(&caps), "shadow")) {
		log_error("this Xen has no shadow paging; ./setup.sh --xen-shadow builds one for the lab");
		err = -ENOTSUP;
	}
	strbuf_free(&caps);
	return err;
}

/* The PC's QEMU, and what its firmware starts. */
static int prepare_pc(struct domain *d, const char *dir)
{
	struct domain_want *w = &d->want;

	if (strcmp(w->type, "hvm") != 0)
		return 0;
	if (access(PC_QEMU, X_OK)) {
		log_error(PC_QEMU ": %s; ./setup.sh --xen unpacks it for the lab, on dom0 install qemu-system-xen",
			  strerror(errno));
		return -ENOENT;
	}
	if (w->mem_mib < PC_MEM_MIB) {
		log_error("--mem: an HVM domain has at least %u MiB here: its kernel unpacks itself above the first 32",
			  PC_MEM_MIB);
		return -EINVAL;
	}
	w->image = w->kernel;
	d->first_part = xasprintf("%s/kernel", dir);
	w->kernel = d->first_part;
	return pc_write_first_part(w->image, w->ramdisk, d->first_part, &w->image_at);
}

static int create_domain(struct domain *d, const char *dir)
{
	char *path = xasprintf("%s/domain.cfg", dir), *argv[] = {"xl", "create", "-q", "-p", path, NULL};
	struct strbuf config = STRBUF_INIT;
	int err = domain_config(&d->want, &config);

	if (!err)
		err = file_write_atomic(path, config.buf, config.len);
	if (!err)
		err = run_tool(argv, STDERR_FILENO);
	if (err)
		log_error("xl create %s: %s %d; what it said stands above", path,
			  err < 0 ? "error" : "status", err);
	strbuf_free(&config);
	free(path);
	return err;
}

static int find_id(struct domain *d)
{
	char *argv[] = {"xl", "domid", d->name, NULL};
	struct strbuf text = STRBUF_INIT;
	int err = proc_run(argv, &text, TOOL_NS);

	if (!err)
		err = domain_parse_id(strbuf_str(&text), &d->id);
	if (err)
		log_error("xl domid %s: no number", d->name);
	strbuf_free(&text);
	return err;
}

/* Who answers for consoles takes a moment to see the domain. */
static int find_tty(const struct domain *d, char *path, size_t size)
{
	char *key = xasprintf("/local/domain/%u/console/tty", d->id);
	uint64_t deadline = clock_ns() + CONSOLE_NS;
	int err = -ETIMEDOUT;

	while (err && clock_ns() < deadline) {
		struct strbuf text = STRBUF_INIT;
		char *argv[] = {"xenstore-read", key, NULL};

		if (!proc_run(argv, &text, TOOL_NS))
			err = domain_parse_tty(strbuf_str(&text), path, size);
		strbuf_free(&text);
		if (err)
			clock_sleep_ns(LOOK_NS);
	}
	if (err)
		log_error("domain %u has no console; is xenconsoled running?", d->id);
	free(key);
	return err;
}

static int open_console(struct domain *d)
{
	struct termios tio;
	char path[32];
	int err = find_tty(d, path, sizeof(path));

	if (err)
		return err;
	d->tty = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (d->tty < 0 || tcgetattr(d->tty, &tio)) {
		err = -errno;
		log_error("%s: %s", path, strerror(-err));
		return err;
	}
	cfmakeraw(&tio);
	return errno_if(tcsetattr(d->tty, TCSANOW, &tio));
}

/*
 * xentrace writes from Xen's own pages, which no file system can take that hands them on as they are (9p),
 * and gives up when a signal cuts a write short, as it does a pipe's. It writes to memory.
 */
static int start_tracer(struct domain *d, const char *path)
{
	char *argv[] = {"xentrace", "-D", "-e", TRACE_EVENTS, "-S", TRACE_PAGES, "/proc/self/fd/1", NULL};
	struct proc_opts o = {.new_group = true};
	int err;

	if (!path)
		return 0;
	d->trace_fd = memfd_create("trace", MFD_CLOEXEC);
	o.stdout_fd = d->trace_fd;
	err = errno_if(d->trace_fd < 0);
	if (!err)
		err = proc_spawn(&d->tracer, argv, &o);
	if (err)
		log_error("xentrace: %s", strerror(-err));
	return err;
}

static int copy_trace(int from, int to)
{
	char buf[65536];
	int err = errno_if(from < 0 || to < 0);
	off_t at = 0;

	while (!err) {
		ssize_t n = pread(from, buf, sizeof(buf), at);

		if (n <= 0)
			return errno_if(n < 0);
		err = fd_write_all(to, buf, (size_t)n);
		at += n;
	}
	return err;
}

static void keep_trace(const struct domain *d, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644),
	    err = copy_trace(d->trace_fd, fd);

	if (err)
		log_error("%s: %s", path, strerror(-err));
	close_fd(&fd);
}

/* What it has recorded is whole when it was still at it. */
static void end_tracer(struct domain *d, const char *path)
{
	char *id;

	if (!path)
		return;
	if (d->tracer.pid && proc_wait(&d->tracer, 0) != -ETIMEDOUT) {
		log_error("xentrace ended before the domain did; what it said stands above");
		id = xasprintf("%s.domain", path);
		unlink(id);
		free(id);
	}
	proc_end(&d->tracer, TOOL_NS);
	keep_trace(d, path);
	close_fd(&d->trace_fd);
}

/* Of all that Xen did, who reads the records wants to know which of its domains was ours. */
static int note_id(const struct domain *d, const char *trace)
{
	char *path, *text;
	int err;

	if (!trace)
		return 0;
	path = xasprintf("%s.domain", trace);
	text = xasprintf("%u\n", d->id);
	err = file_write_atomic(path, text, strlen(text));
	if (err)
		log_error("%s: %s", path, strerror(-err));
	free(text);
	free(path);
	return err;
}

/* The domain's back end waits until somebody says that its interface is where it belongs. */
static int connect_card(const struct domain *d, const char *netns)
{
	char *key = xasprintf("/local/domain/0/backend/vif/%u/0/hotplug-status", d->id);
	char *say[] = {"xenstore-write", key, "connected", NULL};
	int err = vif_move(d->id, netns);

	if (!err)
		err = run_tool(say, STDERR_FILENO);
	free(key);
	return err;
}

/* xl's own script would say which device it is, and look whether somebody else has it open. */
static int connect_disk(const struct domain *d, const char *disk)
{
	char *device = xasprintf("/local/domain/0/backend/vbd/%u/" XVDA "/physical-device", d->id),
	     *status = xasprintf("/local/domain/0/backend/vbd/%u/" XVDA "/hotplug-status", d->id), number[32];
	char *say[] = {"xenstore-write", device, number, status, "connected", NULL};
	int err = vbd_number(disk, number, sizeof(number));

	if (!err)
		err = run_tool(say, STDERR_FILENO);
	free(device);
	free(status);
	return err;
}

static int make_domain(struct domain *d, const struct args *a)
{
	char *unpause[] = {"xl", "unpause", d->name, NULL};
	int err = check_store();

	if (!err)
		err = check_shadow(&d->want);
	if (!err)
		err = prepare_pc(d, a->dir);
	if (!err)
		err = promise_end(d);
	if (!err)
		err = start_tracer(d, a->trace);
	if (!err)
		err = create_domain(d, a->dir);
	if (!err)
		err = find_id(d);
	if (!err)
		err = note_id(d, a->trace);
	if (!err && a->netns)
		err = connect_card(d, a->netns);
	if (!err && a->disk)
		err = connect_disk(d, a->disk);
	if (!err)
		err = open_console(d);
	if (!err)
		err = run_tool(unpause, STDERR_FILENO);
	return err;
}

/* Before that a signal ends us at once, and what was begun is undone by the child. */
static int end_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* xl waits for the domain in the background and says in its log how it ended. */
static int report_end(const struct domain *d)
{
	static const char *const ends[] = {"powered off", "rebooted", "was suspended", "crashed"};
	char *path = xasprintf("/var/log/xen/xl-%s.log", d->name);
	struct strbuf log = STRBUF_INIT;
	enum domain_end end = DOMAIN_UNKNOWN;

	if (!file_read(path, &log))
		end = domain_parse_end(strbuf_str(&log));
	unlink(path);
	strbuf_free(&log);
	free(path);
	if (end == DOMAIN_POWEROFF)
		return EXIT_OK;
	if (end < ARRAY_SIZE(ends))
		log_warn("the domain %s", ends[end]);
	else
		log_warn("the domain ended, and xl does not say how");
	return EXIT_FAILED;
}

static int run_domain(struct domain *d, const struct args *a)
{
	int err = make_domain(d, a), status = EXIT_CANNOT;

	if (!err) {
		err = domain_relay(d->tty, STDIN_FILENO, STDOUT_FILENO, end_signals());
		status = EXIT_FAILED;
	}
	end_tracer(d, a->trace);
	if (d->journal)
		journal_close(d->journal);
	if (!err)
		status = report_end(d);
	return status;
}

/*
 * xl wants a program to run when a card or disk comes and goes. It is this one, which has nothing to do then:
 * who makes the domain connects them.
 */
static bool is_hotplug(int argc, char **argv)
{
	static const char *const words[] = {"online", "offline", "add", "remove"};

	for (size_t i = 0; i < ARRAY_SIZE(words) && argc > 1; i++)
		if (!strcmp(argv[1], words[i]))
			return getenv("XENBUS_PATH");
	return false;
}

int main(int argc, char **argv)
{
	struct args a = {0};
	struct domain d = {.tty = -1, .tracer = PROC_INIT, .trace_fd = -1};
	char *self;
	int status;

	log_init("vmm-xen", LOG_INFO);
	if (is_hotplug(argc, argv))
		return EXIT_OK;
	parse_args(argc, argv, &a);
	if (a.version)
		return print_version();
	if (a.destroy)
		return destroy_domain(a.destroy) ? EXIT_FAILED : EXIT_OK;
	snprintf(d.name, sizeof(d.name), "exitlab-%d", getpid());
	snprintf(d.uuid, sizeof(d.uuid), "%s%012x", UUID_BEGINS, (unsigned)getpid());
	self = realpath(SELF, NULL);
	d.want = (struct domain_want){
		.name = d.name,
		.uuid = d.uuid,
		.type = a.type,
		.kernel = a.kernel,
		.ramdisk = a.initrd,
		.cmdline = a.cmdline,
		.cpus = a.cpus,
		.mem_mib = a.mem_bytes / MIB,
		.shadow = !strcmp(a.paging, "shadow"),
		.mac = a.mac,
		.disk = a.disk,
		.script = self,
	};
	status = run_domain(&d, &a);
	if (d.first_part)
		unlink(d.first_part);
	free(d.first_part);
	free(self);
	return status;
}
