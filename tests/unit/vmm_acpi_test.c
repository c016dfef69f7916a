// SPDX-License-Identifier: MIT
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/proc.h"
#include "vmm/platform/acpi.h"
#include "vmm/platform/aml.h"

#define RSDP_AT 0xe0000

static struct gmem *gm;
static gpa_t rsdp;

static int build(unsigned cpus)
{
	const struct acpi_config config = {cpus, true};

	assert_int_equal(gmem_create(&gm, 4 * MIB), 0);
	return acpi_build(gm, &config, &rsdp);
}

static int teardown(void **state)
{
	(void)state;
	gmem_destroy(gm);
	gm = NULL;
	return 0;
}

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

static uint32_t u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static uint64_t u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

/* The table with this signature, checksum checked. */
static const uint8_t *table(const char *signature)
{
	const uint8_t *r = gmem_ptr(gm, rsdp, 36), *xsdt = gmem_ptr(gm, u64(r + 24), 36), *t;

	for (uint32_t at = 36; at < u32(xsdt + 4); at += 8) {
		t = gmem_ptr(gm, u64(xsdt + at), 36);
		if (!memcmp(t, "FACP", 4) && !memcmp(signature, "DSDT", 4))
			t = gmem_ptr(gm, u32(t + 40), 36);
		if (memcmp(t, signature, 4) != 0)
			continue;
		assert_int_equal(sum(t, u32(t + 4)), 0);
		return t;
	}
	return NULL;
}

static void checksums(void **state)
{
	static const char *const names[] = {"FACP", "DSDT", "APIC", "MCFG"};
	const uint8_t *r, *xsdt;

	(void)state;
	assert_int_equal(build(2), 0);
	r = gmem_ptr(gm, rsdp, 36);
	assert_memory_equal(r, "RSD PTR ", 8);
	assert_int_equal(rsdp, RSDP_AT);
	assert_int_equal(sum(r, 20), 0);
	assert_int_equal(sum(r, 36), 0);
	xsdt = gmem_ptr(gm, u64(r + 24), 36);
	assert_memory_equal(xsdt, "XSDT", 4);
	assert_int_equal(sum(xsdt, u32(xsdt + 4)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_non_null(table(names[i]));
}

static void fadt_points_at_its_tables(void **state)
{
	const uint8_t *f;

	(void)state;
	assert_int_equal(build(1), 0);
	f = table("FACP");
	assert_int_equal(u32(f + 4), 276);
	assert_memory_equal(gmem_ptr(gm, u32(f + 36), 64), "FACS", 4);
	assert_int_equal(u32(f + 36) % 64, 0);
	assert_true(u64(f + 140) == u32(f + 40)); /* X_DSDT */
	assert_int_equal(u32(f + 76), PM_TIMER_PORT);
	assert_int_equal(u64(f + 116 + 4), RESET_PORT);
	assert_int_equal(f[128], RESET_VALUE);
}

static void madt_has_every_cpu(void **state)
{
	(void)state;
	for (unsigned cpus = 1; cpus <= 8; cpus++) {
		unsigned lapics = 0, ioapics = 0, overrides = 0;
		const uint8_t *m;

		assert_int_equal(build(cpus), 0);
		m = table("APIC");
		for (uint32_t at = 44; at < u32(m + 4); at += m[at + 1]) {
			assert_true(m[at + 1] >= 2);
			if (m[at] == 0)
				assert_int_equal(m[at + 3], lapics);
			lapics += m[at] == 0;
			ioapics += m[at] == 1;
			overrides += m[at] == 2;
		}
		assert_int_equal(lapics, cpus);
		assert_int_equal(ioapics, 1);
		assert_int_equal(overrides, 1);
		teardown(NULL);
	}
}

static void no_room(void **state)
{
	const struct acpi_config config = {1, true};

	(void)state;
	assert_int_equal(gmem_create(&gm, 64 * KIB), 0);
	assert_true(acpi_build(gm, &config, &rsdp) < 0);
}

/* The disassembler of the reference implementation must understand it, and compile its own output
 * again. */
static void iasl_round_trip(void **state)
{
	char dir[] = "/tmp/acpi-test.XXXXXX", aml[64], dsl[64],
	     *disassemble[] = {"iasl", "-d", aml, NULL}, *compile[] = {"iasl", "-we", dsl, NULL};
	struct strbuf text = STRBUF_INIT;
	const uint8_t *dsdt;

	(void)state;
	if (access("/usr/bin/iasl", X_OK)) {
		print_message("skipped: no iasl\n");
		skip();
	}
	assert_int_equal(build(1), 0);
	dsdt = table("DSDT");
	assert_non_null(mkdtemp(dir));
	snprintf(aml, sizeof(aml), "%s/dsdt.aml", dir);
	snprintf(dsl, sizeof(dsl), "%s/dsdt.dsl", dir);
	assert_int_equal(file_write_atomic(aml, dsdt, u32(dsdt + 4)), 0);
	assert_int_equal(proc_run(disassemble, &text, 20000000000ull), 0);
	assert_int_equal(proc_run(compile, &text, 20000000000ull), 0);
	strbuf_reset(&text);
	assert_int_equal(file_read(dsl, &text), 0);
	assert_non_null(strstr(strbuf_str(&text), "Device (PCI0)"));
	assert_non_null(strstr(strbuf_str(&text), "EisaId (\"PNP0A08\")"));
	assert_non_null(strstr(strbuf_str(&text), "0xE0000000,"));
	assert_null(strstr(strbuf_str(&text), "Unknown"));
	strbuf_free(&text);
	assert_int_equal(dir_remove_all(dir), 0);
}

/* PkgLength changes its form at 63 and 4095 bytes. */
static void package_lengths(void **state)
{
	static const struct {
		size_t body;
		unsigned bytes;
	} cases[] = {{0, 1}, {57, 1}, {58, 2}, {59, 2}, {4088, 2}, {4089, 3}, {5000, 3}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf out = STRBUF_INIT, body = STRBUF_INIT;
		const uint8_t *p;
		size_t len;

		for (size_t n = 0; n < cases[i].body; n++)
			strbuf_addc(&body, 0);
		aml_scope(&out, "\\ABCD", &body);
		p = (const uint8_t *)out.buf + 1;
		assert_int_equal((p[0] >> 6) + 1, cases[i].bytes);
		len = cases[i].bytes == 1 ? p[0]
					  : (p[0] & 15u) | (size_t)p[1] << 4 |
						    (cases[i].bytes == 3 ? (size_t)p[2] << 12 : 0);
		assert_int_equal(len, out.len - 1);
		strbuf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(checksums, teardown),
		cmocka_unit_test_teardown(fadt_points_at_its_tables, teardown),
		cmocka_unit_test(madt_has_every_cpu),
		cmocka_unit_test_teardown(no_room, teardown),
		cmocka_unit_test_teardown(iasl_round_trip, teardown),
		cmocka_unit_test(package_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
