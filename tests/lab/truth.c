// SPDX-License-Identifier: MIT
/*
 * KVM virtual machines whose exits are known, for the probes to be held against:
 *
 *   truth CASE OUT.json     CASE is a row of `cases` at the end
 *
 * A guest is a few bytes of real-mode code. What it did is written to OUT.json: how many exits it took by
 * port, and where its thread's time went by this program's own clock, in ns:
 *
 *   user_ns      between a return of KVM_RUN and the call that enters the guest again, without call_ns
 *   user_cpu_ns  the part of it that the thread was on a CPU
 *   asleep_ns    the part of it spent asleep on purpose, or, in case `faults`, asleep inside KVM
 *   call_ns      in calls of KVM_RUN that return without entering the guest
 *   inside_ns    in calls of KVM_RUN that entered it: what the probes call userspace begins and ends there
 *   run_ns, wait_ns   on a CPU, and waiting for one, as the scheduler counted for the thread
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MEMORY     (1u << 20)
#define CODE_AT    0x1000u
#define PORT       0x2f0
#define HANDLER_NS 4000000ull
#define N(array)   (sizeof(array) / sizeof((array)[0]))

struct vm {
	int fd;
	uint8_t *memory;
};

struct vcpu {
	int fd;
	struct kvm_run *run;
	uint64_t returned_ns, returned_cpu_ns; /* of the last KVM_RUN; 0: none yet */
	uint64_t exits, user_ns, user_cpu_ns;
};

static int kvm;
static FILE *out;
static uint64_t call_ns, inside_ns, asleep_ns;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "truth: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *must(void *p, const char *what)
{
	if (p == MAP_FAILED)
		fail(what);
	return p;
}

static int ask(int fd, unsigned long request, const void *arg, const char *what)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		fail(what);
	return ret;
}

static uint64_t clock_read(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

static uint64_t cpu_ns(void)
{
	return clock_read(CLOCK_THREAD_CPUTIME_ID);
}

static void say(const char *name, uint64_t value)
{
	fprintf(out, "%s\"%s\": %" PRIu64, ftell(out) ? ", " : "{", name, value);
}

/* ---- guests ---- */

/* In that order: for ever "in al, dx", ten ports one after the other and then hlt, for ever nothing. */
#define READS(port) "\xba" port "\xec\xeb\xfd"
#define TEN_PORTS   "\xba\xf0\x02\xb9\x0a\x00\xec\x42\xe2\xfc\xf4"
#define SPINS       "\xeb\xfe"
/* mov cx, 100; mov ax, 0x2000; again: mov ds, ax; mov bl, [0]; add ax, 0x100; loop again; hlt */
#define TOUCHES     "\xb9\x64\x00\xb8\x00\x20\x8e\xd8\x8a\x1e\x00\x00\x05\x00\x01\xe2\xf5\xf4"

static struct vm vm_new(const char *code, size_t len)
{
	struct vm vm = {.fd = ask(kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM")};
	struct kvm_userspace_memory_region region = {.memory_size = MEMORY};

	vm.memory =
		must(mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		     "mmap");
	memcpy(vm.memory + CODE_AT, code, len);
	region.userspace_addr = (uintptr_t)vm.memory;
	ask(vm.fd, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
	return vm;
}

#define VM(code) vm_new(code, sizeof(code) - 1)

static void vm_end(struct vm *vm)
{
	close(vm->fd);
	munmap(vm->memory, MEMORY);
}

static struct vcpu vcpu_new(const struct vm *vm, unsigned long number)
{
	struct kvm_regs regs = {.rip = CODE_AT, .rflags = 2};
	struct vcpu v = {.fd = ask(vm->fd, KVM_CREATE_VCPU, (void *)number, "KVM_CREATE_VCPU")};
	struct kvm_sregs sregs;

	v.run = must(mmap(NULL, (size_t)ask(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE"),
			  PROT_READ | PROT_WRITE, MAP_SHARED, v.fd, 0),
		     "mmap of the vCPU");
	ask(v.fd, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
	sregs.cs.base = sregs.cs.selector = 0;
	ask(v.fd, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
	ask(v.fd, KVM_SET_REGS, &regs, "KVM_SET_REGS");
	return v;
}

static void vcpu_end(struct vcpu *v)
{
	munmap(v->run, (size_t)ask(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE"));
	close(v->fd);
}

/* Into the guest; the time since the last return was userspace's. False: a signal ended it. */
static bool run(struct vcpu *v)
{
	uint64_t from;
	int ret;

	if (v->returned_ns) {
		v->user_cpu_ns += cpu_ns() - v->returned_cpu_ns;
		v->user_ns += now_ns() - v->returned_ns;
	}
	from = now_ns();
	ret = ioctl(v->fd, KVM_RUN, 0);
	v->returned_ns = now_ns();
	inside_ns += v->returned_ns - from;
	v->returned_cpu_ns = cpu_ns();
	if (ret && errno != EINTR)
		fail("KVM_RUN");
	v->exits += !ret;
	return !ret;
}

static void run_expecting(struct vcpu *v, uint32_t reason)
{
	if (run(v) && v->run->exit_reason == reason)
		return;
	fprintf(stderr, "truth: exit %u, expected %u\n", v->run->exit_reason, reason);
	exit(1);
}

/* KVM_RUN that comes back at once, as a VMM does it that wants the last exit finished and nothing more. */
static void run_nothing(struct vcpu *v)
{
	uint64_t from_cpu = cpu_ns(), from = now_ns(), took;

	v->run->immediate_exit = 1;
	if (!ioctl(v->fd, KVM_RUN, 0) || errno != EINTR)
		fail("KVM_RUN with immediate_exit");
	v->run->immediate_exit = 0;
	took = now_ns() - from;
	call_ns += took;
	v->user_ns -= took;
	v->user_cpu_ns -= cpu_ns() - from_cpu;
}

static void work(const struct vcpu *v)
{
	while (now_ns() - v->returned_ns < HANDLER_NS)
		;
}

/* n reads of a port, each answered by work of HANDLER_NS. */
static void reads(struct vcpu *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		run_expecting(v, KVM_EXIT_IO);
		work(v);
	}
}

/* ---- the scheduler's own count of a thread ---- */

struct sched {
	uint64_t run_ns, wait_ns;
};

static struct sched sched_now(void)
{
	FILE *f = fopen("/proc/thread-self/schedstat", "r");
	struct sched s;

	if (!f || fscanf(f, "%" SCNu64 " %" SCNu64, &s.run_ns, &s.wait_ns) != 2)
		fail("/proc/thread-self/schedstat");
	fclose(f);
	return s;
}

/* ---- cases ---- */

static void say_user(const struct vcpu *v)
{
	say("exits", v->exits);
	say("user_ns", v->user_ns);
	say("user_cpu_ns", v->user_cpu_ns);
	say("call_ns", call_ns);
}

/* Each exit returns to userspace twice. */
static void case_twice(void)
{
	struct vm vm = VM(READS("\xf0\x02"));
	struct vcpu v = vcpu_new(&vm, 0);

	for (unsigned i = 0; i < 200; i++) {
		run_expecting(&v, KVM_EXIT_IO);
		work(&v);
		run_nothing(&v);
	}
	run_expecting(&v, KVM_EXIT_IO);
	say_user(&v);
}

/* Two VMs, one thread: by turns, each with its own port. One's turn is the other's time in userspace. */
static void case_two_vms(void)
{
	struct vm a = VM(READS("\xf0\x02")), b = VM(READS("\xf1\x02"));
	struct vcpu va = vcpu_new(&a, 0), vb = vcpu_new(&b, 0);

	for (unsigned turn = 0; turn < 10; turn++) {
		reads(&va, 10);
		reads(&vb, 10);
	}
	run_expecting(&va, KVM_EXIT_IO);
	run_expecting(&vb, KVM_EXIT_IO);
	say_user(&va);
	say("b_user_ns", vb.user_ns);
}

/* One vCPU that threads hand on. */
static struct {
	struct vcpu vcpu;
	sem_t turn[3];
} hand;

static void *handed(void *arg)
{
	unsigned self = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < 7; i++) {
		sem_wait(&hand.turn[self]);
		reads(&hand.vcpu, 10);
		sem_post(&hand.turn[(self + 1) % N(hand.turn)]);
	}
	return NULL;
}

static void case_handover(void)
{
	struct vm vm = VM(READS("\xf0\x02"));
	pthread_t thread[N(hand.turn)];

	hand.vcpu = vcpu_new(&vm, 0);
	for (unsigned i = 0; i < N(hand.turn); i++)
		sem_init(&hand.turn[i], 0, i == 0);
	for (unsigned i = 0; i < N(hand.turn); i++)
		pthread_create(&thread[i], NULL, handed, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < N(hand.turn); i++)
		pthread_join(thread[i], NULL);
	run_expecting(&hand.vcpu, KVM_EXIT_IO);
	say_user(&hand.vcpu);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void *hog(void *arg)
{
	volatile bool *stop = arg;

	while (!*stop)
		;
	return NULL;
}

static void pin_to_first_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("sched_setaffinity");
}

/* A guest that takes no exit of its own, and a thread that wants the same CPU. */
static void case_hog(void)
{
	struct itimerspec in = {.it_value = {.tv_sec = 2}};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	struct sigaction action = {.sa_handler = on_alarm};
	struct vm vm = VM(SPINS);
	struct vcpu v = vcpu_new(&vm, 0);
	volatile bool stop = false;
	struct sched before, after;
	pthread_t thread;
	timer_t timer;
	uint64_t from;

	pin_to_first_cpu();
	pthread_create(&thread, NULL, hog, (void *)&stop);
	sigaction(SIGUSR1, &action, NULL);
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &in, NULL))
		fail("timer");
	before = sched_now();
	from = now_ns();
	while (run(&v))
		;
	from = now_ns() - from;
	after = sched_now();
	stop = true;
	pthread_join(thread, NULL);
	say("all_ns", from);
	say("run_ns", after.run_ns - before.run_ns);
	say("wait_ns", after.wait_ns - before.wait_ns);
}

/* A handler that sleeps, as one does that waits for a disk. */
static void case_sleeps(void)
{
	struct timespec pause = {.tv_nsec = HANDLER_NS};
	struct vm vm = VM(READS("\xf0\x02"));
	struct vcpu v = vcpu_new(&vm, 0);
	uint64_t from;

	for (unsigned i = 0; i < 100; i++) {
		run_expecting(&v, KVM_EXIT_IO);
		work(&v);
		from = now_ns();
		nanosleep(&pause, NULL);
		asleep_ns += now_ns() - from;
	}
	run_expecting(&v, KVM_EXIT_IO);
	say_user(&v);
	say("asleep_ns", asleep_ns);
}

/* ---- memory that comes late ---- */

static struct {
	int fd;
	uint64_t held_ns;
	unsigned pages;
} late;

static void *serve_faults(void *arg)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));
	struct uffd_msg msg;

	(void)arg;
	while (read(late.fd, &msg, sizeof(msg)) == sizeof(msg)) {
		struct uffdio_copy copy = {.dst = msg.arg.pagefault.address & ~4095ull,
					   .src = (uintptr_t)page,
					   .len = sizeof(page)};
		uint64_t from = now_ns();

		while (now_ns() - from < HANDLER_NS)
			;
		late.held_ns += now_ns() - from;
		late.pages++;
		ask(late.fd, UFFDIO_COPY, &copy, "UFFDIO_COPY");
	}
	return NULL;
}

/* A hundred page faults of the guest, from 0x20000 on, that its thread sleeps for inside KVM. */
static void case_faults(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct vm vm = VM(TOUCHES);
	struct vcpu v = vcpu_new(&vm, 0);
	struct uffdio_register range = {.range = {(uintptr_t)vm.memory + 0x20000, 100 * 4096},
					.mode = UFFDIO_REGISTER_MODE_MISSING};
	pthread_t thread;

	late.fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (late.fd < 0)
		fail("userfaultfd");
	ask(late.fd, UFFDIO_API, &api, "UFFDIO_API");
	ask(late.fd, UFFDIO_REGISTER, &range, "UFFDIO_REGISTER");
	pthread_create(&thread, NULL, serve_faults, NULL);
	run_expecting(&v, KVM_EXIT_HLT);
	say("pages", late.pages);
	say("asleep_ns", late.held_ns);
}

/* ---- many ---- */

static void *ten_ports(void *arg)
{
	struct vcpu *v = arg;

	for (unsigned i = 0; i < 10; i++)
		run_expecting(v, KVM_EXIT_IO);
	run_expecting(v, KVM_EXIT_HLT);
	return NULL;
}

/* 240 vCPUs of one VM at a time, ten ports each. */
static void case_crowd(void)
{
	struct vm vm = VM(TEN_PORTS);
	static struct vcpu v[240];
	pthread_t thread[N(v)];
	uint64_t exits = 0;

	for (unsigned i = 0; i < N(v); i++)
		v[i] = vcpu_new(&vm, i);
	for (unsigned i = 0; i < N(v); i++)
		pthread_create(&thread[i], NULL, ten_ports, &v[i]);
	for (unsigned i = 0; i < N(v); i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < N(v); i++)
		exits += v[i].exits;
	say("vcpus", N(v));
	say("exits", exits);
}

static void short_vms(bool own_thread)
{
	uint64_t exits = 0;
	unsigned n = 300;

	for (unsigned i = 0; i < n; i++) {
		struct vm vm = VM(TEN_PORTS);
		struct vcpu v = vcpu_new(&vm, i % 8);
		pthread_t thread;

		if (own_thread) {
			pthread_create(&thread, NULL, ten_ports, &v);
			pthread_join(thread, NULL);
		} else {
			ten_ports(&v);
		}
		exits += v.exits;
		vcpu_end(&v);
		vm_end(&vm);
	}
	say("vcpus", n);
	say("exits", exits);
}

/* VMs one after the other, each vCPU in a thread of its own. */
static void case_short(void)
{
	short_vms(true);
}

/* The same in one thread. */
static void case_short_one(void)
{
	short_vms(false);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"twice", case_twice}, {"two_vms", case_two_vms}, {"handover", case_handover},
	{"hog", case_hog}, {"sleeps", case_sleeps}, {"faults", case_faults},
	{"crowd", case_crowd}, {"short", case_short}, {"short_one", case_short_one},
};

int main(int argc, char **argv)
{
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		fail("/dev/kvm");
	if (argc != 3 || !(out = fopen(argv[2], "we"))) {
		fputs("usage: truth CASE OUT.json\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < N(cases); i++) {
		if (strcmp(cases[i].name, argv[1]))
			continue;
		cases[i].run();
		say("inside_ns", inside_ns);
		fputs("}\n", out);
		return fclose(out) ? 1 : 0;
	}
	fprintf(stderr, "truth: no case %s\n", argv[1]);
	return 2;
}
