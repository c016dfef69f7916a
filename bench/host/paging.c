// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "bench/host/paging.h"
#include "bench/host/paths.h"
#include "workloads/modules.h"

#define PARAMETER "/sys/module/kvm_amd/parameters/npt"
#define UNLOAD_TRIES 20 /* the last guest's VM goes a moment after its process */

const char *const paging_modules[] = {"kvm_amd", NULL};

static int unload(void)
{
	int err = 0;

	for (int i = 0; i < UNLOAD_TRIES; i++) {
		err = syscall(SYS_delete_module, "kvm_amd", O_NONBLOCK) ? -errno : 0;
		if (err != -EAGAIN && err != -EBUSY)
			break;
		clock_sleep_ns(100 * NSEC_PER_MSEC);
	}
	return err;
}

/* The lab's own kernel is always the default one. kvm_amd is the last of what it needs. */
static int load(bool npt)
{
	char *dir = path_kernel("default", "modules");
	struct strlist files = STRLIST_INIT;
	void *data = NULL;
	size_t len;
	int err = dir ? modules_resolve(dir, paging_modules, &files) : -ENOENT;

	err = err ? err : files.n ? module_read(dir, files.v[files.n - 1], &data, &len) : -ENOENT;
	if (!err && syscall(SYS_init_module, data, len, npt ? "npt=1" : "npt=0"))
		err = -errno;
	free(data);
	strlist_free(&files);
	free(dir);
	return err;
}

static int reload(bool npt)
{
	int err = unload();

	err = err ? err : load(npt);
	if (err)
		log_error("kvm_amd: cannot be loaded anew with npt=%d: %s", npt, strerror(-err));
	return err;
}

int paging_set(struct paging *p, const char *want)
{
	char *now;
	int err;

	*p = (struct paging){false, false};
	if (!want)
		return 0;
	now = file_read_line(PARAMETER);
	p->was_on = *now == 'Y' || *now == '1';
	err = *now ? 0 : -ENODEV;
	free(now);
	if (err)
		log_error("npt=%s: this machine's KVM is not kvm_amd", want);
	else if (p->was_on != !strcmp(want, "on"))
		err = reload(!p->was_on);
	p->changed = !err && p->was_on != !strcmp(want, "on");
	return err;
}

void paging_undo(struct paging *p)
{
	if (p->changed)
		reload(p->was_on);
	p->changed = false;
}
