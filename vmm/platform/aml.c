// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "vmm/platform/aml.h"

enum {
	OP_ZERO = 0x00,
	OP_ONE = 0x01,
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_WORD = 0x0b,
	OP_DWORD = 0x0c,
	OP_STRING = 0x0d,
	OP_QWORD = 0x0e,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_METHOD = 0x14,
	OP_EXT = 0x5b,
	OP_EXT_DEVICE = 0x82,
};

static void add_le(struct strbuf *out, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		strbuf_addc(out, (char)(v >> (8 * i)));
}

void aml_int(struct strbuf *out, uint64_t v)
{
	if (v <= 1) {
		strbuf_addc(out, v ? OP_ONE : OP_ZERO);
		return;
	}
	if (v <= 0xff) {
		strbuf_addc(out, OP_BYTE);
		add_le(out, v, 1);
	} else if (v <= 0xffff) {
		strbuf_addc(out, OP_WORD);
		add_le(out, v, 2);
	} else if (v <= 0xffffffff) {
		strbuf_addc(out, OP_DWORD);
		add_le(out, v, 4);
	} else {
		strbuf_addc(out, OP_QWORD);
		add_le(out, v, 8);
	}
}

void aml_string(struct strbuf *out, const char *s)
{
	strbuf_addc(out, OP_STRING);
	strbuf_add(out, s, strlen(s) + 1);
}

void aml_eisaid(struct strbuf *out, const char *id)
{
	uint32_t product = (uint32_t)strtoul(id + 3, NULL, 16);
	uint32_t vendor = (uint32_t)((id[0] - 0x40) << 10 | (id[1] - 0x40) << 5 | (id[2] - 0x40));

	/* Big-endian in a little-endian integer (19.3.4). */
	strbuf_addc(out, OP_DWORD);
	add_le(out, __builtin_bswap32(vendor << 16 | product), 4);
}

/* A four-letter name, padded with '_'; a leading '\\' stays. */
static void aml_name(struct strbuf *out, const char *name)
{
	if (*name == '\\')
		strbuf_addc(out, *name++);
	for (size_t i = 0, len = strlen(name); i < 4; i++)
		strbuf_addc(out, i < len ? name[i] : '_');
}

/* PkgLength (20.2.4) counts itself; then the body. */
static void add_package(struct strbuf *out, struct strbuf *body)
{
	size_t len = body->len + 1;

	if (len < 64) {
		strbuf_addc(out, (char)len);
	} else {
		unsigned extra = ++len < 1 << 12 ? 1 : 2;

		len += extra - 1;
		strbuf_addc(out, (char)(extra << 6 | (len & 15)));
		add_le(out, len >> 4, extra);
	}
	strbuf_add(out, strbuf_str(body), body->len);
	strbuf_free(body);
}

/* Opcode, PkgLength, name or counts, body. */
static void add_block(struct strbuf *out, const char *op, size_t op_len, struct strbuf *head,
		      struct strbuf *body)
{
	strbuf_add(out, op, op_len);
	strbuf_add(head, strbuf_str(body), body->len);
	strbuf_free(body);
	add_package(out, head);
}

void aml_scope(struct strbuf *out, const char *name, struct strbuf *body)
{
	struct strbuf head = STRBUF_INIT;

	aml_name(&head, name);
	add_block(out, (const char[]){OP_SCOPE}, 1, &head, body);
}

void aml_device(struct strbuf *out, const char *name, struct strbuf *body)
{
	struct strbuf head = STRBUF_INIT;

	aml_name(&head, name);
	add_block(out, (const char[]){OP_EXT, (char)OP_EXT_DEVICE}, 2, &head, body);
}

void aml_method(struct strbuf *out, const char *name, unsigned args, struct strbuf *body)
{
	struct strbuf head = STRBUF_INIT;

	aml_name(&head, name);
	strbuf_addc(&head, (char)args);
	add_block(out, (const char[]){OP_METHOD}, 1, &head, body);
}

void aml_name_decl(struct strbuf *out, const char *name)
{
	strbuf_addc(out, OP_NAME);
	aml_name(out, name);
}

void aml_package(struct strbuf *out, unsigned elements, struct strbuf *body)
{
	struct strbuf head = STRBUF_INIT;

	strbuf_addc(&head, (char)elements);
	add_block(out, (const char[]){OP_PACKAGE}, 1, &head, body);
}

static void aml_buffer(struct strbuf *out, struct strbuf *bytes)
{
	struct strbuf head = STRBUF_INIT;

	aml_int(&head, bytes->len);
	add_block(out, (const char[]){OP_BUFFER}, 1, &head, bytes);
}

void aml_crs(struct strbuf *out, struct strbuf *resources)
{
	add_le(resources, 0x0079, 2); /* end tag, checksum 0: not used */
	aml_name_decl(out, "_CRS");
	aml_buffer(out, resources);
}

void res_io(struct strbuf *out, uint16_t port, uint8_t len)
{
	strbuf_add(out, (const char[]){0x47, 1}, 2); /* I/O port descriptor, 16-bit decode */
	add_le(out, port, 2);
	add_le(out, port, 2);
	add_le(out, 1, 1);
	add_le(out, len, 1);
}

void res_irq(struct strbuf *out, unsigned irq)
{
	strbuf_addc(out, 0x22); /* IRQ descriptor without flags: edge, active high */
	add_le(out, 1u << irq, 2);
}

void res_memory32_fixed(struct strbuf *out, uint32_t base, uint32_t len)
{
	strbuf_addc(out, (char)0x86);
	add_le(out, 9, 2);
	add_le(out, 1, 1); /* writable */
	add_le(out, base, 4);
	add_le(out, len, 4);
}

void res_window(struct strbuf *out, enum res_type type, uint64_t first, uint64_t last)
{
	/* Memory: writable, not cacheable; I/O: the entire range, no ISA aliases. */
	static const uint8_t specific[] = {[RES_MEMORY] = 1, [RES_IO] = 3, [RES_BUS] = 0};
	uint8_t tag = 0x88;
	unsigned width = 2;

	if (last > 0xffffffff) {
		tag = 0x8a;
		width = 8;
	} else if (last > 0xffff || type == RES_MEMORY) {
		tag = 0x87;
		width = 4;
	}
	strbuf_addc(out, (char)tag);
	add_le(out, 3 + 5 * width, 2);
	add_le(out, type, 1);
	add_le(out, 0x0c, 1); /* producer, positive decode, both ends fixed */
	add_le(out, specific[type], 1);
	add_le(out, 0, width); /* granularity */
	add_le(out, first, width);
	add_le(out, last, width);
	add_le(out, 0, width); /* translation */
	add_le(out, last - first + 1, width);
}
