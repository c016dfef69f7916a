// SPDX-License-Identifier: MIT
/*
 * KVM virtual machines whose exits are known, for the probes to be held against:
 *
 *   truth CASE OUT.json     CASE is a row of `cases` at the end
 *
 * A guest is a few bytes of real-mode code. What it did is written to OUT.json: how many exits it took by
 * port, and where its thread's time went by this program's own clock, in ns:
 *
 *   user_ns      between a return of KVM_RUN and the call that enters the guest again; after the last one,
 *                till the thread ends
 *   off_ns       off the CPU in those calls: KVM sleeps where a vCPU comes from another thread
 *   edge_ns      on one in those calls: where in it the probes' events lie is not known here
 *   user_cpu_ns  the part of it that the thread was on a CPU, interrupts left out; of one thread
 *   all_ns       between the first such call and the thread's end, and of it, by the thread's own clocks:
 *   cpu_ns       on a CPU
 *   wait_ns      waiting for one (/proc/thread-self/schedstat)
 *   asleep_ns    the rest
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
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
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MEMORY     (1u << 20)
#define CODE_AT    0x1000u
#define PORT       0x2f0
#define FAULT_NS   4000000ull
#define HANDLER_NS 40000000ull /* so long that what lies between our clock and the probes' events is little */
#define N(array)   (sizeof(array) / sizeof((array)[0]))

struct vm {
	int fd;
	uint8_t *memory;
};

struct vcpu {
	int fd;
	struct kvm_run *run;
	uint64_t returned_ns, returned_cpu_ns; /* of the last KVM_RUN; 0: none yet */
	uint64_t exits, user_ns, user_cpu_ns, off_ns, edge_ns;
	pid_t tid;
};

static int kvm;

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

static struct {
	const char *name;
	uint64_t value;
} said[16];
static unsigned n_said;

static void say(const char *name, uint64_t value)
{
	said[n_said].name = name;
	said[n_said++].value = value;
}

/* ---- guests ---- */

/* "in al, dx" for ever; ten ports one after the other, then hlt; one port, then nothing. */
#define READS(port) "\xba" port "\xec\xeb\xfd"
#define TEN_PORTS   "\xba\xf0\x02\xb9\x0a\x00\xec\x42\xe2\xfc\xf4"
/* "in al, dx" so often, then hlt. */
#define READS_20(port)  "\xba" port "\xb9\x14\x00\xec\xe2\xfd\xf4"
#define READS_42(port)  "\xba" port "\xb9\x2a\x00\xec\xe2\xfd\xf4"
#define READS_6(port)   "\xba" port "\xb9\x06\x00\xec\xe2\xfd\xf4"
#define SPINS       "\xba\xf0\x02\xec\xeb\xfe"
/* One port; mov cx, 100; mov ax, 0x2000; again: mov ds, ax; mov bl, [0]; add ax, 0x100; loop again; hlt */
#define TOUCHES                                                                                            \
	"\xba\xf0\x02\xec\xb9\x64\x00\xb8\x00\x20\x8e\xd8\x8a\x1e\x00\x00\x05\x00\x01\xe2\xf5\xf4"

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
	bool first = !v->returned_ns;
	uint64_t from, from_cpu, cpu, off;
	int ret;

	if (!first) {
		v->user_cpu_ns += cpu_ns() - v->returned_cpu_ns;
		v->user_ns += now_ns() - v->returned_ns;
	}
	from_cpu = cpu_ns();
	from = now_ns();
	ret = ioctl(v->fd, KVM_RUN, 0);
	v->returned_ns = now_ns();
	v->returned_cpu_ns = cpu_ns();
	cpu = v->returned_cpu_ns - from_cpu;
	off = v->returned_ns - from - cpu;
	if (!first && (int64_t)off > 0)
		v->off_ns += off;
	if (!first)
		v->edge_ns += cpu;
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
	v->run->immediate_exit = 1;
	if (!ioctl(v->fd, KVM_RUN, 0) || errno != EINTR)
		fail("KVM_RUN with immediate_exit");
	v->run->immediate_exit = 0;
}

static void work(const struct vcpu *v)
{
	while (now_ns() - v->returned_ns < HANDLER_NS)
		;
}

/* Two reads of a port, each answered by work. */
static void two_reads(struct vcpu *v)
{
	for (unsigned i = 0; i < 2; i++) {
		run_expecting(v, KVM_EXIT_IO);
		work(v);
	}
}

/* ---- where a thread's time goes, by its own clocks ---- */

struct account {
	uint64_t wall_ns, cpu_ns, wait_ns;
};

static struct account account_now(void)
{
	FILE *f = fopen("/proc/thread-self/schedstat", "r");
	struct account a;

	if (!f || fscanf(f, "%*u %" SCNu64, &a.wait_ns) != 1)
		fail("/proc/thread-self/schedstat");
	fclose(f);
	a.cpu_ns = cpu_ns();
	a.wall_ns = now_ns();
	return a;
}

static void say_account(const struct account *from)
{
	struct account to = account_now();
	uint64_t all = to.wall_ns - from->wall_ns, cpu = to.cpu_ns - from->cpu_ns,
		 wait = to.wait_ns - from->wait_ns;

	say("all_ns", all);
	say("cpu_ns", cpu);
	say("wait_ns", wait);
	say("asleep_ns", all > cpu + wait ? all - cpu - wait : 0);
}

/* ---- cases ---- */

/* The last exit lasts until its thread ends, which comes next: nothing that takes long may follow. */
static void finish(struct vcpu *v)
{
	v->user_cpu_ns += cpu_ns() - v->returned_cpu_ns;
	v->user_ns += now_ns() - v->returned_ns;
}

static void say_user(const struct vcpu *v)
{
	say("exits", v->exits);
	say("user_ns", v->user_ns);
	say("off_ns", v->off_ns);
	say("edge_ns", v->edge_ns);
}

/* Each exit returns to userspace twice. */
static void case_twice(void)
{
	struct vm vm = VM(READS_20("\xf0\x02"));
	struct vcpu v = vcpu_new(&vm, 0);

	for (unsigned i = 0; i < 20; i++) {
		run_expecting(&v, KVM_EXIT_IO);
		work(&v);
		run_nothing(&v);
	}
	run_expecting(&v, KVM_EXIT_HLT);
	say_user(&v);
	say("user_cpu_ns", v.user_cpu_ns);
}

/* Two VMs, one thread: by turns, each with its own port. One's turn is the other's time in userspace. */
static void case_two_vms(void)
{
	struct vm a = VM(READS_20("\xf0\x02")), b = VM(READS_20("\xf1\x02"));
	struct vcpu va = vcpu_new(&a, 0), vb = vcpu_new(&b, 0);

	for (unsigned turn = 0; turn < 10; turn++) {
		two_reads(&va);
		two_reads(&vb);
	}
	run_expecting(&va, KVM_EXIT_HLT);
	run_expecting(&vb, KVM_EXIT_HLT);
	say_user(&va);
	say("b_user_ns", vb.user_ns);
	say("b_off_ns", vb.off_ns);
	say("b_edge_ns", vb.edge_ns);
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
		two_reads(&hand.vcpu);
		sem_post(&hand.turn[(self + 1) % N(hand.turn)]);
	}
	return NULL;
}

static void case_handover(void)
{
	struct vm vm = VM(READS_42("\xf0\x02"));
	pthread_t thread[N(hand.turn)];

	hand.vcpu = vcpu_new(&vm, 0);
	for (unsigned i = 0; i < N(hand.turn); i++)
		sem_init(&hand.turn[i], 0, i == 0);
	for (unsigned i = 0; i < N(hand.turn); i++)
		pthread_create(&thread[i], NULL, handed, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < N(hand.turn); i++)
		pthread_join(thread[i], NULL);
	run_expecting(&hand.vcpu, KVM_EXIT_HLT);
	say_user(&hand.vcpu);
}

/* Two ports, one right after the other, then at least 50 ms of the guest's own; five times. */
static void case_pairs(void)
{
	/*
	 * mov cx, 5; again: mov dx, 0x2f0; in al, dx; mov dx, 0x2f1; in al, dx; rdtsc; mov ebx, eax; wait:
	 * rdtsc; sub eax, ebx; cmp eax, 1 << 28; jb wait; loop again; hlt
	 */
	static const char code[] = "\xb9\x05\x00\xba\xf0\x02\xec\xba\xf1\x02\xec\x0f\x31\x66\x89\xc3\x0f\x31"
				   "\x66\x29\xd8\x66\x3d\x00\x00\x00\x10\x72\xf3\xe2\xe4\xf4";
	struct vm vm = VM(code);
	struct vcpu v = vcpu_new(&vm, 0);

	for (unsigned i = 0; i < 10; i++)
		run_expecting(&v, KVM_EXIT_IO);
	run_expecting(&v, KVM_EXIT_HLT);
	say("exits", v.exits);
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

/* A guest that has no exits of its own any more, and a thread that wants the same CPU. */
static void case_hog(void)
{
	struct itimerspec in = {.it_value = {.tv_sec = 2}};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	struct sigaction action = {.sa_handler = on_alarm};
	struct vm vm = VM(SPINS);
	struct vcpu v = vcpu_new(&vm, 0);
	static volatile bool stop;
	struct account from;
	pthread_t thread;
	timer_t timer;

	pin_to_first_cpu();
	sigaction(SIGUSR1, &action, NULL);
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &in, NULL))
		fail("timer");
	run_expecting(&v, KVM_EXIT_IO);
	pthread_create(&thread, NULL, hog, (void *)&stop);
	from = account_now();
	from.wall_ns = v.returned_ns;
	while (run(&v))
		;
	stop = true;
	say_account(&from);
	finish(&v);
}

/* A handler that works and sleeps, as one does that waits for a disk. */
static void case_sleeps(void)
{
	struct timespec pause = {.tv_nsec = 5 * HANDLER_NS};
	struct vm vm = VM(READS_6("\xf0\x02"));
	struct vcpu v = vcpu_new(&vm, 0);
	struct account from;

	/* A new VM's first KVM_RUN sleeps before there is an exit to count it for. */
	run_expecting(&v, KVM_EXIT_IO);
	from = account_now();
	for (unsigned i = 0; i < 5; i++) {
		work(&v);
		nanosleep(&pause, NULL);
		run_expecting(&v, KVM_EXIT_IO);
	}
	run_expecting(&v, KVM_EXIT_HLT);
	say_account(&from);
	say_user(&v);
	say("user_cpu_ns", v.user_cpu_ns);
}

/* ---- interrupts ---- */

#define VECTOR  0x40
#define HANDLER 0x1100

/* A VM with APICs, whose vCPU has its registers at DS, and what it does at VECTOR. */
static struct vcpu vcpu_with_apic(struct vm *vm, const char *code, size_t len, const char *handler,
				  size_t handler_len)
{
	struct kvm_lapic_state apic;
	struct kvm_sregs sregs;
	struct vcpu v;

	*vm = vm_new(code, len);
	memcpy(vm->memory + HANDLER, handler, handler_len);
	vm->memory[4 * VECTOR + 1] = HANDLER >> 8;
	ask(vm->fd, KVM_CREATE_IRQCHIP, NULL, "KVM_CREATE_IRQCHIP");
	v = vcpu_new(vm, 0);
	ask(v.fd, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
	sregs.ds.base = 0xfee00000;
	ask(v.fd, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
	ask(v.fd, KVM_GET_LAPIC, &apic, "KVM_GET_LAPIC");
	apic.regs[0xf1] |= 1; /* spurious vector register: enabled */
	ask(v.fd, KVM_SET_LAPIC, &apic, "KVM_SET_LAPIC");
	return v;
}

static void raise_irq(const struct vm *vm)
{
	const struct kvm_msi msi = {.address_lo = 0xfee00000, .data = VECTOR};

	if (ask(vm->fd, KVM_SIGNAL_MSI, &msi, "KVM_SIGNAL_MSI") != 1)
		fail("KVM_SIGNAL_MSI: not delivered");
}

/*
 * Two VMs whose vCPUs have the same number and whose interrupts have the same vector: one has its interrupts
 * off for 100 ms while the other takes twenty.
 */
static void case_two_irqs(void)
{
	/* cli; mov dx, 0x2f0; in al, dx; in al, dx; sti; nop; jmp $ and: mov dx, 0x2f1; in al, dx */
	static const char waits[] = "\xfa\xba\xf0\x02\xec\xec\xfb\x90\xeb\xfe", comes[] = "\xba\xf1\x02\xec";
	/* sti; mov dx, 0x2f2; again: in al, dx; jmp again */
	static const char takes[] = "\xfb\xba\xf2\x02\xec\xeb\xfd";
	/* mov dx, 0x2f3; in al, dx; mov dword [0xb0], 0 (end of interrupt); mov dx, 0x2f2; iret */
	static const char ends[] =
		"\xba\xf3\x02\xec\x66\xc7\x06\xb0\x00\x00\x00\x00\x00\xba\xf2\x02\xcf";
	struct timespec pause = {.tv_nsec = 100000000};
	struct vm a, b;
	struct vcpu va = vcpu_with_apic(&a, waits, sizeof(waits) - 1, comes, sizeof(comes) - 1);
	struct vcpu vb = vcpu_with_apic(&b, takes, sizeof(takes) - 1, ends, sizeof(ends) - 1);
	uint64_t from;

	run_expecting(&va, KVM_EXIT_IO);
	raise_irq(&a);
	from = now_ns();
	nanosleep(&pause, NULL);
	for (unsigned i = 0; i < 20; i++) {
		run_expecting(&vb, KVM_EXIT_IO);
		raise_irq(&b);
		run_expecting(&vb, KVM_EXIT_IO);
	}
	run_expecting(&va, KVM_EXIT_IO);
	run_expecting(&va, KVM_EXIT_IO);
	say("longest_ns", now_ns() - from);
	say("interrupts", 21);
}

/* A request to a disk, whose end signals an eventfd. */
static void disk_read(aio_context_t aio, int disk, int signal_fd)
{
	static uint8_t block[4096] __attribute__((aligned(4096)));
	struct iocb request = {.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)disk,
			       .aio_buf = (uintptr_t)block, .aio_nbytes = 512, .aio_flags = IOCB_FLAG_RESFD,
			       .aio_resfd = (uint32_t)signal_fd};
	struct iocb *list = &request;

	if (syscall(SYS_io_submit, aio, 1, &list) != 1)
		fail("io_submit");
}

/*
 * Twenty times 500 doorbells, each a kick. Amid them an interrupt signals another eventfd on top of the
 * vCPU's thread, as an assigned device's does: of /dev/nullb0, whose requests this CPU's timer ends.
 */
static void case_interrupted(void)
{
	/*
	 * mov cx, 20; again: mov dx, 0x2f0; in al, dx; mov bx, 500; mov dx, 0x2f1; bell: out dx, al;
	 * dec bx; jnz bell; loop again; hlt
	 */
	static const char code[] = "\xb9\x14\x00\xba\xf0\x02\xec\xbb\xf4\x01\xba\xf1\x02\xee\x4b"
				   "\x75\xfc\xe2\xf0\xf4";
	int disk = open("/dev/nullb0", O_RDONLY | O_DIRECT), signal_fd = eventfd(0, 0);
	struct kvm_ioeventfd doorbell = {.addr = PORT + 1, .len = 1, .fd = eventfd(0, 0),
					 .flags = KVM_IOEVENTFD_FLAG_PIO};
	struct vm vm = VM(code);
	struct vcpu v = vcpu_new(&vm, 0);
	aio_context_t aio = 0;
	uint64_t count;

	pin_to_first_cpu();
	ask(vm.fd, KVM_IOEVENTFD, &doorbell, "KVM_IOEVENTFD");
	if (disk < 0 || syscall(SYS_io_setup, 32, &aio))
		fail("/dev/nullb0");
	for (unsigned i = 0; i < 20; i++) {
		run_expecting(&v, KVM_EXIT_IO);
		if (i && read(signal_fd, &count, sizeof(count)) < 0)
			fail("eventfd");
		disk_read(aio, disk, signal_fd);
	}
	run_expecting(&v, KVM_EXIT_HLT);
	say_user(&v);
}

/* A vCPU that halts inside KVM for a second, until a signal comes. */
static void case_halts(void)
{
	static const char halts[] = "\xba\xf0\x02\xec\xf4";
	struct itimerspec in = {.it_value = {.tv_sec = 1}};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	struct sigaction action = {.sa_handler = on_alarm};
	struct vm vm;
	struct vcpu v = vcpu_with_apic(&vm, halts, sizeof(halts) - 1, "", 1);
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	run_expecting(&v, KVM_EXIT_IO);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &in, NULL))
		fail("timer");
	while (run(&v))
		;
	say("exits", v.exits);
}

/* ---- a guest that is a hypervisor ---- */

#define VMCB_AT  0x3000
#define INNER_AT 0x4000
#define HSAVE_AT 0x5000
#define PAGES_AT 0x6000

static void put(uint8_t *at, uint64_t value, size_t len)
{
	memcpy(at, &value, len);
}

/* Flat 32-bit segments, no paging: the state in which both run. AMD64 APM volume 2, appendix B. */
static void write_vmcb(uint8_t *vmcb)
{
	static const uint16_t attributes[] = {0xc93, 0xc9b, 0xc93, 0xc93}; /* ES, CS, SS, DS */

	put(vmcb + 0x0c, 1u << 18, 4); /* intercepts: CPUID */
	put(vmcb + 0x10, 1, 4);	       /* and VMRUN, which has to be */
	put(vmcb + 0x58, 1, 4);	       /* ASID */
	for (size_t i = 0; i < N(attributes); i++) {
		put(vmcb + 0x400 + 16 * i + 2, attributes[i], 2);
		put(vmcb + 0x400 + 16 * i + 4, 0xffffffff, 4);
	}
	put(vmcb + 0x4d0, 0x1000, 8); /* EFER.SVME */
	put(vmcb + 0x558, 0x11, 8);   /* CR0: PE, ET */
	put(vmcb + 0x560, 0x400, 8);
	put(vmcb + 0x568, 0xffff0ff0, 8);
	put(vmcb + 0x570, 2, 8); /* RFLAGS */
	put(vmcb + 0x578, INNER_AT, 8);
}

static void allow_svm(const struct vcpu *v)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} cpuid = {.head.nent = 256};
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} hsave = {.head.nmsrs = 1, .entry = {.index = 0xc0010117, .data = HSAVE_AT}};
	struct kvm_segment code = {
		.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1};
	struct kvm_segment data = {
		.limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
	struct kvm_sregs sregs;

	ask(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid, "KVM_GET_SUPPORTED_CPUID");
	ask(v->fd, KVM_SET_CPUID2, &cpuid, "KVM_SET_CPUID2");
	ask(v->fd, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = data;
	/* KVM wants a hypervisor to have paging: the first 4 MiB where they are. */
	sregs.cr0 = 0x80000011;
	sregs.cr3 = PAGES_AT;
	sregs.cr4 = 0x10;
	sregs.efer = 0x1000;
	ask(v->fd, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
	ask(v->fd, KVM_SET_MSRS, &hsave, "KVM_SET_MSRS");
}

/* Fifty rounds: the inner guest reads a port twice and asks for CPUID; then the outer one reads another. */
static void case_nested(void)
{
	/*
	 * mov ebx, 50; again: mov eax, VMCB; vmrun; mov edx, 0x2f0; in al, dx; add dword [its rip], 2 (the
	 * CPUID); dec ebx; jnz again; hlt
	 */
	static const char outer[] = "\xbb\x32\x00\x00\x00\xb8\x00\x30\x00\x00\x0f\x01\xd8\xba\xf0\x02\x00\x00"
				    "\xec\x83\x05\x78\x35\x00\x00\x02\x4b\x75\xe7\xf4";
	/* again: mov edx, 0x2f3; in al, dx; in al, dx; cpuid; jmp again */
	static const char inner[] = "\xba\xf3\x02\x00\x00\xec\xec\x0f\xa2\xeb\xf5";
	struct vm vm = vm_new(outer, sizeof(outer) - 1);
	struct vcpu v = vcpu_new(&vm, 0);

	memcpy(vm.memory + INNER_AT, inner, sizeof(inner) - 1);
	put(vm.memory + PAGES_AT, 0x83, 4);
	write_vmcb(vm.memory + VMCB_AT);
	allow_svm(&v);
	for (unsigned i = 0; i < 150; i++)
		run_expecting(&v, KVM_EXIT_IO);
	run_expecting(&v, KVM_EXIT_HLT);
	say("exits", v.exits);
}

/* ---- memory that comes late ---- */

static int late_fd;

static void *serve_faults(void *arg)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));
	struct uffd_msg msg;

	(void)arg;
	while (read(late_fd, &msg, sizeof(msg)) == sizeof(msg)) {
		struct uffdio_copy copy = {.dst = msg.arg.pagefault.address & ~4095ull,
					   .src = (uintptr_t)page,
					   .len = sizeof(page)};
		uint64_t from = now_ns();

		while (now_ns() - from < FAULT_NS)
			;
		ask(late_fd, UFFDIO_COPY, &copy, "UFFDIO_COPY");
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
	struct account from;
	pthread_t thread;

	late_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (late_fd < 0)
		fail("userfaultfd");
	ask(late_fd, UFFDIO_API, &api, "UFFDIO_API");
	ask(late_fd, UFFDIO_REGISTER, &range, "UFFDIO_REGISTER");
	pthread_create(&thread, NULL, serve_faults, NULL);
	run_expecting(&v, KVM_EXIT_IO); /* as in case_sleeps */
	from = account_now();
	run_expecting(&v, KVM_EXIT_HLT);
	say_account(&from);
}

/* ---- many ---- */

static void *ten_ports(void *arg)
{
	struct vcpu *v = arg;

	v->tid = (pid_t)syscall(SYS_gettid);
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

/* So many VMs one after the other, one vCPU each, a pause before the next. */
static void short_vms(unsigned n, bool own_thread, long pause_ns)
{
	struct timespec pause = {.tv_nsec = pause_ns};
	uint64_t exits = 0, last = 0;

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
		last = (uint64_t)v.tid;
		vcpu_end(&v);
		vm_end(&vm);
		nanosleep(&pause, NULL);
	}
	say("vcpus", n);
	say("exits", exits);
	say("last_tid", last);
}

/* Each vCPU in a thread of its own. */
static void case_short(void)
{
	short_vms(300, true, 0);
}

/* The same in one thread. */
static void case_short_one(void)
{
	short_vms(300, false, 0);
}

/* More than there are slots and rows for, a few hundred a second. */
static void case_many(void)
{
	short_vms(1500, true, 2000000);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"twice", case_twice}, {"two_vms", case_two_vms}, {"handover", case_handover},
	{"pairs", case_pairs}, {"hog", case_hog}, {"sleeps", case_sleeps}, {"faults", case_faults},
	{"crowd", case_crowd}, {"short", case_short}, {"short_one", case_short_one},
	{"many", case_many}, {"two_irqs", case_two_irqs}, {"halts", case_halts}, {"nested", case_nested},
	{"interrupted", case_interrupted},
};

static void *run_case(void *arg)
{
	cases[(size_t)arg].run();
	return NULL;
}

static int write_said(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		fail(path);
	for (unsigned i = 0; i < n_said; i++)
		fprintf(f, "%s\"%s\": %" PRIu64, i ? ", " : "{", said[i].name, said[i].value);
	fputs("}\n", f);
	return fclose(f) ? 1 : 0;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	size_t i = 0;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		fail("/dev/kvm");
	while (argc == 3 && i < N(cases) && strcmp(cases[i].name, argv[1]))
		i++;
	if (argc != 3 || i == N(cases)) {
		fputs("usage: truth CASE OUT.json\n", stderr);
		return 2;
	}
	pthread_create(&thread, NULL, run_case, (void *)i);
	pthread_join(thread, NULL);
	return write_said(argv[2]);
}
