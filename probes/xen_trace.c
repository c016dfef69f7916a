// SPDX-License-Identifier: MIT
#include "probes/xen_trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "probes/hypercalls.h"

#define CPUS	  256
#define NO_DOMAIN 0x10000u /* beyond all of Xen's */
#define WORDS	  7
#define FLAG_64	  0x100u /* of an event: addresses have two words */

/* Of the class TRC_GEN: about the buffer itself. */
enum { LOST_RECORDS = 0x1f001, WRAP_BUFFER = 0x1f002, CPU_CHANGE = 0x1f003 };
/* TRC_SCHED: a virtual CPU's change of state; bits 4-5 of the event are the new one. */
#define RUNSTATE_CHANGE 0x21001u
#define RUNSTATE_MASK	0xfffff00fu
#define RUNNING		0u
#define RUNSTATE_CONTINUE 0x21002u /* Xen has chosen whom it had chosen before */
/* TRC_PV, without FLAG_64. */
enum {
	PV_TRAP = 0x201003,
	PV_PAGE_FAULT,
	PV_INVALID_OP,
	PV_PRIVOP,
	PV_SEGMENT,
	PV_FPU,
	PV_FIXUP,
	PV_DESCRIPTOR,
	PV_PTWR,
	PV_PTWR_PAE,
	PV_HYPERCALL,
	PV_SUBCALL = 0x20200e
};
/* TRC_HVM, likewise. */
enum {
	HVM_VMEXIT = 0x81002,
	HVM_VMMCALL = 0x82012,
	HVM_PORT_READ = 0x82016,
	HVM_PORT_WRITE = 0x82216
};

/* TRC_MEM: whose page it was is the first word. */
enum { GRANT_MAP = 0x10f001, GRANT_UNMAP, GRANT_TRANSFER };
#define DOM0		0u
#define GRANT_TABLE_OP	20u
#define GNTTABOP_COPY	5u
#define HAS_FIRST	(1u << 20)
#define HAS_THIRD	(1u << 24)

struct record {
	uint32_t event, n;
	uint32_t word[WORDS];
	bool has_tsc;
	uint64_t tsc;
};

struct xen_reader {
	const unsigned char *at, *end;
	unsigned domain, cpu;
	bool on_cpu;		/* a piece has begun */
	unsigned current[CPUS]; /* the domain that runs there */
	uint64_t tsc[CPUS];
	size_t last_exit[CPUS]; /* its index + 1, until another event of the domain comes */
	struct xen_trace out;
};

static bool take_word(struct xen_reader *p, uint32_t *word)
{
	if (p->end - p->at < (ptrdiff_t)sizeof(*word))
		return false;
	memcpy(word, p->at, sizeof(*word));
	p->at += sizeof(*word);
	return true;
}

static bool take_record(struct xen_reader *p, struct record *r)
{
	uint32_t head, low, high;

	memset(r, 0, sizeof(*r));
	if (!take_word(p, &head))
		return false;
	r->event = head & 0x0fffffff;
	r->n = head >> 28 & 7;
	r->has_tsc = head >> 31;
	if (r->has_tsc) {
		if (!take_word(p, &low) || !take_word(p, &high))
			return false;
		r->tsc = (uint64_t)high << 32 | low;
	}
	for (uint32_t i = 0; i < r->n; i++)
		if (!take_word(p, &r->word[i]))
			return false;
	return true;
}

static struct xen_event *add_event(struct xen_reader *p, enum xen_event_kind kind)
{
	struct xen_trace *t = &p->out;

	t->event = xgrow(t->event, t->n, sizeof(*t->event));
	t->event[t->n] = (struct xen_event){.tsc = p->tsc[p->cpu],
					    .domain = (uint16_t)p->current[p->cpu],
					    .kind = (uint8_t)kind};
	p->last_exit[p->cpu] = 0;
	return &t->event[t->n++];
}

static uint64_t address_of(const struct record *r)
{
	if (r->event & FLAG_64)
		return (uint64_t)r->word[1] << 32 | r->word[0];
	return r->word[0];
}

/*
 * Bits 20-31 say which arguments are there: of the first bit 20 (32 bits), bit 21 (64). Xen records it of few
 * calls.
 */
static uint64_t hypercall_of(const struct record *r)
{
	uint64_t which = HYPERCALL_ANY;

	if (r->word[0] >> 20 & 3)
		which = r->word[1] & 0xffff;
	return KEY_XEN | which << 16 | (r->word[0] & 0xffff);
}

static void pv_event(struct xen_reader *p, const struct record *r)
{
	static const uint8_t kinds[] = {
		[PV_TRAP - PV_TRAP] = XEN_TRAP,
		[PV_PAGE_FAULT - PV_TRAP] = XEN_PAGE_FAULT,
		[PV_INVALID_OP - PV_TRAP] = XEN_INVALID_OP,
		[PV_PRIVOP - PV_TRAP] = XEN_PRIVOP,
		[PV_SEGMENT - PV_TRAP] = XEN_SEGMENT,
		[PV_FPU - PV_TRAP] = XEN_FPU,
		[PV_FIXUP - PV_TRAP] = XEN_FIXUP,
		[PV_DESCRIPTOR - PV_TRAP] = XEN_DESCRIPTOR,
		[PV_PTWR - PV_TRAP] = XEN_PTWR,
		[PV_PTWR_PAE - PV_TRAP] = XEN_PTWR,
		[PV_HYPERCALL - PV_TRAP] = XEN_HYPERCALL,
	};
	uint32_t event = r->event & ~FLAG_64;

	if (event == PV_SUBCALL) {
		add_event(p, XEN_SUBCALL)->key = hypercall_of(r);
		return;
	}
	if (event < PV_TRAP || event > PV_HYPERCALL)
		return;
	switch (kinds[event - PV_TRAP]) {
	case XEN_HYPERCALL:
		add_event(p, XEN_HYPERCALL)->key = hypercall_of(r);
		break;
	case XEN_TRAP: /* the vector follows the address, in 15 bits */
		add_event(p, XEN_TRAP)->key = r->word[(r->event & FLAG_64) ? 2 : 1] & 0x7fff;
		break;
	default:
		add_event(p, kinds[event - PV_TRAP])->at = address_of(r);
	}
}

/* What handles an exit records after it what that was about. */
static void name_exit(struct xen_reader *p, uint64_t key, uint32_t value)
{
	size_t last = p->last_exit[p->cpu];

	if (!last)
		return;
	p->out.event[last - 1].key = key;
	p->out.event[last - 1].value = (uint8_t)value;
}

static void hvm_event(struct xen_reader *p, const struct record *r)
{
	switch (r->event & ~FLAG_64) {
	case HVM_VMEXIT:
		add_event(p, XEN_EXIT)->code = r->word[0];
		p->last_exit[p->cpu] = p->out.n;
		break;
	case HVM_VMMCALL:
		name_exit(p, KEY_XEN | (uint64_t)HYPERCALL_ANY << 16 | (r->word[0] & 0xffff), 0);
		break;
	case HVM_PORT_READ:
		name_exit(p, r->word[0] & 0xffff, 0);
		break;
	case HVM_PORT_WRITE:
		name_exit(p, XEN_PORT_WRITE | (r->word[0] & 0xffff), r->word[1]);
		break;
	}
}

static void add_grant(struct xen_reader *p, enum xen_grant_kind kind, uint32_t n)
{
	struct xen_trace *t = &p->out;

	t->grant = xgrow(t->grant, t->n_grants, sizeof(*t->grant));
	t->grant[t->n_grants++] = (struct xen_grant){p->tsc[p->cpu], n, (uint8_t)kind};
}

/* Of what is copied Xen does not say whose it was; dom0, which serves our domain, has no other in a lab. */
static void grant_event(struct xen_reader *p, const struct record *r)
{
	uint32_t event = r->event & ~FLAG_64, copy = GRANT_TABLE_OP | HAS_FIRST | HAS_THIRD;

	if (event >= GRANT_MAP && event <= GRANT_TRANSFER && r->word[0] == p->domain)
		add_grant(p, XEN_GRANT_MAP + (event - GRANT_MAP), 1);
	else if ((event == PV_HYPERCALL || event == PV_SUBCALL) && p->current[p->cpu] == DOM0 &&
		 (r->word[0] & (0xffff | HAS_FIRST | HAS_THIRD)) == copy && r->word[1] == GNTTABOP_COPY)
		add_grant(p, XEN_GRANT_COPY, r->word[2]);
}

/* Does it say which domain its processor runs from here on? */
static bool runs_now(const struct record *r)
{
	if (r->event == RUNSTATE_CONTINUE)
		return r->n;
	return (r->event & RUNSTATE_MASK) == RUNSTATE_CHANGE && (r->event >> 4 & 3) == RUNNING;
}

static bool is_of_interest(const struct xen_reader *p)
{
	unsigned domain = p->current[p->cpu];

	return domain == p->domain || (p->domain == XEN_ALL_DOMAINS && domain != NO_DOMAIN);
}

static void cpu_event(struct xen_reader *p, const struct record *r)
{
	if (r->has_tsc)
		p->tsc[p->cpu] = r->tsc;
	if (runs_now(r))
		p->current[p->cpu] = r->word[0] >> 16;
	grant_event(p, r);
	if (!is_of_interest(p))
		return;
	if (r->event >> 16 == PV_TRAP >> 16)
		pv_event(p, r);
	else if (r->event >> 16 == HVM_VMEXIT >> 16)
		hvm_event(p, r);
}

static const char *begin_piece(struct xen_reader *p, const struct record *r)
{
	if (!r->n || r->word[0] >= CPUS)
		return "a piece of a CPU that there cannot be";
	p->cpu = r->word[0];
	p->on_cpu = true;
	return NULL;
}

static const char *parse_record(struct xen_reader *p, const struct record *r)
{
	if (r->event == CPU_CHANGE)
		return begin_piece(p, r);
	if (!p->on_cpu)
		return "it does not begin with the name of a CPU";
	if (r->event == LOST_RECORDS) {
		p->out.lost += r->word[0];
		p->current[p->cpu] = NO_DOMAIN;
	} else if (r->event != WRAP_BUFFER) {
		cpu_event(p, r);
	}
	return NULL;
}

/* Pieces of several CPUs: by time, and as they came where that is equal. */
static int by_time(const void *a, const void *b)
{
	const struct xen_event *x = a, *y = b;

	if (x->tsc != y->tsc)
		return compare_u64(x->tsc, y->tsc);
	return (x > y) - (x < y);
}

static bool is_in_order(const struct xen_trace *t)
{
	for (size_t i = 1; i < t->n; i++)
		if (t->event[i].tsc < t->event[i - 1].tsc)
			return false;
	return true;
}

struct xen_reader *xen_reader_new(unsigned domain)
{
	struct xen_reader *p = xcalloc(1, sizeof(*p));

	p->domain = domain;
	for (size_t i = 0; i < CPUS; i++)
		p->current[i] = NO_DOMAIN;
	return p;
}

int xen_reader_take(struct xen_reader *p, const void *data, size_t size, size_t *used, const char **why)
{
	const unsigned char *begins = data;
	struct record r;

	p->at = begins;
	p->end = begins + size;
	*why = NULL;
	*used = 0;
	while (!*why && p->at < p->end && take_record(p, &r)) {
		*why = parse_record(p, &r);
		*used = (size_t)(p->at - begins);
	}
	return *why ? -EBADMSG : 0;
}

/* An exit that is its CPU's last may get its name from the next record there. */
static void keep_unnamed(struct xen_reader *p, const struct xen_trace *given)
{
	for (size_t i = 0; i < CPUS; i++) {
		if (!p->last_exit[i])
			continue;
		p->out.event = xgrow(p->out.event, p->out.n, sizeof(*p->out.event));
		p->out.event[p->out.n++] = given->event[p->last_exit[i] - 1];
		p->last_exit[i] = p->out.n;
	}
}

void xen_reader_give(struct xen_reader *p, struct xen_trace *t, bool end)
{
	bool *kept;
	size_t n = 0;

	*t = p->out;
	p->out = (struct xen_trace){.n = 0};
	if (end)
		return;
	kept = xcalloc(t->n + 1, sizeof(*kept));
	for (size_t i = 0; i < CPUS; i++)
		if (p->last_exit[i])
			kept[p->last_exit[i] - 1] = true;
	keep_unnamed(p, t);
	for (size_t i = 0; i < t->n; i++)
		if (!kept[i])
			t->event[n++] = t->event[i];
	t->n = n;
	free(kept);
}

void xen_reader_free(struct xen_reader *p)
{
	if (!p)
		return;
	xen_trace_free(&p->out);
	free(p);
}

int xen_trace_parse(struct xen_trace *t, const void *data, size_t size, unsigned domain, const char **why)
{
	struct xen_reader *p = xen_reader_new(domain);
	size_t used;

	*t = (struct xen_trace){.n = 0};
	if (!xen_reader_take(p, data, size, &used, why) && used < size)
		*why = "it ends within a record";
	if (!*why)
		xen_reader_give(p, t, true);
	xen_reader_free(p);
	if (*why)
		return -EBADMSG;
	if (!is_in_order(t))
		qsort(t->event, t->n, sizeof(*t->event), by_time);
	return 0;
}

void xen_trace_free(struct xen_trace *t)
{
	free(t->event);
	free(t->grant);
	*t = (struct xen_trace){.n = 0};
}

enum probe_backend xen_machine_backend(void)
{
	struct strbuf sb = STRBUF_INIT;
	enum probe_backend backend = BACKEND_SVM;

	if (!file_read("/proc/cpuinfo", &sb) && strstr(strbuf_str(&sb), "GenuineIntel"))
		backend = BACKEND_VMX;
	strbuf_free(&sb);
	return backend;
}

static int parse_text(const char *path, const struct strbuf *sb, const struct strbuf *domain,
		      const struct xen_parts *parts, json_t **out)
{
	struct xen_trace t;
	const char *why;
	uint64_t id;
	char *line = xasprintf("%.*s", (int)strcspn(strbuf_str(domain), "\n"), strbuf_str(domain));
	int err = parse_u64(line, &id);

	free(line);
	if (err || id >= NO_DOMAIN) {
		log_error("%s.domain: not the number of a domain", path);
		return -EBADMSG;
	}
	err = xen_trace_parse(&t, sb->buf, sb->len, (unsigned)id, &why);
	t.backend = xen_machine_backend();
	if (err)
		log_error("%s: not what xentrace writes: %s", path, why);
	else
		*out = xen_trace_json(&t, parts);
	xen_trace_free(&t);
	return err;
}

int xen_trace_read(const char *path, const struct xen_parts *parts, json_t **out)
{
	char *domain_path = xasprintf("%s.domain", path);
	struct strbuf sb = STRBUF_INIT, domain = STRBUF_INIT;
	int err = file_read(path, &sb);

	if (!err)
		err = file_read(domain_path, &domain);
	if (err)
		log_error("%s: %s; did xentrace and the domain start?", path, strerror(-err));
	else
		err = parse_text(path, &sb, &domain, parts, out);
	strbuf_free(&sb);
	strbuf_free(&domain);
	free(domain_path);
	return err;
}
