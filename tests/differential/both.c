// SPDX-License-Identifier: MIT
#include "tests/differential/both.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

struct both both;

unsigned both_below(unsigned n)
{
	return (unsigned)(rng_next(&both.rng) % n);
}

void both_say(const char *format, ...)
{
	va_list ap;

	if (!both.verbose)
		return;
	va_start(ap, format);
	printf("  ");
	vprintf(format, ap);
	printf("\n");
	va_end(ap);
}

/* ---- QEMU ---- */

static char answer[2 * 65536 + 64];

static void ask_qemu(const char *command)
{
	size_t n = 0;

	if (write(both.qtest, command, strlen(command)) != (ssize_t)strlen(command))
		die(EXIT_FAILED, "trace %lu: qtest: %s", both.trace, strerror(errno));
	do {
		ssize_t got = read(both.qtest, answer + n, sizeof(answer) - 1 - n);

		if (got <= 0)
			die(EXIT_FAILED, "trace %lu: qtest: QEMU is gone", both.trace);
		n += (size_t)got;
	} while (answer[n - 1] != '\n');
	answer[n] = '\0';
	if (strncmp(answer, "OK", 2) != 0)
		die(EXIT_FAILED, "qtest: %s: %s", command, answer);
}

uint64_t their_value(const char *command, uint64_t addr)
{
	char line[64];

	snprintf(line, sizeof(line), "%s 0x%" PRIx64 "\n", command, addr);
	ask_qemu(line);
	return strtoull(answer + 3, NULL, 0);
}

void their_order(const char *command, uint64_t addr, uint64_t value)
{
	char line[80];

	snprintf(line, sizeof(line), "%s 0x%" PRIx64 " 0x%" PRIx64 "\n", command, addr, value);
	ask_qemu(line);
}

uint32_t their_config(unsigned off)
{
	their_order("outl", 0xcf8, 0x80000000u | BOTH_SLOT << 11 | off);
	return (uint32_t)their_value("inl", 0xcfc);
}

void their_config_write(unsigned off, uint32_t value)
{
	their_order("outl", 0xcf8, 0x80000000u | BOTH_SLOT << 11 | off);
	their_order("outl", 0xcfc, value);
}

void their_memory(uint64_t gpa, void *data, size_t len)
{
	uint8_t *p = data;
	char line[64];

	if (!len)
		return;
	snprintf(line, sizeof(line), "read 0x%" PRIx64 " 0x%zx\n", gpa, len);
	ask_qemu(line);
	for (size_t i = 0; i < len; i++) {
		char two[3] = {answer[5 + 2 * i], answer[6 + 2 * i], '\0'};

		p[i] = (uint8_t)strtoul(two, NULL, 16);
	}
}

void their_memory_write(uint64_t gpa, const void *data, size_t len)
{
	static char line[2 * 65536 + 64];
	size_t n = (size_t)snprintf(line, sizeof(line), "write 0x%" PRIx64 " 0x%zx 0x", gpa, len);

	for (size_t i = 0; i < len; i++)
		n += (size_t)snprintf(line + n, 3, "%02x", ((const uint8_t *)data)[i]);
	strcpy(line + n, "\n");
	ask_qemu(line);
}

void their_memory_clear(uint64_t gpa, size_t len)
{
	char line[80];

	snprintf(line, sizeof(line), "memset 0x%" PRIx64 " 0x%zx 0x0\n", gpa, len);
	ask_qemu(line);
}

/* Its processor halts at its first instruction, and leaves the machine to us. */
static int still_firmware(void)
{
	uint8_t halts[65536];
	int fd = memfd_create("firmware", 0);

	memset(halts, 0xf4, sizeof(halts));
	if (fd < 0 || write(fd, halts, sizeof(halts)) != sizeof(halts))
		die(EXIT_FAILED, "firmware: %s", strerror(errno));
	return fd;
}

static void exec_qemu(int control, int wire, int firmware, char *device)
{
	char *argv[] = {(char *)"qemu-system-x86_64", (char *)"-machine", (char *)"q35,accel=tcg",
			/* Its clock goes on to the next timer at once. */
			(char *)"-icount", (char *)"shift=0,sleep=off", (char *)"-nodefaults",
			(char *)"-bios", (char *)"/dev/fd/5", (char *)"-display", (char *)"none",
			(char *)"-m", (char *)"16M", (char *)"-chardev", (char *)"socket,id=q,fd=3",
			(char *)"-qtest", (char *)"chardev:q", (char *)"-qtest-log", (char *)"none",
			(char *)"-netdev", (char *)"dgram,id=n,local.type=fd,local.str=4", (char *)"-device",
			device, NULL};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Out of the way of 3 to 5 first. */
	control = fcntl(control, F_DUPFD, 10);
	wire = fcntl(wire, F_DUPFD, 10);
	firmware = fcntl(firmware, F_DUPFD, 10);
	dup2(control, 3);
	dup2(wire, 4);
	dup2(firmware, 5);
	close_range(6, UINT32_MAX, 0);
	execvp(argv[0], argv);
	_exit(127);
}

void both_start_qemu(const char *device, unsigned bar)
{
	char *with_wire = xasprintf("%s,netdev=n,addr=%d,romfile=", device, BOTH_SLOT);
	int control[2], wire[2], firmware = still_firmware();

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, control) || socketpair(AF_UNIX, SOCK_DGRAM, 0, wire))
		die(EXIT_FAILED, "socketpair: %s", strerror(errno));
	if (!fork())
		exec_qemu(control[1], wire[1], firmware, with_wire);
	free(with_wire);
	close(control[1]);
	close(wire[1]);
	close(firmware);
	both.qtest = control[0];
	both.their_wire = wire[0];
	their_config_write(bar, BOTH_BAR);
	their_config_write(0x04, 0x7);
}

/* ---- both ---- */

int both_open_wire(void)
{
	int wire[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, wire))
		die(EXIT_FAILED, "socketpair: %s", strerror(errno));
	both.our_wire = wire[0];
	return wire[1];
}

void both_memory_write(uint64_t gpa, const void *data, size_t len)
{
	gmem_write(vm_gmem(both.vm), gpa, data, len);
	their_memory_write(gpa, data, len);
}

void both_arrive(const void *frame, size_t skip, size_t len)
{
	if (write(both.our_wire, frame, skip + len) < 0 ||
	    write(both.their_wire, (const char *)frame + skip, len) < 0)
		die(EXIT_FAILED, "wire: %s", strerror(errno));
}

void both_drain_wires(void)
{
	char c;

	while (recv(both.our_wire, &c, 1, MSG_DONTWAIT) >= 0)
		;
	while (recv(both.their_wire, &c, 1, MSG_DONTWAIT) >= 0)
		;
}

/* ---- comparing ---- */

_Noreturn void both_differ(const char *what, uint64_t at, uint64_t ours, uint64_t theirs)
{
	die(EXIT_FAILED, "trace %lu: %s 0x%" PRIx64 ": ours 0x%" PRIx64 ", QEMU's 0x%" PRIx64, both.trace,
	    what, at, ours, theirs);
}

void compare_bytes(const char *what, uint64_t at, const void *ours, const void *theirs, size_t len)
{
	const uint8_t *a = ours, *b = theirs;

	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i])
			both_differ(what, at + i, a[i], b[i]);
}

void compare_memory(const char *what, uint64_t gpa, size_t len)
{
	static uint8_t theirs[65536];

	their_memory(gpa, theirs, len);
	if (len)
		compare_bytes(what, gpa, gmem_ptr(vm_gmem(both.vm), gpa, len), theirs, len);
}

static size_t next_frame(int wire, uint8_t *frame, size_t skip)
{
	static uint8_t raw[70000];
	ssize_t n = recv(wire, raw, sizeof(raw), MSG_DONTWAIT);

	if (n < (ssize_t)skip)
		return 0;
	memcpy(frame, raw + skip, (size_t)n - skip);
	return (size_t)n - skip;
}

void compare_wire(size_t skip, bool (*alike)(const uint8_t *ours, const uint8_t *theirs, size_t i))
{
	static uint8_t ours[70000], theirs[70000];

	for (unsigned k = 0;; k++) {
		size_t n = next_frame(both.our_wire, ours, skip), m = next_frame(both.their_wire, theirs, 0);

		if (n != m)
			both_differ("length of sent frame", k, n, m);
		if (!n)
			return;
		both_say("sent %zu bytes", n);
		for (size_t i = 0; i < n; i++)
			if (ours[i] != theirs[i] && !(alike && alike(ours, theirs, i)))
				both_differ("byte of sent frame", k << 16 | i, ours[i], theirs[i]);
	}
}
