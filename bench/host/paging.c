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

static int unload_kvm(void)
{
	int err = 0;

	for (int i = 0; i < UNLOAD_TRIES; i++) {
		err = 0;
		if (syscall(SYS_delete_module, "kvm_amd", O_NONBLOCK))
			err = -errno;
		if (err != -EAGAIN && err != -EBUSY)
			break;
		clock_sleep_ns(100 * NSEC_PER_MSEC);
	}
	return err;
}

/* The lab's own kernel is always the default one. kvm_amd is the last of what it needs. */
static int load_kvm(bool npt)
{
	char *dir = path_kernel("default", "modules");
	struct strlist files = STRLIST_INIT;
	void *data = NULL;
	size_t len;
	int err = -ENOENT;

	if (dir)
		err = modules_resolve(dir, paging_modules, &files);
	if (!err)
		err = module_read(dir, files.v[files.n - 1], &data, &len);
	if (!err && syscall(SYS_init_module, data, len, npt ? "npt=1" : "npt=0"))
		err = -errno;
	free(data);
	strlist_free(&files);
	free(dir);
	return err;
}

static int reload_kvm(bool npt)
{
	int err = unload_kvm();

	if (!err)
		err = load_kvm(npt);
	if (err)
		log_error("kvm_amd: cannot be loaded anew with npt=%d: %s", npt, strerror(-err));
	return err;
}

int paging_set(struct paging *p, const char *want)
{
	char *now;
	int err = 0;

	*p = (struct paging){false, false};
	if (!want)
		return 0;
	now = file_read_line(PARAMETER);
	p->was_on = *now == 'Y' || *now == '1';
	if (!*now)
		err = -ENODEV;
	free(now);
	if (err)
		log_error("npt=%s: this machine's KVM is not kvm_amd", want);
	else if (p->was_on != !strcmp(want, "on"))
		err = reload_kvm(!p->was_on);
	p->changed = !err && p->was_on != !strcmp(want, "on");
	return err;
}

void paging_undo(struct paging *p)
{
	if (p->changed)
		reload_kvm(p->was_on);
	p->changed = false;
}
