// SPDX-License-Identifier: MIT
/* The changes that a gate lets pass: a file of floors. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/gate_impl.h"
#include "base/file.h"
#include "base/log.h"

static int parse_floor(const char *line, struct gate_floor *f)
{
	char metric[64], percent, rest;
	double relative, absolute = 0;
	int n = sscanf(line, "%63s %lf %c %lf %c", metric, &relative, &percent, &absolute, &rest);

	if ((n != 3 && n != 4) || percent != '%' || !(relative >= 0) || !(absolute >= 0))
		return -EINVAL;
	*f = (struct gate_floor){xstrdup(metric), relative / 100, absolute};
	return 0;
}

int gate_floors_read(struct gate_floors *f, const char *path)
{
	struct strbuf sb = STRBUF_INIT;
	int err = file_read(path, &sb), number = 0;
	char *save = NULL;

	*f = (struct gate_floors){NULL, 0};
	if (err)
		log_error("%s: %s", path, strerror(-err));
	for (char *line = sb.buf; line && !err; line = save) {
		save = strchr(line, '\n');
		if (save)
			*save++ = '\0';
		number++;
		line[strcspn(line, "#\r")] = '\0';
		if (!line[strspn(line, " \t")])
			continue;
		f->v = xgrow(f->v, f->n, sizeof(*f->v));
		err = parse_floor(line, &f->v[f->n]);
		if (err)
			log_error("%s:%d: expected METRIC RELATIVE%% [ABSOLUTE], e.g. "
				  "throughput_bps 2%% 1e6",
				  path, number);
		else
			f->n++;
	}
	strbuf_free(&sb);
	if (err)
		gate_floors_free(f);
	return err;
}

void gate_floors_free(struct gate_floors *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->v[i].metric);
	free(f->v);
	*f = (struct gate_floors){NULL, 0};
}

struct gate_floor gate_floor_of(const struct gate_floors *f, const char *metric, bool exact)
{
	struct gate_floor any = {NULL, GATE_DEFAULT_RELATIVE, 0};

	if (exact)
		any.relative = 0;

	for (size_t i = 0; f && i < f->n; i++) {
		if (!strcmp(f->v[i].metric, metric))
			return f->v[i];
		if (!strcmp(f->v[i].metric, "*"))
			any = f->v[i];
	}
	return any;
}
