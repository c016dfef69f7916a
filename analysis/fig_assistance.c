// SPDX-License-Identifier: MIT
/* What each extension of the processor removed: exits by kind with it and without it, pair by pair. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figure.h"
#include "base/table.h"

#define MOST_KINDS  4	 /* of a pair, beside the sum */
#define SHARE	    0.01 /* of the pair's exits: what differs less is not drawn */
#define NONE_AT	    0.3	 /* where zero stands on the logarithmic axis */
#define ROW_IN	    0.135

static const struct assistance {
	const char *knob, *with, *without;
	const char *amd, *intel;
} assistances[] = {
	{"paging", "nested", "shadow", "NPT", "EPT"},
	{"apicv", "on", "off", "APICv", "APICv"},
	{"avic", "on", "off", "AVIC", "AVIC"},
	{"vpid", "on", "off", "VPID", "VPID"},
	{"unrestricted", "on", "off", "unrestricted guest", "unrestricted guest"},
	{"preemption_timer", "on", "off", "preemption timer", "preemption timer"},
	{"pml", "on", "off", "PML", "PML"},
	{"vgif", "on", "off", "virtual GIF", "virtual GIF"},
	{"vls", "on", "off", "virtual VMLOAD", "virtual VMLOAD"},
};

/* One kind of exit of a pair; or, of the sum, all of them. */
struct row {
	char name[48];
	double with, without;
};

struct pair {
	const struct assistance *what;
	const json_t *with, *without;
	struct row *row;
	size_t n;
	struct row all;
};

/* ---- the records ---- */

static bool knob_is(const json_t *rec, const char *knob, const char *value)
{
	return !strcmp(record_knob(rec, knob), value);
}

/* Of one guest on one machine, with all knobs alike but that one. */
static bool differ_only_in(const json_t *a, const json_t *b, const char *knob)
{
	struct record p = record_of(a), q = record_of(b);
	json_t *x, *y;
	bool same;

	if (strcmp(p.workload, q.workload) || strcmp(p.mode, q.mode) || strcmp(p.vmm, q.vmm) ||
	    strcmp(p.guest, q.guest) || strcmp(p.substrate, q.substrate))
		return false;
	x = json_copy(p.knobs);
	y = json_copy(q.knobs);
	json_object_del(x, knob);
	json_object_del(y, knob);
	same = json_equal(x, y);
	json_decref(x);
	json_decref(y);
	return same;
}

/* The record without what `with` has, or NULL; the last one given. */
static const json_t *find_without(const struct fig_set *set, const json_t *with, const struct assistance *a)
{
	for (size_t i = set->n; i-- > 0;)
		if (knob_is(set->rec[i], a->knob, a->without) && differ_only_in(with, set->rec[i], a->knob))
			return set->rec[i];
	return NULL;
}

/* ---- the exits of a pair ---- */

/* A register has a name of its own where the exit tells it. */
static void name_exit(char name[48], const struct record_exit *e)
{
	bool keyed = !strncmp(e->reason, "msr", 3) || !strncmp(e->reason, "cr_", 3);

	snprintf(name, 48, "%s%s%s", e->reason, text_if(keyed && *e->key, " "), text_if(keyed, e->key));
	str_one_line(name);
}

static struct row *row_get(struct pair *p, const struct record_exit *e)
{
	char name[48];

	name_exit(name, e);
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->row[i].name, name))
			return &p->row[i];
	p->row = xgrow(p->row, p->n, sizeof(*p->row));
	p->row[p->n] = (struct row){.with = 0};
	memcpy(p->row[p->n].name, name, sizeof(name));
	return &p->row[p->n++];
}

static void count_exits(struct pair *p, const json_t *rec, bool with)
{
	const json_t *exits = record_of(rec).exits;
	struct record_exit e;

	for (size_t i = 0; record_exit(exits, i, &e); i++) {
		struct row *r = row_get(p, &e);

		if (with) {
			r->with += e.count;
			p->all.with += e.count;
		} else {
			r->without += e.count;
			p->all.without += e.count;
		}
	}
}

static int by_difference(const void *a, const void *b)
{
	const struct row *p = a, *q = b;
	double x = fabs(p->without - p->with), y = fabs(q->without - q->with);

	if (x != y)
		return (x < y) - (x > y);
	return strcmp(p->name, q->name);
}

/* The kinds that it made a difference to, the greatest first. */
static void pair_rows(struct pair *p)
{
	size_t keep = 0;
	double least;

	count_exits(p, p->with, true);
	count_exits(p, p->without, false);
	snprintf(p->all.name, sizeof(p->all.name), "all exits");
	least = SHARE * fmax(p->all.with, p->all.without);
	qsort(p->row, p->n, sizeof(*p->row), by_difference);
	while (keep < p->n && keep < MOST_KINDS && fabs(p->row[keep].without - p->row[keep].with) >= least)
		keep++;
	p->n = keep;
}

/* In the order of the extensions, then of the records. */
static size_t find_pairs(const struct fig_set *set, struct pair **out)
{
	size_t n = 0;

	*out = NULL;
	for (size_t k = 0; k < ARRAY_SIZE(assistances); k++) {
		const struct assistance *a = &assistances[k];

		for (size_t i = 0; i < set->n; i++) {
			struct pair p = {.what = a, .with = set->rec[i]};

			if (!knob_is(p.with, a->knob, a->with))
				continue;
			p.without = find_without(set, p.with, a);
			if (!p.without)
				continue;
			pair_rows(&p);
			*out = xgrow(*out, n, sizeof(**out));
			(*out)[n++] = p;
		}
	}
	return n;
}

/* ---- the drawing ---- */

static double at(double count)
{
	return fmax(count, NONE_AT);
}

static void add_row(struct fig_doc *doc, const struct row *r, size_t y)
{
	strbuf_addf(&doc->dat, "%zu %.6g %.6g %.6g %.6g ", y, r->without, r->with, at(r->without),
		    at(r->with));
	fig_quote(&doc->dat, r->name);
	strbuf_addc(&doc->dat, '\n');
	strbuf_adds(&doc->gp, text_if(y > 1, ", "));
	fig_quote_tic(&doc->gp, r->name);
	strbuf_addf(&doc->gp, " %zu", y);
}

/* "EPT: boot", "APICv: net-throughput, virtio" */
static void add_title(struct strbuf *labels, const struct pair *p, size_t y)
{
	struct record r = record_of(p->with);
	const char *name = p->what->intel;
	struct strbuf text = STRBUF_INIT;

	if (!strcmp(r.substrate, "lab"))
		name = p->what->amd;
	strbuf_addf(&text, "%s: %s%s%s", name, r.workload, text_if(*r.mode, ", "), r.mode);
	strbuf_adds(labels, "set label ");
	fig_quote(labels, strbuf_str(&text));
	strbuf_addf(labels, " at graph 0.02, first %zu left font \"Liberation Sans:Bold,7\"\n", y);
	strbuf_free(&text);
}

static void add_counts(struct strbuf *labels, const struct row *r, size_t y)
{
	struct strbuf text = STRBUF_INIT;

	strbuf_addf(&text, "%s → %s", fmt_si(r->without), fmt_si(r->with));
	strbuf_adds(labels, "set label ");
	fig_quote(labels, strbuf_str(&text));
	strbuf_addf(labels, " at graph 1.03, first %zu left font \",6\"\n", y);
	strbuf_free(&text);
}

/* Rows of all pairs below one another, each pair with a title of a row. Returns the rows. */
static size_t add_pairs(struct fig_doc *doc, const struct pair *p, size_t n, struct strbuf *labels)
{
	size_t y = 0;

	strbuf_adds(&doc->dat, "# row without with without_drawn with_drawn kind\n");
	strbuf_adds(&doc->gp, "set ytics scale 0 (");
	for (size_t i = 0; i < n; i++) {
		add_title(labels, &p[i], y++);
		add_counts(labels, &p[i].all, y);
		add_row(doc, &p[i].all, y++);
		for (size_t k = 0; k < p[i].n; k++) {
			add_counts(labels, &p[i].row[k], y);
			add_row(doc, &p[i].row[k], y++);
		}
	}
	strbuf_adds(&doc->gp, ")\n");
	return y;
}

static void plot_pairs(struct fig_doc *doc, const struct pair *p, size_t n)
{
	struct strbuf labels = STRBUF_INIT;
	size_t rows = add_pairs(doc, p, n, &labels);

	doc->height_in = 0.62 + ROW_IN * (double)rows;
	strbuf_adds(&doc->gp, strbuf_str(&labels));
	strbuf_free(&labels);
	strbuf_addf(&doc->gp,
		    "set yrange [%g:-0.6]\nset logscale x 10\nset xrange [%g:*]\n"
		    "set xtics (\"0\" %g, \"1\" 1, \"\" 10, \"100\" 100, \"\" 1e3, \"10 k\" 1e4, \"\" 1e5, \"1 M\" 1e6)\n"
		    "set grid noytics xtics\nset rmargin 14\nset xlabel \"Exits in the window\"\n"
		    "set key outside top center horizontal\n",
		    (double)rows - 0.4, NONE_AT * 0.8, NONE_AT);
	strbuf_adds(&doc->gp,
		    "plot dat using 4:1:($5-$4):(0) with vectors nohead lw 1 lc rgb \"#808080\" notitle, \\\n"
		    "     dat using 4:1 with points pt 6 ps 0.7*mark lc rgb \"#D55E00\" title \"without\", \\\n"
		    "     dat using 5:1 with points pt 7 ps 0.6*mark lc rgb \"#0072B2\" title \"with\"\n");
}

int fig_assistance(const struct fig_set *set, struct fig_doc *doc)
{
	struct pair *p;
	size_t n = find_pairs(set, &p);

	if (!n)
		return fig_missing(doc, "no two records differ in one extension of the processor and in nothing else");
	plot_pairs(doc, p, n);
	strbuf_addf(&doc->caption,
		    "Means over boots: all exits of the window, and the kinds that the extension changed by more than "
		    "%g %% of them; logarithmic axis, with 0 at its left end.",
		    100 * SHARE);
	for (size_t i = 0; i < n; i++)
		free(p[i].row);
	free(p);
	return 0;
}
