// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vmm/block/disk_priv.h"

static const struct disk_engine *const engines[] = {&disk_engine_uring, &disk_engine_sync};

static int parse_serial(struct disk *d, const struct dev_opts *o)
{
	const char *serial = dev_opts_str(o, "serial", d->dev_name);

	if (strlen(serial) > DISK_SERIAL) {
		log_error("%s: serial=%s: at most %d characters", d->dev_name, serial, DISK_SERIAL);
		return -EINVAL;
	}
	memcpy(d->info.serial, serial, strlen(serial));
	return 0;
}

static int parse_options(struct disk *d, const struct dev_opts *o)
{
	static const char *const caches[] = {"writeback", "writethrough", NULL};
	const char *names[ARRAY_SIZE(engines) + 1] = {NULL};
	const char *file = dev_opts_str(o, "file", NULL);
	int cache = 0, engine = 0, err;

	for (size_t i = 0; i < ARRAY_SIZE(engines); i++)
		names[i] = engines[i]->name;
	dev_opts_str(o, "mode", NULL); /* --disk has chosen the device by it */
	if (!file || !*file) {
		log_error("%s: no medium; want file=PATH, a raw image or a block device", d->dev_name);
		return -EINVAL;
	}
	d->direct = true;
	err = dev_opts_bool(o, "readonly", &d->info.read_only);
	if (!err)
		err = dev_opts_bool(o, "direct", &d->direct);
	if (!err)
		err = dev_opts_word(o, "cache", caches, &cache);
	if (!err)
		err = dev_opts_word(o, "engine", names, &engine);
	if (!err)
		err = parse_serial(d, o);
	d->info.write_back = cache == 0;
	d->engine = engines[engine];
	d->path = strdup(file);
	return err;
}

char *disk_opts_text(const char *text)
{
	const char *comma = strchrnul(text, ',');
	bool bare = !memchr(text, '=', (size_t)(comma - text));

	return xasprintf("%s%s", text_if(bare, "file="), text);
}

int disk_open(struct disk **out, const struct dev_opts *opts, const char *dev_name)
{
	struct disk *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->dev_name = dev_name;
	d->fd = -1;
	err = parse_options(d, opts);
	if (!err && !d->path)
		err = -ENOMEM;
	if (!err)
		err = medium_open(d);
	if (err) {
		disk_close(d);
		return err;
	}
	*out = d;
	return 0;
}

void disk_close(struct disk *d)
{
	if (!d)
		return;
	medium_close(d);
	free(d->path);
	free(d);
}

const struct disk_info *disk_info(const struct disk *d)
{
	return &d->info;
}
