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

#include "base/util.h"
#include "probes/perfetto.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_track),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
