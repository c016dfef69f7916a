// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/opts.h"
#include "base/strbuf.h"
#include "vmm/core/dev_opts.h"

#define MAX_KEYS 32

struct dev_opts {
	char *text; /* the pairs point into it */
	struct {
		const char *key, *value;
		bool used;
	} pair[MAX_KEYS];
	size_t n;
	/* Every key that a device asked for: the candidates for "did you mean". */
	const char *asked[MAX_KEYS + 1];
	size_t n_asked;
};

static int add_pair(struct dev_opts *o, char *item)
{
	char *eq = strchr(item, '=');

	if (!eq || eq == item) {
		log_error("device option \"%s\": want key=value", item);
		return -EINVAL;
	}
	*eq = '\0';
	for (size_t i = 0; i < o->n; i++) {
		if (!strcmp(o->pair[i].key, item)) {
			log_error("device option %s: given twice", item);
			return -EINVAL;
		}
	}
	if (o->n == MAX_KEYS) {
		log_error("device option %s: more than %d options", item, MAX_KEYS);
		return -EINVAL;
	}
	o->pair[o->n].key = item;
	o->pair[o->n++].value = eq + 1;
	return 0;
}

int dev_opts_parse(struct dev_opts **out, const char *text)
{
	struct dev_opts *o = xcalloc(1, sizeof(*o));
	char *rest, *item;
	int err = 0;

	o->text = xstrdup(text ? text : "");
	rest = *o->text ? o->text : NULL;
	while (!err && (item = strsep(&rest, ",")))
		err = add_pair(o, item);
	if (err) {
		dev_opts_free(o);
		return err;
	}
	*out = o;
	return 0;
}

void dev_opts_free(struct dev_opts *o)
{
	if (!o)
		return;
	free(o->text);
	free(o);
}

static void note_asked(struct dev_opts *o, const char *key)
{
	for (size_t i = 0; i < o->n_asked; i++)
		if (!strcmp(o->asked[i], key))
			return;
	if (o->n_asked < MAX_KEYS)
		o->asked[o->n_asked++] = key;
}

const char *dev_opts_str(const struct dev_opts *opts, const char *key, const char *fallback)
{
	struct dev_opts *o = (struct dev_opts *)opts; /* reading marks the key as known */

	note_asked(o, key);
	for (size_t i = 0; i < o->n; i++) {
		if (!strcmp(o->pair[i].key, key)) {
			o->pair[i].used = true;
			return o->pair[i].value;
		}
	}
	return fallback;
}

int dev_opts_u64(const struct dev_opts *o, const char *key, uint64_t *out, uint64_t min,
		 uint64_t max)
{
	const char *s = dev_opts_str(o, key, NULL);
	uint64_t v;

	if (!s)
		return 0;
	if (parse_u64(s, &v) || v < min || v > max) {
		log_error("device option %s=%s: want a number from %" PRIu64 " to %" PRIu64, key, s,
			  min, max);
		return -EINVAL;
	}
	*out = v;
	return 0;
}

int dev_opts_bool(const struct dev_opts *o, const char *key, bool *out)
{
	const char *s = dev_opts_str(o, key, NULL);

	if (s && parse_bool(s, out)) {
		log_error("device option %s=%s: want on or off", key, s);
		return -EINVAL;
	}
	return 0;
}

int dev_opts_word(const struct dev_opts *o, const char *key, const char *const *words, int *out)
{
	const char *s = dev_opts_str(o, key, NULL);
	struct strbuf all = STRBUF_INIT;

	if (!s)
		return 0;
	for (int i = 0; words[i]; i++) {
		if (!strcmp(words[i], s)) {
			*out = i;
			return 0;
		}
	}
	for (int i = 0; words[i]; i++) {
		strbuf_sep(&all, words[i + 1] ? ", " : " or ");
		strbuf_adds(&all, words[i]);
	}
	log_error("device option %s=%s: want %s", key, s, strbuf_str(&all));
	strbuf_free(&all);
	return -EINVAL;
}

int dev_opts_done(const struct dev_opts *o)
{
	for (size_t i = 0; i < o->n; i++) {
		const char *near;

		if (o->pair[i].used)
			continue;
		near = opts_nearest(o->pair[i].key, o->asked);
		if (near)
			log_error("device option %s: unknown; did you mean %s?", o->pair[i].key,
				  near);
		else
			log_error("device option %s: this device does not have it", o->pair[i].key);
		return -EINVAL;
	}
	return 0;
}
