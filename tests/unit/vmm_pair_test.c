// SPDX-License-Identifier: MIT
/*
 * A queue pair with its thread: rings in plain memory, a socket that stands in for the TAP, eventfds for
 * the kicks.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/cpu_clock.h"
#include "tests/unit/drv_ring.h"
#include "tests/unit/held_fd.h"
#include "vmm/devices/virtio_net/pair.h"
#include "vmm/core/eventfd.h"
#include "vmm/core/threads.h"

static struct threads running = {.started = true};

#define RX_GPA  0x10000
#define TX_GPA  0x80000
#define BUF_GPA 0x200000
#define RAM     (8 * MIB)
#define SIZE    64
#define LEN     (NET_HDR_LEN + 60)

static struct {
	struct gmem *gm;
	struct drv_ring rx, tx;
	struct net_backend be;
	struct stats_queue stats[2];
	struct pair *pair;
	int fd, peer;
	unsigned calls[2];
	uint8_t buf[2048];
} rig;

static void on_call(void *front, unsigned ring)
{
	(void)front;
	__atomic_add_fetch(&rig.calls[ring], 1, __ATOMIC_SEQ_CST);
}

static const struct net_front_ops front_ops = {.call = on_call};

static void start(uint64_t hold_ns, uint64_t poll_ns)
{
	struct pair_config cfg = {.be = &rig.be, .hold_ns = hold_ns, .poll_ns = poll_ns};
	int sv[2];

	assert_int_equal(gmem_create(&rig.gm, RAM), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	assert_int_equal(fcntl(sv[0], F_SETFL, O_NONBLOCK), 0);
	cfg.fd = rig.fd = sv[0];
	rig.peer = sv[1];
	rig.calls[0] = rig.calls[1] = 0;
	drv_ring_init(&rig.rx, rig.gm, RX_GPA, SIZE, F_EVENT_IDX);
	drv_ring_init(&rig.tx, rig.gm, TX_GPA, SIZE, F_EVENT_IDX);
	rig.be = (struct net_backend){
		.dev_name = "test", .threads = &running, .gm = rig.gm, .pairs = 1, .front_ops = &front_ops};
	for (unsigned i = 0; i < 2; i++)
		rig.be.rings[i] = (struct served_ring){.ready = true,
						    .layout = i ? rig.tx.l : rig.rx.l,
						    .kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
						    .call_fd = -1,
						    .stats = &rig.stats[i]};
	assert_int_equal(pair_open(&rig.pair, &cfg), 0);
	assert_int_equal(pair_start(rig.pair, F_EVENT_IDX, true, true), 0);
}

static void stop(void)
{
	pair_stop(rig.pair, true, true);
	pair_close(rig.pair);
	for (unsigned i = 0; i < 2; i++)
		close_fd(&rig.be.rings[i].kick_fd);
	close_fd(&rig.peer);
	close_fd(&rig.fd);
	gmem_destroy(rig.gm);
}

/* One frame out, and in at the other end. */
static void send_frame(void)
{
	struct drv_seg seg = {BUF_GPA, LEN, false};
	uint64_t one = 1;

	drv_add(&rig.tx, &seg, 1, false);
	assert_int_equal(write(rig.be.rings[1].kick_fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(read(rig.peer, rig.buf, sizeof(rig.buf)), LEN);
}

static unsigned sent_calls(void)
{
	return __atomic_load_n(&rig.calls[1], __ATOMIC_SEQ_CST);
}

static bool called_within(uint64_t ns)
{
	uint64_t end = clock_ns() + ns;

	while (!sent_calls() && clock_ns() < end)
		usleep(500);
	return sent_calls();
}

struct hold_case {
	uint64_t hold_ns, poll_ns;
	bool at_once;
};

/* Nobody answers: the interrupt of the frame comes when its time is over, also from a thread that polls. */
static void interrupt_of_a_lone_frame(void **state)
{
	static const struct hold_case cases[] = {
		{0, 0, true},
		{300 * NSEC_PER_MSEC, 0, false},
		{300 * NSEC_PER_MSEC, 900 * NSEC_PER_MSEC, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t t0;

		start(cases[i].hold_ns, cases[i].poll_ns);
		t0 = clock_ns();
		send_frame();
		assert_true(called_within(5 * NSEC_PER_SEC));
		assert_int_equal(sent_calls(), 1);
		if (!cases[i].at_once)
			assert_true(clock_ns() - t0 >= cases[i].hold_ns);
		stop();
	}
}

/* The guest has taken its buffer back by then: there is nothing to interrupt for. */
static void no_interrupt_for_what_was_seen(void **state)
{
	uint64_t end;
	uint32_t len;
	uint16_t id;

	(void)state;
	start(500 * NSEC_PER_MSEC, 0);
	send_frame();
	end = clock_ns() + 5 * NSEC_PER_SEC;
	while (!drv_get(&rig.tx, &id, &len) && clock_ns() < end)
		usleep(500);
	rig.tx.avail->ring[SIZE] = 1; /* the event moves on */
	assert_false(called_within(900 * NSEC_PER_MSEC));
	assert_int_equal(rig.stats[1].suppressed, 1);
	stop();
}

/* Class 19: a vhost-user front-end takes its kick back while we come to read it. */
static void kick_held_by_others(void **state)
{
	int fd;

	(void)state;
	start(0, 0);
	fd = rig.be.rings[1].kick_fd;
	held_empty(fd);
	for (unsigned i = 0; i < 2000; i++) {
		eventfd_signal(fd);
		for (volatile unsigned k = 0; k < i % 100 * 100; k++)
			; /* it wakes up */
		eventfd_drain(fd);
	}
	send_frame();
	stop();
}

static void give_buffers(unsigned n)
{
	static unsigned next;
	uint64_t one = 1;

	while (n--) {
		struct drv_seg seg = {BUF_GPA + 4096 * (1 + next++ % SIZE), 2048, true};

		drv_add(&rig.rx, &seg, 1, false);
	}
	assert_int_equal(write(rig.be.rings[0].kick_fd, &one, sizeof(one)), sizeof(one));
}

static void arrive(unsigned n)
{
	while (n--)
		assert_int_equal(write(rig.peer, rig.buf, LEN), LEN);
}

static bool received_within(unsigned n, uint64_t ns)
{
	uint64_t end = clock_ns() + ns;
	uint32_t len;
	uint16_t id;

	while (n && clock_ns() < end) {
		if (drv_get(&rig.rx, &id, &len))
			n--;
		else
			usleep(500);
	}
	return !n;
}

/* After a request a lone answer is expected, and no second read asks for more: there is more. */
static void frames_behind_an_answer(void **state)
{
	(void)state;
	start(0, 0);
	give_buffers(SIZE);
	for (unsigned i = 0; i < SIZE / 4; i++) {
		send_frame();
		pair_stop(rig.pair, true, false);
		arrive(1 + i % 4);
		assert_int_equal(pair_restart(rig.pair, false), 0);
		assert_true(received_within(1 + i % 4, 5 * NSEC_PER_SEC));
		give_buffers(1 + i % 4);
	}
	stop();
}

/* What nothing can be done about wakes nobody: frames without buffers for them, an end that has hung up. */
static void idle_in_vain(void **state)
{
	(void)state;
	for (unsigned hung_up = 0; hung_up < 2; hung_up++) {
		uint64_t t0;

		start(0, 0);
		arrive(2);
		if (hung_up)
			close_fd(&rig.peer);
		usleep(20000);
		t0 = cpu_ns();
		usleep(200000); /* of which a busy machine gives a spinning thread little, too */
		assert_true(cpu_ns() - t0 < 5 * NSEC_PER_MSEC);
		give_buffers(2);
		assert_true(received_within(2, 5 * NSEC_PER_SEC));
		stop();
	}
}

/* Each kick counts once, whether it woke the thread or came together with one that did. */
static void kicks_are_counted(void **state)
{
	uint64_t two = 2;
	unsigned n = 0;

	(void)state;
	start(0, 0);
	rig.stats[1] = (struct stats_queue){.kicks = 0};
	for (unsigned i = 0; i < 300; i++) {
		struct drv_seg seg = {BUF_GPA, LEN, false};
		uint32_t len;
		uint16_t id;

		drv_add(&rig.tx, &seg, 1, false);
		assert_int_equal(write(rig.be.rings[1].kick_fd, &two, sizeof(two)), sizeof(two));
		n += 2;
		assert_int_equal(read(rig.peer, rig.buf, sizeof(rig.buf)), LEN);
		while (!drv_get(&rig.tx, &id, &len))
			usleep(50);
	}
	/* The live count lags by what is read once in 64 wake-ups. */
	assert_true(__atomic_load_n(&rig.stats[1].kicks, __ATOMIC_RELAXED) >= n / 2 - 1);
	pair_stop(rig.pair, true, true);
	assert_int_equal(rig.stats[1].kicks, n);
	assert_true(rig.stats[1].spurious_kicks <= 300);
	stop();
}

static int setup(void **state)
{
	(void)state;
	log_init("test", LOG_ERROR);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupt_of_a_lone_frame),
		cmocka_unit_test(no_interrupt_for_what_was_seen),
		cmocka_unit_test(kick_held_by_others),
		cmocka_unit_test(frames_behind_an_answer),
		cmocka_unit_test(idle_in_vain),
		cmocka_unit_test(kicks_are_counted),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
