// SPDX-License-Identifier: MIT
/* The devices that every machine has, through their ports as a vCPU reaches them. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "tests/unit/seed.h"
#include "tests/unit/fake.h"
#include "tests/unit/held_loop.h"
#include "vmm/platform/acpi.h"
#include "vmm/platform/channel.h"
#include "vmm/platform/ioapic.h"
#include "vmm/platform/platform.h"
#include "vmm/platform/ports.h"

#define COM1 0x3f8
#define COM2 0x2f8

static struct vm *vm;
static struct platform *platform;
static int agent[2]; /* [0] is ours */

static int setup(void **state)
{
	char spec[16];
	const struct platform_opts opts = {.console = "none", .agent = spec};

	(void)state;
	vm = fake_vm_create(4 * MIB);
	assert_non_null(vm);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, agent), 0);
	snprintf(spec, sizeof(spec), "fd=%d", agent[1]);
	assert_int_equal(platform_create(&platform, vm, &opts), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(agent[0]);
	close(agent[1]);
	platform_destroy(platform);
	fake_vm_destroy(vm);
	return 0;
}

static void out(uint16_t port, uint64_t val)
{
	bus_write(&vm->pio, port, 1, val);
}

static uint8_t in(uint16_t port)
{
	return (uint8_t)bus_read(&vm->pio, port, 1);
}

/* Within a second; the channel works on a thread of its own. */
static bool until(uint16_t port, uint8_t bit)
{
	for (int i = 0; i < 1000 && !(in(port) & bit); i++)
		clock_sleep_ns(NSEC_PER_MSEC);
	return in(port) & bit;
}

static void serial_sends(void **state)
{
	char buf[8] = {0};

	(void)state;
	assert_int_equal(in(COM2 + 5), 0x60); /* transmitter empty */
	for (const char *c = "hello\n"; *c; c++)
		out(COM2, (uint8_t)*c);
	assert_int_equal(recv(agent[0], buf, 6, MSG_WAITALL), 6);
	assert_string_equal(buf, "hello\n");
	/* A line without its end goes out a little later. */
	out(COM2, '>');
	assert_int_equal(recv(agent[0], buf, 1, 0), 1);
	assert_int_equal(buf[0], '>');
}

static void serial_receives(void **state)
{
	char text[300];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	out(COM2 + 1, 1);
	assert_int_equal(in(COM2 + 2) & 0xf, 1); /* no interrupt */
	assert_int_equal(send(agent[0], text, sizeof(text), 0), sizeof(text));
	/* More than the FIFO holds: the rest follows as the guest reads, and nothing is lost. */
	for (size_t i = 0; i < sizeof(text); i++) {
		assert_true(until(COM2 + 5, 1));
		assert_int_equal(in(COM2 + 2) & 0xf, 4);
		assert_true(fake_of(vm)->line[3]);
		assert_int_equal(in(COM2), (uint8_t)text[i]);
	}
	assert_int_equal(in(COM2 + 5), 0x60);
	assert_false(fake_of(vm)->line[3]);
}

static void serial_interrupts(void **state)
{
	(void)state;
	assert_int_equal(in(COM1 + 2), 1);
	out(COM1 + 1, 2); /* transmitter empty: at once */
	assert_true(fake_of(vm)->line[4]);
	assert_int_equal(in(COM1 + 2), 2);
	assert_int_equal(in(COM1 + 2), 1); /* reading it acknowledged it */
	assert_false(fake_of(vm)->line[4]);
	out(COM1, 'x');
	assert_true(fake_of(vm)->line[4]);
	out(COM1 + 1, 0);
	assert_false(fake_of(vm)->line[4]);
}

static void serial_probe(void **state)
{
	(void)state;
	out(COM1 + 7, 0xa5);
	assert_int_equal(in(COM1 + 7), 0xa5);
	out(COM1 + 2, 1); /* FIFO on: a 16550A says so in IIR */
	assert_int_equal(in(COM1 + 2) & 0xc0, 0xc0);
	out(COM1 + 3, 0x80);
	out(COM1, 0); /* divisor 0: stored, divides nothing */
	out(COM1 + 1, 0);
	assert_int_equal(in(COM1), 0);
	out(COM1 + 3, 0x03);
	out(COM1 + 4, 0x10 | 0x0a); /* loopback: RTS and OUT2 come back as CTS and DCD */
	assert_int_equal(in(COM1 + 6) & 0xf0, 0x90);
	out(COM1, 'q');
	assert_int_equal(in(COM1), 'q');
}

/* CVE-2020-27174: a reader that stands still costs bounded memory and no vCPU time. */
static void blocked_reader(void **state)
{
	uint64_t start = clock_ns();
	char buf[4096];
	size_t seen = 0;
	ssize_t n;

	(void)state;
	for (int i = 0; i < 2000000; i++)
		out(COM2, (uint8_t)('a' + i % 26));
	assert_true(clock_ns() - start < 60 * NSEC_PER_SEC);
	assert_int_equal(in(COM2 + 5), 0x60);
	/* What was kept is the beginning, whole. */
	while (seen < 64 * KIB && (n = recv(agent[0], buf, sizeof(buf), 0)) > 0)
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], 'a' + seen++ % 26);
	assert_true(seen >= 64 * KIB);
}

/* In loopback what is sent comes back, as much as the FIFO holds. */
static void serial_loopback_is_bounded(void **state)
{
	unsigned n = 0;

	(void)state;
	out(COM2 + 4, 0x10);
	for (unsigned i = 0; i < 300; i++)
		out(COM2, i);
	for (; in(COM2 + 5) & 1 && n < 300; n++)
		assert_int_equal(in(COM2), n);
	assert_int_equal(n, 64);
}

/* Every register that the select register can name, at every offset and width; pins stay masked. */
static void ioapic_any_register(void **state)
{
	struct ioapic *io;

	(void)state;
	assert_int_equal(ioapic_create(&io, vm), 0);
	for (unsigned select = 0; select < 512; select++) {
		for (unsigned off = 0; off < 0x60; off += 4) {
			bus_write(&vm->mmio, IOAPIC_BASE, 4, select);
			bus_read(&vm->mmio, IOAPIC_BASE + off, 1u << select % 4);
			if (off && off != 0x40)
				bus_write(&vm->mmio, IOAPIC_BASE + off, 4, 0xffffffff);
		}
		bus_write(&vm->mmio, IOAPIC_BASE, 4, select);
		if ((select & 0xff) < 0x10 || (select & 0xff) >= 0x10 + 2 * 24)
			assert_in_range(bus_read(&vm->mmio, IOAPIC_BASE + 0x10, 4), 0, 0x0fffffff);
		else if (!(select & 1))
			assert_true(bus_read(&vm->mmio, IOAPIC_BASE + 0x10, 4) & 1 << 16);
	}
	vm_unmap(vm, false, IOAPIC_BASE, io);
	ioapic_destroy(io);
}

static void panic_on_the_console(void **state)
{
	const char *text = "KeKernel panic - not syncing: VFS";

	(void)state;
	for (const char *c = text; *c; c++)
		out(COM1, (uint8_t)*c);
	assert_false(vm_has_ended(vm));
	vm_end(vm, VM_END_RESET, 0);
	assert_int_equal(vm->end_why, VM_END_CRASH);
	assert_int_equal(vm->end_status, 1);
}

static void panic_that_halts(void **state)
{
	const char *text =
		"Kernel panic - not syncing: x\n---[ end Kernel panic - not syncing: x ]---";

	(void)state;
	for (const char *c = text; *c; c++)
		out(COM1, (uint8_t)*c);
	assert_true(vm_has_ended(vm));
	assert_int_equal(vm->end_why, VM_END_CRASH);
}

static void power_off(void **state)
{
	(void)state;
	assert_int_equal(bus_read(&vm->pio, PM_CONTROL_PORT, 2), 1);
	bus_write(&vm->pio, PM_CONTROL_PORT, 2, 3 << 10 | 1 << 13); /* another sleep state */
	assert_false(vm_has_ended(vm));
	bus_write(&vm->pio, PM_CONTROL_PORT, 2, PM_S5_TYPE << 10);
	assert_false(vm_has_ended(vm));
	bus_write(&vm->pio, PM_CONTROL_PORT, 2, PM_S5_TYPE << 10 | 1 << 13);
	assert_int_equal(vm->end_why, VM_END_POWEROFF);
	assert_true(vm_has_ended(vm));
}

static void pm_timer_runs(void **state)
{
	uint32_t a = (uint32_t)bus_read(&vm->pio, PM_TIMER_PORT, 4), b;

	(void)state;
	clock_sleep_ns(20 * NSEC_PER_MSEC);
	b = (uint32_t)bus_read(&vm->pio, PM_TIMER_PORT, 4);
	assert_in_range(b - a, 3579545 / 50, 3579545 * 5);
}

static void debug_exit(void **state)
{
	(void)state;
	out(DEBUG_EXIT_PORT, 0x10);
	assert_int_equal(vm->end_status, 0x21);
	/* The first end counts. */
	vm_end(vm, VM_END_CRASH, 1);
	assert_int_equal(vm->end_status, 0x21);
	assert_int_equal(vm->end_why, VM_END_POWEROFF);
}

static void keyboard_controller(void **state)
{
	(void)state;
	assert_int_equal(in(0x64) & 3, 0);
	out(0x64, 0xaa);
	assert_int_equal(in(0x64) & 1, 1);
	assert_int_equal(in(0x60), 0x55);
	assert_int_equal(in(0x64) & 1, 0);
	out(0x64, 0x60);
	out(0x60, 0x45);
	out(0x64, 0x20);
	assert_int_equal(in(0x60), 0x45);
	out(0x60, 0xff); /* a keyboard that is not there */
	assert_int_equal(in(0x64) & 0x41, 0x41);
	assert_false(vm_has_ended(vm));
	out(0x64, 0xfe);
	assert_int_equal(vm->end_why, VM_END_RESET);
	assert_true(vm_has_ended(vm));
}

static void clock_and_cmos(void **state)
{
	(void)state;
	out(0x70, 0x0d);
	assert_int_equal(in(0x71), 0x80);
	out(0x70, 0x0a);
	assert_int_equal(in(0x71) & 0x80, 0); /* never updating */
	out(0x70, 0x32);
	assert_int_equal(in(0x71), 0x20);
	out(0x70, 0x80 | 0x50);
	out(0x71, 0x77);
	assert_int_equal(in(0x71), 0x77);
	out(0x70, 0x04);
	assert_true(in(0x71) <= 0x23);
}

/* Class 16 of the bugs that others had: every port, every width, random values, on all devices at
 * once. */
static void any_access(void **state)
{
	static const uint16_t ports[] = {COM1,		COM2,	    0x60,
					 0x64,		0x70,	    PM_EVENT_PORT,
					 PM_TIMER_PORT, PANIC_PORT, DEBUG_EXIT_PORT};
	unsigned seed = test_seed();

	(void)state;
	srandom(seed);
	for (int i = 0; i < 300000; i++) {
		uint64_t port =
			ports[(size_t)random() % ARRAY_SIZE(ports)] + (uint64_t)random() % 10;
		unsigned len = 1u << random() % 4;

		bus_write(&vm->pio, port, len, (uint64_t)random() << 32 | (uint64_t)random());
		assert_true((bus_read(&vm->pio, port, len) & ~bus_ones(len)) == 0);
		if (i % 1000 == 0)
			platform_reset(platform);
	}
	platform_reset(platform);
	assert_int_equal(in(COM1 + 5), 0x60);
}

static size_t take_none(void *arg, const uint8_t *buf, size_t n)
{
	(void)buf;
	(void)n;
	++*(unsigned *)arg;
	return 0;
}

/* A guest that reads an empty FIFO over and over, while its console's thread has no time. */
static void resumes_do_not_pile_up(void **state)
{
	struct threads threads = {.started = true};
	struct channel *ch;
	struct held_loop held;
	struct evloop *loop;
	unsigned tries = 0, before;
	char spec[16];
	int pair[2];

	(void)state;
	assert_int_equal(evloop_create(&loop, &threads, THREAD_IO, "test"), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	snprintf(spec, sizeof(spec), "fd=%d", pair[1]);
	assert_int_equal(channel_open(&ch, loop, "test", spec), 0);
	channel_on_input(ch, take_none, NULL, &tries);
	assert_int_equal(write(pair[0], "x", 1), 1);
	while (!__atomic_load_n(&tries, __ATOMIC_RELAXED))
		clock_sleep_ns(NSEC_PER_MSEC);
	loop_hold(&held, loop);
	before = tries;
	for (int i = 0; i < 10000; i++)
		channel_resume(ch);
	loop_release(&held);
	channel_flush(ch); /* a call, behind those that were posted */
	assert_int_equal(tries, before + 1);
	channel_resume(ch);
	channel_flush(ch);
	assert_int_equal(tries, before + 2);
	channel_close(ch);
	evloop_destroy(loop);
	loop_forget(&held);
	close(pair[0]);
	close(pair[1]);
}

static void bad_channels(void **state)
{
	static const struct {
		const char *spec;
		int err;
	} bad[] = {
		{"fd=9999", -EBADF},
		{"fd=x", -EBADF},
		{"fd=-1", -EBADF},
		{"unix:/no/such/socket", -ENOENT},
		{"/no/such/dir/file", -ENOENT},
		{"/", -EISDIR},
	};
	struct platform *p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vm *other = fake_vm_create(MIB);
		const struct platform_opts opts = {.console = "none", .agent = bad[i].spec};

		assert_int_equal(platform_create(&p, other, &opts), bad[i].err);
		fake_vm_destroy(other);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(serial_sends),
		T(serial_receives),
		T(serial_interrupts),
		T(serial_probe),
		T(blocked_reader),
		T(serial_loopback_is_bounded),
		T(ioapic_any_register),
		T(panic_on_the_console),
		T(panic_that_halts),
		T(power_off),
		T(pm_timer_runs),
		T(debug_exit),
		T(keyboard_controller),
		T(clock_and_cmos),
		T(any_access),
		cmocka_unit_test(resumes_do_not_pile_up),
		cmocka_unit_test(bad_channels),
	};

	signal(SIGPIPE, SIG_IGN); /* as the VMM does: its reader may be gone first */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
