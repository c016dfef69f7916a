// SPDX-License-Identifier: MIT
/*
 * kernel-ops: what a kernel does all day, by which ways of virtualising are told apart. One operation is
 *
 *      syscall          getppid()
 *      page_fault       the first write to an anonymous page: zeroed and mapped
 *      mmap             four pages mapped, written and unmapped
 *      mprotect         a page made read-only, writable again and written
 *      fork             a child that ends at once, waited for
 *      exec             a program that ends at once, by vfork and exec, waited for
 *      context_switch   a byte handed to another process of this CPU, which waits for it
 *      pipe             a byte written to a pipe and read back by the same process
 *      signal           a signal to itself: its handler and the return from it
 *      thread_wake      the turn handed to another thread of this CPU, which waits for it
 *      port_write       a byte to the diagnostic port 0x80, by a system call
 *      cpuid            CPUID leaf 0
 *
 * All of it was done once before the window, so that frames, caches and page tables are there.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "workloads/agent/agent.h"
#include "workloads/agent/kernel_ops.h"
#include "workloads/agent/turns.h"

#define PAGE	    4096u
#define MAP_PAGES   4
#define DIAG_PORT   0x80
#define OPS_MAX	    16

static int go_syscall(struct op_stage *s, uint64_t some)
{
	(void)s;
	while (some--)
		syscall(SYS_getppid);
	return 0;
}

/* ---- memory ---- */

static unsigned char *map_pages(uint64_t pages)
{
	void *mem = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return NULL;
	madvise(mem, pages * PAGE, MADV_NOHUGEPAGE);
	return mem;
}

static int prepare_pages(struct op_stage *s, uint64_t n)
{
	s->pages = n;
	s->mem = s->next = map_pages(n);
	return errno_if(!s->mem);
}

static void undo_pages(struct op_stage *s)
{
	if (s->mem)
		munmap(s->mem, s->pages * PAGE);
}

static int go_page_fault(struct op_stage *s, uint64_t some)
{
	while (some--) {
		*(volatile unsigned char *)s->next = 1;
		s->next += PAGE;
	}
	return 0;
}

static int go_mmap(struct op_stage *s, uint64_t some)
{
	(void)s;
	while (some--) {
		unsigned char *mem = mmap(NULL, MAP_PAGES * PAGE, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (mem == MAP_FAILED)
			return -errno;
		for (unsigned i = 0; i < MAP_PAGES; i++)
			*(volatile unsigned char *)(mem + i * PAGE) = 1;
		munmap(mem, MAP_PAGES * PAGE);
	}
	return 0;
}

static int prepare_page(struct op_stage *s, uint64_t n)
{
	(void)n;
	if (prepare_pages(s, 1))
		return -ENOMEM;
	*s->mem = 1;
	return 0;
}

static int go_mprotect(struct op_stage *s, uint64_t some)
{
	while (some--) {
		if (mprotect(s->mem, PAGE, PROT_READ) || mprotect(s->mem, PAGE, PROT_READ | PROT_WRITE))
			return -errno;
		*(volatile unsigned char *)s->mem = 1;
	}
	return 0;
}

/* ---- processes ---- */

static int child_ended_well(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return -ECHILD;
	return 0;
}

static int go_fork(struct op_stage *s, uint64_t some)
{
	int err = 0;

	(void)s;
	while (some-- && !err) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		if (pid < 0)
			return -errno;
		err = child_ended_well(pid);
	}
	return err;
}

static int go_exec(struct op_stage *s, uint64_t some)
{
	char *const argv[] = {(char *)"agent", (char *)"nothing", NULL}, *const envp[] = {NULL};
	int err = 0;

	while (some-- && !err) {
		pid_t pid;

		err = -posix_spawn(&pid, s->program, NULL, NULL, argv, envp);
		if (!err)
			err = child_ended_well(pid);
	}
	return err;
}

/* ---- hand-overs ---- */

static int prepare_pipe(struct op_stage *s, uint64_t n)
{
	(void)n;
	return errno_if(pipe2(s->fd, O_CLOEXEC));
}

static void undo_pipes(struct op_stage *s)
{
	for (int i = 0; i < 2; i++) {
		close_fd(&s->fd[i]);
		close_fd(&s->back[i]);
	}
	if (s->child > 0)
		waitpid(s->child, NULL, 0);
}

static int pass_byte(int to, int from)
{
	char c = 1;

	return errno_if(write(to, &c, 1) != 1 || read(from, &c, 1) != 1);
}

static int go_pipe(struct op_stage *s, uint64_t some)
{
	int err = 0;

	while (some-- && !err)
		err = pass_byte(s->fd[1], s->fd[0]);
	return err;
}

/* Until nobody is left who writes. */
static void echo_bytes(struct op_stage *s)
{
	char c;

	close(s->fd[1]);
	close(s->back[0]);
	while (read(s->fd[0], &c, 1) == 1 && write(s->back[1], &c, 1) == 1)
		;
	_exit(0);
}

static int prepare_echo(struct op_stage *s, uint64_t n)
{
	int err = prepare_pipe(s, n);

	if (!err)
		err = errno_if(pipe2(s->back, O_CLOEXEC));
	if (err)
		return err;
	s->child = fork();
	if (!s->child)
		echo_bytes(s);
	if (s->child < 0)
		return -errno;
	close_fd(&s->fd[0]);
	close_fd(&s->back[1]);
	return pass_byte(s->fd[1], s->back[0]);
}

/* There and back are two. */
static int go_context_switch(struct op_stage *s, uint64_t some)
{
	int err = 0;

	for (uint64_t i = 0; i < some && !err; i += 2)
		err = pass_byte(s->fd[1], s->back[0]);
	return err;
}

static void *give_back(void *arg)
{
	struct op_stage *s = arg;

	for (;;) {
		turn_await(&s->turn, 1);
		if (s->stop)
			return NULL;
		turn_give(&s->turn, 0);
	}
}

static int prepare_thread(struct op_stage *s, uint64_t n)
{
	int err = -pthread_create(&s->thread, NULL, give_back, s);

	(void)n;
	if (err)
		s->thread = 0;
	return err;
}

static void undo_thread(struct op_stage *s)
{
	if (!s->thread)
		return;
	s->stop = true;
	turn_give(&s->turn, 1);
	pthread_join(s->thread, NULL);
}

static int go_thread_wake(struct op_stage *s, uint64_t some)
{
	for (uint64_t i = 0; i < some; i += 2) {
		turn_give(&s->turn, 1);
		turn_await(&s->turn, 0);
	}
	return 0;
}

/* ---- the rest ---- */

static void on_signal(int sig)
{
	(void)sig;
}

static int prepare_signal(struct op_stage *s, uint64_t n)
{
	struct sigaction act = {.sa_handler = on_signal};

	(void)s;
	(void)n;
	return errno_if(sigaction(SIGUSR1, &act, NULL));
}

static int go_signal(struct op_stage *s, uint64_t some)
{
	pid_t self = getpid(), thread = gettid();

	(void)s;
	while (some--)
		if (syscall(SYS_tgkill, self, thread, SIGUSR1))
			return -errno;
	return 0;
}

static int prepare_port(struct op_stage *s, uint64_t n)
{
	(void)n;
	s->fd[0] = open("/dev/port", O_WRONLY | O_CLOEXEC);
	return errno_if(s->fd[0] < 0);
}

static int go_port_write(struct op_stage *s, uint64_t some)
{
	uint8_t value = 0;

	while (some--)
		if (pwrite(s->fd[0], &value, 1, DIAG_PORT) != 1)
			return -errno;
	return 0;
}

static int go_cpuid(struct op_stage *s, uint64_t some)
{
	unsigned a, b, c, d;

	(void)s;
	while (some--)
		__cpuid(0, a, b, c, d);
	return 0;
}

const struct kernel_op kernel_ops[] = {
	{"syscall", 1000, NULL, go_syscall, NULL},
	{"page_fault", 200, prepare_pages, go_page_fault, undo_pages},
	{"mmap", 40, NULL, go_mmap, NULL},
	{"mprotect", 200, prepare_page, go_mprotect, undo_pages},
	{"fork", 6, NULL, go_fork, NULL},
	{"exec", 4, NULL, go_exec, NULL},
	{"context_switch", 100, prepare_echo, go_context_switch, undo_pipes},
	{"pipe", 200, prepare_pipe, go_pipe, undo_pipes},
	{"signal", 200, prepare_signal, go_signal, NULL},
	{"thread_wake", 100, prepare_thread, go_thread_wake, undo_thread},
	{"port_write", 40, prepare_port, go_port_write, undo_pipes},
	{"cpuid", 200, NULL, go_cpuid, NULL},
	{NULL, 0, NULL, NULL, NULL},
};
_Static_assert(ARRAY_SIZE(kernel_ops) <= OPS_MAX, "a result for each");

/* ---- measuring ---- */

static int compare_ns(const void *a, const void *b)
{
	return compare_u64(*(const uint64_t *)a, *(const uint64_t *)b);
}

static int time_batches(const struct kernel_op *op, struct op_stage *s, uint64_t batch, uint64_t *ns)
{
	int err = 0;

	for (unsigned i = 0; i < OP_BATCHES && !err; i++) {
		uint64_t t0 = clock_ns();

		err = op->go(s, batch);
		ns[i] = clock_ns() - t0;
	}
	return err;
}

int kernel_op_measure(const struct kernel_op *op, uint64_t batch, const char *program, void (*mark)(void),
		      struct op_result *r)
{
	struct op_stage s = {.program = program, .fd = {-1, -1}, .back = {-1, -1}};
	uint64_t ns[OP_BATCHES];
	int err = 0;

	if (op->prepare)
		err = op->prepare(&s, OP_BATCHES * batch);
	if (!err && mark)
		mark();
	if (!err)
		err = time_batches(op, &s, batch, ns);
	if (!err && mark)
		mark();
	if (op->undo)
		op->undo(&s);
	if (err)
		return err;
	qsort(ns, OP_BATCHES, sizeof(*ns), compare_ns);
	*r = (struct op_result){OP_BATCHES * batch, (double)ns[OP_BATCHES / 2] / (double)batch};
	return 0;
}

static void mark_lap(void)
{
	marker_write(MARKER_LAP);
}

static uint64_t op_batch(const struct kernel_op *op, const struct workload_job *job)
{
	uint64_t asked = align_up((job->work + OP_BATCHES - 1) / OP_BATCHES, 2);

	return or_usual(asked, op->batch);
}

static int measure_op(const struct agent *a, const struct kernel_op *op, bool lap, struct op_result *r)
{
	return kernel_op_measure(op, op_batch(op, &a->job), "/proc/self/exe", lap ? mark_lap : NULL, r);
}

/* Those that are wanted and can be done here; all of them are done once. */
static int choose_ops(struct agent *a, const struct kernel_op **chosen)
{
	struct op_result ignored;
	unsigned n = 0;

	for (const struct kernel_op *op = kernel_ops; op->name; op++) {
		int err = -ENOENT;

		if (!job_wants(&a->job, op->name))
			continue;
		err = measure_op(a, op, false, &ignored);
		if (err && op->prepare != prepare_port)
			return agent_fail(err, "kernel-ops: %s: %s", op->name, strerror(-err));
		if (err)
			report_note("%s skipped: /dev/port: %s", op->name, strerror(-err));
		else
			chosen[n++] = op;
	}
	if (!n)
		return agent_fail(-ENOENT, "kernel-ops: no operation is called %s", a->job.op);
	return 0;
}

static void report_ops(const struct kernel_op **chosen, const struct op_result *r)
{
	char name[64];

	for (unsigned i = 0; chosen[i]; i++) {
		snprintf(name, sizeof(name), "ops.%s", chosen[i]->name);
		report_metric(name, (double)r[i].ops);
		snprintf(name, sizeof(name), "op_ns.%s", chosen[i]->name);
		report_metric(name, r[i].ns);
	}
}

int run_kernel_ops(struct agent *a)
{
	const struct kernel_op *chosen[OPS_MAX + 1] = {NULL};
	struct op_result r[OPS_MAX];
	struct window w = {0};
	int err;

	/* Who hands over and who waits share a CPU. */
	pin_self(sched_getcpu());
	err = choose_ops(a, chosen);
	if (err)
		return err;
	agent_ready(a);
	window_open(a, &w);
	for (unsigned i = 0; chosen[i] && !err; i++) {
		err = measure_op(a, chosen[i], a->vm, &r[i]);
		if (err)
			agent_fail(err, "kernel-ops: %s: %s", chosen[i]->name, strerror(-err));
	}
	window_close(a, &w);
	if (err)
		return err;
	report_ops(chosen, r);
	window_report(a, &w, 0);
	return 0;
}
