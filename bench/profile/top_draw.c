// SPDX-License-Identifier: MIT
#include <curses.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "bench/profile/top_draw.h"

static const struct {
	const char *title;
	int width, more; /* more: how many columns a wide terminal may add */
	bool left;
} columns[TOP_COLUMNS] = {
	[TOP_REASON] = {"REASON", 12, 8, true}, [TOP_KEY] = {"KEY", 14, 6, true},
	[TOP_DEVICE] = {"DEVICE", 16, 20, true}, [TOP_PER_S] = {"PER S", 8, 0, false},
	[TOP_TIME] = {"TIME %", 6, 0, false}, [TOP_P50] = {"P50", 8, 0, false},
	[TOP_P99] = {"P99", 8, 0, false}, [TOP_MEAN] = {"MEAN", 8, 0, false},
	[TOP_KVM] = {"KVM", 8, 0, false}, [TOP_USER] = {"USER", 8, 0, false},
	[TOP_WAITING] = {"WAITING", 8, 0, false}, [TOP_ASLEEP] = {"ASLEEP", 8, 0, false},
	[TOP_SPARK] = {"RATE", RATES_KEPT, 0, true},
};

void top_layout(int wide, int width[TOP_COLUMNS])
{
	static const enum top_column order[] = {TOP_REASON, TOP_PER_S, TOP_TIME, TOP_KEY, TOP_P99,
						TOP_DEVICE, TOP_P50, TOP_SPARK, TOP_MEAN,
						TOP_USER, TOP_KVM, TOP_WAITING, TOP_ASLEEP};
	int left = wide;

	memset(width, 0, TOP_COLUMNS * sizeof(*width));
	for (size_t i = 0; i < ARRAY_SIZE(order) && columns[order[i]].width <= left; i++) {
		width[order[i]] = columns[order[i]].width;
		left -= columns[order[i]].width + 1;
	}
	for (int c = 0; c < TOP_COLUMNS && left > 0; c++) {
		int add = MIN(columns[c].more, left);

		if (!width[c])
			continue;
		width[c] += add;
		left -= add;
	}
}

static void put_cell(enum top_column c, int width, const char *text)
{
	if (width && columns[c].left)
		printw("%-*.*s ", width, width, text);
	else if (width)
		printw("%*.*s ", width, width, text);
}

/* Rows of VMs have a process and its name there. */
static const char *column_title(enum top_column c, const struct top_frame *f)
{
	static const char *const names[][2] = {{"PID", "VM"}, {"ID", "DOMAIN"}};

	if (f->key == VIEW_VM && (c == TOP_KEY || c == TOP_DEVICE))
		return names[f->domains][c == TOP_DEVICE];
	return columns[c].title;
}

static void start_line(int y)
{
	move(y, 0);
	clrtoeol();
}

static void draw_totals(const struct top_frame *f)
{
	const struct view *v = &f->view;
	double all = (double)v->all_ns / 100;
	struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "%s  back end %s  %s exits/s", f->title, f->backend,
		    fmt_si((double)v->count / f->seconds));
	if (v->hlt_count)
		strbuf_addf(&sb, "  %s halts/s", fmt_si((double)v->hlt_count / f->seconds));
	if (f->lost)
		strbuf_addf(&sb, "  %s LOST", fmt_si((double)f->lost));
	strbuf_adds(&sb, text_if(f->paused, "  PAUSED"));
	start_line(0);
	addnstr(strbuf_str(&sb), COLS);
	strbuf_free(&sb);
	if (all > 0 && f->no_kvm_exit)
		strbuf_addf(&sb, "vCPU time: guest and KVM %.1f %%  userspace %.1f %%",
			    (double)v->guest_ns / all, (double)(v->user_ns + v->hlt_ns) / all);
	else if (all > 0)
		strbuf_addf(&sb, "vCPU time: guest %.1f %%  KVM %.1f %%  userspace %.1f %%  halted %.1f %%",
			    (double)v->guest_ns / all, (double)(v->kvm_ns + v->fast_ns) / all,
			    (double)v->user_ns / all, (double)v->hlt_ns / all);
	if (all > 0)
		strbuf_addf(&sb, "  waiting %.1f %%  asleep %.1f %%", (double)v->wait_ns / all,
			    (double)v->asleep_ns / all);
	else if (!v->count)
		strbuf_adds(&sb, "no exits in this interval");
	start_line(1);
	addnstr(strbuf_str(&sb), COLS);
	strbuf_free(&sb);
}

/* Mean of one exit; nothing spent is a dash. */
static const char *mean_text(uint64_t ns, uint64_t n)
{
	return ns && n ? fmt_ns((double)ns / (double)n) : "-";
}

static void draw_row(const struct top_frame *f, int y, const struct view_row *r, const int width[TOP_COLUMNS])
{
	const char *dash = "-", *texts[TOP_SPARK];
	char share[16], spark[RATES_KEPT * 4 + 1];

	snprintf(share, sizeof(share), "%.1f", 100 * (double)r->total_ns / (double)MAX(f->view.total_ns, 1));
	texts[TOP_REASON] = r->reason;
	texts[TOP_KEY] = r->key;
	texts[TOP_DEVICE] = r->device;
	texts[TOP_PER_S] = fmt_si((double)r->count / f->seconds);
	texts[TOP_TIME] = r->hlt || !f->view.total_ns ? dash : share;
	texts[TOP_P50] = texts[TOP_P99] = dash;
	if (r->hist.count) {
		texts[TOP_P50] = fmt_ns((double)hist_quantile(&r->hist, 0.5));
		texts[TOP_P99] = fmt_ns((double)hist_quantile(&r->hist, 0.99));
	}
	texts[TOP_MEAN] = mean_text(r->total_ns, r->timed);
	texts[TOP_KVM] = mean_text(r->fast_ns + view_row_kvm_ns(r), r->timed);
	texts[TOP_USER] = mean_text(r->user_ns, r->timed);
	texts[TOP_WAITING] = mean_text(r->wait_ns, r->timed);
	texts[TOP_ASLEEP] = mean_text(r->asleep_ns, r->timed);
	start_line(y);
	for (int c = 0; c < TOP_SPARK; c++)
		put_cell((enum top_column)c, width[c], texts[c]);
	if (!width[TOP_SPARK])
		return;
	rates_sparkline(&f->rates, r, spark, sizeof(spark));
	addstr(spark);
}

void top_draw(const struct top_frame *f)
{
	static const char *const keys[] = {"all", "reason", "device", "port", "gpa", "msr", "vm", "rip"};
	static const char *const sorts[] = {"time", "count", "p99"};
	int width[TOP_COLUMNS], y = 3;
	char help[80];

	top_layout(COLS, width);
	draw_totals(f);
	start_line(2);
	attron(A_REVERSE);
	for (int c = 0; c < TOP_COLUMNS; c++)
		put_cell((enum top_column)c, width[c], column_title((enum top_column)c, f));
	attroff(A_REVERSE);
	for (size_t i = 0; i < f->view.n && y < LINES - 1; i++)
		draw_row(f, y++, &f->view.row[i], width);
	while (y < LINES)
		start_line(y++);
	snprintf(help, sizeof(help), "q quit  s sort: %s  k key: %s  space pause", sorts[f->sort],
		 keys[f->key]);
	mvaddnstr(LINES - 1, 0, help, COLS - 1);
	refresh();
}
