// SPDX-License-Identifier: MIT
#include "bench/host/kmod.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/strlist.h"
#include "bench/host/outer.h"
#include "bench/host/paths.h"
#include "workloads/modules.h"

#define UNLOAD_TRIES 20 /* a module's last user goes a moment after its process */

static bool is_loaded(const char *name)
{
	char *path = xasprintf("/sys/module/%s", name);
	bool loaded = file_exists(path);

	free(path);
	return loaded;
}

/* ---- in a lab ---- */

int kmod_lab_unload(const char *name)
{
	int err = 0;

	for (int i = 0; i < UNLOAD_TRIES; i++) {
		err = errno_if(syscall(SYS_delete_module, name, O_NONBLOCK));
		if (err != -EAGAIN && err != -EBUSY)
			break;
		clock_sleep_ns(100 * NSEC_PER_MSEC);
	}
	return err;
}

static int lab_load_file(const char *dir, const char *file, const char *params)
{
	void *data = NULL;
	size_t len;
	int err = module_read(dir, file, &data, &len);

	if (!err)
		err = errno_if(syscall(SYS_init_module, data, len, params) && errno != EEXIST);
	free(data);
	return err;
}

/* The module is the last of what it needs. */
int kmod_lab_load(const char *name, const char *params)
{
	const char *const names[] = {name, NULL};
	struct strlist files = STRLIST_INIT;
	struct utsname u;
	int err = -ENOENT;
	char *dir;

	uname(&u);
	dir = path_kernel(u.release, "modules");
	if (dir)
		err = modules_resolve(dir, names, &files);
	if (!err && !files.n)
		err = -ENOENT;
	for (size_t i = 0; i < files.n && !err; i++)
		err = lab_load_file(dir, files.v[i], text_if(i + 1 == files.n, params));
	strlist_free(&files);
	free(dir);
	return err;
}

/* In a lab a module that is loaded was left by a bench that was killed, so it may be unloaded. */
static int lab_load_anew(const char *name, const char *params)
{
	int err = 0;

	if (is_loaded(name))
		err = kmod_lab_unload(name);
	if (!err)
		err = kmod_lab_load(name, params);
	return err;
}

/* ---- on a host ---- */

static int probe_module(struct journal *j, const char *name, const char *params)
{
	char *load = xasprintf("modprobe %s %s", name, params), *unload = xasprintf("modprobe -r %s", name);
	int err = journal_run(j, load, unload);

	free(unload);
	free(load);
	return err;
}

static int host_load(struct kmod *k, const char *name, const char *params)
{
	int err = -EBUSY;

	if (!is_loaded(name))
		err = journal_open(&k->journal);
	if (!err)
		err = probe_module(k->journal, name, params);
	if (err && k->journal) {
		journal_close(k->journal);
		k->journal = NULL;
	}
	return err;
}

/* ---- either ---- */

bool kmod_exists(const char *name)
{
	const char *const names[] = {name, NULL};
	struct strlist files = STRLIST_INIT;
	struct utsname u;
	char *dir, *index;
	bool there;

	if (lab_inside())
		return true;
	uname(&u);
	dir = xasprintf("/lib/modules/%s", u.release);
	index = xasprintf("%s/modules.dep", dir);
	there = file_exists(index) && !modules_resolve(dir, names, &files) && files.n;
	strlist_free(&files);
	free(index);
	free(dir);
	return there;
}

int kmod_load(struct kmod *k, const char *name, const char *params)
{
	int err;

	*k = (struct kmod){NULL, NULL};
	if (lab_inside())
		err = lab_load_anew(name, params);
	else
		err = host_load(k, name, params);
	if (!err)
		k->name = name;
	return err;
}

void kmod_unload(struct kmod *k)
{
	int err = 0;

	if (k->journal)
		journal_close(k->journal);
	else if (k->name)
		err = kmod_lab_unload(k->name);
	if (err)
		log_error("%s cannot be unloaded: %s", k->name, strerror(-err));
	*k = (struct kmod){NULL, NULL};
}

int kmod_need(struct journal *j, const char *name)
{
	int err;

	if (is_loaded(name))
		return 0;
	if (!lab_inside())
		return probe_module(j, name, "");
	err = kmod_lab_load(name, "");
	if (err)
		log_error("the lab's kernel does not load %s: %s", name, strerror(-err));
	return err;
}
