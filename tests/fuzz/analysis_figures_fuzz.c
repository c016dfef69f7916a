// SPDX-License-Identifier: MIT
/*
 * libFuzzer: records whose every text and name ends in what the input says. The first byte chooses a
 * figure: in its script gnuplot runs and replaces nothing, and whatever came from a record stands in a
 * string.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "tests/fuzz/spoilt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct golden_set *set_of(uint8_t n)
{
	size_t count = 0;

	while (golden_sets[count].figure)
		count++;
	return &golden_sets[n % MIN(count, 64)];
}

static void check_script(const char *path)
{
	struct strbuf text = STRBUF_INIT;

	if (!file_read(path, &text) && hostile_in_gp(strbuf_str(&text)))
		abort();
	strbuf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fig_set base[64];
	static char dir[] = "/dev/shm/exitlab-fuzz-XXXXXX";
	const struct golden_set *g = set_of(size ? data[0] : 0);
	struct fig_target to = {dir, g->figure, FIG_PDF, 3.3, true};
	struct fig_set set;
	char *attack, *path, *why = NULL;

	if (strchr(dir, 'X') && !mkdtemp(dir))
		abort();
	log_init("fuzz", -1);
	if (size < 2)
		return 0;
	attack = xasprintf(HOSTILE_MARK "%.*s" HOSTILE_MARK, (int)(size - 1), (const char *)data + 1);
	path = xasprintf("%s/%s.gp", dir, g->figure);
	spoilt_load(g, &base[g - golden_sets], attack, &set);
	if (!figure_render(figure_find(g->figure), &set, &to, &why))
		check_script(path);
	free(why);
	golden_free(&set);
	free(attack);
	free(path);
	dir_remove_all(dir);
	mkdir(dir, 0700);
	return 0;
}
