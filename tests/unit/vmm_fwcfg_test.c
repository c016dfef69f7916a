// SPDX-License-Identifier: MIT
/* fw_cfg through its ports and by DMA, as QEMU's specification has it; a hostile guest's requests. */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/fake.h"
#include "tests/unit/seed.h"
#include "vmm/platform/fw_cfg.h"

#define MEM    (4 * MIB)
#define AT     0x2000ull /* of the request */
#define BUFFER 0x3000ull

enum { ERROR = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16 };

static const char kernel[] = "the kernel's bytes";
static const struct boot_image image = {
	.kernel = {(const uint8_t *)kernel, sizeof(kernel)}, .cmdline = "a=b"};

static struct vm *vm;
static struct fw_cfg *f;

static int setup(void **state)
{
	(void)state;
	vm = fake_vm_create(MEM);
	return !vm || fw_cfg_create(&f, vm, &image);
}

static int teardown(void **state)
{
	(void)state;
	fw_cfg_destroy(f);
	fake_vm_destroy(vm);
	return 0;
}

static void select_key(uint16_t key)
{
	bus_write(&vm->pio, 0x510, 2, key);
}

static uint64_t number(uint16_t key, unsigned bytes)
{
	uint64_t v = 0;

	select_key(key);
	for (unsigned i = 0; i < bytes; i++)
		v |= bus_read(&vm->pio, 0x511, 1) << 8 * i;
	return v;
}

static void items_by_port(void **state)
{
	static const struct {
		uint16_t key;
		unsigned bytes;
		uint64_t value;
	} cases[] = {
		{0x00, 4, 0x554d4551}, /* QEMU */
		{0x00, 6, 0x554d4551}, /* and nothing behind it */
		{0x01, 4, 3},
		{0x03, 8, MEM},
		{0x05, 2, 1},
		{0x08, 4, sizeof(kernel)},
		{0x0b, 4, 0},
		{0x0f, 2, 1},
		{0x11, 3, 't' | 'h' << 8 | 'e' << 16},
		{0x12, 4, 0}, /* no initrd */
		{0x14, 4, 4},
		{0x15, 4, 'a' | '=' << 8 | 'b' << 16},
		{0x77, 8, 0},
		{0xffff, 8, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(number(cases[i].key, cases[i].bytes), cases[i].value);
	fw_cfg_reset(f);
	assert_int_equal(bus_read(&vm->pio, 0x511, 1), 'Q');
	/* Only as the specification has them. */
	bus_write(&vm->pio, 0x510, 1, 5);
	assert_int_equal(bus_read(&vm->pio, 0x511, 1), 'E');
	assert_int_equal(bus_read(&vm->pio, 0x510, 2), 0xffff);
	assert_int_equal(bus_read(&vm->pio, 0x514, 4), 0x554d4551);
	assert_int_equal(bus_read(&vm->pio, 0x518, 4), 0x47464320); /* " CFG" */
}

static uint32_t request(uint32_t control, uint32_t length, uint64_t addr)
{
	const struct {
		uint32_t control, length;
		uint64_t addr;
	} r = {htobe32(control), htobe32(length), htobe64(addr)};
	uint32_t done;

	assert_int_equal(gmem_write(vm->gm, AT, &r, sizeof(r)), 0);
	bus_write(&vm->pio, 0x514, 4, 0);
	bus_write(&vm->pio, 0x518, 4, htobe32(AT));
	assert_int_equal(gmem_read(vm->gm, AT, &done, sizeof(done)), 0);
	return be32toh(done);
}

static void items_by_dma(void **state)
{
	const uint32_t *count;
	const char *text;

	(void)state;
	memset(gmem_ptr(vm->gm, BUFFER, 4096), 0xaa, 4096);
	text = gmem_ptr(vm->gm, BUFFER, 64);
	assert_int_equal(request(0x11 << 16 | SELECT | READ, 10, BUFFER), 0);
	assert_memory_equal(text, "the kernel", 10);
	assert_int_equal((uint8_t)text[10], 0xaa);
	assert_int_equal(request(SKIP, 3, 0), 0);
	assert_int_equal(request(READ, 32, BUFFER), 0);
	assert_string_equal(text, "bytes");
	assert_int_equal(text[31], 0); /* zeros behind its end */
	assert_int_equal((uint8_t)text[32], 0xaa);

	assert_int_equal(request(0x19 << 16 | SELECT | READ, 68, BUFFER), 0);
	count = gmem_ptr(vm->gm, BUFFER, 68);
	assert_int_equal(be32toh(count[0]), 1);
	assert_string_equal((const char *)(count + 3), "etc/e820");
	assert_int_equal(be32toh(count[1]) % 20, 0);
	assert_int_equal(be32toh(count[2]) >> 16, 0x20);
	assert_int_equal(number(0x8003, 4) * 20, be32toh(count[1]));
	assert_int_equal(number(0x20, 8), 0);
}

/* It can make nothing worse than its own memory. */
static void hostile(void **state)
{
	static const struct {
		uint32_t control, length;
		uint64_t addr;
		uint32_t done;
	} cases[] = {
		{READ, 16, MEM - 8, ERROR},
		{READ, UINT32_MAX, BUFFER, ERROR},
		{READ, 16, UINT64_MAX - 8, ERROR},
		{READ, 0, UINT64_MAX, 0},
		{WRITE, 16, BUFFER, ERROR},
		{SELECT | 0xfffful << 16 | READ, 16, BUFFER, 0},
		{SKIP, UINT32_MAX, 0, 0},
		{SELECT | 0x11 << 16 | SKIP, UINT32_MAX, 0, 0},
		{READ, 16, BUFFER, 0},
		{0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(request(cases[i].control, cases[i].length, cases[i].addr), cases[i].done);
	for (uint64_t at = MEM - 24; at < MEM + 24; at++) {
		bus_write(&vm->pio, 0x514, 4, 0);
		bus_write(&vm->pio, 0x518, 4, htobe32((uint32_t)at));
	}
	bus_write(&vm->pio, 0x514, 4, UINT32_MAX);
	bus_write(&vm->pio, 0x518, 4, UINT32_MAX);
}

/* Any requests at all, over the whole of a small memory. */
static void random_requests(void **state)
{
	uint64_t seed = test_seed();

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		request((uint32_t)(seed >> 20) & 0x1f, (uint32_t)(seed >> 40) & 0xfffff,
			(seed >> 33) & 0x7fffff);
		bus_read(&vm->pio, 0x510 + (seed >> 60) % 12, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_by_port),
		cmocka_unit_test(items_by_dma),
		cmocka_unit_test(hostile),
		cmocka_unit_test(random_requests),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
