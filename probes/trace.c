// SPDX-License-Identifier: MIT
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "probes/internal.h"
#include "probes/names.h"
#include "probes/perfetto.h"
#include "probes/reasons.h"
#include "probes/steps.h"
#include "probes/trace.h"

#define TRACE_THREADS 64
#define TRACE_VCPUS   64 /* of more, those whose interrupts have arrows of their own */
#define VECTORS	      256

/* A thread that has a track of its own, which has its number. */
struct trace_thread {
	uint32_t tid;
	bool on_cpu;      /* its slice is open */
	bool in_syscall;  /* and in it that of a system call */
	uint64_t flow;    /* the arrow that woke it, or that it works for */
};

struct trace {
	FILE *file;
	struct ring_buffer *ring;
	bool json;
	uint32_t track[PROBE_VCPUS]; /* whose each slot's is: a vCPU's serial */
	struct trace_thread thread[TRACE_THREADS];
	size_t n_threads;
	uint64_t flows;           /* arrows so far */
	struct step_event kick;   /* the last one, which may wake somebody yet; ns 0: none */
	uint64_t raised[TRACE_VCPUS][VECTORS]; /* the arrow of an interrupt which is not injected yet */
};

/* ---- Chrome's format ---- */

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

/* ---- Perfetto's ---- */

static void trace_put(struct trace *t, enum perfetto_type type, uint32_t tid, uint64_t ns, const char *name,
		      const char *category)
{
	perfetto_write_event(
		t->file, &(struct perfetto_event){
				 .type = type, .ns = ns, .track = tid, .name = name, .category = category});
}

static void trace_slice_put(struct trace *t, const struct trace_slice *s, const char *name, const char *key,
			    uint64_t from, uint64_t to)
{
	struct perfetto_event e = {.type = PERFETTO_BEGIN, .ns = from, .track = (uint64_t)s->tid,
				   .name = name, .category = "vcpu", .key = key};

	perfetto_write_event(t->file, &e);
	e.type = PERFETTO_END;
	e.ns = to;
	perfetto_write_event(t->file, &e);
}

/* The exit's slice begins before that in userspace, and both end together. */
static void trace_exit_put(struct trace *t, const struct trace_slice *s)
{
	if (s->guest_from_ns && s->exit_ns > s->guest_from_ns)
		trace_slice_put(t, s, "guest", NULL, s->guest_from_ns, s->exit_ns);
	trace_slice_put(t, s, s->reason, s->key, s->exit_ns, s->entry_ns);
	if (s->user_ns)
		trace_slice_put(t, s, "userspace", NULL, s->user_ns, s->entry_ns);
}

static const struct vcpu_state *vcpu_of_tid(struct probes *p, uint32_t tid)
{
	for (uint32_t i = 1; i < MIN(p->skel->data->n_vcpus, PROBE_VCPUS); i++)
		if (probes_hot(p)->vcpu[i].tid == tid)
			return &probes_hot(p)->vcpu[i];
	return NULL;
}

static struct trace_thread *trace_thread_find(struct trace *t, uint32_t tid)
{
	for (size_t i = 0; i < t->n_threads; i++)
		if (t->thread[i].tid == tid)
			return &t->thread[i];
	return NULL;
}

/* Of a thread that serves the VM; NULL: there are too many. */
static struct trace_thread *trace_thread(struct probes *p, uint32_t tid)
{
	struct trace_thread *known = trace_thread_find(p->trace, tid);
	struct trace *t = p->trace;
	char path[64], *name;

	if (known || t->n_threads == TRACE_THREADS)
		return known;
	t->thread[t->n_threads] = (struct trace_thread){.tid = tid};
	snprintf(path, sizeof(path), "/proc/%u/comm", tid);
	name = file_read_line(path);
	if (!vcpu_of_tid(p, tid))
		perfetto_write_track(t->file, tid, p->opts.pid, (int)tid, text_or(name, "thread"));
	free(name);
	return &t->thread[t->n_threads++];
}

static void trace_leaves(struct trace *t, struct trace_thread *th, uint64_t ns)
{
	if (!th || !th->on_cpu)
		return;
	if (th->in_syscall)
		trace_put(t, PERFETTO_END, th->tid, ns, NULL, NULL);
	trace_put(t, PERFETTO_END, th->tid, ns, NULL, NULL);
	th->on_cpu = th->in_syscall = false;
	th->flow = 0;
}

static void trace_gets_cpu(struct trace *t, struct trace_thread *th, uint64_t ns)
{
	if (!th || th->on_cpu)
		return;
	perfetto_write_event(t->file, &(struct perfetto_event){.type = PERFETTO_BEGIN, .ns = ns,
							       .track = th->tid, .name = "runs",
							       .category = "thread", .flow = th->flow});
	th->on_cpu = true;
}

static void trace_syscall(struct trace *t, struct trace_thread *th, const struct step_event *e)
{
	char name[32];

	if (!th || !th->on_cpu || th->in_syscall == (e->kind == STEP_SYSCALL))
		return;
	th->in_syscall = e->kind == STEP_SYSCALL;
	if (th->in_syscall)
		trace_put(t, PERFETTO_BEGIN, th->tid, e->ns, step_syscall_name(e->arg, name, sizeof(name)),
			  "syscall");
	else
		trace_put(t, PERFETTO_END, th->tid, e->ns, NULL, NULL);
}

/* A kick, or an interrupt on its way to the guest. */
static void trace_instant(struct trace *t, const struct step_event *e, const char *name, uint64_t flow,
			  uint64_t flow_end)
{
	perfetto_write_event(t->file, &(struct perfetto_event){.type = PERFETTO_INSTANT,
							       .ns = e->ns,
							       .track = e->tid,
							       .name = name,
							       .category = "notify",
							       .flow = flow,
							       .flow_end = flow_end});
}

/* The last kick is known for what it was: of this arrow, or of none, since it woke nobody. */
static void trace_kick_put(struct trace *t, uint64_t flow)
{
	if (t->kick.ns)
		trace_instant(t, &t->kick, "kick", flow, 0);
	t->kick.ns = 0;
}

static void trace_kick(struct trace *t, const struct step_event *e)
{
	trace_kick_put(t, 0);
	t->kick = *e;
}

/* Whom the kicking thread wakes works for the kick, until it sleeps. */
static void trace_wake(struct probes *p, const struct step_event *e)
{
	struct trace_thread *th = trace_thread(p, (uint32_t)e->arg);
	struct trace *t = p->trace;
	struct step_event there = {.ns = e->ns};

	if (!th || !t->kick.ns || t->kick.tid != e->tid || vcpu_of_tid(p, th->tid))
		return;
	th->flow = ++t->flows;
	trace_kick_put(t, th->flow);
	there.tid = th->tid;
	if (th->on_cpu) /* about to sleep, and does not */
		trace_instant(t, &there, "kicked while awake", th->flow, 0);
}

static void trace_interrupt(struct trace *t, const struct trace_thread *th, const struct step_event *e)
{
	uint64_t *flow = &t->raised[STEP_VCPU(e->arg) % TRACE_VCPUS][STEP_VECTOR(e->arg)];
	char name[32];

	snprintf(name, sizeof(name), "interrupt 0x%x", STEP_VECTOR(e->arg));
	if (e->kind == STEP_INJECT) {
		trace_instant(t, e, name, 0, *flow);
		*flow = 0;
		return;
	}
	*flow = 0;
	if (th)
		*flow = or_usual(th->flow, ++t->flows);
	if (th)
		trace_instant(t, e, name, *flow, 0);
}

static void trace_switch(struct probes *p, const struct step_event *e)
{
	struct trace_thread *from = trace_thread_find(p->trace, e->tid);
	struct trace_thread *to = trace_thread_find(p->trace, (uint32_t)e->arg);

	if (from && !vcpu_of_tid(p, from->tid))
		trace_leaves(p->trace, from, e->ns);
	if (to && !vcpu_of_tid(p, to->tid))
		trace_gets_cpu(p->trace, to, e->ns);
}

/* The threads that wake-ups and system calls are told of serve the VM; what runs otherwise may be any. */
static void trace_step(struct probes *p, const struct step_event *e)
{
	struct trace *t = p->trace;

	if (e->kind == STEP_SWITCH)
		trace_switch(p, e);
	else if (e->kind == STEP_WAKE)
		trace_wake(p, e);
	else if (e->kind == STEP_SYSCALL || e->kind == STEP_SYSRET)
		trace_syscall(t, trace_thread(p, e->tid), e);
	else if (e->kind == STEP_SIGNAL && !e->arg && vcpu_of_tid(p, e->tid))
		trace_kick(t, e);
	else if (e->kind == STEP_RAISE || e->kind == STEP_INJECT)
		trace_interrupt(t, trace_thread_find(t, e->tid), e);
}

/* ---- the ring ---- */

static void trace_exit_event(struct probes *p, const struct exit_event *e)
{
	const struct vcpu_state *v = &probes_hot(p)->vcpu[e->vcpu % PROBE_VCPUS];
	uint32_t *track = &p->trace->track[e->vcpu % PROBE_VCPUS];
	char device[64], name[16];
	struct trace_slice s = {
		.tgid = (int)v->tgid,
		.tid = (int)e->tid,
		.vcpu = v->vcpu_id,
		.reason = reason_name(p->backend, e->reason),
		.key = key_text(p->backend, e->reason, e->key, p->opts.key_rip),
		/* By the exit itself and not by the entry before it, which may have been dropped. */
		.guest_from_ns = e->guest_ns ? e->exit_ns - e->guest_ns : 0,
		.exit_ns = e->exit_ns,
		.user_ns = e->user_ns,
		.entry_ns = e->entry_ns,
	};

	if (!p->opts.key_rip &&
	    names_find(p->names, s.tgid, p->backend, e->reason, e->key, device, sizeof(device)))
		s.key = device;
	snprintf(name, sizeof(name), "vCPU %d", s.vcpu);
	if (p->trace->kick.tid == e->tid) /* the exit that it was in is over */
		trace_kick_put(p->trace, 0);
	if (*track != v->serial && p->trace->json)
		trace_write_track(p->trace->file, s.tgid, s.tid, s.vcpu);
	else if (*track != v->serial)
		perfetto_write_track(p->trace->file, (uint64_t)s.tid, s.tgid, s.tid, name);
	*track = v->serial;
	if (p->trace->json)
		trace_write_exit(p->trace->file, &s);
	else
		trace_exit_put(p->trace, &s);
}

int trace_on_event(void *probes, void *data, size_t size)
{
	struct probes *p = probes;

	if (size == sizeof(struct exit_event))
		trace_exit_event(p, data);
	else if (size == sizeof(struct step_event) && !p->trace->json)
		trace_step(p, data);
	return 0;
}

static bool is_json(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && !strcmp(dot, ".json");
}

bool trace_has_threads(const struct probes_opts *opts)
{
	return opts->trace && opts->pid && !is_json(opts->trace);
}

int trace_open_file(struct probes *p)
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
	t->json = is_json(p->opts.trace);
	if (t->json)
		trace_write_head(t->file);
	return 0;
}

int trace_open(struct probes *p)
{
	int err = trace_open_file(p);

	if (err)
		return err;
	p->trace->ring = ring_buffer__new(bpf_map__fd(p->skel->maps.trace_ring), trace_on_event, p, NULL);
	return errno_if(!p->trace->ring);
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
	trace_kick_put(p->trace, 0);
	if (p->trace->json)
		trace_write_tail(p->trace->file, trace_drops(p));
	else if (p->trace->file && trace_drops(p))
		perfetto_write_lost(p->trace->file, clock_ns(), 0, trace_drops(p));
	ring_buffer__free(p->trace->ring);
	if (p->trace->file && fclose(p->trace->file))
		log_error("%s: %s", p->opts.trace, strerror(errno));
	free(p->trace);
	p->trace = NULL;
}
