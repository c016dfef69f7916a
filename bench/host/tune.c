// SPDX-License-Identifier: MIT
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench/host/tune.h"

struct tune {
	struct journal *journal;
	json_t *changed;
};

static const struct setting {
	const char *name, *path; /* path may be a pattern: all that match */
	const char *want;
	const char *bad;  /* the value that disturbs; NULL: whatever is not want */
	const char *why;
} settings[] = {
	{"governor", "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor", "performance", NULL,
	 "clocks change with the load"},
	{"turbo", "/sys/devices/system/cpu/intel_pstate/no_turbo", "1", NULL,
	 "clocks depend on what other cores do"},
	{"boost", "/sys/devices/system/cpu/cpufreq/boost", "0", NULL, "clocks depend on what other cores do"},
	{"smt", "/sys/devices/system/cpu/smt/control", "off", "on",
	 "hardware threads of one core disturb one another"},
};

static const char *tune_root(void)
{
	const char *dir = getenv("EXITLAB_TUNE_ROOT"); /* a copy of /sys for the tests */

	if (dir)
		return dir;
	return "";
}

static bool is_bad(const struct setting *s, const char *value)
{
	if (s->bad)
		return !strcmp(value, s->bad);
	return *value && strcmp(value, s->want);
}

/* The files of a setting. glob_t to be freed by the caller. */
static size_t find_files(const struct setting *s, glob_t *g)
{
	char *pattern = xasprintf("%s%s", tune_root(), s->path);

	*g = (glob_t){0};
	glob(pattern, 0, NULL, g);
	free(pattern);
	return g->gl_pathc;
}

static size_t count_bad(const struct setting *s)
{
	size_t bad = 0;
	glob_t g;

	find_files(s, &g);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char *value = file_read_line(g.gl_pathv[i]);

		bad += is_bad(s, value);
		free(value);
	}
	globfree(&g);
	return bad;
}

void tune_warn(void)
{
	struct strbuf sb = STRBUF_INIT;

	for (const struct setting *s = settings; s < settings + ARRAY_SIZE(settings); s++) {
		if (!count_bad(s))
			continue;
		strbuf_sep(&sb, "; ");
		strbuf_addf(&sb, "%s is not %s (%s)", s->name, s->want, s->why);
	}
	if (sb.len)
		log_warn("%s: times are unsteadier for it; --tune changes it for as long as the run lasts", strbuf_str(&sb));
	strbuf_free(&sb);
}

static int apply_one(struct tune *t, const struct setting *s, const char *path)
{
	char *old = file_read_line(path);
	int err = 0;

	if (!is_bad(s, old))
		goto out;
	err = journal_write(t->journal, path, s->want, old);
	if (!err)
		json_object_set_new(t->changed, s->name, json_sprintf("%s -> %s", old, s->want));
out:
	free(old);
	return err;
}

int tune_apply(struct tune **out)
{
	struct tune *t = xcalloc(1, sizeof(*t));
	struct strbuf missing = STRBUF_INIT;
	int err = journal_open(&t->journal);

	if (err) {
		free(t);
		return err;
	}
	t->changed = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		glob_t g;

		if (!find_files(&settings[i], &g)) {
			strbuf_sep(&missing, ", ");
			strbuf_adds(&missing, settings[i].name);
		}
		for (size_t k = 0; k < g.gl_pathc; k++)
			apply_one(t, &settings[i],
				  g.gl_pathv[k]); /* the journal has logged why; go on with the others */
		globfree(&g);
	}
	if (missing.len)
		log_info("--tune: this machine has no switch for: %s", strbuf_str(&missing));
	strbuf_free(&missing);
	*out = t;
	return 0;
}

void tune_undo(struct tune *t)
{
	if (!t)
		return;
	journal_close(t->journal);
	json_decref(t->changed);
	free(t);
}

json_t *tune_json(const struct tune *t)
{
	if (!t)
		return json_object();
	return json_deep_copy(t->changed);
}
