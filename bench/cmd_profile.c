// SPDX-License-Identifier: MIT
/* bench profile: where the time of any KVM virtual machine's exits goes. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proc.h"
#include "bench/bench.h"
#include "bench/profile/exit_view.h"
#include "bench/host/paths.h"
#include "bench/profile/listener.h"
#include "bench/profile/metrics_page.h"
#include "bench/profile/profile_print.h"
#include "bench/profile/symbols.h"
#include "bench/profile/vm_find.h"
#include "bench/profile/xen_profile.h"
#include "probes/data.h"

#define TICK_NS (100 * NSEC_PER_MSEC)

struct profile_args {
	uint64_t pid, duration_ns, interval_ns, rows, pairs_ns;
	const char *name, *xen, *vcpu, *sort, *key, *trace, *symbols, *counters, *nested, *listen;
	bool all, histogram, json, folded, window, mmu;
};

#define ARG(name) offsetof(struct profile_args, name)
static const struct opt profile_opts[] = {
	{"pid", 'p', OPT_COUNT, ARG(pid), "PID", "the virtual machine of this process"},
	{"name", 'n', OPT_STR, ARG(name), "NAME", "the virtual machine, container, pod or program of this name"},
	{"all", 'a', OPT_FLAG, ARG(all), NULL, "every virtual machine of this host"},
	{"xen", 0, OPT_STR, ARG(xen), "DOMAIN",
	 "the domain of Xen's of this name or number, in dom0: what it asks of Xen, in counts"},
	{"duration", 'd', OPT_DURATION, ARG(duration_ns), "TIME",
	 "how long (default: until it ends or Ctrl-C)"},
	{"interval", 'i', OPT_DURATION, ARG(interval_ns), "TIME", "print what each such interval added"},
	{"vcpu", 0, OPT_STR, ARG(vcpu), "N", "only this vCPU"},
	{"sort", 0, OPT_STR, ARG(sort), "time|count|p99", "order of the rows (default time)"},
	{"key", 'k', OPT_STR, ARG(key), "all|reason|device|port|gpa|msr|vm|rip",
	 "what makes a row (default all: reason and key)"},
	{"rows", 0, OPT_U64, ARG(rows), "N", "at most so many rows (default 30; 0: all)"},
	{"histogram", 0, OPT_FLAG, ARG(histogram), NULL, "draw the distribution of each row's times"},
	{"symbols", 0, OPT_STR, ARG(symbols), "FILE", "guest System.map or vmlinux for --key=rip"},
	{"trace", 0, OPT_STR, ARG(trace), "FILE",
	 "write every exit as a timeline for ui.perfetto.dev, with the threads that serve one VM; FILE.json: "
	 "Chrome's format, exits alone"},
	{"counters", 0, OPT_STR, ARG(counters), "LIST",
	 "hardware or software events, e.g. cycles:G,cycles:H,page-faults"},
	{"mmu", 0, OPT_FLAG, ARG(mmu), NULL, "page faults and page-table work as well"},
	{"pairs", 0, OPT_DURATION, ARG(pairs_ns), "TIME",
	 "which exits follow which with at most so long in the guest between them"},
	{"window", 0, OPT_FLAG, ARG(window), NULL, "count only between the guest's own marker writes"},
	{"folded", 0, OPT_FLAG, ARG(folded), NULL,
	 "stacks for a flame graph instead of tables: exits;REASON;DEVICE;PART NANOSECONDS"},
	{"listen", 0, OPT_STR, ARG(listen), "ADDR:PORT",
	 "serve what has been counted so far as OpenMetrics, at http://ADDR:PORT/metrics (:PORT: this machine only)"},
	{"nested", 0, OPT_STR, ARG(nested), "too|only|not",
	 "exits of a guest's own guests, marked \"nested\" (default too)"},
	{"json", 0, OPT_FLAG, ARG(json), NULL, "JSON on stdout; with --interval one object per line"},
	OPT_END,
};

struct profile {
	const struct profile_args *args;
	enum view_key key;
	enum view_sort sort;
	struct symbols *symbols;
	struct probes *probes;
	struct proc child;
	struct vm vm; /* pid 0: all */
	struct exits before; /* at the start of the interval */
	struct listener *listener;
	uint64_t start_ns, interval_start_ns;
};

static volatile sig_atomic_t stop;

static void on_stop(int sig)
{
	(void)sig;
	stop = 1;
}

/* ---- which process ---- */

static int start_child(struct profile *p, char **argv)
{
	struct proc_opts o = {.hold = true};
	/* A held child cannot tell that there is nothing to execute, so that is looked up before. */
	char *program = path_program(argv[0]);
	int err = -ENOENT;

	if (program)
		err = proc_spawn(&p->child, argv, &o);
	free(program);
	if (err) {
		log_error("%s: cannot be started: %s", argv[0], strerror(-err));
		return EXIT_CANNOT;
	}
	p->vm.pid = p->child.pid;
	vm_name_find(&p->vm.name, basename(argv[0]), "", 0, "");
	return EXIT_OK;
}

static int choose_vm(struct profile *p, int argc, char **argv)
{
	const struct profile_args *a = p->args;
	int ways = (a->pid != 0) + (a->name != NULL) + a->all + (argc > 1);

	if (ways > 1) {
		log_error("profile: --pid, --name, --all and a command exclude one another");
		return EXIT_USAGE;
	}
	if (a->folded && (a->json || a->interval_ns)) {
		log_error("profile: --folded is one output, without --json and --interval");
		return EXIT_USAGE;
	}
	if (argc > 1)
		return start_child(p, argv + 1);
	if (a->all)
		return EXIT_OK;
	if (!a->pid)
		return status_of(vm_choose("/proc", a->name, &p->vm));
	if (kill((pid_t)a->pid, 0) && errno == ESRCH) {
		log_error("--pid=%" PRIu64 ": no such process", a->pid);
		return EXIT_CANNOT;
	}
	if (!vm_of_pid((pid_t)a->pid, &p->vm))
		log_warn("--pid=%" PRIu64 ": has no KVM virtual machine yet; waiting for one", a->pid);
	return EXIT_OK;
}

/* ---- reading ---- */

/* Prints what the interval added, and remembers where it ended. */
static int take_interval(struct profile *p, struct exits *added)
{
	struct exits now;
	int err = probes_exits(p->probes, &now);

	if (err)
		return err;
	err = exits_since(added, &now, &p->before);
	exits_free(&p->before);
	p->before = now;
	return err;
}

static void dump_line(json_t *j, size_t flags)
{
	json_print(j, stdout, flags);
	fflush(stdout);
	json_decref(j);
}

static void show_interval(struct profile *p)
{
	uint64_t now = clock_ns();
	double seconds = (double)(now - p->interval_start_ns) / 1e9;
	struct exits added;
	struct view v;

	if (take_interval(p, &added))
		return;
	view_build(&v, p->probes, &added, p->key, p->sort, p->symbols);
	if (p->args->json) {
		dump_line(json_pack("{s:f,s:f,s:o}", "at_s", (double)(now - p->start_ns) / 1e9,
				    "seconds", seconds, "rows", view_to_json(&v)),
			  JSON_COMPACT);
	} else {
		printf("\nafter %.2f s, the last %.2f s:\n", (double)(now - p->start_ns) / 1e9, seconds);
		view_print(&v, seconds, p->args->rows, stdout);
		profile_print_summary(p->probes, &v, seconds);
		profile_print_vms(p->probes, &added, seconds);
		fflush(stdout);
	}
	view_free(&v);
	exits_free(&added);
	p->interval_start_ns = now;
}

static void show_table(struct profile *p, const json_t *all)
{
	struct probed_window w = probed_window_of(all);
	double seconds = (w.close_ns - w.open_ns) / 1e9;
	struct exits exits;
	struct view v;

	if (p->args->window && !w.opened)
		log_warn("the guest has not opened the window: nothing was counted");
	if (probes_exits(p->probes, &exits))
		return;
	view_build(&v, p->probes, &exits, p->key, p->sort, p->symbols);
	if (p->args->folded) {
		view_print_folded(&v, stdout);
		goto out;
	}
	profile_print_head(p->probes, &p->vm, seconds);
	putchar('\n');
	view_print(&v, seconds, p->args->rows, stdout);
	profile_print_summary(p->probes, &v, seconds);
	profile_print_vms(p->probes, &exits, seconds);
	for (size_t i = 0; p->args->histogram && i < MIN(v.n, or_usual(p->args->rows, v.n)); i++)
		view_print_hist(&v.row[i], stdout);
	profile_print_rest(all, seconds > 0 ? seconds : 1, p->args->rows);
out:
	view_free(&v);
	exits_free(&exits);
}

static void show_end(struct profile *p)
{
	json_t *all;

	if (probes_read(p->probes, &all))
		return;
	if (!p->args->json) {
		show_table(p, all);
		json_decref(all);
		return;
	}
	json_object_set_new(all, "pid", json_integer(p->vm.pid));
	json_object_set_new(all, "name", json_string(p->vm.name.text));
	dump_line(all, p->args->interval_ns ? JSON_COMPACT : JSON_INDENT(2));
}

/* What a collector gets. */
static void write_page(void *ctx, struct strbuf *out)
{
	struct profile *p = ctx;
	struct metrics_vm *vms;
	struct exits exits;
	size_t n;

	if (probes_exits(p->probes, &exits))
		return;
	n = metrics_vms(p->probes, &exits, &vms);
	metrics_page(vms, n, probes_lost(p->probes), out);
	metrics_vms_free(vms, n);
	exits_free(&exits);
}

/* ---- running ---- */

static bool vm_gone(struct profile *p)
{
	if (p->child.pid)
		return proc_wait(&p->child, 0) != -ETIMEDOUT;
	return p->vm.pid && kill(p->vm.pid, 0) && errno == ESRCH;
}

static void watch(struct profile *p)
{
	uint64_t end = UINT64_MAX, now;

	if (p->args->duration_ns)
		end = p->start_ns + p->args->duration_ns;
	while (!stop && (now = clock_ns()) < end) {
		uint64_t pause = MIN(TICK_NS, end - now);

		if (p->args->interval_ns)
			pause = MIN(pause, p->interval_start_ns + p->args->interval_ns - now);
		listener_serve(p->listener, pause, write_page, p);
		probes_poll(p->probes);
		if (vm_gone(p))
			break;
		if (p->args->interval_ns && clock_ns() >= p->interval_start_ns + p->args->interval_ns)
			show_interval(p);
	}
}

static bool nested_parse(const char *word, enum probes_nested *out)
{
	static const char *const words[] = {
		[NESTED_TOO] = "too", [NESTED_ONLY] = "only", [NESTED_NOT] = "not"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		*out = (enum probes_nested)i;
		if (!strcmp(words[i], word))
			return true;
	}
	return false;
}

static int open_all(struct profile *p)
{
	const struct profile_args *a = p->args;
	struct probes_opts o = {
		.pid = p->vm.pid,
		.exits = true,
		.notify = true,
		.cpu = true,
		.mmu = a->mmu,
		.counters = a->counters,
		.trace = a->trace,
		.pairs_ns = a->pairs_ns,
		.vcpu = -1,
		.key_rip = p->key == VIEW_RIP,
	};
	uint64_t vcpu;

	if (a->window)
		o.span = PROBE_WINDOW;
	if (!nested_parse(a->nested, &o.nested)) {
		log_error("--nested=%s: expected too, only or not", a->nested);
		return EXIT_USAGE;
	}
	if (a->vcpu && (parse_u64(a->vcpu, &vcpu) || vcpu > INT32_MAX)) {
		log_error("--vcpu=%s: not a vCPU number", a->vcpu);
		return EXIT_USAGE;
	}
	if (a->vcpu)
		o.vcpu = (int)vcpu;
	if (a->symbols && !(p->symbols = symbols_load(a->symbols)))
		return EXIT_USAGE;
	return status_of(probes_open(&p->probes, &o));
}

/* What xentrace records has no times, no address of the guest and nothing of this kernel's threads. */
static int profile_xen(const struct profile *p, int argc)
{
	const struct profile_args *a = p->args;
	const struct xen_profile x = {.domain = a->xen,
				      .duration_ns = a->duration_ns,
				      .interval_ns = a->interval_ns,
				      .rows = a->rows,
				      .key = p->key,
				      .json = a->json};

	if (a->pid || a->name || a->all || argc > 1 || a->vcpu || a->histogram || a->symbols || a->trace ||
	    a->counters || a->mmu || a->pairs_ns || a->window || a->folded || a->listen ||
	    (p->key != VIEW_ALL && p->key != VIEW_REASON)) {
		log_error("profile: --xen goes with --duration, --interval, --rows, --json and --key=all|reason only");
		return EXIT_USAGE;
	}
	return status_of(xen_profile(&x, &stop));
}

static void catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_stop};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

static int profile(struct profile *p, int argc, char **argv)
{
	int status = choose_vm(p, argc, argv);

	if (!status && p->args->listen)
		status = listener_open(&p->listener, p->args->listen) ? EXIT_USAGE : EXIT_OK;
	if (!status)
		status = open_all(p);
	if (status)
		return status;
	if (p->listener)
		log_info("metrics are at port %u", listener_port(p->listener));
	catch_signals();
	p->start_ns = p->interval_start_ns = clock_ns();
	if (p->child.pid)
		proc_release(&p->child);
	watch(p);
	show_end(p);
	return EXIT_OK;
}

static int profile_main(int argc, char **argv)
{
	struct profile_args a = {.sort = "time", .key = "all", .nested = "too", .rows = 30};
	struct profile p = {.args = &a, .child = PROC_INIT};
	int status;

	if (!bench_parse(&cmd_profile, &argc, argv, &a, &status))
		return status;
	p.key = (enum view_key)view_key_parse(a.key);
	p.sort = (enum view_sort)view_sort_parse(a.sort);
	if (a.xen) {
		catch_signals();
		return profile_xen(&p, argc);
	}
	status = profile(&p, argc, argv);
	probes_close(p.probes);
	listener_close(p.listener);
	proc_end(&p.child, 2 * NSEC_PER_SEC);
	symbols_free(p.symbols);
	exits_free(&p.before);
	return status;
}

const struct command cmd_profile = {
	.name = "profile",
	.args = "[-- CMD...]",
	.summary = "where the time of any KVM virtual machine's exits goes",
	.details =
		"Counts inside the kernel with eBPF: per exit reason and key (port, address, MSR, hypercall) the number,\n"
		"the time and its distribution, split into KVM's fast path, KVM, userspace, waiting for a CPU and sleep;\n"
		"notifications; CPU time of every thread. Works on any program that uses KVM. Without --pid, --name, --all\n"
		"or a command it takes the only virtual machine there is. Times: kvm_exit to kvm_entry; \"user\" begins at\n"
		"kvm_userspace_exit. A NAME is a libvirt domain, a Firecracker id, an instance of lima or colima, a machine\n"
		"of systemd-machined, NAMESPACE/NAME of KubeVirt, the UID of a pod or the id of a container.\n"
		"--xen has xentrace record a domain of Xen's, as root in its dom0: hypercalls, faults, exits; no times.",
	.examples =
		"bench profile --name=web --duration=10s\n"
		"bench profile --pid=4711 --key=device --interval=1s\n"
		"bench profile --key=rip --symbols=System.map --duration=5s\n"
		"bench profile --trace=run.pftrace -- qemu-system-x86_64 -accel kvm -kernel bzImage\n"
		"bench profile --name=web --duration=10s --folded\n"
		"bench profile --name=web --duration=10s --pairs=1us\n"
		"bench profile --all --listen=127.0.0.1:9464\n"
		"bench profile --all --json --duration=5s\n"
		"bench profile --xen=web --duration=5s",
	.opts = profile_opts,
	.run = profile_main,
};
