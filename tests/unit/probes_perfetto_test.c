// SPDX-License-Identifier: MIT
/*
 * The timeline in Perfetto's format, read back by a decoder of Protocol Buffers that knows nothing of the
 * encoder: field numbers as perfetto's .proto files have them, written out here once more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <unistd.h>

#include "base/file.h"
#include "base/util.h"
#include "probes/internal.h"
#include "probes/perfetto.h"
#include "probes/trace.h"

/* ---- a decoder ---- */

struct field {
	uint64_t number, value; /* of bytes: how many */
	const unsigned char *bytes;
};

struct message {
	const unsigned char *at, *end;
};

static uint64_t read_varint(struct message *m)
{
	uint64_t v = 0;

	for (int shift = 0; shift < 64; shift += 7) {
		assert_true(m->at < m->end);
		v |= (uint64_t)(*m->at & 0x7f) << shift;
		if (!(*m->at++ & 0x80))
			return v;
	}
	fail_msg("a varint of more than 64 bits");
	return 0;
}

static bool next_field(struct message *m, struct field *f)
{
	uint64_t tag;

	if (m->at == m->end)
		return false;
	tag = read_varint(m);
	*f = (struct field){.number = tag >> 3};
	switch (tag & 7) {
	case 0:
		f->value = read_varint(m);
		return true;
	case 1:
		assert_true(m->end - m->at >= 8);
		memcpy(&f->value, m->at, 8);
		m->at += 8;
		return true;
	case 2:
		f->value = read_varint(m);
		assert_true((uint64_t)(m->end - m->at) >= f->value);
		f->bytes = m->at;
		m->at += f->value;
		return true;
	}
	fail_msg("wire type %d", (int)(tag & 7));
	return false;
}

static bool find_field(struct message m, uint64_t number, struct field *f)
{
	while (next_field(&m, f))
		if (f->number == number)
			return true;
	return false;
}

static struct message message_in(struct message m, uint64_t number)
{
	struct field f;

	if (!find_field(m, number, &f) || !f.bytes)
		fail_msg("no message in field %d", (int)number);
	return (struct message){f.bytes, f.bytes + f.value};
}

static uint64_t number_in(struct message m, uint64_t number)
{
	struct field f;

	if (!find_field(m, number, &f))
		fail_msg("no number in field %d", (int)number);
	return f.value;
}

static void assert_text(struct message m, uint64_t number, const char *want)
{
	struct message text = message_in(m, number);

	assert_int_equal(text.end - text.at, strlen(want));
	assert_memory_equal(text.at, want, strlen(want));
}

/* ---- what is written ---- */

static char *written;
static size_t written_len;

static struct message packet(size_t i)
{
	struct message m = {(unsigned char *)written, (unsigned char *)written + written_len};
	struct field f;

	while (next_field(&m, &f)) {
		assert_int_equal(f.number, 1);
		if (!i--)
			return (struct message){f.bytes, f.bytes + f.value};
	}
	fail_msg("too few packets");
	return m;
}

static void test_track(void **state)
{
	FILE *f = open_memstream(&written, &written_len);
	struct message track, thread;

	(void)state;
	perfetto_write_track(f, 0x123456789aULL, 4711, 4712, "vCPU 0");
	fclose(f);
	assert_int_equal(number_in(packet(0), 10), 1); /* trusted_packet_sequence_id */
	track = message_in(packet(0), 60);
	assert_true(number_in(track, 1) == 0x123456789aULL);
	thread = message_in(track, 4);
	assert_int_equal(number_in(thread, 1), 4711);
	assert_int_equal(number_in(thread, 2), 4712);
	assert_text(thread, 5, "vCPU 0");
	free(written);
}

static void test_events(void **state)
{
	static const struct perfetto_event events[] = {
		{.type = PERFETTO_BEGIN, .ns = 1ull << 60, .track = 7, .name = "npf", .category = "vcpu",
		 .key = "e1000 TDT", .flow = 0xfedcba9876543210ULL},
		{.type = PERFETTO_END, .ns = (1ull << 60) + 300, .track = 7},
		{.type = PERFETTO_INSTANT, .ns = 127, .track = 128, .name = "interrupt 0x31",
		 .category = "notify", .flow_end = 1},
	};
	FILE *f = open_memstream(&written, &written_len);
	struct message event, note;
	struct field none;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		perfetto_write_event(f, &events[i]);
	fclose(f);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		event = message_in(packet(i), 11);
		assert_true(number_in(packet(i), 8) == events[i].ns);
		assert_int_equal(number_in(event, 9), events[i].type);
		assert_int_equal(number_in(event, 11), events[i].track);
	}
	event = message_in(packet(0), 11);
	assert_text(event, 23, "npf");
	assert_text(event, 22, "vcpu");
	assert_true(number_in(event, 47) == 0xfedcba9876543210ULL);
	assert_false(find_field(event, 48, &none));
	note = message_in(event, 4);
	assert_text(note, 10, "key");
	assert_text(note, 6, "e1000 TDT");
	/* An end says nothing but where and when. */
	event = message_in(packet(1), 11);
	assert_false(find_field(event, 23, &none) || find_field(event, 4, &none));
	assert_false(find_field(event, 47, &none));
	event = message_in(packet(2), 11);
	assert_int_equal(number_in(event, 48), 1);
	assert_false(find_field(event, 47, &none) || find_field(event, 4, &none));
	free(written);
}

/* ---- arrows ---- */

enum { VCPU0 = 10, VCPU1 = 11, SERVICE = 20, STRANGER = 30 };

struct shown {
	const char *name;
	uint64_t track, flow, flow_end;
};

static struct probes *traced(const char *path)
{
	struct probes *p = calloc(1, sizeof(*p));

	p->skel = calloc(1, sizeof(*p->skel));
	p->skel->data = calloc(1, sizeof(*p->skel->data));
	p->skel->bss = calloc(1, sizeof(*p->skel->bss));
	p->skel->data_hot = calloc(1, sizeof(*p->skel->data_hot));
	p->skel->data->n_vcpus = 3;
	for (uint32_t i = 0; i < 2; i++)
		p->skel->data_hot->hot.vcpu[1 + i] = (struct vcpu_state){
			.tid = VCPU0 + i, .tgid = 9, .vcpu_id = (int)i, .serial = i + 1};
	p->opts.trace = path;
	p->opts.pid = 9;
	assert_int_equal(trace_open_file(p), 0);
	return p;
}

static void step(struct probes *p, uint64_t ns, uint32_t tid, enum step_kind kind, uint64_t arg)
{
	struct step_event e = {.ns = ns, .tid = tid, .kind = kind, .arg = arg};

	trace_on_event(p, &e, sizeof(e));
}

static void exit_of(struct probes *p, uint64_t ns, uint32_t vcpu)
{
	struct exit_event e = {.exit_ns = ns - 50, .entry_ns = ns, .vcpu = 1 + vcpu, .tid = VCPU0 + vcpu};

	trace_on_event(p, &e, sizeof(e));
}

static void service_runs(struct probes *p, uint64_t ns, uint64_t vector)
{
	step(p, ns, 0, STEP_SWITCH, SERVICE);
	if (vector)
		step(p, ns + 1, SERVICE, STEP_RAISE, vector);
	step(p, ns + 2, SERVICE, STEP_SWITCH, 0);
}

static uint64_t optional(struct message m, uint64_t number)
{
	struct field f;

	return find_field(m, number, &f) ? f.value : 0;
}

/* The events that are no end and no exit, in the order in which they were written. */
static size_t read_shown(struct shown *out, size_t max)
{
	struct message m = {(unsigned char *)written, (unsigned char *)written + written_len}, event, name;
	struct field f, type;
	size_t n = 0;

	while (next_field(&m, &f)) {
		event = (struct message){f.bytes, f.bytes + f.value};
		if (!find_field(event, 11, &f))
			continue;
		event = (struct message){f.bytes, f.bytes + f.value};
		if (!find_field(event, 9, &type) || type.value == PERFETTO_END)
			continue;
		name = message_in(event, 23);
		if (*message_in(event, 22).at == 'v') /* "vcpu" */
			continue;
		assert_true(n < max);
		out[n++] = (struct shown){strndup((const char *)name.at, (size_t)(name.end - name.at)),
					  number_in(event, 11), optional(event, 47), optional(event, 48)};
	}
	return n;
}

static void both_ends(struct probes *p)
{
	/* One that wakes nobody; then somebody else wakes the service. */
	step(p, 100, VCPU0, STEP_SIGNAL, 0);
	exit_of(p, 200, 0);
	step(p, 300, STRANGER, STEP_WAKE, SERVICE);
	service_runs(p, 310, STEP_IRQ_OF(0, 0x31));
	step(p, 350, VCPU0, STEP_INJECT, STEP_IRQ_OF(0, 0x31));
	/* One that wakes it, and on to the interrupt. */
	step(p, 400, VCPU0, STEP_SIGNAL, 0);
	step(p, 405, VCPU0, STEP_SIGNAL, 1); /* an assigned card's interrupt, on top of it */
	step(p, 410, VCPU0, STEP_WAKE, SERVICE);
	exit_of(p, 420, 0);
	service_runs(p, 430, STEP_IRQ_OF(1, 0x31));
	/* The same vector of another vCPU is another interrupt. */
	step(p, 450, VCPU0, STEP_INJECT, STEP_IRQ_OF(0, 0x31));
	step(p, 460, VCPU1, STEP_INJECT, STEP_IRQ_OF(1, 0x31));
	/* One whose end is not recorded any more. */
	step(p, 500, VCPU1, STEP_SIGNAL, 0);
}

static void test_arrows(void **state)
{
	static const struct shown want[] = {
		{"kick", VCPU0, 0, 0}, {"runs", SERVICE, 0, 0}, {"interrupt 0x31", SERVICE, 1, 0},
		{"interrupt 0x31", VCPU0, 0, 1}, {"kick", VCPU0, 2, 0}, {"runs", SERVICE, 2, 0},
		{"interrupt 0x31", SERVICE, 2, 0}, {"interrupt 0x31", VCPU0, 0, 0},
		{"interrupt 0x31", VCPU1, 0, 2}, {"kick", VCPU1, 0, 0},
	};
	struct shown got[32];
	char path[] = "/tmp/exitlab-perfetto-XXXXXX";
	struct strbuf sb = STRBUF_INIT;
	struct probes *p;
	size_t n;

	(void)state;
	close(mkstemp(path));
	p = traced(path);
	both_ends(p);
	trace_close(p);
	assert_int_equal(file_read(path, &sb), 0);
	written = sb.buf;
	written_len = sb.len;
	n = read_shown(got, ARRAY_SIZE(got));
	assert_int_equal(n, ARRAY_SIZE(want));
	for (size_t i = 0; i < n; i++) {
		if (strcmp(got[i].name, want[i].name) || got[i].track != want[i].track ||
		    got[i].flow != want[i].flow || got[i].flow_end != want[i].flow_end)
			fail_msg("%zu: %s on %d, arrow %d to %d", i, got[i].name, (int)got[i].track,
				 (int)got[i].flow, (int)got[i].flow_end);
		free((char *)got[i].name);
	}
	strbuf_free(&sb);
	unlink(path);
	free(p->skel->data);
	free(p->skel->bss);
	free(p->skel->data_hot);
	free(p->skel);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_track),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_arrows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
