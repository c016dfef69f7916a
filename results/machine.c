// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "results/machine.h"
#include "results/store_impl.h"

#define MACHINES   "machines"
#define MOST_BYTES (256 << 10) /* bench doctor writes 6 KiB */

/* Readable where the name is plain, and never another's. Caller frees. */
static char *file_of(const char *store, const char *machine)
{
	uint64_t hash = 14695981039346656037u;
	char *path;

	for (const char *c = machine; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 1099511628211u;
	path = xasprintf("%s/" MACHINES "/%.64s-%016llx.json", store, machine, (unsigned long long)hash);
	for (char *c = path + strlen(store) + strlen("/" MACHINES "/"); *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", *c))
			*c = '_';
	return path;
}

static bool finding_valid(const json_t *finding)
{
	static const char *const texts[] = {"verdict", "found"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!json_is_string(json_object_get(finding, texts[i])))
			return false;
	return true;
}

bool machine_valid(const json_t *about)
{
	const json_t *findings = json_object_get(about, "findings"), *finding;
	const char *topic;

	if (!*record_str(about, "machine") || !*record_str(about, "at") || !json_is_object(findings))
		return false;
	json_object_foreach ((json_t *)findings, topic, finding)
		if (!finding_valid(finding))
			return false;
	return true;
}

/* NULL: none, or not what it should be. */
static json_t *machine_read(const char *path)
{
	json_t *about = NULL;
	struct stat st;

	if (!lstat(path, &st) && S_ISREG(st.st_mode) && st.st_size <= MOST_BYTES)
		about = json_load_file(path, 0, NULL);
	if (!machine_valid(about)) {
		json_decref(about);
		return NULL;
	}
	return about;
}

static int machine_write(struct store *s, const char *path, const json_t *about)
{
	char *dir = xasprintf("%s/" MACHINES, s->dir), *text = json_dumps(about, JSON_INDENT(1));
	int err = dir_make_all(dir);

	if (!err && !text)
		err = -ENOMEM;
	if (!err)
		err = file_write_atomic(path, text, strlen(text));
	if (err)
		store_fail(s, "keep what was found out about a machine", err);
	free(text);
	free(dir);
	return err;
}

int machine_keep(struct store *s, const json_t *about)
{
	char *path = file_of(s->dir, record_str(about, "machine"));
	int err = store_need_write(s, "keep what was found out about a machine");

	if (!err && !machine_valid(about))
		err = -EINVAL;
	if (!err)
		err = machine_write(s, path, about);
	free(path);
	return err;
}

json_t *machine_load(struct store *s, const char *machine)
{
	char *path = file_of(s->dir, machine);
	json_t *about = machine_read(path);

	/* A copy under another's name tells nothing of that one. */
	if (about && strcmp(record_str(about, "machine"), machine) != 0) {
		json_decref(about);
		about = NULL;
	}
	free(path);
	return about;
}

static bool is_newer(struct store *s, const json_t *about)
{
	json_t *ours = machine_load(s, record_str(about, "machine"));
	bool newer = !ours || strcmp(record_str(about, "at"), record_str(ours, "at")) > 0;

	json_decref(ours);
	return newer;
}

size_t machines_import(struct store *s, const char *from_store)
{
	char *dir = xasprintf("%s/" MACHINES, from_store);
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d))) {
		char *path = xasprintf("%s/%s", dir, e->d_name);
		json_t *about = machine_read(path);

		if (about && is_newer(s, about))
			n += !machine_keep(s, about);
		json_decref(about);
		free(path);
	}
	if (d)
		closedir(d);
	free(dir);
	return n;
}
