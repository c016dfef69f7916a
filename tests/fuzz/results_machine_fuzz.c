// SPDX-License-Identifier: MIT
/* libFuzzer: what another store says of its machines, imported, found again, imported once more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "results/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/exitlab-fuzz-XXXXXX";

static void remove_dir(void)
{
	dir_remove_all(dir);
}

static struct store *make_store(void)
{
	char *machines = xasprintf("%s/theirs/machines", mkdtemp(dir)), *ours = xasprintf("%s/ours", dir);
	struct store *s;

	log_init("fuzz", LOG_ERROR);
	atexit(remove_dir);
	if (dir_make_all(machines) || store_open(&s, ours))
		die(EXIT_FAILED, "%s: cannot make a store", dir);
	free(machines);
	free(ours);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct store *s;
	char *theirs, *file;
	json_t *about;
	FILE *f;

	if (!s)
		s = make_store();
	theirs = xasprintf("%s/theirs", dir);
	file = xasprintf("%s/machines/x.json", theirs);
	f = fopen(file, "w");
	if (f && size)
		fwrite(data, size, 1, f);
	if (f)
		fclose(f);
	about = json_loadb((const char *)data, size, 0, NULL);
	machines_import(s, theirs);
	if (machine_valid(about)) {
		json_t *ours = machine_load(s, record_str(about, "machine"));

		BUG_ON(!ours);
		json_decref(ours);
	}
	BUG_ON(machines_import(s, theirs));
	json_decref(about);
	free(file);
	free(theirs);
	return 0;
}
