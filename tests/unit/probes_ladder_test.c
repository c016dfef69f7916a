// SPDX-License-Identifier: MIT
/*
 * The life of one packet, from lists of events as machines of one and of two processors record them: every
 * step follows from the one before, none is left out, and the trip is the median one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probes/ladder.h"

enum { IDLE, VCPU = 10, IO = 20, VHOST = 30, PEER = 40, STRANGER = 50 };
enum { SYS_READ = 0, SYS_WRITEV = 20, SYS_SENDTO = 44, SYS_RECVFROM = 45 };
enum { EXIT_HLT = 1, EXIT_KICK, EXIT_INTR };

static const struct life_thread threads[] = {
	{VCPU, "vcpu", "vcpu0"}, {IO, "io", "net0"}, {VHOST, "vhost", "vhost-9"}, {PEER, "peer", "agent"},
};

static void name_exit(void *ctx, uint32_t reason, uint64_t key, char *buf, size_t size)
{
	(void)ctx;
	snprintf(buf, size, "reason %u key %u", reason, (unsigned)key);
}

/* ---- recording ---- */

struct recorder {
	struct life_log log;
	uint64_t ns;
};

static void recorder_start(struct recorder *r)
{
	*r = (struct recorder){
		.log = {.thread = threads, .n_threads = ARRAY_SIZE(threads), .name = name_exit}, .ns = 1000};
}

/* after ns on this CPU: tid does it. */
static void at(struct recorder *r, uint64_t after, uint16_t cpu, uint32_t tid, enum step_kind kind,
	       uint64_t arg)
{
	const struct step_event e = {.ns = r->ns += after, .arg = arg, .tid = tid, .cpu = cpu, .kind = kind};

	life_add_step(&r->log, &e);
}

/* The probes tell an exit at its end. */
static void exit_from(struct recorder *r, uint64_t exit_ns, uint64_t user_ns, uint64_t after, uint16_t cpu,
		      uint32_t reason)
{
	const struct exit_event e = {.exit_ns = exit_ns, .user_ns = user_ns, .entry_ns = r->ns += after,
				     .reason = reason, .cpu = cpu, .tid = VCPU};

	life_add_exit(&r->log, &e);
}

static json_t *ladder(struct recorder *r, const char **why)
{
	json_t *j = life_ladder(&r->log, why);

	free(r->log.event);
	return j;
}

/* ---- reading ---- */

static const json_t *step(const json_t *j, size_t i)
{
	return json_array_get(json_object_get(j, "steps"), i);
}

static const char *text(const json_t *step, const char *key)
{
	return json_string_value(json_object_get(step, key));
}

static uint64_t number(const json_t *j, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(j, key));
}

/* "lane who: what" of each step, one a line; a star where the packet waits. */
static char *ladder_text(const json_t *j)
{
	const json_t *steps = json_object_get(j, "steps");
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *s = step(j, i);

		fprintf(f, "%s: %s %s: %s%s\n", text(s, "part"), text(s, "lane"), text(s, "who"),
			text(s, "what"), json_object_get(s, "waits") ? " *" : "");
	}
	fclose(f);
	return out;
}

/* Each begins where the one before ended, and together they are the trip. */
static void assert_whole(const json_t *j)
{
	const json_t *steps = json_object_get(j, "steps");
	uint64_t at_ns = 0;

	for (size_t i = 0; i < json_array_size(steps); i++) {
		assert_int_equal(number(step(j, i), "at_ns"), at_ns);
		at_ns += number(step(j, i), "ns");
	}
	assert_int_equal(at_ns, number(j, "ns"));
}

static void assert_ladder(const json_t *j, const char *want)
{
	char *is = ladder_text(j);

	assert_string_equal(is, want);
	free(is);
	assert_whole(j);
}

/* ---- one processor ---- */

/* The guest's kick wakes the I/O thread, which gets the processor when the guest halts. */
static void request_by_io(struct recorder *r, uint64_t guest_ns)
{
	uint64_t kick, halt;

	kick = r->ns += guest_ns;
	at(r, 100, 0, VCPU, STEP_SIGNAL, 0);
	at(r, 50, 0, VCPU, STEP_WAKE, IO);
	exit_from(r, kick, 0, 150, 0, EXIT_KICK);
	halt = r->ns += 400;
	at(r, 100, 0, VCPU, STEP_SWITCH, IO);
	at(r, 200, 0, IO, STEP_SYSCALL, SYS_WRITEV);
	at(r, 100, 0, IO, STEP_SOFTIRQ, 3);
	at(r, 50, 0, IO, STEP_RECV, 67);
	at(r, 100, 0, IO, STEP_WAKE, PEER);
	at(r, 50, 0, IO, STEP_SOFTIRQ_END, 3);
	at(r, 50, 0, IO, STEP_SYSRET, SYS_WRITEV);
	at(r, 100, 0, IO, STEP_SWITCH, PEER);
	at(r, 50, 0, PEER, STEP_SYSRET, SYS_RECVFROM);
	at(r, 100, 0, PEER, STEP_SYSCALL, SYS_SENDTO);
	at(r, 100, 0, PEER, STEP_XMIT, 67);
	at(r, 50, 0, PEER, STEP_WAKE, IO);
	at(r, 50, 0, PEER, STEP_SYSRET, SYS_SENDTO);
	at(r, 50, 0, PEER, STEP_SYSCALL, SYS_RECVFROM);
	at(r, 100, 0, PEER, STEP_SWITCH, IO);
	at(r, 100, 0, IO, STEP_SYSCALL, SYS_READ);
	at(r, 100, 0, IO, STEP_SYSRET, SYS_READ);
	at(r, 100, 0, IO, STEP_RAISE, 0x31);
	at(r, 50, 0, IO, STEP_WAKE, VCPU);
	at(r, 100, 0, IO, STEP_SWITCH, VCPU);
	at(r, 100, 0, VCPU, STEP_INJECT, 0x31);
	exit_from(r, halt, 0, 50, 0, EXIT_HLT);
}

static void one_processor(void **state)
{
	struct recorder r;
	const char *why;
	json_t *j;

	(void)state;
	recorder_start(&r);
	/* The last one only ends the third. */
	request_by_io(&r, 1000);
	request_by_io(&r, 9000);
	request_by_io(&r, 2000);
	request_by_io(&r, 3000);
	j = ladder(&r, &why);
	assert_non_null(j);
	assert_int_equal(number(j, "trips"), 3);
	assert_int_equal(number(j, "unclear"), 0);
	/* Of trips with 9000, 2000 and 3000 ns in the guest the median. */
	assert_int_equal(number(j, "ns"), 2550 + 3000);
	assert_ladder(j,
		      "request: kvm vcpu0: exit: reason 2 key 0\n"
		      "request: kvm vcpu0: kick: eventfd signalled\n"
		      "request: kvm vcpu0: wakes net0 *\n"
		      "request: guest vcpu0: guest runs *\n"
		      "request: kvm vcpu0: exit: reason 1 key 0 *\n"
		      "request: vmm net0: gets the CPU\n"
		      "request: kernel net0: writev()\n"
		      "request: kernel net0: softirq net_rx\n"
		      "request: kernel net0: frame goes up the host's stack\n"
		      "request: kernel net0: wakes peer *\n"
		      "request: kernel net0: softirq done *\n"
		      "request: vmm net0: back from writev() *\n"
		      "peer: peer peer: gets the CPU\n"
		      "peer: peer peer: back from recvfrom()\n"
		      "peer: peer peer: sendto()\n"
		      "answer: peer peer: frame given to the host's device\n"
		      "answer: peer peer: wakes net0 *\n"
		      "answer: peer peer: back from sendto() *\n"
		      "answer: peer peer: recvfrom() *\n"
		      "answer: vmm net0: gets the CPU\n"
		      "answer: kernel net0: read()\n"
		      "answer: vmm net0: back from read()\n"
		      "answer: vmm net0: interrupt 0x31 raised in the APIC\n"
		      "answer: vmm net0: wakes vcpu0 *\n"
		      "answer: kvm vcpu0: gets the CPU\n"
		      "answer: kvm vcpu0: interrupt 0x31 injected\n"
		      "guest: guest vcpu0: guest runs\n");
	json_decref(j);
}

/* ---- two processors ---- */

/*
 * The guest runs on beside the vhost worker, which it wakes (or finds awake), and is interrupted; a
 * stranger's interrupts, an assigned card's and the guest's timer are nobody's cause.
 */
static void request_by_vhost(struct recorder *r, bool awake, uint64_t guest_ns)
{
	uint64_t kick, timer, intr;

	kick = r->ns += guest_ns;
	at(r, 100, 0, VCPU, STEP_SIGNAL, 0);
	if (!awake)
		at(r, 50, 0, VCPU, STEP_WAKE, VHOST);
	exit_from(r, kick, 0, 100, 0, EXIT_KICK);
	if (!awake)
		at(r, 200, 1, IDLE, STEP_SWITCH, VHOST);
	timer = r->ns += 50;
	at(r, 20, 0, VCPU, STEP_SIGNAL, 1);
	exit_from(r, timer, 0, 30, 0, EXIT_INTR);
	at(r, 100, 1, VHOST, STEP_IRQ, 0x6474736874);
	at(r, 100, 1, VHOST, STEP_IRQ_END, 0);
	at(r, 300, 1, VHOST, STEP_RECV, 67);
	at(r, 100, 1, VHOST, STEP_WAKE, PEER);
	at(r, 100, 1, VHOST, STEP_SWITCH, PEER);
	at(r, 100, 1, PEER, STEP_SYSRET, SYS_RECVFROM);
	at(r, 100, 1, PEER, STEP_SYSCALL, SYS_SENDTO);
	at(r, 100, 1, PEER, STEP_XMIT, 67);
	at(r, 50, 1, PEER, STEP_WAKE, VHOST);
	at(r, 150, 1, PEER, STEP_SWITCH, VHOST);
	at(r, 100, 1, VHOST, STEP_COPY, 79);
	at(r, 100, 1, VHOST, STEP_RAISE, 0x31);
	intr = r->ns += 70;
	at(r, 30, 0, VCPU, STEP_INJECT, 0x31);
	exit_from(r, intr, 0, 50, 0, EXIT_INTR);
}

#define FROM_THE_RECEIVER                                                                         \
	"request: kernel vhost-9: frame goes up the host's stack\n"                               \
	"request: kernel vhost-9: wakes peer *\n"                                                 \
	"peer: peer peer: gets the CPU\n"                                                         \
	"peer: peer peer: back from recvfrom()\n"                                                 \
	"peer: peer peer: sendto()\n"                                                             \
	"answer: peer peer: frame given to the host's device\n"                                   \
	"answer: peer peer: wakes vhost-9 *\n"                                                    \
	"answer: kernel vhost-9: gets the CPU\n"                                                  \
	"answer: kernel vhost-9: bytes copied\n"                                                  \
	"answer: other vhost-9: interrupt 0x31 raised in the APIC\n"                              \
	"answer: kvm vcpu0: interrupt 0x31 injected\n"                                            \
	"guest: guest vcpu0: guest runs\n"

static void two_processors(void **state)
{
	struct recorder r;
	const char *why;
	json_t *j;

	(void)state;
	recorder_start(&r);
	request_by_vhost(&r, false, 1000);
	request_by_vhost(&r, false, 2000);
	j = ladder(&r, &why);
	assert_non_null(j);
	assert_ladder(j,
		      "request: kvm vcpu0: exit: reason 2 key 0\n"
		      "request: kvm vcpu0: kick: eventfd signalled\n"
		      "request: other vcpu0: wakes vhost-9\n"
		      "request: kernel vhost-9: gets the CPU\n" FROM_THE_RECEIVER);
	json_decref(j);
}

/* It polls: the kick is what it acts on, though nobody wakes it. */
static void service_awake(void **state)
{
	struct recorder r;
	const char *why;
	json_t *j;

	(void)state;
	recorder_start(&r);
	request_by_vhost(&r, false, 1000);
	for (int i = 0; i < 4; i++)
		request_by_vhost(&r, true, 1000);
	j = ladder(&r, &why);
	assert_non_null(j);
	assert_int_equal(number(j, "trips"), 4);
	assert_ladder(j,
		      "request: kvm vcpu0: exit: reason 2 key 0\n"
		      "request: other vcpu0: kick: eventfd signalled\n" FROM_THE_RECEIVER);
	json_decref(j);
}

/* ---- a card of the guest's own ---- */

/* No exit is a doorbell; frames and interrupts come out of cards, on top of whoever runs. */
static void request_by_card(struct recorder *r, uint64_t guest_ns)
{
	uint64_t halt;

	at(r, guest_ns, 1, STRANGER, STEP_IRQ, 0x306874);
	at(r, 100, 1, STRANGER, STEP_IRQ_END, 0);
	at(r, 50, 1, STRANGER, STEP_SOFTIRQ, 3);
	at(r, 100, 1, STRANGER, STEP_RECV, 67);
	at(r, 100, 1, STRANGER, STEP_WAKE, PEER);
	at(r, 50, 1, STRANGER, STEP_SOFTIRQ_END, 3);
	at(r, 100, 1, STRANGER, STEP_SWITCH, PEER);
	at(r, 100, 1, PEER, STEP_SYSRET, SYS_RECVFROM);
	at(r, 100, 1, PEER, STEP_SYSCALL, SYS_SENDTO);
	at(r, 100, 1, PEER, STEP_XMIT, 67);
	halt = r->ns += 100;
	at(r, 100, 0, VCPU, STEP_SWITCH, IDLE);
	at(r, 900, 0, IDLE, STEP_IRQ, 0x6f696676);
	at(r, 50, 0, IDLE, STEP_SIGNAL, 0);
	at(r, 50, 0, IDLE, STEP_RAISE, 0x41);
	at(r, 50, 0, IDLE, STEP_WAKE, VCPU);
	at(r, 50, 0, IDLE, STEP_IRQ_END, 0);
	at(r, 100, 0, IDLE, STEP_SWITCH, VCPU);
	at(r, 100, 0, VCPU, STEP_INJECT, 0x41);
	exit_from(r, halt, 0, 50, 0, EXIT_HLT);
}

static void own_card(void **state)
{
	struct recorder r;
	const char *why;
	json_t *j;

	(void)state;
	recorder_start(&r);
	request_by_card(&r, 1000);
	request_by_card(&r, 1000);
	request_by_card(&r, 1000);
	j = ladder(&r, &why);
	assert_non_null(j);
	assert_ladder(j,
		      "request: kernel another thread: interrupt of th0\n"
		      "request: other another thread: interrupt handler done\n"
		      "request: kernel another thread: softirq net_rx\n"
		      "request: kernel another thread: frame goes up the host's stack\n"
		      "request: kernel another thread: wakes peer *\n"
		      "request: other another thread: softirq done *\n"
		      "peer: peer peer: gets the CPU\n"
		      "peer: peer peer: back from recvfrom()\n"
		      "peer: peer peer: sendto()\n"
		      "answer: other peer: frame given to the host's device\n"
		      "answer: kernel idle: interrupt of vfio\n"
		      "answer: kernel idle: interrupt: eventfd signalled\n"
		      "answer: kernel idle: interrupt 0x41 raised in the APIC\n"
		      "answer: kernel idle: wakes vcpu0 *\n"
		      "answer: other idle: interrupt handler done *\n"
		      "answer: kvm vcpu0: gets the CPU\n"
		      "answer: kvm vcpu0: interrupt 0x41 injected\n"
		      "guest: guest vcpu0: guest runs\n");
	json_decref(j);
}

/* ---- a disk ---- */

enum { SYS_URING = 426, SYS_WRITE = 1, SYS_PREADV2 = 327 };

/* The thread asks the kernel twice: what it has handed on, and what has come back. No thread is the peer. */
static void request_of_disk(struct recorder *r, uint64_t guest_ns)
{
	uint64_t kick, halt;

	kick = r->ns += guest_ns;
	at(r, 100, 0, VCPU, STEP_SIGNAL, 0);
	at(r, 50, 0, VCPU, STEP_WAKE, IO);
	exit_from(r, kick, 0, 150, 0, EXIT_KICK);
	halt = r->ns += 400;
	at(r, 100, 0, VCPU, STEP_SWITCH, IO);
	at(r, 50, 0, IO, STEP_SYSCALL, SYS_PREADV2); /* of the kick */
	at(r, 50, 0, IO, STEP_SYSRET, SYS_PREADV2);
	at(r, 100, 0, IO, STEP_SYSCALL, SYS_URING);
	at(r, 300, 0, IO, STEP_SYSRET, SYS_URING);
	at(r, 100, 0, IO, STEP_SYSCALL, SYS_WRITE);
	at(r, 100, 0, IO, STEP_RAISE, 0x31);
	at(r, 50, 0, IO, STEP_WAKE, VCPU);
	at(r, 100, 0, IO, STEP_SYSRET, SYS_WRITE);
	at(r, 100, 0, IO, STEP_SYSCALL, SYS_URING);
	at(r, 100, 0, IO, STEP_SYSRET, SYS_URING);
	at(r, 100, 0, IO, STEP_SWITCH, VCPU);
	at(r, 100, 0, VCPU, STEP_INJECT, 0x31);
	exit_from(r, halt, 0, 50, 0, EXIT_HLT);
}

/* The ladder of four requests to a disk, which has no peer. */
static json_t *ladder_of_disk(void (*request)(struct recorder *, uint64_t guest_ns))
{
	static const struct life_thread no_peer[] = {{VCPU, "vcpu", "vcpu0"}, {IO, "io", "disk0"}};
	struct recorder r;
	const char *why;
	json_t *j;

	recorder_start(&r);
	r.log.thread = no_peer;
	r.log.n_threads = ARRAY_SIZE(no_peer);
	for (int i = 0; i < 4; i++)
		request(&r, 1000);
	j = ladder(&r, &why);
	assert_non_null(j);
	return j;
}

static void one_request_of_a_disk(void **state)
{
	json_t *j = ladder_of_disk(request_of_disk);

	(void)state;
	assert_int_equal(number(j, "trips"), 3);
	assert_int_equal(number(j, "unclear"), 0);
	assert_ladder(j,
		      "request: kvm vcpu0: exit: reason 2 key 0\n"
		      "request: kvm vcpu0: kick: eventfd signalled\n"
		      "request: kvm vcpu0: wakes disk0 *\n"
		      "request: guest vcpu0: guest runs *\n"
		      "request: kvm vcpu0: exit: reason 1 key 0 *\n"
		      "request: vmm disk0: gets the CPU\n"
		      "request: kernel disk0: preadv2()\n"
		      "request: vmm disk0: back from preadv2()\n"
		      "medium: kernel disk0: io_uring_enter()\n"
		      "answer: vmm disk0: back from io_uring_enter()\n"
		      "answer: kernel disk0: write()\n"
		      "answer: kernel disk0: interrupt 0x31 raised in the APIC\n"
		      "answer: kernel disk0: wakes vcpu0 *\n"
		      "answer: vmm disk0: back from write() *\n"
		      "answer: kernel disk0: io_uring_enter() *\n"
		      "answer: vmm disk0: back from io_uring_enter() *\n"
		      "answer: kvm vcpu0: gets the CPU\n"
		      "answer: kvm vcpu0: interrupt 0x31 injected\n"
		      "guest: guest vcpu0: guest runs\n");
	json_decref(j);
}

/* The thread takes the guest's CPU as soon as it is woken: the guest never sleeps, and nobody wakes it. */
static void request_that_preempts(struct recorder *r, uint64_t guest_ns)
{
	uint64_t kick = r->ns += guest_ns;

	at(r, 100, 0, VCPU, STEP_SIGNAL, 0);
	at(r, 50, 0, VCPU, STEP_WAKE, IO);
	at(r, 50, 0, VCPU, STEP_SWITCH, IO);
	at(r, 200, 0, IO, STEP_SYSCALL, SYS_URING);
	at(r, 300, 0, IO, STEP_SYSRET, SYS_URING);
	at(r, 100, 0, IO, STEP_RAISE, 0x31);
	at(r, 100, 0, IO, STEP_SWITCH, VCPU);
	at(r, 100, 0, VCPU, STEP_INJECT, 0x31);
	exit_from(r, kick, 0, 50, 0, EXIT_KICK);
}

static void a_guest_that_is_preempted(void **state)
{
	json_t *j = ladder_of_disk(request_that_preempts);

	(void)state;
	assert_ladder(j,
		      "request: kvm vcpu0: exit: reason 2 key 0\n"
		      "request: kvm vcpu0: kick: eventfd signalled\n"
		      "request: kvm vcpu0: wakes disk0 *\n"
		      "request: vmm disk0: gets the CPU\n"
		      "medium: kernel disk0: io_uring_enter()\n"
		      "answer: vmm disk0: back from io_uring_enter()\n"
		      "answer: vmm disk0: interrupt 0x31 raised in the APIC *\n"
		      "answer: kvm vcpu0: gets the CPU *\n"
		      "answer: kvm vcpu0: interrupt 0x31 injected\n"
		      "guest: guest vcpu0: guest runs\n");
	json_decref(j);
}

/* A disk's register: the vCPU asks the medium within the exit, and raises its own interrupt. */
static void request_of_the_vcpu(struct recorder *r, uint64_t guest_ns)
{
	uint64_t exit = r->ns += guest_ns, user = r->ns += 100;

	at(r, 100, 0, VCPU, STEP_SYSCALL, SYS_PREADV2);
	at(r, 300, 0, VCPU, STEP_SYSRET, SYS_PREADV2);
	at(r, 100, 0, VCPU, STEP_RAISE, 0x31);
	at(r, 100, 0, VCPU, STEP_INJECT, 0x31);
	exit_from(r, exit, user, 50, 0, EXIT_KICK);
}

static void a_vcpu_that_asks_the_medium(void **state)
{
	json_t *j = ladder_of_disk(request_of_the_vcpu);

	(void)state;
	assert_ladder(j,
		      "request: kvm vcpu0: exit: reason 2 key 0\n"
		      "request: vmm vcpu0: handler in the VMM\n"
		      "medium: kernel vcpu0: preadv2()\n"
		      "answer: vmm vcpu0: back from preadv2()\n"
		      "answer: vmm vcpu0: interrupt 0x31 raised in the APIC\n"
		      "answer: vmm vcpu0: interrupt 0x31 injected\n"
		      "guest: guest vcpu0: guest runs\n");
	json_decref(j);
}

/* ---- nothing to tell ---- */

static void no_trip(void **state)
{
	struct recorder r;
	const char *why = NULL;

	(void)state;
	recorder_start(&r);
	assert_null(ladder(&r, &why));
	assert_non_null(why);
	recorder_start(&r);
	request_by_io(&r, 100); /* without a next one it has no end */
	assert_null(ladder(&r, &why));
	recorder_start(&r);
	at(&r, 100, 0, PEER, STEP_SYSCALL, SYS_SENDTO); /* of which the beginning was not recorded */
	at(&r, 100, 0, PEER, STEP_SYSCALL, SYS_SENDTO);
	assert_null(ladder(&r, &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_processor), cmocka_unit_test(two_processors),
		cmocka_unit_test(service_awake), cmocka_unit_test(own_card),
		cmocka_unit_test(one_request_of_a_disk),
		cmocka_unit_test(a_guest_that_is_preempted), cmocka_unit_test(a_vcpu_that_asks_the_medium),
		cmocka_unit_test(no_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
