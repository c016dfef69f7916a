// SPDX-License-Identifier: MIT
#include "bench/cli/draw.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/opts.h"

/* "a/b/c.pdf" is the directory "a/b" and the stem "c"; usual where no name is left. The caller frees both. */
static void split_path(const char *path, const char *usual, char **dir, char **stem)
{
	const char *slash = strrchr(path, '/'), *base = path;
	char *dot;

	if (slash) {
		*dir = xasprintf("%.*s", (int)MAX(slash - path, 1), path);
		base = slash + 1;
	} else {
		*dir = xstrdup(".");
	}
	*stem = xstrdup(text_or(base, usual));
	dot = strrchr(*stem, '.');
	if (dot)
		*dot = '\0';
}

/* Where one figure goes; dir and stem are the caller's to free. */
static void place_figure(const struct draw_args *a, const struct figure *fig, bool alone,
			 char **dir, char **stem)
{
	const char *usual = alone ? "." : "figures";

	if (alone && a->out) {
		split_path(a->out, fig->name, dir, stem);
		return;
	}
	*dir = xstrdup(text_or(a->out, usual));
	*stem = xstrdup(fig->name);
}

static int draw_set(const struct figure *fig, const struct fig_set *set, struct fig_target *to,
		    char **why)
{
	int err;

	free(*why);
	err = figure_render(fig, set, to, why);
	if (!err)
		log_info("%s/%s.%s drawn, with its .gp, .dat and caption (.txt)", to->dir, to->stem,
			 figure_format_name(to->format));
	return err;
}

/* Figures of one record are drawn once for each that has the data: NAME-LABEL. */
static int draw_each(const struct figure *fig, const struct fig_set *set, struct fig_target *to,
		     char **why)
{
	const char *stem = to->stem;
	int err = -ENODATA;

	for (size_t i = 0; i < set->n; i++) {
		struct fig_set one = {&set->rec[i], 1};
		char *label = fig_label(set, i, NULL), *name = xasprintf("%s-%s", stem, label);
		int status;

		for (char *p = name + strlen(stem); *p; p++)
			if (!isalnum((unsigned char)*p) && !strchr(".-+", *p))
				*p = '_';
		to->stem = name;
		status = draw_set(fig, &one, to, why);
		free(name);
		free(label);
		if (status && status != -ENODATA)
			return status;
		if (!status)
			err = 0;
	}
	return err;
}

static int draw_figure(const struct draw_args *a, const struct figure *fig,
		       const struct fig_set *set, struct fig_target *to, bool alone)
{
	char *dir, *stem, *why = NULL;
	int err;

	place_figure(a, fig, alone, &dir, &stem);
	to->dir = dir;
	to->stem = stem;
	if (fig->how == FIG_EACH && set->n > 1)
		err = draw_each(fig, set, to, &why);
	else
		err = draw_set(fig, set, to, &why);
	if (err == -ENODATA && alone)
		log_error("figure %s: %s; `%s` would supply it", fig->name, why, fig->supply);
	else if (err == -ENODATA)
		log_info("figure %s left out: %s; `%s` would supply it", fig->name, why,
			 fig->supply);
	free(why);
	free(dir);
	free(stem);
	return err;
}

int draw_target(const struct draw_args *a, struct fig_target *to)
{
	const char *dot = NULL;

	if (a->out)
		dot = strrchr(a->out, '.');
	to->format = FIG_PDF;
	to->width_in = 3.3;
	if (a->format)
		figure_format_parse(a->format, &to->format);
	else if (dot)
		figure_format_parse(dot + 1, &to->format);
	if (a->width && figure_width_parse(a->width, &to->width_in)) {
		log_error("--width=%s: not a width between 1in and 20in; try 3.3in or 85mm",
			  a->width);
		return -EINVAL;
	}
	return 0;
}

static bool all_mix(const struct figure **list, size_t n)
{
	while (n && list[n - 1]->how == FIG_MIXED)
		n--;
	return !n;
}

int draw_all(const struct draw_args *a, const struct fig_set *set, struct fig_target *to,
		    const struct figure **list, size_t n)
{
	const char *what;
	size_t drawn = 0;
	int status = EXIT_OK;

	if (!a->force && !all_mix(list, n) && !figure_set_comparable(set, &what)) {
		log_error(
			"plot: the runs differ in %s; their times do not compare. Give runs of "
			"one, or --force",
			what);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < n; i++) {
		int err = draw_figure(a, list[i], set, to, n == 1);

		drawn += !err;
		if (err && err != -ENODATA)
			status = EXIT_CANNOT;
	}
	if (!drawn && n > 1 && !status)
		log_error(
			"plot: these runs hold the data of none of the figures; see bench list figures");
	if (!drawn && !status)
		return EXIT_FAILED;
	return status;
}
