// SPDX-License-Identifier: MIT
/* Records as xentrace writes them, and what becomes of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/util.h"
#include "probes/data.h"
#include "probes/xen_trace.h"
#include "workloads/protocol.h"

#define OURS   5
#define OTHER  9
#define PLACE  0xffffffff81000000ull /* where the kernel writes a port */
#define DRIVER 0xffffffff82000000ull
#define IRET   23
#define MMU    1
#define SCHED  29

static uint32_t file[4096];
static size_t words;
static uint64_t now;

static void begin_file(void)
{
	words = 0;
	now = 1000;
}

/* A record with a time stamp. */
static void record(uint32_t event, uint32_t n, const uint32_t *word)
{
	file[words++] = 1u << 31 | n << 28 | event;
	file[words++] = (uint32_t)++now;
	file[words++] = 0;
	for (uint32_t i = 0; i < n; i++)
		file[words++] = word[i];
}

static void cpu(uint32_t nr)
{
	file[words++] = 2u << 28 | 0x1f003;
	file[words++] = nr;
	file[words++] = 0;
}

/* From runnable to running. */
static void runs(uint32_t domain)
{
	record(0x21101, 1, (uint32_t[]){domain << 16});
}

static void at(uint32_t event, uint64_t place)
{
	record(event | 0x100, 2, (uint32_t[]){(uint32_t)place, (uint32_t)(place >> 32)});
}

static void hypercall(uint32_t nr)
{
	record(0x20100d, 1, (uint32_t[]){nr});
}

static void hypercall_with(uint32_t nr, uint32_t first)
{
	record(0x20100d, 2, (uint32_t[]){nr | 1u << 20, first});
}

/* A program writes a port: it traps, and the kernel goes back to the program. */
static void port_write(void)
{
	at(0x201006, PLACE);
	hypercall(IRET);
}

static void hvm_exit(uint32_t code)
{
	record(0x81102, 3, (uint32_t[]){code, 0x1000, 0});
}

static void hvm_marker(enum marker_op op)
{
	hvm_exit(0x7b);
	record(0x82216, 2, (uint32_t[]){MARKER_PORT, MARKER_VALUE(op)});
}

static json_t *read_back(const struct xen_parts *parts)
{
	struct xen_trace t;
	const char *why;
	json_t *json;

	assert_int_equal(xen_trace_parse(&t, file, words * 4, OURS, &why), 0);
	json = xen_trace_json(&t, parts);
	xen_trace_free(&t);
	return json;
}

static double count_in(const json_t *exits, const char *reason, const char *key)
{
	const json_t *row;
	size_t i;

	json_array_foreach(exits, i, row)
		if (!strcmp(json_string_value(json_object_get(row, "reason")), reason) &&
		    !strcmp(json_string_value(json_object_get(row, "key")), key))
			return json_number_value(json_object_get(row, "count"));
	return 0;
}

static double count_of(const json_t *json, const char *reason, const char *key)
{
	return count_in(probed_of(json).exits, reason, key);
}

static struct probed_part part_of(const json_t *json, size_t i)
{
	struct probed_part p;

	assert_true(probed_part(probed_of(json).parts, i, &p));
	return p;
}

static json_int_t lap(const json_t *json, size_t i)
{
	return json_integer_value(json_array_get(probed_of(json).laps, i));
}

/* Two parts: two page faults; and three writes of a port, which look like the markers. */
static void pv_window(void)
{
	port_write(); /* booted */
	at(0x201006, DRIVER);
	hypercall(MMU);
	port_write(); /* a rehearsal */
	port_write(); /* opens */
	port_write();
	for (int i = 0; i < 2; i++) {
		record(0x201104, 5, (uint32_t[]){0, 0, 0, 0, 2});
		at(0x20100b, PLACE + 64);
		hypercall(MMU);
		hypercall(IRET);
	}
	port_write();
	hypercall_with(SCHED, 1);
	hypercall(32); /* whose argument is not recorded */
	port_write();
	for (int i = 0; i < 3; i++)
		port_write();
	at(0x201006, DRIVER); /* the kernel's own */
	port_write();
	record(0x201103, 3, (uint32_t[]){0, 0, 13});
	hypercall(13);
	record(0x20200e, 1, (uint32_t[]){MMU});
	port_write(); /* closes */
	at(0x201006, DRIVER);
}

static void a_pv_domains_markers_are_told_by_their_order(void **state)
{
	static const uint64_t writes[] = {0, 3};
	const struct xen_parts parts = {writes, 2};
	json_t *json;

	(void)state;
	begin_file();
	cpu(0);
	runs(OTHER);
	hypercall(MMU);
	runs(OURS);
	pv_window();
	runs(OTHER);
	hypercall(MMU);
	json = read_back(&parts);
	assert_true(probed_window_of(json).opened && probed_window_of(json).closed);
	assert_int_equal(json_array_size(probed_of(json).laps), 4);
	/* Between the edges of the first part: the return from the first edge, eight, and the second edge. */
	assert_int_equal(lap(json, 1) - lap(json, 0), 10);
	/* The return from the edge, three writes with their returns, the kernel's own, and the edge. */
	assert_int_equal(lap(json, 3) - lap(json, 2), 9);
	assert_int_equal(json_array_size(probed_of(json).parts), 2);
	assert_true(part_of(json, 0).hypercalls == 5);
	assert_true(count_in(part_of(json, 0).exits, "page fault", "") == 2);
	assert_true(count_in(part_of(json, 0).exits, "hypercall", "iret") == 3);
	assert_true(count_in(part_of(json, 0).exits, "privileged op", "port write") == 0);
	assert_true(count_in(part_of(json, 1).exits, "privileged op", "port write") == 3);
	assert_true(count_in(part_of(json, 1).exits, "privileged op", "") == 1);
	assert_string_equal(probed_of(json).backend, PROBED_XEN_PV);
	assert_true(count_of(json, "page fault", "") == 2);
	assert_true(count_of(json, "page-table write", "") == 2);
	assert_true(count_of(json, "hypercall", "mmu_update") == 2);
	assert_true(count_of(json, "hypercall", "sched_op block") == 1);
	assert_true(count_of(json, "hypercall", "event_channel_op") == 1);
	assert_true(count_of(json, "hypercall", "multicall") == 1);
	assert_true(count_of(json, "in multicall", "mmu_update") == 1);
	assert_true(count_of(json, "trap", "#13") == 1);
	assert_true(count_of(json, "privileged op", "port write") == 8);
	assert_true(count_of(json, "privileged op", "") == 1);
	assert_true(count_of(json, "hypercall", "iret") == 10);
	assert_true(probed_totals_of(json).exits == 29);
	assert_true(probed_totals_of(json).hypercalls == 16);
	json_decref(json);
}

/* An agent that says that there were more parts, or fewer of what was recorded, is not believed. */
static void a_window_that_cannot_be_told_is_none(void **state)
{
	static const uint64_t many[] = {1000}, most[] = {UINT64_MAX, UINT64_MAX};
	const struct xen_parts wrong[] = {{many, 1}, {most, 2}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		json_t *json;

		begin_file();
		cpu(0);
		runs(OURS);
		pv_window();
		json = read_back(&wrong[i]);
		assert_false(probed_window_of(json).opened);
		assert_int_equal(json_array_size(probed_of(json).laps), 0);
		assert_int_equal(json_array_size(probed_of(json).parts), 0);
		assert_true(probed_totals_of(json).exits == 0);
		json_decref(json);
	}
}

static void a_pvh_domains_markers_have_their_values(void **state)
{
	static const uint64_t none;
	const struct xen_parts parts = {&none, 1};
	json_t *json;

	(void)state;
	begin_file();
	cpu(0);
	runs(OURS);
	hvm_exit(0x72);
	hvm_marker(MARKER_BOOTED);
	hvm_marker(MARKER_OPEN);
	hvm_marker(MARKER_LAP);
	hvm_exit(0x72);
	hvm_exit(0x81);
	record(0x82012, 1, (uint32_t[]){SCHED});
	hvm_exit(0x7b);
	record(0x82216, 2, (uint32_t[]){0x80, MARKER_VALUE(MARKER_CLOSE)});
	hvm_marker(MARKER_LAP);
	hvm_marker(MARKER_CLOSE);
	hvm_exit(0x72);
	json = read_back(&parts);
	assert_int_equal(lap(json, 0), 1);
	assert_int_equal(lap(json, 1), 5);
	assert_int_equal(json_array_size(probed_of(json).parts), 1);
	assert_true(part_of(json, 0).hypercalls == 1);
	assert_true(count_in(part_of(json, 0).exits, "cpuid", "") == 1);
	assert_true(count_in(part_of(json, 0).exits, "io", "out 0xe10") == 0);
	assert_string_equal(probed_of(json).backend, PROBED_XEN_HVM);
	assert_true(probed_totals_of(json).exits == 6);
	assert_true(probed_totals_of(json).pio == 4);
	assert_true(count_of(json, "cpuid", "") == 1);
	assert_true(count_of(json, "io", "out 0x80") == 1);
	assert_true(count_of(json, "io", "out 0xe10") == 3);
	assert_true(count_of(json, "vmmcall", "sched_op") == 1);
	json_decref(json);
}

/* Pieces come one CPU after the other; the domain was on one and then on the other. */
static void cpus_are_put_in_order(void **state)
{
	const struct xen_parts none = {NULL, 0};
	json_t *json;

	(void)state;
	begin_file();
	now = 5000;
	cpu(1);
	runs(OURS);
	hvm_exit(0x72);
	hvm_marker(MARKER_CLOSE);
	now = 1000;
	cpu(0);
	runs(OURS);
	hvm_marker(MARKER_OPEN);
	hvm_exit(0x72);
	json = read_back(&none);
	assert_true(probed_totals_of(json).exits == 3);
	assert_true(count_of(json, "cpuid", "") == 2);
	json_decref(json);
}

/* What dom0 does with the domain's pages is counted from edge to edge, and is none of the domain's exits. */
static void pages_that_dom0_maps_and_copies(void **state)
{
	const struct xen_parts none = {NULL, 0};
	const uint32_t copy[] = {20 | 1u << 20 | 1u << 24, 5, 3}, unmap[] = {20 | 1u << 20 | 1u << 24, 1, 9};
	json_t *json;

	(void)state;
	begin_file();
	cpu(0);
	runs(0);
	record(0x10f001, 1, (uint32_t[]){OURS}); /* before the window */
	runs(OURS);
	hvm_marker(MARKER_OPEN);
	hvm_exit(0x81);
	record(0x82012, 1, (uint32_t[]){32});
	runs(0);
	record(0x10f001, 1, (uint32_t[]){OURS});
	record(0x10f001, 1, (uint32_t[]){OTHER});
	record(0x10f002, 1, (uint32_t[]){OURS});
	record(0x10f002, 1, (uint32_t[]){OURS});
	record(0x10f003, 1, (uint32_t[]){OTHER});
	record(0x20100d, 3, copy);
	record(0x20100d, 3, unmap);
	record(0x20200e, 3, copy);
	runs(OTHER);
	record(0x20100d, 3, copy);
	runs(OURS);
	hvm_marker(MARKER_CLOSE);
	json = read_back(&none);
	assert_true(probed_grants_of(json).maps == 1);
	assert_true(probed_grants_of(json).copies == 6);
	assert_true(count_of(json, "granted page", "map") == 1);
	assert_true(count_of(json, "granted page", "unmap") == 2);
	assert_true(count_of(json, "granted page", "transfer") == 0);
	assert_true(count_of(json, "granted page", "copy") == 6);
	assert_true(probed_totals_of(json).exits == 2);
	assert_true(probed_totals_of(json).hypercalls == 1);
	json_decref(json);
}

static json_int_t tally_count(const struct xen_tally *y, const char *reason, const char *key)
{
	json_t *rows = xen_tally_rows(y);
	json_int_t n = (json_int_t)count_in(rows, reason, key);

	json_decref(rows);
	return n;
}

/* Adds what the reader gives of our domain. */
static void tally_given(struct xen_reader *r, struct xen_tally *y, bool end)
{
	struct xen_trace t;

	xen_reader_give(r, &t, end);
	for (size_t i = 0; i < t.n; i++)
		if (t.event[i].domain == OURS)
			xen_tally_add(y, &t, &t.event[i]);
	xen_tally_grants(y, &t);
	xen_trace_free(&t);
}

/* What there was, in pieces of so many bytes, with all of it handed over after each. */
static void read_in_pieces(struct xen_tally *y, unsigned domain, size_t piece)
{
	struct xen_reader *r = xen_reader_new(domain);
	size_t at = 0, used;
	const char *why;

	for (size_t end = piece; at < words * 4; end += piece) {
		const char *from = (const char *)file + at;

		assert_int_equal(xen_reader_take(r, from, MIN(end, words * 4) - at, &used, &why), 0);
		at += used;
		tally_given(r, y, false);
	}
	tally_given(r, y, true);
	xen_reader_free(r);
}

/* However it is cut, each exit keeps the name that the record after it has; other domains are others. */
static void a_trace_is_read_while_it_is_written(void **state)
{
	static const unsigned domains[] = {OURS, XEN_ALL_DOMAINS};

	(void)state;
	begin_file();
	cpu(0);
	runs(OTHER);
	hvm_exit(0x72);
	record(0x10f001, 1, (uint32_t[]){OURS});
	record(0x21002, 1, (uint32_t[]){OURS << 16}); /* chosen once more */
	hvm_exit(0x72);
	hvm_exit(0x81);
	record(0x82012, 1, (uint32_t[]){SCHED});
	cpu(1);
	runs(OURS);
	hypercall(MMU);
	record(0x21002, 0, NULL);
	hypercall(MMU);
	cpu(0);
	hvm_exit(0x7b);
	record(0x82216, 2, (uint32_t[]){0x80, 1});
	for (size_t i = 0; i < ARRAY_SIZE(domains); i++)
		for (size_t piece = 1; piece <= words * 4; piece++) {
			struct xen_tally y = {.rows = NULL}, sum = {.rows = NULL};

			read_in_pieces(&y, domains[i], piece);
			xen_tally_merge(&sum, &y);
			xen_tally_merge(&sum, &y);
			assert_int_equal(tally_count(&y, "cpuid", ""), 1);
			assert_int_equal(tally_count(&y, "vmmcall", "sched_op"), 1);
			assert_int_equal(tally_count(&y, "io", "out 0x80"), 1);
			assert_int_equal(tally_count(&y, "hypercall", "mmu_update"), 2);
			assert_int_equal(tally_count(&y, "granted page", "map"), domains[i] == OURS);
			assert_int_equal(y.sums.exits, 5);
			assert_int_equal(tally_count(&sum, "hypercall", "mmu_update"), 4);
			assert_int_equal(sum.sums.hypercalls, 6);
			xen_tally_free(&y);
			xen_tally_free(&sum);
		}
}

static void lost_records_are_told(void **state)
{
	const struct xen_parts none = {NULL, 0};
	json_t *json;

	(void)state;
	begin_file();
	cpu(0);
	runs(OURS);
	record(0x1f001, 4, (uint32_t[]){17, 0, 0, 0});
	json = read_back(&none);
	assert_true(probed_of(json).lost == 17);
	json_decref(json);
}

static void what_is_no_trace_is_refused(void **state)
{
	struct xen_trace t;
	const char *why;

	(void)state;
	begin_file();
	runs(OURS);
	assert_int_equal(xen_trace_parse(&t, file, words * 4, OURS, &why), -EBADMSG); /* of which CPU? */
	xen_trace_free(&t);
	begin_file();
	cpu(256);
	assert_int_equal(xen_trace_parse(&t, file, words * 4, OURS, &why), -EBADMSG);
	xen_trace_free(&t);
	begin_file();
	cpu(0);
	runs(OURS);
	for (size_t cut = 1; cut < 16; cut++) {
		assert_int_equal(xen_trace_parse(&t, file, words * 4 - cut, OURS, &why), -EBADMSG);
		assert_non_null(why);
		xen_trace_free(&t);
	}
	assert_int_equal(xen_trace_parse(&t, file, 0, OURS, &why), 0);
	assert_int_equal(t.n, 0);
	xen_trace_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pv_domains_markers_are_told_by_their_order),
		cmocka_unit_test(a_window_that_cannot_be_told_is_none),
		cmocka_unit_test(a_pvh_domains_markers_have_their_values),
		cmocka_unit_test(cpus_are_put_in_order),
		cmocka_unit_test(pages_that_dom0_maps_and_copies),
		cmocka_unit_test(a_trace_is_read_while_it_is_written),
		cmocka_unit_test(lost_records_are_told),
		cmocka_unit_test(what_is_no_trace_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
