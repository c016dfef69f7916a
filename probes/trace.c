// SPDX-License-Identifier: MIT
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "probes/internal.h"
#include "probes/names.h"
#include "probes/reasons.h"
#include "probes/trace.h"

struct trace {
	FILE *file;
	struct ring_buffer *ring;
	uint32_t track[PROBE_VCPUS]; /* whose each slot's is: a vCPU's serial */
};

/* ---- the format ---- */

void trace_write_head(FILE *f)
{
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n{}", f);
}

void trace_write_track(FILE *f, int tgid, int tid, int vcpu)
{
	fprintf(f,
		",\n{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":\"vCPU %d\"}}",
		tgid, tid, vcpu);
}

/* Times are in microseconds. Names come from tables of ours and have nothing to escape. */
static void slice(FILE *f, const struct trace_slice *s, const char *name, const char *kind, uint64_t from,
		  uint64_t to)
{
	fprintf(f,
		",\n{\"ph\":\"X\",\"cat\":\"%s\",\"name\":\"%s\",\"pid\":%d,\"tid\":%d,\"ts\":%" PRIu64
		".%03u,\"dur\":%" PRIu64 ".%03u",
		kind, name, s->tgid, s->tid, from / 1000, (unsigned)(from % 1000),
		(to - from) / 1000, (unsigned)((to - from) % 1000));
	if (*s->key && name == s->reason)
		fprintf(f, ",\"args\":{\"key\":\"%s\"}", s->key);
	fputc('}', f);
}

void trace_write_exit(FILE *f, const struct trace_slice *s)
{
	if (s->guest_from_ns && s->exit_ns > s->guest_from_ns)
		slice(f, s, "guest", "guest", s->guest_from_ns, s->exit_ns);
	slice(f, s, s->reason, "exit", s->exit_ns, s->entry_ns);
	/* Nested in the exit's slice: what is outside "userspace" is KVM's. */
	if (s->user_ns)
		slice(f, s, "userspace", "userspace", s->user_ns, s->entry_ns);
}

void trace_write_tail(FILE *f, uint64_t drops)
{
	fprintf(f, "\n],\"otherData\":{\"dropped\":%" PRIu64 "}}\n", drops);
}

/* ---- the ring ---- */

static int on_event(void *ctx, void *data, size_t size)
{
	struct probes *p = ctx;
	const struct exit_event *e = data;
	const struct vcpu_state *v = &probes_hot(p)->vcpu[e->vcpu % PROBE_VCPUS];
	uint32_t *track = &p->trace->track[e->vcpu % PROBE_VCPUS];
	char device[64];
	struct trace_slice s = {
		.tgid = (int)v->tgid,
		.tid = (int)or_usual(v->tid, v->ended_tid),
		.vcpu = v->vcpu_id,
		.reason = reason_name(p->backend, e->reason),
		.key = key_text(p->backend, e->reason, e->key, p->opts.key_rip),
		/* By the exit itself and not by the entry before it, which may have been dropped. */
		.guest_from_ns = e->guest_ns ? e->exit_ns - e->guest_ns : 0,
		.exit_ns = e->exit_ns,
		.user_ns = e->user_ns,
		.entry_ns = e->entry_ns,
	};

	if (size < sizeof(*e))
		return 0;
	if (!p->opts.key_rip &&
	    names_find(p->names, s.tgid, p->backend, e->reason, e->key, device, sizeof(device)))
		s.key = device;
	if (*track != v->serial)
		trace_write_track(p->trace->file, s.tgid, s.tid, s.vcpu);
	*track = v->serial;
	trace_write_exit(p->trace->file, &s);
	return 0;
}

int trace_open(struct probes *p)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	p->trace = t;
	t->file = fopen(p->opts.trace, "we");
	if (!t->file) {
		log_error("%s: %s; the trace cannot be written there", p->opts.trace, strerror(errno));
		return -EIO;
	}
	t->ring = ring_buffer__new(bpf_map__fd(p->skel->maps.trace_ring), on_event, p, NULL);
	if (!t->ring)
		return -errno;
	trace_write_head(t->file);
	return 0;
}

void trace_poll(struct probes *p)
{
	if (p->trace && p->trace->ring)
		ring_buffer__consume(p->trace->ring);
}

uint64_t trace_drops(struct probes *p)
{
	return p->skel ? p->skel->bss->trace_dropped : 0;
}

void trace_close(struct probes *p)
{
	if (!p->trace)
		return;
	trace_poll(p);
	if (p->trace->ring) {
		trace_write_tail(p->trace->file, trace_drops(p));
		ring_buffer__free(p->trace->ring);
	}
	if (p->trace->file && fclose(p->trace->file))
		log_error("%s: %s", p->opts.trace, strerror(errno));
	free(p->trace);
	p->trace = NULL;
}
