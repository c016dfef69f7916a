// SPDX-License-Identifier: MIT
#include "bench/host/scsi_target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "bench/host/outer.h"

#define CONFIGFS    "/sys/kernel/config"
#define TARGETS	    CONFIGFS "/target"
#define FABRIC	    TARGETS "/vhost"
#define UNITS_MAX   64 /* of one process: numbers of ours do not meet those of another's */
#define WWPN_TARGET "naa.5001405"
#define WWPN_NEXUS  "naa.5001406"

const char *const scsi_target_modules[] = {"target_core_mod", "target_core_iblock", "vhost_scsi", NULL};

static int find_configfs(void)
{
	if (lab_inside() && !file_exists(TARGETS))
		mount("configfs", CONFIGFS, "configfs", 0, NULL);
	if (file_exists(TARGETS))
		return 0;
	log_error(TARGETS " is not there; mount -t configfs configfs " CONFIGFS);
	return -ENOENT;
}

/* What a directory's own removal takes back. */
static int set_attribute(const char *dir, const char *file, const char *value)
{
	char *path = xasprintf("%s/%s", dir, file);
	int err = file_write(path, value);

	if (err)
		log_error("%s: cannot be set to %s: %s", path, value, strerror(-err));
	free(path);
	return err;
}

static int make_backstore(struct journal *j, const char *hba, const char *store, const char *device)
{
	char *control = xasprintf("udev_path=%s", device);
	int err = journal_mkdir(j, hba);

	if (!err)
		err = journal_mkdir(j, store);
	if (!err)
		err = set_attribute(store, "control", control);
	if (!err)
		err = set_attribute(store, "enable", "1"); /* opened, and nobody else's from now on */
	free(control);
	return err;
}

/* The session that vhost_scsi is to be: without one nobody can use the target. */
static int make_nexus(struct journal *j, const char *group, unsigned number)
{
	char *path = xasprintf("%s/nexus", group), *name = xasprintf(WWPN_NEXUS "%09x", number);
	int err = journal_write(j, path, name, "NULL");

	free(name);
	free(path);
	return err;
}

static int make_lun(struct journal *j, const char *group, const char *store)
{
	char *lun = xasprintf("%s/lun/lun_0", group), *link = xasprintf("%s/exitlab", lun);
	int err = journal_mkdir(j, lun);

	if (!err)
		err = journal_symlink(j, store, link);
	free(link);
	free(lun);
	return err;
}

static int make_target(struct journal *j, const char *wwpn, unsigned number, const char *store)
{
	char *port = xasprintf(FABRIC "/%s", wwpn), *group = xasprintf("%s/tpgt_1", port);
	int err = 0;

	if (!file_exists(FABRIC))
		err = journal_mkdir(j, FABRIC);
	if (!err)
		err = journal_mkdir(j, port);
	if (!err)
		err = journal_mkdir(j, group);
	if (!err)
		err = make_nexus(j, group, number);
	if (!err)
		err = make_lun(j, group, store);
	free(group);
	free(port);
	return err;
}

int scsi_target_make(struct journal *j, const struct medium *m, unsigned unit, struct scsi_target *t)
{
	unsigned number = (unsigned)getpid() * UNITS_MAX + unit;
	char *hba = xasprintf(TARGETS "/core/iblock_%u", number), *store = xasprintf("%s/exitlab", hba);
	int err = find_configfs();

	t->wwpn = xasprintf(WWPN_TARGET "%09x", number);
	t->commands = xasprintf("%s/statistics/scsi_lu/num_cmds", store);
	if (!err)
		err = make_backstore(j, hba, store, m->path);
	if (!err)
		err = make_target(j, t->wwpn, number, store);
	free(store);
	free(hba);
	return err;
}

void scsi_target_free(struct scsi_target *t)
{
	free(t->wwpn);
	free(t->commands);
	t->wwpn = t->commands = NULL;
}
