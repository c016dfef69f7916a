// SPDX-License-Identifier: MIT
/*
 * QEMU's own names of its registers: which socket to ask, and what its memory map says (text of QEMU 10.0).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "probes/qemu_names.h"

static const char mtree[] =
	"FlatView #0\n"
	" AS \"ich9-ahci\", root: bus master container\n"
	" Root memory region: bus master container\n"
	"  0000000000000000-0000000000000fff (prio 0, i/o): not-the-cpus\n"
	"\n"
	"FlatView #1\n"
	" AS \"memory\", root: system\n"
	" AS \"cpu-memory-0\", root: system\n"
	" AS \"e1000\", root: bus master container\n"
	" Root memory region: system\n"
	"  0000000000000000-00000000000bffff (prio 0, ram): pc.ram\n"
	"  00000000febc0000-00000000febdffff (prio 1, i/o): e1000-mmio\n"
	"  00000000febff000-00000000febfffff (prio 0, i/o): virtio-pci-notify-virtio-net\n"
	"  00000000fed1d000-00000000fed1ffff (prio 1, i/o): lpc-rcrb-mmio @0000000000001000\n"
	"  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios\n"
	"\n"
	"FlatView #2\n"
	" AS \"I/O\", root: io\n"
	" Root memory region: io\n"
	"  0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010\n"
	"  0000000000000071-0000000000000071 (prio 0, i/o): rtc @0000000000000001\n"
	"  00000000000003f8-00000000000003ff (prio 0, i/o): serial\n";

static void test_mtree(void **state)
{
	static const struct stats_region want[] = {
		{.name = "e1000-mmio", .base = 0xfebc0000, .len = 0x20000},
		{.name = "virtio-pci-notify-virtio-net", .base = 0xfebff000, .len = 0x1000},
		/* Behind an overlay: counted from the device's start. */
		{.name = "lpc-rcrb-mmio", .base = 0xfed1c000, .len = 0x4000},
		{.name = "rtc", .base = 0x70, .len = 2, .is_pio = 1},
		{.name = "serial", .base = 0x3f8, .len = 8, .is_pio = 1},
	};
	struct stats_region got[8];
	size_t n = qemu_parse_mtree(mtree, got, ARRAY_SIZE(got));

	(void)state;
	assert_int_equal(n, ARRAY_SIZE(want));
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(got[i].name, want[i].name);
		assert_int_equal(got[i].base, want[i].base);
		assert_int_equal(got[i].len, want[i].len);
		assert_int_equal(got[i].is_pio, want[i].is_pio);
	}
	assert_int_equal(qemu_parse_mtree(mtree, got, 2), 2);
	assert_int_equal(qemu_parse_mtree("", got, 2), 0);
	assert_int_equal(qemu_parse_mtree("FlatView\n AS \"memory\"\n  nonsense (prio\n", got, 2), 0);
}

#define ARGS(text) text, sizeof(text) - 1

static const struct {
	const char *args;
	size_t len;
	const char *path; /* NULL: none */
	bool abstract;
} sockets[] = {
	{ARGS("qemu\0-m\0"
	      "64\0-qmp\0unix:/run/q.sock,server=on,wait=off\0"),
	 "/run/q.sock", false},
	{ARGS("qemu\0-chardev\0socket,id=m,path=/run/m,server=on\0-mon\0chardev=m,mode=control\0"),
	 "/run/m", false},
	{ARGS("qemu\0-chardev\0socket,id=m,path=name,abstract=on\0-mon\0chardev=m,mode=control\0"),
	 "name", true},
	/* Another socket, a monitor for people, libvirt's file, an argument cut off. */
	{ARGS("qemu\0-chardev\0socket,id=s,path=/run/s\0-serial\0chardev:s\0"), NULL, false},
	{ARGS("qemu\0-chardev\0socket,id=m,path=/run/m\0-mon\0chardev=m,mode=readline\0"), NULL,
	 false},
	{ARGS("qemu\0-chardev\0socket,id=m,fd=28,server=on\0-mon\0chardev=m,mode=control\0"), NULL,
	 false},
	{ARGS("qemu\0-qmp\0"), NULL, false},
	{ARGS("qemu\0"), NULL, false},
};

static void test_sockets(void **state)
{
	struct qmp_socket s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
		assert_int_equal(qemu_find_socket(sockets[i].args, sockets[i].len, &s),
				 sockets[i].path != NULL);
		if (!sockets[i].path)
			continue;
		assert_string_equal(s.path, sockets[i].path);
		assert_int_equal(s.abstract, sockets[i].abstract);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mtree),
		cmocka_unit_test(test_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
