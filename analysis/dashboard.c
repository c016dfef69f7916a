// SPDX-License-Identifier: MIT
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/assets.h"
#include "analysis/dashboard.h"
#include "base/file.h"
#include "base/log.h"

static int put_file(const char *dir, const char *name, const struct strbuf *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	int err = file_write_atomic(path, strbuf_str(text), text->len);

	if (err)
		log_error("%s: cannot write: %s", path, strerror(-err));
	free(path);
	return err;
}

static int put_asset(const char *dir, const char *name, const char *asset)
{
	struct strbuf text = STRBUF_INIT;
	int err;

	strbuf_adds(&text, asset);
	err = put_file(dir, name, &text);
	strbuf_free(&text);
	return err;
}

static void add_url(struct strbuf *sb, const char *path)
{
	for (; *path; path++) {
		if (strchr("%?#\"<> &'", *path) || (unsigned char)*path >= 0x7f)
			strbuf_addf(sb, "%%%02X", (unsigned char)*path);
		else
			strbuf_addc(sb, *path);
	}
}

/* to as a relative URL seen from the folder from; both exist. Ends in a slash. */
static char *relative_url(const char *from, const char *to)
{
	char a[PATH_MAX], b[PATH_MAX];
	struct strbuf sb = STRBUF_INIT;
	size_t common = 0;

	if (!realpath(from, a) || !realpath(to, b))
		return xasprintf("%s/", to);
	for (size_t i = 0; a[i] == b[i] || !a[i] || !b[i]; i++) {
		if ((!a[i] || a[i] == '/') && (!b[i] || b[i] == '/'))
			common = i;
		if (!a[i] || !b[i])
			break;
	}
	for (const char *p = a + common; *p; p++)
		if (*p == '/')
			strbuf_adds(&sb, "../");
	if (b[common])
		add_url(&sb, b + common + 1);
	strbuf_addc(&sb, '/');
	return strbuf_take(&sb);
}

static int put_pages(const struct dash *d, const char *dir, const char *runs_dir)
{
	const struct dash_config *config = NULL;
	struct dash_mix mix = {.reasons = 0};
	int err = 0;

	for (size_t i = 0; i < d->n && !err; i++) {
		const struct dash_series *s = &d->series[i];
		struct strbuf page = STRBUF_INIT;

		/* A metric may be missing in some runs, so the exits of a configuration serve its
		 * series of equal length only. */
		if (s->config != config || s->n != d->series[i - 1].n ||
		    strcmp(s->p[0].id, d->series[i - 1].p[0].id)) {
			dash_mix_free(&mix);
			dash_mix_read(&mix, s, runs_dir);
		}
		config = s->config;
		dash_series_html(d, s, &mix, &page);
		err = put_file(dir, s->page, &page);
		strbuf_free(&page);
	}
	dash_mix_free(&mix);
	return err;
}

static int put_machines(const struct dash *d, const char *dir)
{
	struct dash_noise *all;
	size_t n = dash_noise(d, NULL, &all);
	int err = 0;

	for (size_t i = 0; i < d->machines && !err; i++) {
		struct strbuf page = STRBUF_INIT;

		dash_machine_html(d, &d->machine[i], all, n, &page);
		err = put_file(dir, d->machine[i].page, &page);
		strbuf_free(&page);
	}
	dash_noise_free(all, n);
	return err;
}

static int make_folder(const char *path)
{
	int err = dir_make_all(path);

	if (err)
		log_error("%s: cannot make this folder: %s", path, strerror(-err));
	return err;
}

static int put_site(struct dash *d, const struct dashboard_opts *opts, const char *runs_dir)
{
	char *pages = xasprintf("%s/s", opts->out_dir), *machines = xasprintf("%s/m", opts->out_dir),
	     *url = NULL;
	struct strbuf index = STRBUF_INIT;
	int err = make_folder(pages);

	if (!err)
		err = make_folder(machines);
	if (!err) {
		url = relative_url(pages, runs_dir);
		d->store_runs = url;
		dash_index_html(d, &index);
		err = put_asset(opts->out_dir, "dashboard.css", asset_dashboard_css);
	}
	if (!err)
		err = put_asset(opts->out_dir, "dashboard.js", asset_dashboard_js);
	if (!err)
		err = put_pages(d, pages, runs_dir);
	if (!err)
		err = put_machines(d, machines);
	/* Last, so that it never points at a page that is not there. */
	if (!err)
		err = put_file(opts->out_dir, "index.html", &index);
	strbuf_free(&index);
	free(url);
	free(pages);
	free(machines);
	return err;
}

int dashboard_build(struct store *store, const struct dashboard_opts *opts,
		    struct dashboard_stats *stats)
{
	char *runs_dir = xasprintf("%s/runs", store_dir(store));
	struct dash d = {.runs_dir = runs_dir};
	int err = dash_collect(&d, store, opts);

	if (!err)
		dash_count_false_alarms(&d, store, opts);
	if (!err)
		err = put_site(&d, opts, runs_dir);
	*stats = (struct dashboard_stats){.series = d.n, .runs = d.rows};
	for (size_t i = 0; i < d.n; i++)
		stats->points += d.series[i].n;
	dash_free(&d);
	free(runs_dir);
	return err;
}
