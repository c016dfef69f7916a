// SPDX-License-Identifier: MIT
#include "probes/ladder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "probes/steps.h"

#define NONE	   SIZE_MAX
#define PATH_STEPS 512 /* of one trip; a longer one is not looked at */

enum lane { LANE_GUEST, LANE_KVM, LANE_VMM, LANE_KERNEL, LANE_PEER, LANE_OTHER };
static const char *const lane_names[] = {"guest", "kvm", "vmm", "kernel", "peer", "other"};

/* ---- the log ---- */

static void log_put(struct life_log *log, struct life_event e)
{
	log->event = xgrow(log->event, log->n, sizeof(*log->event));
	log->event[log->n++] = e;
}

void life_add_step(struct life_log *log, const struct step_event *e)
{
	log_put(log, (struct life_event){e->ns, e->arg, e->tid, 0, e->cpu, e->kind});
	if (e->kind == STEP_SWITCH)
		log_put(log, (struct life_event){e->ns, e->tid, (uint32_t)e->arg, 0, e->cpu, LIFE_RUN});
}

void life_add_exit(struct life_log *log, const struct exit_event *e)
{
	struct life_event one = {e->exit_ns, e->key, e->tid, e->reason, (uint16_t)e->cpu, LIFE_EXIT};

	log_put(log, one);
	one.ns = e->user_ns;
	one.kind = LIFE_USER;
	if (e->user_ns)
		log_put(log, one);
	one.ns = e->entry_ns;
	one.kind = LIFE_ENTRY;
	log_put(log, one);
}

/* ---- what is known of each event ---- */

struct thread_now {
	const struct life_thread *is; /* NULL: idle, or a stranger */
	uint32_t tid;
	enum lane lane;
	unsigned softirq, irq;
	uint16_t cpu;
	bool placed;
	size_t last; /* its last event */
};

struct way {
	const struct life_log *log;
	const struct life_event *e;
	size_t *before;  /* the event before of the same thread */
	enum lane *lane; /* where the time after an event is spent */
	struct thread_now *now;
	size_t n_now;
	bool disk;  /* nobody is the peer: the host's kernel answers */
	bool uring; /* by io_uring: other calls are no requests, but reads of eventfds */
};

static enum lane lane_of_role(const struct life_thread *t)
{
	static const struct {
		const char *role;
		enum lane lane;
	} table[] = {
		{"vcpu", LANE_KVM},	{"io", LANE_VMM},    {"backend", LANE_VMM},
		{"vhost", LANE_KERNEL}, {"peer", LANE_PEER},
	};

	for (size_t i = 0; t && i < ARRAY_SIZE(table); i++)
		if (!strcmp(t->role, table[i].role))
			return table[i].lane;
	return LANE_OTHER;
}

static const struct life_thread *thread_find(const struct life_log *log, uint32_t tid)
{
	for (size_t i = 0; i < log->n_threads; i++)
		if (log->thread[i].tid == tid)
			return &log->thread[i];
	return NULL;
}

static bool has_peer(const struct life_log *log)
{
	for (size_t i = 0; i < log->n_threads; i++)
		if (!strcmp(log->thread[i].role, "peer"))
			return true;
	return false;
}

static bool has_uring(const struct life_log *log)
{
	for (size_t i = 0; i < log->n; i++)
		if (log->event[i].kind == STEP_SYSCALL && log->event[i].arg == SYS_io_uring_enter)
			return true;
	return false;
}

static bool is_role(const struct way *w, size_t i, const char *role)
{
	const struct life_thread *t = thread_find(w->log, w->e[i].tid);

	return t && !strcmp(t->role, role);
}

static struct thread_now *thread_now(struct way *w, uint32_t tid)
{
	struct thread_now *t;

	for (size_t i = 0; i < w->n_now; i++)
		if (w->now[i].tid == tid)
			return &w->now[i];
	w->now = xgrow(w->now, w->n_now, sizeof(*w->now));
	t = &w->now[w->n_now++];
	*t = (struct thread_now){.is = thread_find(w->log, tid), .tid = tid, .last = NONE};
	t->lane = lane_of_role(t->is);
	return t;
}

/* A system call of a thread of the VMM's is the kernel's time, one of the peer the peer's. */
static enum lane lane_of_call(const struct thread_now *t, enum lane lane)
{
	if (t->lane == LANE_VMM || t->lane == LANE_KERNEL)
		return lane;
	return t->lane;
}

static enum lane lane_after(struct thread_now *t, const struct life_event *e)
{
	if (e->kind == LIFE_EXIT)
		t->lane = LANE_KVM;
	else if (e->kind == LIFE_USER)
		t->lane = LANE_VMM;
	else if (e->kind == LIFE_ENTRY)
		t->lane = LANE_GUEST;
	else if (t->lane == LANE_GUEST) /* the guest has been left, which kvm_exit tells later */
		t->lane = LANE_KVM;
	else if (e->kind == STEP_SYSCALL)
		t->lane = lane_of_call(t, LANE_KERNEL);
	else if (e->kind == STEP_SYSRET)
		t->lane = lane_of_call(t, LANE_VMM);
	if (e->kind == STEP_SOFTIRQ)
		t->softirq = 1;
	else if (e->kind == STEP_SOFTIRQ_END)
		t->softirq = 0;
	else if (e->kind == STEP_IRQ)
		t->irq = 1;
	else if (e->kind == STEP_IRQ_END)
		t->irq = 0;
	if (t->softirq || t->irq)
		return LANE_KERNEL;
	return t->lane;
}

/* An exit is told at its end, with the CPU that it ended on; where it began the switches say. */
static void place_event(struct thread_now *t, struct life_event *e)
{
	bool of_exit = e->kind == LIFE_EXIT || e->kind == LIFE_USER;

	if (of_exit && t->placed)
		e->cpu = t->cpu;
	t->cpu = e->cpu;
	t->placed = true;
}

static int by_time(const void *a, const void *b)
{
	const struct life_event *x = a, *y = b;

	return (x->ns > y->ns) - (x->ns < y->ns);
}

/* A merge sort, because events of one time stay in their order. */
static void log_sort(struct life_event *e, struct life_event *room, size_t n)
{
	size_t half = n / 2, a = 0, b = half;

	if (n < 2)
		return;
	log_sort(e, room, half);
	log_sort(e + half, room, n - half);
	for (size_t i = 0; i < n; i++) {
		bool left = b == n || (a < half && by_time(&e[a], &e[b]) <= 0);

		room[i] = left ? e[a++] : e[b++];
	}
	memcpy(e, room, n * sizeof(*e));
}

static void way_open(struct way *w, struct life_log *log)
{
	struct life_event *room = xcalloc(log->n + 1, sizeof(*room));

	log_sort(log->event, room, log->n);
	free(room);
	*w = (struct way){.log = log, .e = log->event, .disk = !has_peer(log), .uring = has_uring(log)};
	w->before = xcalloc(log->n + 1, sizeof(*w->before));
	w->lane = xcalloc(log->n + 1, sizeof(*w->lane));
	for (size_t i = 0; i < log->n; i++) {
		struct thread_now *t = thread_now(w, log->event[i].tid);

		place_event(t, &log->event[i]);
		w->before[i] = t->last;
		t->last = i;
		w->lane[i] = lane_after(t, &log->event[i]);
	}
}

static void way_close(struct way *w)
{
	free(w->before);
	free(w->lane);
	free(w->now);
}

/* ---- the way back ---- */

/* The time after an event is its thread's own, spent for somebody else, or on the way to another CPU. */
enum span { SPAN_OWN, SPAN_WAITS, SPAN_HOPS };

/* Indices of events, the last one first. */
struct path {
	size_t at[PATH_STEPS], n;
	enum span span[PATH_STEPS];
};

static bool path_put(struct path *p, size_t at, enum span span)
{
	if (p->n == PATH_STEPS)
		return false;
	p->at[p->n] = at;
	p->span[p->n++] = span;
	return true;
}

/*
 * From an event to its cause on another thread. What happened on this CPU meanwhile comes along, when the
 * cause was there too.
 */
static bool path_jump(const struct way *w, struct path *p, size_t from, size_t to)
{
	if (w->e[from].cpu != w->e[to].cpu)
		return path_put(p, to, SPAN_HOPS);
	for (size_t i = from; i-- > to + 1;)
		if (w->e[i].cpu == w->e[to].cpu && w->e[i].kind != STEP_SWITCH && !path_put(p, i, SPAN_WAITS))
			return false;
	return path_put(p, to, SPAN_WAITS);
}

/* Who woke the thread that gets the CPU at i: of several the first, the others found it awake. */
static size_t waker_of(const struct way *w, size_t i)
{
	size_t left = w->before[i], found = NONE;

	for (size_t k = i; k-- > 0 && (left == NONE || k > left);)
		if (w->e[k].kind == STEP_WAKE && w->e[k].arg == w->e[i].tid)
			found = k;
	return found;
}

/*
 * Who raised the interrupt that is injected at i, while this vCPU was awake, or had been taken off its CPU;
 * NONE: it itself, or it slept.
 */
static size_t raiser_of(const struct way *w, size_t i)
{
	for (size_t k = i; k-- > 0;) {
		if (w->e[k].kind == LIFE_RUN && w->e[k].tid == w->e[i].tid && waker_of(w, k) != NONE)
			return NONE;
		if (w->e[k].kind == STEP_RAISE && w->e[k].arg == w->e[i].arg)
			return w->e[k].tid == w->e[i].tid ? NONE : k;
	}
	return NONE;
}

/* The vCPU itself signals, and not what interrupts it. */
static bool is_kick(const struct way *w, size_t i)
{
	return w->e[i].kind == STEP_SIGNAL && !w->e[i].arg && is_role(w, i, "vcpu");
}

/* The last thing before i that can be the cause of what a card or a thread that polls does. */
static size_t stimulus_before(const struct way *w, size_t i, bool answer)
{
	while (i-- > 0) {
		if (answer && w->e[i].kind == STEP_XMIT && is_role(w, i, "peer"))
			return i;
		if (!answer && is_kick(w, i))
			return i;
	}
	return NONE;
}

/* The guest's last entry before i. */
static size_t entry_before(const struct way *w, size_t i)
{
	while (i-- > 0)
		if (w->e[i].kind == LIFE_ENTRY)
			return i;
	return NONE;
}

/* A softirq that follows an interrupt is that interrupt's. */
static bool came_by_irq(const struct way *w, size_t i)
{
	size_t before = w->before[i];

	return w->e[i].kind == STEP_SOFTIRQ && before != NONE && w->e[before].kind == STEP_IRQ_END;
}

/* The event of the same thread before i; interrupts that came in between and went are nobody's cause. */
static size_t earlier(const struct way *w, size_t i)
{
	size_t k = w->before[i];

	while (k != NONE && w->e[k].kind == STEP_IRQ_END) {
		while (k != NONE && w->e[k].kind != STEP_IRQ)
			k = w->before[k];
		if (k != NONE)
			k = w->before[k];
	}
	return k;
}

/* One step back from i, put on the path. NONE: lost. */
static size_t path_back(const struct way *w, struct path *p, size_t i, bool answer)
{
	size_t to = NONE;

	if (w->e[i].kind == LIFE_RUN)
		to = waker_of(w, i);
	else if (w->e[i].kind == STEP_INJECT)
		to = raiser_of(w, i);
	else if (w->e[i].kind == STEP_IRQ)
		to = stimulus_before(w, i, answer);
	if (to != NONE)
		return path_jump(w, p, i, to) ? to : NONE;
	if (came_by_irq(w, i))
		to = w->before[i];
	else
		to = earlier(w, i);
	if (to == NONE)
		return NONE;
	if (w->e[i].kind == LIFE_RUN) /* it had been taken off the CPU */
		return path_jump(w, p, i, to) ? to : NONE;
	return path_put(p, to, SPAN_OWN) ? to : NONE;
}

/* ---- one trip ---- */

struct trip {
	size_t answer; /* the peer begins to send; the service hands a request to the host's kernel */
	size_t start;  /* the doorbell */
	size_t number; /* of the answer */
};

static bool is_send(uint64_t nr)
{
	return nr == 1 || nr == 20 || nr == 44 || nr == 46; /* write, writev, sendto, sendmsg */
}

static bool is_disk_call(const struct way *w, uint64_t nr)
{
	static const uint64_t calls[] = {SYS_pread64, SYS_pwrite64,  SYS_preadv, SYS_pwritev,
					 SYS_preadv2, SYS_pwritev2, SYS_fsync,	SYS_fdatasync};

	if (w->uring)
		return nr == SYS_io_uring_enter;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i] == nr)
			return true;
	return false;
}

/* A vCPU that has the medium do it asks with calls that wait. */
static bool is_vcpu_call(uint64_t nr)
{
	return nr == SYS_preadv2 || nr == SYS_pwritev2;
}

static bool is_answer(const struct way *w, size_t i)
{
	const struct life_event *e = &w->e[i];

	if (e->kind != STEP_SYSCALL)
		return false;
	if (w->disk && is_role(w, i, "vcpu"))
		return is_vcpu_call(e->arg);
	if (w->disk)
		return is_disk_call(w, e->arg) && thread_find(w->log, e->tid);
	return is_send(e->arg) && is_role(w, i, "peer");
}

/*
 * The service was awake and nobody woke it: the doorbell is the last one before what it did. What stands on
 * the path before that is of another packet.
 */
static size_t path_awake(const struct way *w, struct path *p, size_t from, size_t first, bool answer)
{
	size_t k = 0, to;

	/* The last one on the path that the stimulus can have caused. */
	to = stimulus_before(w, from, answer);
	if (to == NONE || to < first)
		return NONE;
	while (k + 1 < p->n && p->at[k + 1] > to)
		k++;
	p->n = k + 1;
	return path_jump(w, p, p->at[k], to) ? to : NONE;
}

/* Where a trip begins: an exit, or what the guest's own card has brought to the peer's. */
static bool is_doorbell(const struct way *w, size_t i)
{
	return w->e[i].kind == LIFE_EXIT || w->e[i].kind == STEP_IRQ;
}

/* From the answer back to the doorbell, which is at first or later. NONE: not seen. */
static size_t request_find(const struct way *w, size_t answer, size_t first, struct path *there)
{
	bool awake = false;
	size_t i = answer, next;

	there->n = 0;
	path_put(there, i, SPAN_OWN);
	while (!is_doorbell(w, i)) {
		next = path_back(w, there, i, false);
		if ((next == NONE || next < first) && !awake) {
			awake = true;
			next = path_awake(w, there, answer, first, false);
		}
		if (next == NONE || next < first)
			return NONE;
		i = next;
	}
	return i;
}

/* From the next doorbell back to the answer. */
static bool answer_find(const struct way *w, const struct trip *t, size_t next_start, struct path *back)
{
	size_t i = next_start, next;
	bool awake = false;

	back->n = 0;
	path_put(back, i, SPAN_OWN);
	if (w->e[i].kind == STEP_IRQ) { /* the guest itself has rung */
		i = entry_before(w, i);
		if (i == NONE || !path_put(back, i, SPAN_OWN))
			return false;
	}
	while (i > t->answer) {
		next = path_back(w, back, i, true);
		if ((next == NONE || next < t->answer) && !awake) {
			awake = true;
			next = path_awake(w, back, next_start, t->answer, true);
		}
		if (next == NONE || next < t->answer)
			return false;
		i = next;
	}
	return i == t->answer;
}

/* ---- the ladder ---- */

static const char *softirq_name(uint64_t vec)
{
	static const char *const names[] = {"hi",    "timer",	"net_tx", "net_rx",  "block",
					    "irq_poll", "tasklet", "sched",  "hrtimer", "rcu"};

	return vec < ARRAY_SIZE(names) ? names[vec] : "?";
}

/* Who runs: a thread by its name, the VMM's and the peer's as people call them. */
static void who_text(const struct way *w, uint32_t tid, char *buf, size_t size)
{
	const struct life_thread *t = thread_find(w->log, tid);

	if (!t)
		snprintf(buf, size, "%s", tid ? "another thread" : "idle");
	else if (!strcmp(t->role, "peer"))
		snprintf(buf, size, "peer");
	else
		snprintf(buf, size, "%s", t->name);
}

static void exit_text(const struct way *w, const struct life_event *e, char *buf, size_t size)
{
	char name[96];

	w->log->name(w->log->ctx, e->reason, e->arg, name, sizeof(name));
	snprintf(buf, size, "exit: %s", name);
}

/* What happens from this event on. */
static void what_text(const struct way *w, size_t i, char *buf, size_t size)
{
	const struct life_event *e = &w->e[i];
	static const char *const plain[LIFE_KINDS] = {
		[STEP_SWITCH] = "waits for a CPU",
		[STEP_XMIT] = "frame given to the host's device",
		[STEP_RECV] = "frame goes up the host's stack",
		[STEP_COPY] = "bytes copied",
		[STEP_SOFTIRQ_END] = "softirq done",
		[STEP_IRQ_END] = "interrupt handler done",
		[STEP_EOI] = "EOI",
		[LIFE_USER] = "handler in the VMM",
		[LIFE_ENTRY] = "guest runs",
		[LIFE_RUN] = "gets the CPU",
	};
	char name[64];

	if (e->kind < LIFE_KINDS && plain[e->kind])
		snprintf(buf, size, "%s", plain[e->kind]);
	else if (e->kind == LIFE_EXIT)
		exit_text(w, e, buf, size);
	else if (e->kind == STEP_WAKE) {
		who_text(w, (uint32_t)e->arg, name, sizeof(name));
		snprintf(buf, size, "wakes %s", name);
	} else if (e->kind == STEP_SIGNAL)
		snprintf(buf, size, "%s: eventfd signalled", is_kick(w, i) ? "kick" : "interrupt");
	else if (e->kind == STEP_SYSCALL)
		snprintf(buf, size, "%s()", step_syscall_name(e->arg, name, sizeof(name)));
	else if (e->kind == STEP_SYSRET)
		snprintf(buf, size, "back from %s()", step_syscall_name(e->arg, name, sizeof(name)));
	else if (e->kind == STEP_SOFTIRQ)
		snprintf(buf, size, "softirq %s", softirq_name(e->arg));
	else if (e->kind == STEP_IRQ)
		snprintf(buf, size, "interrupt of %.8s", (const char *)&e->arg);
	else if (e->kind == STEP_RAISE)
		snprintf(buf, size, "interrupt 0x%x raised in the APIC", STEP_VECTOR(e->arg));
	else
		snprintf(buf, size, "interrupt 0x%x injected", STEP_VECTOR(e->arg));
}

struct ladder {
	json_t *steps;
	uint64_t start_ns;
	const char *part;
};

/* The other end has it from here on. */
static bool at_other_end(const struct way *w, size_t i, size_t answer)
{
	if (w->disk)
		return i == answer;
	return is_role(w, i, "peer") && i <= answer && w->lane[i] == LANE_PEER;
}

static bool leaves_other_end(const struct way *w, size_t i, size_t answer)
{
	return i > answer && w->e[i].kind == (w->disk ? STEP_SYSRET : STEP_XMIT);
}

/* There, at the other end, back, in the guest: where the packet or the request is. */
static void part_of(struct ladder *l, const struct way *w, size_t i, size_t answer)
{
	const char *other = w->disk ? "medium" : "peer";

	if (!strcmp(l->part, "request") && at_other_end(w, i, answer))
		l->part = other;
	else if (!strcmp(l->part, other) && leaves_other_end(w, i, answer))
		l->part = "answer";
	else if (!strcmp(l->part, "answer") && w->e[i].kind == LIFE_ENTRY && i > answer)
		l->part = "guest";
}

static void ladder_put(struct ladder *l, const struct way *w, size_t i, uint64_t until, enum span span)
{
	enum lane lane = span == SPAN_HOPS ? LANE_OTHER : w->lane[i];
	char who[32], what[160];
	json_t *step;

	who_text(w, w->e[i].tid, who, sizeof(who));
	what_text(w, i, what, sizeof(what));
	step = json_pack("{s:s,s:s,s:s,s:i,s:s,s:I,s:I}", "part", l->part, "lane", lane_names[lane],
			 "who", who, "cpu", (int)w->e[i].cpu, "what", what, "ns",
			 (json_int_t)(until - w->e[i].ns), "at_ns", (json_int_t)(w->e[i].ns - l->start_ns));
	if (span == SPAN_WAITS)
		json_object_set_new(step, "waits", json_true());
	json_array_append_new(l->steps, step);
}

/* A path from its first event on to where another one begins. */
static void ladder_add(struct ladder *l, const struct way *w, const struct path *p, size_t answer)
{
	for (size_t k = p->n; k-- > 1;) {
		part_of(l, w, p->at[k], answer);
		ladder_put(l, w, p->at[k], w->e[p->at[k - 1]].ns, p->span[k]);
	}
}

static json_t *ladder_of(const struct way *w, const struct trip *t, const struct path *there,
			 const struct path *back)
{
	struct ladder l = {.steps = json_array(), .start_ns = w->e[t->start].ns, .part = "request"};

	ladder_add(&l, w, there, t->answer);
	ladder_add(&l, w, back, t->answer);
	return l.steps;
}

/* ---- which trip ---- */

struct candidate {
	uint64_t ns;
	size_t trip;
};

static int by_length(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return (x->trip > y->trip) - (x->trip < y->trip);
}

struct trips {
	struct trip *v;
	size_t n, answers;
};

static void trips_find(const struct way *w, struct trips *all)
{
	size_t first = 0;
	struct path there;

	for (size_t i = 0; i < w->log->n; i++) {
		struct trip t = {.answer = i, .number = all->answers};

		if (!is_answer(w, i))
			continue;
		t.start = request_find(w, i, first, &there);
		/* A second call for one request of a disk has no doorbell of its own. */
		all->answers += !w->disk || t.start != NONE;
		if (t.start != NONE) {
			all->v = xgrow(all->v, all->n, sizeof(*all->v));
			all->v[all->n++] = t;
		}
		first = i + 1;
	}
}

/* Trips with the next one's doorbell behind them, the shortest first. */
static size_t trips_sorted(const struct way *w, const struct trips *all, struct candidate *c)
{
	size_t n = 0;

	for (size_t i = 0; i + 1 < all->n; i++)
		if (all->v[i + 1].number == all->v[i].number + 1)
			c[n++] = (struct candidate){w->e[all->v[i + 1].start].ns - w->e[all->v[i].start].ns,
						    i};
	qsort(c, n, sizeof(*c), by_length);
	return n;
}

/* Both ways of a trip, or NULL. */
static json_t *trip_steps(const struct way *w, const struct trip *t, size_t next_start)
{
	struct path there, back;

	if (request_find(w, t->answer, t->start, &there) == NONE)
		return NULL;
	if (!answer_find(w, t, next_start, &back))
		return NULL;
	return ladder_of(w, t, &there, &back);
}

static json_t *ladder_json(const struct trips *all, size_t n, uint64_t ns, json_t *steps)
{
	size_t whole = all->answers - MIN(all->answers, 1); /* the last one has no end */

	return json_pack("{s:I,s:I,s:I,s:o}", "trips", (json_int_t)n, "unclear",
			 (json_int_t)sub_floor(whole, n), "ns", (json_int_t)ns, "steps", steps);
}

/* The median's, or the next that is whole. */
static json_t *ladder_choose(const struct way *w, const struct trips *all, const char **why)
{
	struct candidate *c = xcalloc(all->n + 1, sizeof(*c));
	size_t n = trips_sorted(w, all, c);
	json_t *steps = NULL, *out = NULL;

	*why = "no request was seen on its way from the guest to the other end";
	for (size_t k = n / 2; k < n && !out; k++) {
		*why = "no answer was seen on its way into the guest";
		steps = trip_steps(w, &all->v[c[k].trip], all->v[c[k].trip + 1].start);
		if (steps)
			out = ladder_json(all, n, c[k].ns, steps);
	}
	free(c);
	return out;
}

json_t *life_ladder(struct life_log *log, const char **why)
{
	struct trips all = {NULL, 0, 0};
	struct way w;
	json_t *out;

	way_open(&w, log);
	trips_find(&w, &all);
	out = ladder_choose(&w, &all, why);
	free(all.v);
	way_close(&w);
	return out;
}
