// SPDX-License-Identifier: MIT
#include "probes/perfetto.h"

#include <inttypes.h>
#include <string.h>

#include "base/strbuf.h"

#define SEQUENCE 1 /* all packets are of one writer */

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

enum {
	TRACE_PACKET = 1,

	PACKET_TIMESTAMP = 8,
	PACKET_SEQUENCE = 10,
	PACKET_TRACK_EVENT = 11,
	PACKET_TRACK_DESCRIPTOR = 60,

	EVENT_ANNOTATION = 4,
	EVENT_TYPE = 9,
	EVENT_TRACK = 11,
	EVENT_CATEGORY = 22,
	EVENT_NAME = 23,
	EVENT_FLOW = 47,
	EVENT_FLOW_END = 48,

	ANNOTATION_STRING = 6,
	ANNOTATION_NAME = 10,

	DESCRIPTOR_UUID = 1,
	DESCRIPTOR_THREAD = 4,

	THREAD_PID = 1,
	THREAD_TID = 2,
	THREAD_NAME = 5,
};

/* ---- the wire format ---- */

static void put_varint(struct strbuf *sb, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		strbuf_addc(sb, (char)(v | 0x80));
	strbuf_addc(sb, (char)v);
}

static void put_number(struct strbuf *sb, unsigned field, uint64_t v)
{
	put_varint(sb, field << 3 | WIRE_VARINT);
	put_varint(sb, v);
}

static void put_fixed64(struct strbuf *sb, unsigned field, uint64_t v)
{
	put_varint(sb, field << 3 | WIRE_FIXED64);
	for (int i = 0; i < 8; i++)
		strbuf_addc(sb, (char)(v >> 8 * i));
}

static void put_bytes(struct strbuf *sb, unsigned field, const char *bytes, size_t n)
{
	put_varint(sb, field << 3 | WIRE_BYTES);
	put_varint(sb, n);
	strbuf_add(sb, bytes, n);
}

static void put_text(struct strbuf *sb, unsigned field, const char *text)
{
	put_bytes(sb, field, text, strlen(text));
}

/* Empties the message that goes into the other one. */
static void put_message(struct strbuf *sb, unsigned field, struct strbuf *message)
{
	put_bytes(sb, field, strbuf_str(message), message->len);
	message->len = 0;
}

/* ---- packets ---- */

struct packet {
	struct strbuf whole, body, part;
};

/* Writes the packet whose body this field holds. */
static void packet_write(FILE *f, struct packet *p, unsigned field)
{
	struct strbuf out = STRBUF_INIT;

	put_number(&p->whole, PACKET_SEQUENCE, SEQUENCE);
	put_message(&p->whole, field, &p->body);
	put_message(&out, TRACE_PACKET, &p->whole);
	fwrite(out.buf, 1, out.len, f);
	strbuf_free(&out);
	strbuf_free(&p->whole);
	strbuf_free(&p->body);
	strbuf_free(&p->part);
}

#define PACKET_INIT {STRBUF_INIT, STRBUF_INIT, STRBUF_INIT}

void perfetto_write_track(FILE *f, uint64_t track, int tgid, int tid, const char *name)
{
	struct packet p = PACKET_INIT;

	put_number(&p.part, THREAD_PID, (uint64_t)tgid);
	put_number(&p.part, THREAD_TID, (uint64_t)tid);
	put_text(&p.part, THREAD_NAME, name);
	put_number(&p.body, DESCRIPTOR_UUID, track);
	put_message(&p.body, DESCRIPTOR_THREAD, &p.part);
	packet_write(f, &p, PACKET_TRACK_DESCRIPTOR);
}

void perfetto_write_event(FILE *f, const struct perfetto_event *e)
{
	struct packet p = PACKET_INIT;

	put_number(&p.whole, PACKET_TIMESTAMP, e->ns);
	if (e->key && *e->key) {
		put_text(&p.part, ANNOTATION_NAME, "key");
		put_text(&p.part, ANNOTATION_STRING, e->key);
		put_message(&p.body, EVENT_ANNOTATION, &p.part);
	}
	put_number(&p.body, EVENT_TYPE, e->type);
	put_number(&p.body, EVENT_TRACK, e->track);
	if (e->type != PERFETTO_END) {
		put_text(&p.body, EVENT_CATEGORY, e->category);
		put_text(&p.body, EVENT_NAME, e->name);
	}
	if (e->flow)
		put_fixed64(&p.body, EVENT_FLOW, e->flow);
	if (e->flow_end)
		put_fixed64(&p.body, EVENT_FLOW_END, e->flow_end);
	packet_write(f, &p, PACKET_TRACK_EVENT);
}

void perfetto_write_lost(FILE *f, uint64_t ns, uint64_t track, uint64_t lost)
{
	char name[64];

	snprintf(name, sizeof(name), "%" PRIu64 " events lost until here", lost);
	perfetto_write_event(f, &(struct perfetto_event){.type = PERFETTO_INSTANT, .ns = ns, .track = track,
							 .name = name, .category = "lost"});
}
