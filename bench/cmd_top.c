// SPDX-License-Identifier: MIT
/* bench top: the profiler live in the terminal. */
#include <curses.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/bench.h"
#include "bench/host/substrate.h"
#include "bench/profile/top_draw.h"
#include "bench/profile/vm_find.h"
#include "bench/profile/xen_watch.h"
#include "workloads/workloads.h"

struct top_args {
	uint64_t pid, interval_ns, duration_ns;
	const char *name, *sort, *key;
	bool xen;
};

#define ARG(name) offsetof(struct top_args, name)
static const struct opt top_opts[] = {
	{"pid", 'p', OPT_COUNT, ARG(pid), "PID", "only this process (default: every virtual machine)"},
	{"name", 'n', OPT_STR, ARG(name), "NAME", "only the virtual machine of this name, as for bench profile"},
	{"xen", 0, OPT_FLAG, ARG(xen), NULL, "the domains of Xen's (default where this machine is its dom0)"},
	{"interval", 'i', OPT_DURATION, ARG(interval_ns), "TIME", "time between updates (default 1s)"},
	{"duration", 'd', OPT_DURATION, ARG(duration_ns), "TIME", "end after this long"},
	{"sort", 0, OPT_STR, ARG(sort), "time|count|p99", "order of the rows at the start (default time)"},
	{"key", 'k', OPT_STR, ARG(key), "all|reason|device|port|gpa|msr|vm",
	 "what makes a row at the start (default all; of domains vm)"},
	OPT_END,
};

struct top {
	struct probes *probes;
	struct xen_watch *xen; /* or the domains of Xen's */
	struct vm vm; /* pid 0: all */
	struct exits before;
	uint64_t last_ns;
	struct top_frame frame;
};

static volatile sig_atomic_t stop;

static void on_stop(int sig)
{
	(void)sig;
	stop = 1;
}

/* ---- one update ---- */

static void top_update(struct top *t)
{
	struct exits exits, added;

	if (probes_exits(t->probes, &exits))
		return;
	if (exits_since(&added, &exits, &t->before)) {
		exits_free(&exits);
		return;
	}
	exits_free(&t->before);
	t->before = exits;
	t->frame.lost = probes_lost(t->probes);
	view_free(&t->frame.view);
	view_build(&t->frame.view, t->probes, &added, t->frame.key, t->frame.sort, NULL);
	rates_add(&t->frame.rates, &t->frame.view, t->frame.seconds);
	exits_free(&added);
}

static void xen_update(struct top *t)
{
	xen_watch_gone(t->xen);
	t->frame.lost = xen_watch_lost(t->xen);
	view_free(&t->frame.view);
	xen_watch_view(t->xen, XEN_LATEST, t->frame.key, &t->frame.view);
	rates_add(&t->frame.rates, &t->frame.view, t->frame.seconds);
	xen_watch_next(t->xen);
}

static void update_frame(struct top *t)
{
	uint64_t now = clock_ns();

	t->frame.seconds = (double)(now - t->last_ns) / 1e9;
	t->last_ns = now;
	if (t->xen)
		xen_update(t);
	else
		top_update(t);
}

/* False when there is nothing more to come. */
static bool poll_source(struct top *t)
{
	if (t->xen)
		return !xen_watch_poll(t->xen);
	probes_poll(t->probes);
	return true;
}

/* ---- the screen ---- */

/* Of domains there are counts of reasons, with and without their keys, and of each domain. */
static enum view_key next_key(const struct top *t)
{
	if (t->xen && t->frame.key == VIEW_REASON)
		return VIEW_VM;
	return (t->frame.key + 1) % (VIEW_VM + 1);
}

/* True to leave. A new key starts new rows, so their histories begin again. */
static bool on_key(struct top *t, int c)
{
	switch (c) {
	case 'q':
	case 27:
		return true;
	case 's':
		t->frame.sort = (t->frame.sort + 1) % (SORT_P99 + 1);
		break;
	case 'k':
		t->frame.key = next_key(t);
		memset(&t->frame.rates, 0, sizeof(t->frame.rates));
		break;
	case ' ':
		t->frame.paused = !t->frame.paused;
		break;
	case KEY_RESIZE:
		clear();
		break;
	}
	return false;
}

static void run_screen(struct top *t, const struct top_args *a)
{
	uint64_t start = clock_ns(), next = start + a->interval_ns, now;

	while (!stop) {
		int c;

		if (!poll_source(t))
			return;
		now = clock_ns();
		if (a->duration_ns && now - start >= a->duration_ns)
			return;
		if (now >= next) {
			if (!t->frame.paused)
				update_frame(t);
			next = now + a->interval_ns;
		}
		top_draw(&t->frame);
		timeout((int)MIN((next - now) / NSEC_PER_MSEC + 1, 1000));
		c = getch();
		if (c != ERR && on_key(t, c))
			return;
	}
}

/*
 * The terminal is given back whatever way we leave: curses' own handlers are not used for SIGINT and
 * SIGTERM.
 */
static int with_screen(struct top *t, const struct top_args *a)
{
	struct sigaction sa = {.sa_handler = on_stop};
	SCREEN *screen;

	setlocale(LC_ALL, "");
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		log_error("top: TERM=%s is no terminal that can be drawn on; use bench profile --interval=1s",
			  text_or(getenv("TERM"), ""));
		return EXIT_CANNOT;
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	t->last_ns = clock_ns();
	t->frame.seconds = 1;
	run_screen(t, a);
	endwin();
	delscreen(screen);
	return EXIT_OK;
}

static bool shows_domains(const struct top_args *a)
{
	return a->xen || (!a->pid && !a->name && !host_lacks(NEED_XEN, NULL));
}

static int open_domains(struct top *t, const struct top_args *a)
{
	if (a->pid || a->name) {
		log_error("top: --xen shows every domain; bench profile --xen=DOMAIN shows one");
		return EXIT_USAGE;
	}
	t->frame.key = (enum view_key)view_key_parse(text_or(a->key, "vm"));
	t->frame.sort = SORT_COUNT;
	t->frame.title = "domains of Xen's";
	t->frame.backend = "xentrace, counts without times";
	t->frame.domains = true;
	return status_of(xen_watch_open(&t->xen, NULL));
}

static int open_vms(struct top *t, const struct top_args *a)
{
	struct probes_opts o = {.exits = true, .vcpu = -1};

	t->frame.key = (enum view_key)view_key_parse(text_or(a->key, "all"));
	if (a->name && vm_choose("/proc", a->name, &t->vm))
		return EXIT_CANNOT;
	if (a->pid && !vm_of_pid((pid_t)a->pid, &t->vm)) {
		log_error("--pid=%d: no virtual machine there", (int)a->pid);
		return EXIT_CANNOT;
	}
	o.pid = t->vm.pid;
	if (probes_open(&t->probes, &o))
		return EXIT_CANNOT;
	t->frame.title = "all virtual machines";
	if (t->vm.pid)
		t->frame.title = t->vm.name.text;
	t->frame.backend = probes_backend_text(t->probes);
	t->frame.no_kvm_exit = probes_backend(t->probes) == BACKEND_OTHER;
	return EXIT_OK;
}

static int top_main(int argc, char **argv)
{
	struct top_args a = {.sort = "time", .interval_ns = NSEC_PER_SEC};
	static struct top t;
	int status;

	if (!bench_parse(&cmd_top, &argc, argv, &a, &status))
		return status;
	if (argc > 1 || (a.pid && a.name) || a.interval_ns < 50 * NSEC_PER_MSEC) {
		log_error(
			"top: expected --pid or --name, an interval of at least 50ms and no arguments; see bench top --help");
		return EXIT_USAGE;
	}
	if (!isatty(STDOUT_FILENO)) {
		log_error("top: stdout is not a terminal; use bench profile --interval=1s");
		return EXIT_USAGE;
	}
	t.frame.sort = (enum view_sort)view_sort_parse(a.sort);
	if (shows_domains(&a))
		status = open_domains(&t, &a);
	else
		status = open_vms(&t, &a);
	if (!status)
		status = with_screen(&t, &a);
	probes_close(t.probes);
	xen_watch_close(t.xen);
	view_free(&t.frame.view);
	exits_free(&t.before);
	return status;
}

const struct command cmd_top = {
	.name = "top",
	.summary = "bench profile, live: exits per second, times and sparklines in the terminal",
	.details =
		"Keys: s changes the order, k what makes a row, space holds the picture, q ends. Shows every virtual\n"
		"machine of the host together unless --pid or --name chooses one; new ones and new vCPUs join by themselves.\n"
		"In dom0 of a Xen host it shows the domains, by what xentrace records: counts, no times.",
	.examples = "bench top\nbench top --name=web --key=device\nbench top --key=vm --interval=250ms",
	.opts = top_opts,
	.run = top_main,
};
