// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/opts.h"

static size_t edit_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), row[64];

	if (lb >= ARRAY_SIZE(row))
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diag = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t up = row[j], best = diag + (a[i - 1] != b[j - 1]);

			best = MIN(best, MIN(up, row[j - 1]) + 1);
			diag = up;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *opts_nearest(const char *s, const char *const *words)
{
	/* Two slips are near from four letters on; in a shorter word they leave nothing of it. */
	size_t len = strlen(s), best = MAX(len / 3, 2) + 1;
	const char *found = NULL;

	if (len < 4)
		best = 2;

	for (; *words; words++) {
		size_t d = edit_distance(s, *words);

		if (d < best) {
			best = d;
			found = *words;
		}
	}
	return found;
}

static const struct opt *opt_find(const struct command *cmd, const char *name, size_t len)
{
	for (const struct opt *o = cmd->opts; o && o->name; o++)
		if (strlen(o->name) == len && !memcmp(o->name, name, len))
			return o;
	return NULL;
}

/* "run: ", or nothing for a program without subcommands. */
static const char *prefix(const struct command *cmd)
{
	static char buf[64];

	snprintf(buf, sizeof(buf), "%s%s", cmd->name, text_if(*cmd->name, ": "));
	return buf;
}

static void unknown_option(const struct command *cmd, const char *arg)
{
	const char *names[128], *near;
	char word[64];
	size_t n = 0;

	for (const struct opt *o = cmd->opts; o && o->name && n < ARRAY_SIZE(names) - 1; o++)
		names[n++] = o->name;
	names[n] = NULL;
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(arg, "="), arg);
	near = opts_nearest(word + strspn(word, "-"), names);
	if (near)
		log_error("%sunknown option %s; did you mean --%s?", prefix(cmd), word, near);
	else
		log_error("%sunknown option %s; see --help", prefix(cmd), word);
}

static bool word_allowed(const char *words, const char *value)
{
	size_t len = strlen(value);

	if (!strchr(words, '|'))
		return true;
	while (*words) {
		size_t n = strcspn(words, "|");

		if (n == len && !memcmp(words, value, n))
			return true;
		words += n + (words[n] == '|');
	}
	return false;
}

static void list_add(struct opt_list *list, const char *value)
{
	list->item = xgrow(list->item, list->n, sizeof(*list->item));
	list->item[list->n++] = value;
}

/* 0 in the destination says that the option was not given. */
static int above_zero(int err, const uint64_t *value)
{
	if (!err && !*value)
		return -ERANGE;
	return err;
}

static int opt_store(const struct command *cmd, const struct opt *o, const char *value, void *dest)
{
	void *to = (char *)dest + o->offset;
	int err = 0;

	switch (o->type) {
	case OPT_FLAG:
		*(bool *)to = true;
		return 0;
	case OPT_OPTIONAL:
		*(const char **)to = text_or(value, "");
		break;
	case OPT_STR:
		*(const char **)to = value;
		break;
	case OPT_LIST:
		list_add(to, value);
		break;
	case OPT_U64:
		err = parse_u64(value, to);
		break;
	case OPT_COUNT:
		err = above_zero(parse_u64(value, to), to);
		break;
	case OPT_SIZE:
		err = parse_size(value, to);
		break;
	case OPT_DURATION:
		err = above_zero(parse_duration(value, to), to);
		break;
	}
	if (!err && o->arg && value && *value && !word_allowed(o->arg, value))
		err = -EINVAL;
	if (err)
		log_error("%s--%s=%s: not a valid value; expected %s (%s)", prefix(cmd), o->name,
			  value, o->arg, o->help);
	return err;
}

static bool takes_value(const struct opt *o)
{
	return o->type != OPT_FLAG && o->type != OPT_OPTIONAL;
}

/* argv[*i] is a long option; consumes its value. */
static int parse_long(const struct command *cmd, int argc, char **argv, int *i, void *dest)
{
	char *arg = argv[*i], *name = arg + 2;
	size_t len = strcspn(name, "=");
	const struct opt *o = opt_find(cmd, name, len);
	const char *value = NULL;

	if (name[len])
		value = name + len + 1;
	if (!o && !value && !strncmp(name, "no-", 3)) {
		o = opt_find(cmd, name + 3, len - 3);
		if (o && o->type == OPT_FLAG) {
			*(bool *)((char *)dest + o->offset) = false;
			return 0;
		}
		o = NULL;
	}
	if (!o) {
		unknown_option(cmd, arg);
		return -EINVAL;
	}
	if (o->type == OPT_FLAG && value) {
		log_error("%s--%s takes no value", prefix(cmd), o->name);
		return -EINVAL;
	}
	if (takes_value(o) && !value) {
		if (*i + 1 >= argc) {
			log_error("%s--%s wants a value (%s)", prefix(cmd), o->name, o->arg);
			return -EINVAL;
		}
		value = argv[++*i];
	}
	return opt_store(cmd, o, value, dest);
}

static int parse_short(const struct command *cmd, int argc, char **argv, int *i, void *dest)
{
	const char *arg = argv[*i];

	for (const char *c = arg + 1; *c; c++) {
		const struct opt *o = cmd->opts;
		const char *value = NULL;
		int err;

		while (o && o->name && o->letter != *c)
			o++;
		if (!o || !o->name) {
			unknown_option(cmd, arg);
			return -EINVAL;
		}
		if (takes_value(o)) {
			if (!c[1] && *i + 1 >= argc) {
				log_error("%s-%c wants a value (%s)", prefix(cmd), *c, o->arg);
				return -EINVAL;
			}
			value = text_or(c + 1, argv[*i + 1]);
			*i += !c[1];
		}
		err = opt_store(cmd, o, value, dest);
		if (err || value)
			return err;
	}
	return 0;
}

int opts_parse(const char *prog, const struct command *cmd, int *argc, char **argv, void *dest)
{
	int n = 1, err = 0;

	for (int i = 1; i < *argc && !err; i++) {
		char *arg = argv[i];

		if (!strcmp(arg, "--")) {
			while (++i < *argc)
				argv[n++] = argv[i];
		} else if (!strcmp(arg, "--help") || !strcmp(arg, "-h")) {
			opts_help(prog, cmd, stdout);
			return 1;
		} else if (!strncmp(arg, "--", 2)) {
			err = parse_long(cmd, *argc, argv, &i, dest);
		} else if (arg[0] == '-' && arg[1]) {
			err = parse_short(cmd, *argc, argv, &i, dest);
		} else {
			argv[n++] = arg;
		}
	}
	*argc = n;
	argv[n] = NULL;
	return err ? -EINVAL : 0;
}

static int opt_label(const struct opt *o, char *buf, size_t size)
{
	char letter[8] = "    ";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	if (o->type == OPT_OPTIONAL)
		return snprintf(buf, size, "  %s--%s[=%s]", letter, o->name, o->arg);
	if (o->type == OPT_FLAG)
		return snprintf(buf, size, "  %s--%s", letter, o->name);
	return snprintf(buf, size, "  %s--%s=%s", letter, o->name, o->arg);
}

static void print_lines(FILE *out, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		fprintf(out, "  %.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

void opts_help(const char *prog, const struct command *cmd, FILE *out)
{
	const char *blank = text_if(*cmd->name, " ");
	char label[128];

	fprintf(out, "%s%s%s: %s\n\nUsage: %s%s%s [options]", prog, blank, cmd->name, cmd->summary, prog,
		blank, cmd->name);
	if (cmd->args)
		fprintf(out, " %s", cmd->args);
	fputc('\n', out);
	if (cmd->details)
		fprintf(out, "\n%s\n", cmd->details);
	if (cmd->opts && cmd->opts->name)
		fprintf(out, "\nOptions:\n");
	for (const struct opt *o = cmd->opts; o && o->name; o++) {
		int n = opt_label(o, label, sizeof(label));

		fprintf(out, "%-32s", label);
		if (n >= 32)
			fprintf(out, "\n%32s", "");
		fprintf(out, "%s\n", o->help);
	}
	if (cmd->examples) {
		fprintf(out, "\nExamples:\n");
		print_lines(out, cmd->examples);
	}
}

static void emit_number(const struct opt *o, uint64_t value, void (*emit)(void *ctx, const char *word),
			void *ctx)
{
	char word[96];

	if (!value)
		return;
	snprintf(word, sizeof(word), "--%s=%llu%s", o->name, (unsigned long long)value,
		 text_if(o->type == OPT_DURATION, "ns"));
	emit(ctx, word);
}

static void emit_text(const struct opt *o, const char *value, void (*emit)(void *ctx, const char *word),
		      void *ctx)
{
	char *word;

	if (!value)
		return;
	word = xasprintf("--%s%s%s", o->name, text_if(*value, "="), value);
	emit(ctx, word);
	free(word);
}

void opts_emit(const struct opt *opts, const void *from, void (*emit)(void *ctx, const char *word), void *ctx)
{
	for (const struct opt *o = opts; o->name; o++) {
		const void *field = (const char *)from + o->offset;
		const struct opt_list *list = field;

		switch (o->type) {
		case OPT_FLAG:
			if (*(const bool *)field)
				emit_text(o, "", emit, ctx);
			break;
		case OPT_STR:
		case OPT_OPTIONAL:
			emit_text(o, *(const char *const *)field, emit, ctx);
			break;
		case OPT_LIST:
			for (size_t i = 0; i < list->n; i++)
				emit_text(o, list->item[i], emit, ctx);
			break;
		case OPT_U64:
		case OPT_COUNT:
		case OPT_SIZE:
		case OPT_DURATION:
			emit_number(o, *(const uint64_t *)field, emit, ctx);
			break;
		}
	}
}
