// SPDX-License-Identifier: MIT
/*
 * libkmod would not do: it finds nothing by the text indexes alone, which are what a sealed lab carries (it
 * reads depmod's binary ones), and has no function that gives the unpacked content of a compressed module,
 * which an image needs. What would be left to it is the order of loading, where it goes by the host's own
 * modprobe.d, while an image shall be the same on every host.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "workloads/modules.h"

struct index {
	const char *dir;
	struct strbuf dep, alias, builtin, softdep;
};

static int read_part(const char *dir, const char *name, bool needed, struct strbuf *out)
{
	char *path = xasprintf("%s/%s", dir, name);
	int err = file_read(path, out);

	if (err && needed)
		log_error("%s: %s; point to an unpacked kernel's lib/modules/VERSION", path, strerror(-err));
	free(path);
	return err;
}

static int index_open(struct index *ix, const char *dir)
{
	int err;

	*ix = (struct index){.dir = dir};
	err = read_part(dir, "modules.dep", true, &ix->dep);
	read_part(dir, "modules.alias", false, &ix->alias);
	read_part(dir, "modules.builtin", false, &ix->builtin);
	read_part(dir, "modules.softdep", false, &ix->softdep);
	return err;
}

static void index_close(struct index *ix)
{
	strbuf_free(&ix->dep);
	strbuf_free(&ix->alias);
	strbuf_free(&ix->builtin);
	strbuf_free(&ix->softdep);
}

static void dashes_to_underscores(char *s)
{
	while ((s = strchr(s, '-')))
		*s = '_';
}

char *module_name(const char *path)
{
	const char *base = basename(path), *ko = strstr(base, ".ko");
	char *name = xstrdup(base);

	if (ko)
		name[ko - base] = '\0';
	dashes_to_underscores(name);
	return name;
}

static const char *next_line(const char *s)
{
	s += strcspn(s, "\n");
	return *s ? s + 1 : NULL;
}

/* True when the module file at the beginning of line has this (normalised) name. */
static bool line_is_module(const char *line, const char *name)
{
	char *path = strndup(line, strcspn(line, ":\n"));
	char *have = module_name(path ? path : "");
	bool same = !strcmp(have, name);

	free(path);
	free(have);
	return same;
}

static const char *find_module(const struct strbuf *text, const char *name)
{
	for (const char *l = strbuf_str(text); l && *l; l = next_line(l)) {
		if (line_is_module(l, name))
			return l;
	}
	return NULL;
}

/* modules.dep lists dependencies so that loading from the last to the first works, then the module itself. */
static void add_dep_line(const char *line, struct strlist *out)
{
	char *copy = strndup(line, strcspn(line, "\n"));
	char *word[64], *save = NULL;
	size_t n = 0;

	for (char *w = strtok_r(copy, ": ", &save); w && n < ARRAY_SIZE(word);
	     w = strtok_r(NULL, ": ", &save))
		word[n++] = w;
	while (n--)
		strlist_add_once(out, word[n]);
	free(copy);
}

static int resolve_one(struct index *ix, const char *wanted, struct strlist *out, int depth);

static void match_alias(const struct index *ix, const char *alias, struct strlist *out)
{
	char *plain = xstrdup(alias);

	dashes_to_underscores(plain);
	for (const char *l = strbuf_str(&ix->alias); l && *l; l = next_line(l)) {
		char pattern[256], module[64];

		if (sscanf(l, "alias %255s %63s", pattern, module) != 2)
			continue;
		if (!fnmatch(pattern, alias, 0) || !fnmatch(pattern, plain, 0))
			strlist_add_once(out, module);
	}
	free(plain);
}

/* "softdep NAME pre: A B post: C": what must be there first, by name or alias; absent ones do not matter. */
static void add_soft_deps(struct index *ix, const char *name, struct strlist *out, int depth)
{
	for (const char *l = strbuf_str(&ix->softdep); l && *l; l = next_line(l)) {
		char *line, *save = NULL, *w;
		bool pre = false;

		if (strncmp(l, "softdep ", 8) != 0)
			continue;
		line = strndup(l + 8, strcspn(l + 8, "\n"));
		w = strtok_r(line, " ", &save);
		if (w)
			dashes_to_underscores(w);
		if (w && !strcmp(w, name)) {
			while ((w = strtok_r(NULL, " ", &save))) {
				if (!strcmp(w, "pre:") || !strcmp(w, "post:"))
					pre = w[1] == 'r';
				else if (pre)
					resolve_one(ix, w, out, depth + 1);
			}
		}
		free(line);
	}
}

/* By name, else by alias. -ENOENT when neither is known. */
static int resolve_one(struct index *ix, const char *wanted, struct strlist *out, int depth)
{
	struct strlist by_alias = STRLIST_INIT;
	char *name = module_name(wanted);
	const char *line = find_module(&ix->dep, name);
	int err = -ENOENT;

	if (depth > 8) {
		err = -ELOOP;
	} else if (line) {
		struct strlist hard = STRLIST_INIT;

		add_dep_line(line, &hard);
		for (size_t i = 0; i < hard.n; i++) {
			char *dep = module_name(hard.v[i]);

			add_soft_deps(ix, dep, out, depth);
			strlist_add_once(out, hard.v[i]);
			free(dep);
		}
		strlist_free(&hard);
		err = 0;
	} else if (find_module(&ix->builtin, name)) {
		err = 0;
	} else {
		match_alias(ix, wanted, &by_alias);
		for (size_t i = 0; i < by_alias.n; i++)
			err = resolve_one(ix, by_alias.v[i], out, depth + 1);
	}
	strlist_free(&by_alias);
	free(name);
	return err;
}

int modules_resolve(const char *moddir, const char *const *names, struct strlist *out)
{
	struct index ix;
	int err = index_open(&ix, moddir);

	for (; !err && *names; names++) {
		err = resolve_one(&ix, *names, out, 0);
		if (err)
			log_error("module %s: not in %s; is this the right kernel flavour (the "
				  "cloud kernel lacks many drivers)?",
				  *names, moddir);
	}
	index_close(&ix);
	return err;
}

int modules_for_alias(const char *moddir, const char *alias, struct strlist *out)
{
	struct index ix;
	int err = index_open(&ix, moddir);

	if (!err)
		match_alias(&ix, alias, out);
	index_close(&ix);
	return err;
}

int modules_for_pci(const char *moddir, const char *bdf, struct strlist *out)
{
	char *path = xasprintf("/sys/bus/pci/devices/%s/modalias", bdf);
	char *alias = file_read_line(path);
	int err = -ENODEV;

	if (*alias)
		err = modules_for_alias(moddir, alias, out);
	else
		log_error("PCI device %s: no such device on this machine", bdf);
	free(alias);
	free(path);
	return err;
}
