// SPDX-License-Identifier: MIT
#include "bench/profile/xen_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/strbuf.h"
#include "bench/profile/xen_domains.h"
#include "probes/data.h"
#include "probes/xen_trace.h"

/* The records of scheduling, HVM guests, memory and PV guests; of the least frequent two kinds of each. */
#define TRACE_EVENTS "0x3a3000"
#define TRACE_PAGES  "256"
#define TRACE_MS     "20" /* how long xentrace sleeps before it looks again */
#define BEGIN_NS     (60 * NSEC_PER_SEC)
#define LOOK_NS	     (5 * NSEC_PER_MSEC)
#define GONE_NS	     (2 * NSEC_PER_SEC)

struct counted {
	unsigned id;
	bool hvm;
	struct xen_tally tally[2]; /* by enum xen_span; the whole is without the latest */
};

struct xen_watch {
	struct xen_domains domains;
	unsigned only; /* or XEN_ALL_DOMAINS */
	char name[VM_NAME];
	struct proc tracer;
	int fd; /* what it writes */
	off_t at;
	struct strbuf rest; /* of a record that is not whole yet */
	struct xen_reader *reader;
	enum probe_backend backend;
	struct counted *counted;
	size_t n;
	uint64_t lost, listed_ns;
};

/* ---- the recording ---- */

/*
 * xentrace writes from Xen's own pages, which no file system can take that hands them on as they are, and
 * gives up when a signal cuts a write short. It writes to memory.
 */
static int start_tracer(struct xen_watch *w)
{
	char *argv[] = {"xentrace", "-D",	  "-s", TRACE_MS, "-e", TRACE_EVENTS,
			"-S",	    TRACE_PAGES, "/proc/self/fd/1", NULL};
	struct proc_opts o = {.new_group = true};
	int err;

	w->fd = memfd_create("trace", MFD_CLOEXEC);
	err = errno_if(w->fd < 0);
	o.stdout_fd = w->fd;
	if (!err)
		err = proc_spawn(&w->tracer, argv, &o);
	if (err)
		log_error("xentrace: %s; it is in Debian's xen-utils", strerror(-err));
	return err;
}

static off_t recorded(const struct xen_watch *w)
{
	return lseek(w->fd, 0, SEEK_END);
}

static bool has_ended(struct xen_watch *w)
{
	return proc_wait(&w->tracer, 0) != -ETIMEDOUT;
}

/* It takes a moment until Xen has made the buffers. */
static int await_begin(struct xen_watch *w)
{
	uint64_t deadline = clock_ns() + BEGIN_NS;

	while (recorded(w) <= 0) {
		if (has_ended(w) || clock_ns() > deadline) {
			log_error(
				"xentrace records nothing; is this root in dom0, and no other xentrace at work?");
			return -EIO;
		}
		clock_sleep_ns(LOOK_NS);
	}
	return 0;
}

/* ---- counting ---- */

static struct counted *counted_of(struct xen_watch *w, unsigned id)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->counted[i].id == id)
			return &w->counted[i];
	w->counted = xgrow(w->counted, w->n, sizeof(*w->counted));
	w->counted[w->n] = (struct counted){.id = id};
	return &w->counted[w->n++];
}

static void count_given(struct xen_watch *w, bool end)
{
	struct xen_trace t;

	xen_reader_give(w->reader, &t, end);
	t.backend = w->backend;
	for (size_t i = 0; i < t.n; i++) {
		struct counted *c = counted_of(w, t.event[i].domain);

		c->hvm |= t.event[i].kind == XEN_EXIT;
		xen_tally_add(&c->tally[XEN_LATEST], &t, &t.event[i]);
	}
	if (t.n_grants)
		xen_tally_grants(&counted_of(w, w->only)->tally[XEN_LATEST], &t);
	w->lost += t.lost;
	xen_trace_free(&t);
}

/* What has been read is given back, however long this goes on. */
static int read_recorded(struct xen_watch *w)
{
	char buf[65536];
	const char *why = NULL;
	size_t used;
	ssize_t n;

	while (!why && (n = pread(w->fd, buf, sizeof(buf), w->at)) > 0) {
		w->at += n;
		strbuf_add(&w->rest, buf, (size_t)n);
		xen_reader_take(w->reader, strbuf_str(&w->rest), w->rest.len, &used, &why);
		strbuf_cut(&w->rest, used);
	}
	fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, w->at);
	if (!why)
		return 0;
	log_error("xentrace wrote what is no record: %s", why);
	return -EBADMSG;
}

int xen_watch_poll(struct xen_watch *w)
{
	bool ended = has_ended(w);
	int err = read_recorded(w);

	count_given(w, false);
	if (!err && ended) {
		log_error("xentrace ended; what it said stands above");
		err = -EPIPE;
	}
	return err;
}

int xen_watch_end(struct xen_watch *w)
{
	int err;

	proc_end(&w->tracer, BEGIN_NS);
	err = read_recorded(w);
	count_given(w, true);
	return err;
}

/* ---- which domain ---- */

static int list_domains(struct xen_watch *w)
{
	struct xen_domains now;
	int err = xen_domains_list(&now);

	w->listed_ns = clock_ns();
	if (err)
		return err;
	xen_domains_free(&w->domains);
	w->domains = now;
	return 0;
}

static int choose_domain(struct xen_watch *w, const char *name)
{
	const struct xen_domain *d = xen_domains_find(&w->domains, name);
	struct strbuf there = STRBUF_INIT;

	if (d) {
		w->only = d->id;
		memcpy(w->name, d->name, sizeof(w->name));
		return 0;
	}
	for (size_t i = 0; i < w->domains.n; i++) {
		strbuf_sep(&there, ", ");
		strbuf_adds(&there, w->domains.domain[i].name);
	}
	log_error("--xen=%s: no such domain; there are: %s", name, strbuf_str(&there));
	strbuf_free(&there);
	return -ENOENT;
}

bool xen_watch_gone(struct xen_watch *w)
{
	if (clock_ns() - w->listed_ns < GONE_NS || list_domains(w))
		return false;
	return w->only != XEN_ALL_DOMAINS && !xen_domains_by_id(&w->domains, w->only);
}

/* ---- what it came to ---- */

static void domain_texts(const struct xen_watch *w, const struct counted *c, struct view_row *r)
{
	const struct xen_domain *d = xen_domains_by_id(&w->domains, c->id);
	const char *name = "(ended)";

	if (d)
		name = d->name;
	snprintf(r->reason, sizeof(r->reason), "exits");
	snprintf(r->key, sizeof(r->key), "%u", c->id);
	snprintf(r->device, sizeof(r->device), "%.*s", (int)sizeof(r->device) - 1, name);
}

static void view_tally(struct view *v, const struct xen_tally *y)
{
	struct view_row like;
	const json_t *row;
	const char *id;

	json_object_foreach (y->rows, id, row) {
		const char *reason = json_string_value(json_object_get(row, "reason"));

		like = (struct view_row){.hlt = !strcmp(reason, "hlt")};
		snprintf(like.reason, sizeof(like.reason), "%s", reason);
		if (v->by != VIEW_REASON)
			snprintf(like.key, sizeof(like.key), "%s",
				 json_string_value(json_object_get(row, "key")));
		view_count(v, &like, (uint64_t)json_integer_value(json_object_get(row, "count")));
	}
}

static void view_domain(const struct xen_watch *w, struct view *v, const struct counted *c,
			const struct xen_tally *y)
{
	struct view_row like = {.hlt = false};

	if (v->by == VIEW_VM) {
		domain_texts(w, c, &like);
		view_count(v, &like, (uint64_t)y->sums.exits);
	} else {
		view_tally(v, y);
	}
	v->count += (uint64_t)(y->sums.exits - y->sums.hlt);
	v->hlt_count += (uint64_t)y->sums.hlt;
}

void xen_watch_view(const struct xen_watch *w, enum xen_span span, enum view_key key, struct view *v)
{
	*v = (struct view){.by = key, .counts_only = true};
	for (size_t i = 0; i < w->n; i++)
		for (size_t s = 0; s <= span; s++)
			view_domain(w, v, &w->counted[i], &w->counted[i].tally[s]);
	view_sort(v, SORT_COUNT);
}

void xen_watch_next(struct xen_watch *w)
{
	for (size_t i = 0; i < w->n; i++) {
		xen_tally_merge(&w->counted[i].tally[XEN_ALL], &w->counted[i].tally[XEN_LATEST]);
		xen_tally_free(&w->counted[i].tally[XEN_LATEST]);
	}
}

json_t *xen_watch_json(const struct xen_watch *w, uint64_t total_ns)
{
	struct xen_tally all = {.rows = NULL};
	const char *backend = PROBED_XEN_PV;
	json_t *out;

	for (size_t i = 0; i < w->n; i++) {
		if (w->counted[i].hvm)
			backend = PROBED_XEN_HVM;
		xen_tally_merge(&all, &w->counted[i].tally[XEN_ALL]);
		xen_tally_merge(&all, &w->counted[i].tally[XEN_LATEST]);
	}
	out = json_pack("{s:s, s:i, s:s, s:{s:b, s:b, s:i, s:I, s:I}, s:o, s:o, s:I}", "backend", backend,
			"domain", (int)w->only, "name", w->name, "window", "opened", 1, "closed", 1,
			"open_ns", 0, "close_ns", (json_int_t)total_ns, "total_ns", (json_int_t)total_ns,
			"totals", xen_totals_json(&all.sums), "exits", xen_tally_rows(&all), "lost",
			(json_int_t)w->lost);
	xen_tally_free(&all);
	return out;
}

void xen_watch_title(const struct xen_watch *w, char *buf, size_t size)
{
	if (w->only == XEN_ALL_DOMAINS)
		snprintf(buf, size, "all domains of Xen's");
	else
		snprintf(buf, size, "%s (domain %u)", w->name, w->only);
}

uint64_t xen_watch_lost(const struct xen_watch *w)
{
	return w->lost;
}

/* ---- making and ending it ---- */

int xen_watch_open(struct xen_watch **out, const char *domain)
{
	struct xen_watch *w = xcalloc(1, sizeof(*w));
	int err;

	*w = (struct xen_watch){.only = XEN_ALL_DOMAINS, .tracer = PROC_INIT, .fd = -1};
	err = list_domains(w);
	if (!err && domain)
		err = choose_domain(w, domain);
	if (!err)
		err = start_tracer(w);
	if (!err)
		err = await_begin(w);
	w->reader = xen_reader_new(w->only);
	w->backend = xen_machine_backend();
	if (!err)
		err = read_recorded(w);
	if (!err) {
		struct xen_trace before;

		xen_reader_give(w->reader, &before, false);
		xen_trace_free(&before);
		*out = w;
		return 0;
	}
	xen_watch_close(w);
	return err;
}

void xen_watch_close(struct xen_watch *w)
{
	if (!w)
		return;
	proc_end(&w->tracer, BEGIN_NS);
	close_fd(&w->fd);
	for (size_t i = 0; i < w->n; i++) {
		xen_tally_free(&w->counted[i].tally[XEN_LATEST]);
		xen_tally_free(&w->counted[i].tally[XEN_ALL]);
	}
	free(w->counted);
	xen_reader_free(w->reader);
	xen_domains_free(&w->domains);
	strbuf_free(&w->rest);
	free(w);
}
