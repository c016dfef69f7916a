// SPDX-License-Identifier: MIT
/* NS16550A: transmission takes no time, so the transmitter is always empty; the line speed is
 * stored and ignored. */
#include <errno.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "vmm/platform/channel.h"
#include "vmm/platform/serial.h"

#define FIFO 64u

/* What Linux prints before it halts or resets: without a panic device in every guest, its console
 * is who tells. */
#define PANIC_TEXT "Kernel panic - not syncing"

struct serial {
	struct vm *vm;
	struct channel *ch;
	unsigned gsi;
	pthread_mutex_t lock; /* before the channel's and the interrupt's */
	uint8_t ier, lcr, mcr, scr, fcr, dll, dlm;
	bool thr_irq; /* "transmitter empty" not acknowledged yet */
	bool overrun, line;
	size_t matched; /* bytes of PANIC_TEXT seen in a row */
	uint8_t fifo[FIFO];
	unsigned head, tail; /* free running */
};

static unsigned bytes_waiting(const struct serial *s)
{
	return s->head - s->tail;
}

/* Interrupt sources by priority (data sheet, table 5). */
static uint8_t interrupt_id(const struct serial *s)
{
	if (s->ier & UART_IER_RLSI && s->overrun)
		return UART_IIR_RLSI;
	if (s->ier & UART_IER_RDI && bytes_waiting(s))
		return UART_IIR_RDI;
	if (s->ier & UART_IER_THRI && s->thr_irq)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

static void update_irq(struct serial *s)
{
	bool level = interrupt_id(s) != UART_IIR_NO_INT;

	if (level != s->line)
		vm_irq_line(s->vm, s->gsi, level);
	s->line = level;
}

static void receive_byte(struct serial *s, uint8_t byte)
{
	if (bytes_waiting(s) == FIFO)
		s->overrun = true;
	else
		s->fifo[s->head++ % FIFO] = byte;
}

/* Bytes from outside; how many fitted into the FIFO. */
static size_t on_input(void *arg, const uint8_t *buf, size_t n)
{
	struct serial *s = arg;
	size_t took = 0;

	pthread_mutex_lock(&s->lock);
	while (took < n && bytes_waiting(s) < FIFO)
		receive_byte(s, buf[took++]);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	return took;
}

static uint8_t read_rbr(struct serial *s)
{
	uint8_t byte = bytes_waiting(s) ? s->fifo[s->tail++ % FIFO] : 0;

	if (!bytes_waiting(s))
		channel_resume(s->ch);
	return byte;
}

static uint8_t read_iir(struct serial *s)
{
	uint8_t id = interrupt_id(s);

	/* Reading it acknowledges the transmitter's interrupt, and that one alone. */
	if (id == UART_IIR_THRI)
		s->thr_irq = false;
	return (uint8_t)(id | bits_if(s->fcr & UART_FCR_ENABLE_FIFO, 0xc0));
}

static uint8_t read_lsr(struct serial *s)
{
	uint32_t v = UART_LSR_TEMT | UART_LSR_THRE | bits_if(bytes_waiting(s), UART_LSR_DR) |
		     bits_if(s->overrun, UART_LSR_OE);

	s->overrun = false;
	return (uint8_t)v;
}

static uint8_t read_msr(const struct serial *s)
{
	/* Loopback ties the outputs to the inputs (data sheet, 8.6.7): a driver's probe looks at
	 * this. */
	if (s->mcr & UART_MCR_LOOP)
		return (uint8_t)(bits_if(s->mcr & UART_MCR_DTR, UART_MSR_DSR) |
				 bits_if(s->mcr & UART_MCR_RTS, UART_MSR_CTS) |
				 bits_if(s->mcr & UART_MCR_OUT1, UART_MSR_RI) |
				 bits_if(s->mcr & UART_MCR_OUT2, UART_MSR_DCD));
	return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
}

static uint8_t reg_read(struct serial *s, unsigned reg)
{
	bool dlab = s->lcr & UART_LCR_DLAB;

	if (dlab && reg == UART_DLL)
		return s->dll;
	if (dlab && reg == UART_DLM)
		return s->dlm;
	switch (reg) {
	case UART_RX:
		return read_rbr(s);
	case UART_IER:
		return s->ier;
	case UART_IIR:
		return read_iir(s);
	case UART_LCR:
		return s->lcr;
	case UART_MCR:
		return s->mcr;
	case UART_LSR:
		return read_lsr(s);
	case UART_MSR:
		return read_msr(s);
	default:
		return s->scr;
	}
}

static void watch_for_panic(struct serial *s, uint8_t byte)
{
	/* No proper prefix of the text is also its suffix but "K": starting over is enough. */
	if (byte != (uint8_t)PANIC_TEXT[s->matched])
		s->matched = 0;
	if (byte != (uint8_t)PANIC_TEXT[s->matched])
		return;
	if (++s->matched < sizeof(PANIC_TEXT) - 1)
		return;
	s->matched = 0;
	vm_note_panic(s->vm);
}

static void transmit_byte(struct serial *s, uint8_t byte)
{
	channel_put(s->ch, byte);
	watch_for_panic(s, byte);
}

static void write_thr(struct serial *s, uint8_t val)
{
	if (s->mcr & UART_MCR_LOOP)
		receive_byte(s, val);
	else
		transmit_byte(s, val);
	s->thr_irq = true;
}

static void write_ier(struct serial *s, uint8_t val)
{
	/* Enabling it while the transmitter is empty, which it always is, raises it at once. */
	if (val & ~s->ier & UART_IER_THRI)
		s->thr_irq = true;
	s->ier = val & 0x0f;
}

static void write_fcr(struct serial *s, uint8_t val)
{
	if (val & UART_FCR_CLEAR_RCVR)
		s->tail = s->head;
	s->fcr = val & UART_FCR_ENABLE_FIFO;
}

static void reg_write(struct serial *s, unsigned reg, uint8_t val)
{
	bool dlab = s->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_TX:
		if (dlab)
			s->dll = val;
		else
			write_thr(s, val);
		break;
	case UART_IER:
		if (dlab)
			s->dlm = val;
		else
			write_ier(s, val);
		break;
	case UART_FCR:
		write_fcr(s, val);
		break;
	case UART_LCR:
		s->lcr = val;
		break;
	case UART_MCR:
		s->mcr = val & 0x1f;
		break;
	case UART_SCR:
		s->scr = val;
		break;
	}
}

/* Wider accesses are a sequence of byte accesses, as on the ISA bus. */
static uint64_t serial_read(void *arg, uint64_t off, unsigned len)
{
	struct serial *s = arg;
	uint64_t val = 0;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < len; i++)
		val |= (uint64_t)reg_read(s, (unsigned)off + i) << (8 * i);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	return val;
}

static void serial_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct serial *s = arg;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < len; i++)
		reg_write(s, (unsigned)off + i, (uint8_t)(val >> (8 * i)));
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
}

static const struct bus_ops serial_ops = {"serial port", serial_read, serial_write};

void serial_reset(struct serial *s)
{
	pthread_mutex_lock(&s->lock);
	s->ier = s->lcr = s->mcr = s->scr = s->fcr = s->dlm = 0;
	s->dll = 12; /* 9600 baud */
	s->thr_irq = s->overrun = false;
	s->tail = s->head;
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
}

static void on_quit(void *arg)
{
	struct serial *s = arg;

	vm_end(s->vm, VM_END_POWEROFF, 0);
}

int serial_create(struct serial **out, struct vm *vm, const char *name, uint16_t port, unsigned gsi,
		  struct channel *ch)
{
	struct serial *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->vm = vm;
	s->gsi = gsi;
	s->ch = ch;
	pthread_mutex_init(&s->lock, NULL);
	serial_reset(s);
	if (ch)
		channel_on_input(ch, on_input, on_quit, s);
	vm_stats_region(vm, name, true, port, 8);
	*out = s;
	return vm_map(vm, true, port, 8, &serial_ops, s);
}

void serial_destroy(struct serial *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}
