// SPDX-License-Identifier: MIT
#include "base/call_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.h"

/* ---- the line ---- */

/* A handler may call next to nothing: the line is put together here and written once. */
struct line {
	char text[160];
	size_t n;
};

static void add_text(struct line *l, const char *text)
{
	while (*text && l->n < sizeof(l->text))
		l->text[l->n++] = *text++;
}

static void add_number(struct line *l, uint64_t n, unsigned base)
{
	char digits[24], *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do {
		*--at = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	add_text(l, at);
}

/* Those that an intruder would begin with, by name. */
static const struct {
	int number;
	const char *name;
} names[] = {
	{SYS_ioctl, "ioctl"},
	{SYS_openat, "openat"},
	{SYS_open, "open"},
	{SYS_execve, "execve"},
	{SYS_execveat, "execveat"},
	{SYS_socket, "socket"},
	{SYS_connect, "connect"},
	{SYS_clone, "clone"},
	{SYS_clone3, "clone3"},
	{SYS_fork, "fork"},
	{SYS_vfork, "vfork"},
	{SYS_ptrace, "ptrace"},
	{SYS_mmap, "mmap"},
	{SYS_mprotect, "mprotect"},
	{SYS_kill, "kill"},
	{SYS_process_vm_readv, "process_vm_readv"},
	{SYS_process_vm_writev, "process_vm_writev"},
	{SYS_bpf, "bpf"},
	{SYS_io_uring_setup, "io_uring_setup"},
};

static void add_call(struct line *l, int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].number == number) {
			add_text(l, names[i].name);
			return;
		}
	}
	add_text(l, "number ");
	add_number(l, (uint64_t)number, 10);
}

/* Set before the filter, under which a thread cannot ask for its name; those that it starts have none. */
static _Thread_local const char *thread_words;

static void on_trap(int sig, siginfo_t *si, void *context)
{
	const ucontext_t *at = context;
	struct line line = {.n = 0};

	(void)sig;
	add_text(&line, "sandbox: ");
	add_text(&line, text_or(thread_words, "a thread"));
	add_text(&line, " made the system call ");
	add_call(&line, si->si_syscall);
	if (si->si_syscall == SYS_ioctl) {
		add_text(&line, " 0x");
		add_number(&line, (uint32_t)at->uc_mcontext.gregs[REG_RSI], 16);
	}
	add_text(&line, ", which it may not: ended\n");
	if (write(STDERR_FILENO, line.text, line.n) < 0) {
		/* Nobody reads it; the process ends all the same. */
	}
	syscall(SYS_exit_group, 128 + SIGSYS); /* not _exit: a sanitizer has its own, which looks for leaks */
}

/*
 * ---- the filter ----
 *
 * What number and architecture decide alone, the kernel answers once, when the filter is installed (Linux
 * 5.11): such a call runs no instruction of it, wherever it stands. For that it walks the filter with every
 * number that there is, so these are a tree: a boot waits for it. What looks at an argument runs each time,
 * so it comes first, the most frequent value before the others.
 */

static void emit_code(struct call_filter *f, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	BUG_ON(f->n == CALL_FILTER_MAX);
	f->code[f->n++] = (struct sock_filter){code, jt, jf, k};
}

/* What is loaded is one of these, or it is a trap. n + 2 instructions. */
static void emit_choice(struct call_filter *f, const uint32_t *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		emit_code(f, BPF_JMP | BPF_JEQ | BPF_K, values[i], (uint8_t)(n - i), 0);
	emit_code(f, BPF_RET | BPF_K, SECCOMP_RET_TRAP, 0, 0);
	emit_code(f, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

#define LEAF	4
#define NUMBERS 512 /* of system calls, some more than there are */

/* The value at which the numbers from first to end part into halves, as nearly as may be. */
static size_t middle_of(const uint32_t *values, size_t n, uint32_t first, uint32_t end)
{
	size_t i = 1;

	while (i < n - 1 && values[i] < first + (end - first) / 2)
		i++;
	return i;
}

/* The same of many, in ascending order, for numbers from first to end. */
static void emit_tree(struct call_filter *f, const uint32_t *values, size_t n, uint32_t first, uint32_t end)
{
	unsigned short at = f->n;
	size_t lower;

	if (n <= LEAF) {
		emit_choice(f, values, n);
		return;
	}
	lower = middle_of(values, n, first, end);
	emit_code(f, BPF_JMP | BPF_JGE | BPF_K, values[lower], 0, 0);
	emit_tree(f, values, lower, first, values[lower]);
	BUG_ON(f->n - at - 1 > UINT8_MAX);
	f->code[at].jt = (uint8_t)(f->n - at - 1);
	emit_tree(f, values + lower, n - lower, values[lower], end);
}

/* Another architecture's calls have other numbers: killed. */
void call_filter_begin(struct call_filter *f)
{
	f->n = 0;
	f->n_calls = 0;
	emit_code(f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	emit_code(f, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	emit_code(f, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	emit_code(f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
}

void call_filter_allow(struct call_filter *f, uint32_t call)
{
	BUG_ON(f->n_calls == ARRAY_SIZE(f->calls));
	f->calls[f->n_calls++] = call;
}

void call_filter_allow_with(struct call_filter *f, uint32_t call, unsigned arg, const uint32_t *values,
			    size_t n)
{
	size_t over = n + 3; /* what follows, for all other calls */

	BUG_ON(arg > 5 || over > UINT8_MAX);
	emit_code(f, BPF_JMP | BPF_JEQ | BPF_K, call, 0, (uint8_t)over);
	emit_code(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, args) + 8 * arg, 0, 0);
	emit_choice(f, values, n);
}

static int compare_calls(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void call_filter_end(struct call_filter *f)
{
	qsort(f->calls, f->n_calls, sizeof(f->calls[0]), compare_calls);
	emit_tree(f, f->calls, f->n_calls, 0, NUMBERS);
}

/*
 * A trap, because the handler can say what it was; the thread cannot install another handler.
 *
 * SPEC_ALLOW: kernels before 5.16 slow a filtered thread down (speculative store bypass, branch predictors),
 * for programs that run a stranger's code in their own address space. None of ours does.
 */
int call_filter_install(struct call_filter *f, const char *who)
{
	struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
	struct sock_fprog program = {.filter = f->code};

	call_filter_end(f);
	program.len = f->n;
	thread_words = who;
	sigaction(SIGSYS, &sa, NULL);
	return errno_if(
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program));
}
