// SPDX-License-Identifier: MIT
/*
 * Draws and writes the synthetic records of fixture.h:
 *
 *      gen figures DIR [WIDTH [FORMAT]]   every figure; text only (.gp, .dat, .txt) with FORMAT
 * none gen records DIR                    DIR/FIGURE-N.json gen store DIR NIGHTS [MACHINES]    a
 * store of nightly runs with known changes, of one machine without a name or of so many
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "results/store.h"
#include "tests/golden/sets.h"

static int figures(const char *dir, const char *width, const char *format)
{
	struct fig_target to = {dir, NULL, FIG_PDF, 3.3, !strcmp(format, "none")};
	struct fig_set set;
	char *why;

	figure_width_parse(width, &to.width_in);
	figure_format_parse(format, &to.format);
	for (const struct golden_set *g = golden_sets; g->figure; g++) {
		golden_load(g, &set);
		to.stem = g->figure;
		if (figure_render(figure_find(g->figure), &set, &to, &why))
			die(EXIT_FAILED, "%s: %s", g->figure, why ? why : "failed");
		golden_free(&set);
	}
	return EXIT_OK;
}

static int records(const char *dir)
{
	struct fig_set set;

	if (dir_make_all(dir))
		die(EXIT_FAILED, "%s: cannot make it", dir);
	for (const struct golden_set *g = golden_sets; g->figure; g++) {
		golden_load(g, &set);
		for (size_t i = 0; i < set.n; i++) {
			char *path = xasprintf("%s/%s-%zu.json", dir, g->figure, i);

			if (json_dump_file(set.rec[i], path, JSON_INDENT(1)))
				die(EXIT_FAILED, "%s: cannot write", path);
			free(path);
		}
		golden_free(&set);
	}
	return EXIT_OK;
}

static const char *const nightly_modes[] = {"e1000",	  "virtio", "vhost",
					    "vhost-user", "sriov",  "host"};

/* Level of a mode on a night, of NIGHTS: vhost loses 6 % after three fifths, e1000 gains 10 % after
 * a third. */
static double factor_on(const char *mode, long night, long nights)
{
	if (!strcmp(mode, "vhost"))
		return night >= nights * 3 / 5 ? 0.94 : 1;
	if (!strcmp(mode, "e1000"))
		return night >= nights / 3 ? 1.1 : 1;
	return 1;
}

static int put_exits(const char *store_dir, const json_t *rec)
{
	char *path = xasprintf("%s/runs/%s/exits.csv", store_dir,
			       json_string_value(json_object_get(rec, "id")));
	struct strbuf csv = STRBUF_INIT;
	const json_t *e;
	size_t i;
	int err;

	strbuf_adds(&csv, "sample,reason,key,count,total_ns,p50_ns,p99_ns,kvm_ns,user_ns\n");
	json_array_foreach (json_object_get(rec, "exits"), i, e)
		strbuf_addf(&csv, "0,%s,%s,%.0f,0,0,0,0,0\n",
			    json_string_value(json_object_get(e, "reason")),
			    json_string_value(json_object_get(e, "key")),
			    json_number_value(json_object_get(e, "count")));
	err = file_write_atomic(path, strbuf_str(&csv), csv.len);
	strbuf_free(&csv);
	free(path);
	return err;
}

/* The second machine becomes slower by and by: after all nights by a tenth. */
static void name_machine(json_t *rec, long machine, long night, long nights)
{
	json_t *env = json_object_get(rec, "environment");
	char name[24];

	snprintf(name, sizeof(name), "node%02ld", machine);
	json_object_set_new(env, "machine", json_string(name));
	json_object_set_new(env, "calibration_ns",
			    json_integer(20000000 + machine * 100000 + night * 37 % 11 * 4000 +
					 (machine == 2 ? 2000000 * night / nights : 0)));
}

/* One night of one machine; machine 0 is the only one, without a name. Returns how many runs. */
static size_t put_night(struct store *s, json_t **rec, long machine, long night, long nights)
{
	long seed = ((machine ? machine - 1 : 0) * nights + night) * 16;
	char version[24];

	/* Every fourth night has no new build: an A/A pair. */
	snprintf(version, sizeof(version), "%07lx", 0xabc0000 + night - night % 4 / 3);
	for (size_t m = 0; m < ARRAY_SIZE(nightly_modes); m++) {
		struct fixture f = {"net-throughput",
				    nightly_modes[m],
				    NULL,
				    0,
				    8,
				    factor_on(nightly_modes[m], night, nights),
				    (uint64_t)(seed + (long)m + 1),
				    1700000000 + night * 86400 + (long)m * 300 + machine * 7,
				    version,
				    NULL};

		rec[m] = fixture_record(&f);
		if (machine)
			name_machine(rec[m], machine, night, nights);
		if (store_import_stage(s, NULL, rec[m]))
			die(EXIT_FAILED, "%s: cannot fill this store", store_dir(s));
	}
	return ARRAY_SIZE(nightly_modes);
}

static void enter_nights(struct store *s, json_t **rec, size_t n)
{
	int err = store_import_flush(s);

	for (size_t i = 0; i < n && !err; i++) {
		err = put_exits(store_dir(s), rec[i]);
		json_decref(rec[i]);
	}
	if (err)
		die(EXIT_FAILED, "%s: cannot fill this store", store_dir(s));
}

static int nightly(const char *dir, long nights, long machines)
{
	json_t **rec = xcalloc(ARRAY_SIZE(nightly_modes) * (size_t)(machines + 1), sizeof(json_t *));
	struct store *s;

	if (store_open(&s, dir))
		return EXIT_FAILED;
	for (long night = 0; night < nights; night++) {
		size_t n = 0;

		for (long machine = machines > 0; machine <= machines; machine++)
			n += put_night(s, rec + n, machine, night, nights);
		enter_nights(s, rec, n);
	}
	store_close(s);
	free(rec);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	log_init("gen", LOG_INFO);
	if (argc >= 3 && !strcmp(argv[1], "figures"))
		return figures(argv[2], argc > 3 ? argv[3] : "3.3in", argc > 4 ? argv[4] : "pdf");
	if (argc == 3 && !strcmp(argv[1], "records"))
		return records(argv[2]);
	if (argc >= 4 && !strcmp(argv[1], "store"))
		return nightly(argv[2], atol(argv[3]), argc > 4 ? atol(argv[4]) : 0);
	die(EXIT_USAGE, "gen figures DIR [WIDTH [FORMAT]] | gen records DIR");
}
