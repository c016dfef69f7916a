// SPDX-License-Identifier: MIT
/* The line protocol on COM2, and the window's marker. */
#include <string.h>

#include "base/hist.h"
#include "workloads/micro/micro.h"

#define COM2       0x2f8
#define LSR        5
#define LSR_EMPTY  0x20
#define FIFO_BYTES 16
#define WAIT_TICKS 30000000000ull

static bool failed;
static uint64_t open_tsc, close_tsc;

void report_init(void)
{
	outb(COM2 + 1, 0);    /* no interrupts */
	outb(COM2 + 3, 0x80); /* 115200 baud */
	outb(COM2 + 0, 1);
	outb(COM2 + 1, 0);
	outb(COM2 + 3, 3); /* 8n1 */
	outb(COM2 + 2, 7); /* FIFO on and cleared */
}

/* A port without a UART reads all-ones; a reader that has stopped reading is given some 10 s. */
static void wait_empty(void)
{
	uint64_t start = rdtsc();

	while (!(inb(COM2 + LSR) & LSR_EMPTY) && rdtsc() - start < WAIT_TICKS)
		;
}

/*
 * Ring 0: where supervisor code is interpreted a port access is cheaper from there, elsewhere it does not
 * matter.
 */
static uint64_t put_string(uint64_t arg)
{
	const char *s = (const char *)arg;

	for (unsigned n = 0; *s; s++, n++) {
		if (n % FIFO_BYTES == 0)
			wait_empty();
		outb(COM2, (uint8_t)*s);
	}
	return 0;
}

static void report_raw(const char *s)
{
	ring0(put_string, (uint64_t)s);
}

struct out {
	char *buf;
	size_t len, size;
};

static void put_char(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len++] = c;
	o->buf[o->len] = '\0';
}

static void put_number(struct out *o, uint64_t v, unsigned base)
{
	char digits[20];
	unsigned n = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		put_char(o, digits[--n]);
}

static void put_text(struct out *o, const char *s)
{
	while (*s)
		put_char(o, *s++);
}

/* One conversion, fmt just after the '%'; returns what follows it. */
static const char *put_conversion(struct out *o, const char *fmt, __builtin_va_list *ap)
{
	bool wide = *fmt == 'l';
	uint64_t v;
	int64_t d;

	fmt += wide;
	switch (*fmt) {
	case 's':
		put_text(o, __builtin_va_arg(*ap, const char *));
		break;
	case 'c':
		put_char(o, (char)__builtin_va_arg(*ap, int));
		break;
	case 'd':
		d = __builtin_va_arg(*ap, int);
		if (d < 0)
			put_char(o, '-');
		put_number(o, (uint64_t)MAX(d, -d), 10);
		break;
	case 'u':
	case 'x':
		v = wide ? __builtin_va_arg(*ap, unsigned long) : __builtin_va_arg(*ap, unsigned);
		put_number(o, v, *fmt == 'u' ? 10 : 16);
		break;
	default:
		put_char(o, *fmt);
	}
	return fmt + 1;
}

size_t format(char *buf, size_t size, const char *fmt, __builtin_va_list args)
{
	struct out o = {buf, 0, size};
	__builtin_va_list ap;

	__builtin_va_copy(ap, args);
	buf[0] = '\0';
	while (*fmt) {
		if (*fmt == '%')
			fmt = put_conversion(&o, fmt + 1, &ap);
		else
			put_char(&o, *fmt++);
	}
	__builtin_va_end(ap);
	return o.len;
}

static void say_line(const char *kind, const char *fmt, __builtin_va_list ap)
{
	static const char prefix[] = "exitlab ";
	char line[320];
	size_t len = sizeof(prefix) - 1;

	memcpy(line, prefix, len);
	for (const char *k = kind; *k; k++)
		line[len++] = *k;
	len += format(line + len, sizeof(line) - len - 1, fmt, ap);
	line[len] = '\n';
	line[len + 1] = '\0';
	report_raw(line);
}

#define SAY(kind)                                                                                            \
	__builtin_va_list ap;                                                                                \
	__builtin_va_start(ap, fmt);                                                                         \
	say_line(kind, fmt, ap);                                                                             \
	__builtin_va_end(ap)

void report(const char *fmt, ...)
{
	SAY("");
}

void report_note(const char *fmt, ...)
{
	SAY("note ");
}

int report_fail(const char *fmt, ...)
{
	if (!failed) {
		SAY("fail ");
	}
	failed = true;
	return -1;
}

bool report_failed(void)
{
	return failed;
}

void report_metric(const char *name, uint64_t value)
{
	report("metric %s %lu", name, value);
}

void report_milli(const char *name, uint64_t v)
{
	report("metric %s %lu.%u%u%u", name, v / 1000, (unsigned)(v / 100 % 10), (unsigned)(v / 10 % 10),
	       (unsigned)(v % 10));
}

static unsigned slot_of(uint64_t v)
{
	unsigned log2 = 63 - (unsigned)__builtin_clzll(v | 1);

	return MIN(HIST_SLOT_OF(v, log2), HIST_SLOTS - 1);
}

void report_hist(const char *name, const uint64_t *sorted_ns, unsigned n)
{
	static char line[16384];
	struct out o = {line, 0, sizeof(line)};
	uint64_t v[] = {n, 0, 0, 0}; /* how many, their sum, the least and the most */
	unsigned i, same;

	for (i = 0; i < n; i++)
		v[1] += sorted_ns[i];
	if (n) {
		v[2] = sorted_ns[0];
		v[3] = sorted_ns[n - 1];
	}
	put_text(&o, "exitlab hist ");
	put_text(&o, name);
	for (i = 0; i < 4; i++) {
		put_char(&o, ' ');
		put_number(&o, v[i], 10);
	}
	put_char(&o, ' ');
	for (i = 0; i < n; i += same) {
		unsigned slot = slot_of(sorted_ns[i]);

		for (same = 1; i + same < n && slot_of(sorted_ns[i + same]) == slot; same++)
			;
		if (i)
			put_char(&o, ',');
		put_number(&o, slot, 10);
		put_char(&o, ':');
		put_number(&o, same, 10);
	}
	put_char(&o, '\n');
	report_raw(line);
}

void window_open(void)
{
	outb(MARKER_PORT, MARKER_VALUE(MARKER_OPEN));
	open_tsc = rdtsc();
}

void window_close(void)
{
	close_tsc = rdtsc();
	outb(MARKER_PORT, MARKER_VALUE(MARKER_CLOSE));
}

uint64_t window_ns(void)
{
	return tsc_to_ns(close_tsc - open_tsc);
}

void window_report(uint64_t ops)
{
	uint64_t ns = MAX(window_ns(), 1);

	report_metric("window_ns", ns);
	if (!ops)
		return;
	report_metric("ops", ops);
	report_milli("ops_per_s", mul_div(ops, 1000000000000ull, ns));
	report_milli("op_ns", mul_div(ns, 1000, ops));
}
