// SPDX-License-Identifier: MIT
/* `bench import`: runs from elsewhere into the store, and its index anew. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench/bench.h"
#include "results/machine.h"
#include "results/query.h"
#include "results/read_ahead.h"
#include "results/store.h"

struct import_args {
	const char *store;
	bool all;
};

static const struct opt import_opts[] = {
	{"all", 'a', OPT_FLAG, offsetof(struct import_args, all), NULL,
	 "build the store's index anew from its run directories"},
	{"store", 0, OPT_STR, offsetof(struct import_args, store), "DIR",
	 "the store to import into"},
	OPT_END,
};

struct tally {
	size_t added, known, bad, staged, machines;
};

static void flush_staged(struct store *store, struct tally *t)
{
	if (store_import_flush(store))
		t->bad += t->staged;
	else
		t->added += t->staged;
	t->staged = 0;
}

static void import_record(struct store *store, const char *dir, json_t *rec, struct tally *t)
{
	int err = -EINVAL;

	if (rec)
		err = store_import_stage(store, dir, rec);
	/* Somebody may have accepted a level in the meantime. */
	if (err == -EEXIST && dir && store_join_marks(store, dir, record_of(rec).id))
		t->bad++;
	t->staged += !err;
	t->known += err == -EEXIST;
	t->bad += err && err != -EEXIST;
	if (t->staged == STORE_IMPORT_BATCH)
		flush_staged(store, t);
}

static void import_run(struct store *store, const char *dir, struct tally *t)
{
	char *path = xasprintf("%s/record.json", dir);

	json_t *rec = record_read(path);

	import_record(store, dir, rec, t);
	json_decref(rec);
	free(path);
}

static int not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* All runs of another store. */
static void import_store(struct store *store, const char *runs, struct tally *t)
{
	struct dirent **entry;
	int n = scandir(runs, &entry, not_hidden, alphasort);
	char **dirs = xcalloc((size_t)MAX(n, 0) + 1, sizeof(*dirs));
	struct read_ahead *ahead;

	for (int i = 0; i < n; i++) {
		dirs[i] = xasprintf("%s/%s", runs, entry[i]->d_name);
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
	ahead = read_ahead_start(dirs, (size_t)MAX(n, 0));
	for (int i = 0; i < n; i++) {
		json_t *rec = read_ahead_next(ahead);

		import_record(store, dirs[i], rec, t);
		json_decref(rec);
		free(dirs[i]);
	}
	read_ahead_end(ahead);
	free(dirs);
}

/* What `bench export` and `bench run --json` wrote: one record, or an object with .records. */
static void import_file(struct store *store, const char *path, struct tally *t)
{
	json_error_t e;
	json_t *doc = json_load_file(path, 0, &e), *records = json_object_get(doc, "records"), *rec;
	size_t i;

	if (!doc)
		log_error("%s: %s", path, text_or(e.text, "out of memory; free some and try again"));
	if (!json_is_array(records)) {
		import_record(store, NULL, doc, t);
	} else {
		json_array_foreach (records, i, rec)
			import_record(store, NULL, rec, t);
	}
	json_decref(doc);
}

static void import_path(struct store *store, const char *path, struct tally *t)
{
	char *runs = xasprintf("%s/runs", path), *record = xasprintf("%s/record.json", path);

	if (file_exists(record)) {
		import_run(store, path, t);
	} else if (file_exists(runs)) {
		import_store(store, runs, t);
		t->machines += machines_import(store, path);
	} else if (file_exists(path)) {
		import_file(store, path, t);
	} else {
		log_error("%s: %s", path, strerror(ENOENT));
		t->bad++;
	}
	free(runs);
	free(record);
}

static int import_main(int argc, char **argv)
{
	struct import_args a = {0};
	struct tally t = {0};
	struct store *store;
	int status;
	bool lost;

	if (!bench_parse(&cmd_import, &argc, argv, &a, &status))
		return status;
	if (a.all == (argc > 1)) {
		log_error(
			"import: give paths of runs, stores or exported JSON, or --all to rebuild "
			"the index");
		return EXIT_USAGE;
	}
	if (store_open(&store, a.store))
		return EXIT_CANNOT;
	if (a.all) {
		lost = store_reindex(store) || store_unreadable(store);
	} else {
		for (int i = 1; i < argc; i++)
			import_path(store, argv[i], &t);
		flush_staged(store, &t);
		printf("%zu imported, %zu already there, %zu refused\n", t.added, t.known, t.bad);
		if (t.machines)
			printf("newer findings of bench doctor on %zu machine%s\n", t.machines,
			       text_if(t.machines > 1, "s"));
		lost = t.bad;
	}
	store_close(store);
	return lost ? EXIT_FAILED : EXIT_OK;
}

const struct command cmd_import = {
	.name = "import",
	.args = "PATH... | --all",
	.summary = "take runs from elsewhere into the store, or rebuild its index",
	.details = "PATH is a run directory, another store, or a JSON file of `bench export` or "
		   "`bench run --json`.\n"
		   "A run keeps its ID; of one that is already there only the levels that were accepted come in.",
	.examples =
		"bench import /mnt/other/results/store\nbench import run.json\nbench import --all",
	.opts = import_opts,
	.run = import_main,
};
