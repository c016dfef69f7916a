// SPDX-License-Identifier: MIT
#include "bench/plan/run_args.h"

#include <stdlib.h>
#include <string.h>

#define X(field, name, letter, type, roles, value, help) \
	{name, letter, OPT_##type, offsetof(struct run_args, field), value, help},
const struct opt run_opts[] = {
#include "bench/plan/run_options.h"
	OPT_END,
};
#undef X

#define X(field, name, letter, type, roles, ...) {name, roles, #field},
const struct run_option run_options[] = {
#include "bench/plan/run_options.h"
	{NULL, 0, NULL},
};
#undef X

const struct opt *run_opt_find(const char *name)
{
	for (const struct opt *o = run_opts; o->name; o++)
		if (!strcmp(o->name, name))
			return o;
	return NULL;
}

/* "--name=value", "--name" */
static void add_option(void *options, const char *word)
{
	const char *value = strchr(word, '=');
	char *name = xstrdup(word + 2);
	json_t *list;

	name[strcspn(name, "=")] = '\0';
	list = json_object_get(options, name);
	if (!value)
		json_object_set_new(options, name, json_true());
	else if (run_opt_find(name)->type != OPT_LIST)
		json_object_set_new(options, name, json_string(value + 1));
	else if (list)
		json_array_append_new(list, json_string(value + 1));
	else
		json_object_set_new(options, name, json_pack("[s]", value + 1));
	free(name);
}

json_t *run_options_json(const struct run_args *args)
{
	json_t *options = json_object();

	opts_emit(run_opts, args, add_option, options);
	return options;
}

static void add_word(void *words, const char *word)
{
	strlist_add(words, word);
}

void run_args_words(const struct run_args *args, struct strlist *words)
{
	opts_emit(run_opts, args, add_word, words);
}

struct run_args run_args_inner(const struct run_args *args)
{
	struct run_args inner = {0};

#define X(field, name, letter, type, roles, ...) \
	if (!((roles) & RUN_OUTER))              \
		inner.field = args->field;
#include "bench/plan/run_options.h"
#undef X
	return inner;
}
