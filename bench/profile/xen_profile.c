// SPDX-License-Identifier: MIT
#include "bench/profile/xen_profile.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json.h"
#include "base/log.h"
#include "base/table.h"
#include "bench/profile/xen_watch.h"

#define TICK_NS (50 * NSEC_PER_MSEC)

static void print_rows(const struct xen_profile *p, const struct view *v, double seconds)
{
	view_print(v, seconds, p->rows, stdout);
	printf("\n%s exits (%s/s)", fmt_si((double)v->count), fmt_si((double)v->count / seconds));
	if (v->hlt_count)
		printf(", %s halts", fmt_si((double)v->hlt_count));
	putchar('\n');
	fflush(stdout);
}

static void dump_line(json_t *j, size_t flags)
{
	json_print(j, stdout, flags);
	fflush(stdout);
	json_decref(j);
}

static void show_interval(const struct xen_profile *p, struct xen_watch *w, double at, double seconds)
{
	struct view v;

	xen_watch_view(w, XEN_LATEST, p->key, &v);
	if (p->json) {
		dump_line(json_pack("{s:f, s:f, s:o}", "at_s", at, "seconds", seconds, "rows",
				    view_to_json(&v)),
			  JSON_COMPACT);
	} else {
		printf("\nafter %.2f s, the last %.2f s:\n", at, seconds);
		print_rows(p, &v, seconds);
	}
	view_free(&v);
	xen_watch_next(w);
}

static void show_end(const struct xen_profile *p, struct xen_watch *w, uint64_t total_ns)
{
	double seconds = (double)MAX(total_ns, 1) / 1e9;
	char title[VM_NAME + 32];
	struct view v;

	if (p->json) {
		dump_line(xen_watch_json(w, total_ns), p->interval_ns ? JSON_COMPACT : JSON_INDENT(2));
		return;
	}
	xen_watch_next(w);
	xen_watch_view(w, XEN_ALL, p->key, &v);
	xen_watch_title(w, title, sizeof(title));
	print_plain(stdout, "%s, %.2f s, recorded by xentrace, which slows it down: counts, no times\n\n",
		    title, seconds);
	print_rows(p, &v, seconds);
	view_free(&v);
}

static int watch(const struct xen_profile *p, struct xen_watch *w, const volatile sig_atomic_t *stop,
		 uint64_t start)
{
	uint64_t end = UINT64_MAX, interval_start = start, now;
	int err = 0;

	if (p->duration_ns)
		end = start + p->duration_ns;
	while (!err && !*stop && (now = clock_ns()) < end && !xen_watch_gone(w)) {
		uint64_t pause = MIN(TICK_NS, end - now);

		clock_sleep_ns(pause);
		err = xen_watch_poll(w);
		now = clock_ns();
		if (!p->interval_ns || now < interval_start + p->interval_ns)
			continue;
		show_interval(p, w, (double)(now - start) / 1e9, (double)(now - interval_start) / 1e9);
		interval_start = now;
	}
	return err;
}

int xen_profile(const struct xen_profile *p, const volatile sig_atomic_t *stop)
{
	struct xen_watch *w;
	uint64_t start, end;
	int err = xen_watch_open(&w, p->domain);

	if (err)
		return err;
	start = clock_ns();
	err = watch(p, w, stop, start);
	end = clock_ns();
	if (!err)
		err = xen_watch_end(w);
	if (!err)
		show_end(p, w, end - start);
	if (!err && xen_watch_lost(w)) {
		log_error("%llu records were lost, of which domains is not known: counts are too low",
			  (unsigned long long)xen_watch_lost(w));
		err = -EIO;
	}
	xen_watch_close(w);
	return err;
}
