// SPDX-License-Identifier: MIT
/*
 * libFuzzer: records whose every text and name ends in what the input says, as a report. The first byte
 * chooses its language: whatever came from a record is text there, and nothing else.
 */
#include <stdlib.h>
#include <string.h>

#include "analysis/report.h"
#include "base/log.h"
#include "tests/fuzz/spoilt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		enum doc_format format;
		const char *(*oracle)(const char *text);
	} language[] = {{DOC_HTML, hostile_in_html}, {DOC_MD, hostile_in_md}, {DOC_TEX, hostile_in_tex}};
	static struct fig_set base;
	const struct golden_set g = {"throughput", fixture_few, 0, 0};
	struct report_opts opts = {.figure_dir = "figures", .figure_ref = "figures"};
	struct strbuf out = STRBUF_INIT;
	struct fig_set set;
	char *attack;

	log_init("fuzz", -1);
	if (size < 2)
		return 0;
	attack = xasprintf(HOSTILE_MARK "%.*s" HOSTILE_MARK, (int)(size - 1), (const char *)data + 1);
	opts.format = language[data[0] % ARRAY_SIZE(language)].format;
	spoilt_load(&g, &base, attack, &set);
	if (!report_write(&set, &opts, &out) &&
	    language[data[0] % ARRAY_SIZE(language)].oracle(strbuf_str(&out)))
		abort();
	golden_free(&set);
	strbuf_free(&out);
	free(attack);
	return 0;
}
