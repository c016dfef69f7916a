// SPDX-License-Identifier: MIT
#include "workloads/agent/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define DISK_WAIT_NS (10 * NSEC_PER_SEC)
#define SECTOR	     512

/* nvme0c0n1 is a path to nvme0n1, and no disk to open. */
static bool is_disk(const char *name)
{
	if (!strncmp(name, "nvme", 4))
		return !strchr(name, 'c');
	return !strncmp(name, "vd", 2) || !strncmp(name, "sd", 2) || !strncmp(name, "xvd", 3);
}

/* /dev/NAME of the first disk that there is, or NULL. */
static char *find_disk(void)
{
	DIR *dir = opendir("/sys/block");
	char *first = NULL;
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		if (!is_disk(e->d_name) || (first && strcmp(e->d_name, first + 5) > 0))
			continue;
		free(first);
		first = xasprintf("/dev/%s", e->d_name);
	}
	if (dir)
		closedir(dir);
	return first;
}

/* Of a controller with several paths ("nvme0n1") the path counts ("nvme0c0n1"), and has the queue. */
static char *nvme_path(const char *disk)
{
	unsigned ctrl, ns;
	char *sys;

	if (sscanf(disk, "/dev/nvme%un%u", &ctrl, &ns) != 2)
		return NULL;
	sys = xasprintf("/sys/block/nvme%uc%un%u", ctrl, ctrl, ns);
	if (file_exists(sys))
		return sys;
	free(sys);
	return NULL;
}

static void disk_size(struct disk *d, const struct stat *st)
{
	uint64_t bytes = (uint64_t)st->st_size;

	if (S_ISBLK(st->st_mode)) {
		d->sys = nvme_path(d->path);
		if (!d->sys)
			d->sys = xasprintf("/sys/dev/block/%u:%u", major(st->st_rdev), minor(st->st_rdev));
		if (ioctl(d->fd, BLKGETSIZE64, &bytes))
			bytes = 0;
	}
	d->sectors = bytes / SECTOR;
}

static int open_path(struct disk *d)
{
	d->fd = open(d->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	return errno_if(d->fd < 0);
}

/* Its driver may still be at it: there is a name before there is a disk. */
static int open_first(struct disk *d)
{
	uint64_t until = clock_ns() + DISK_WAIT_NS;
	int err;

	for (;;) {
		d->path = find_disk();
		err = -ENODEV;
		if (d->path)
			err = open_path(d);
		if (!err || clock_ns() >= until)
			return err;
		free(d->path);
		clock_sleep_ns(10 * NSEC_PER_MSEC);
	}
}

int disk_open(const struct agent *a, struct disk *d)
{
	struct stat st;
	int err;

	if (*a->job.disk) {
		d->path = xstrdup(a->job.disk);
		err = open_path(d);
	} else {
		err = open_first(d);
	}
	if (!d->path)
		return agent_fail(-ENODEV, "disk: there is none");
	if (!err)
		err = errno_if(fstat(d->fd, &st));
	if (err)
		return agent_fail(err, "disk %s: %s", d->path, strerror(-err));
	disk_size(d, &st);
	return 0;
}

void disk_close(struct disk *d)
{
	close_fd(&d->fd);
	free(d->path);
	free(d->sys);
}

static bool is_pci(const char *dir)
{
	char *path = xasprintf("%s/subsystem", dir), *name = file_link_name(path);
	bool pci = name && !strcmp(name, "pci");

	free(name);
	free(path);
	return pci;
}

int disk_find_driver(const struct disk *d, struct disk_driver *out)
{
	char *dir = NULL, *slash, *link;

	if (d->sys)
		dir = realpath(d->sys, NULL);
	while (dir && !is_pci(dir) && (slash = strrchr(dir, '/')))
		*slash = '\0';
	if (!dir || !*dir) {
		free(dir);
		return agent_fail(-ENODEV, "disk %s: on no PCI bus", d->path);
	}
	link = xasprintf("%s/driver", dir);
	out->driver = realpath(link, NULL);
	out->device = xstrdup(strrchr(dir, '/') + 1);
	free(link);
	free(dir);
	if (!out->driver)
		return agent_fail(-ENODEV, "disk %s: its device has no driver", d->path);
	return 0;
}

void disk_set_queue(const struct agent *a, const struct disk *d)
{
	static const char *const settings[][2] = {{"scheduler", "none"}, {"nomerges", "2"}, {"iostats", "1"}};

	for (size_t i = 0; a->vm && d->sys && i < ARRAY_SIZE(settings); i++) {
		char *path = xasprintf("%s/queue/%s", d->sys, settings[i][0]);
		int err = file_write(path, settings[i][1]);

		if (err)
			report_note("%s: %s", path, strerror(-err));
		free(path);
	}
}

struct disk_count disk_count(const struct disk *d)
{
	struct disk_count c = {0, 0, 0, 0, 0};
	uint64_t v[17] = {0};
	char *path, *line, *end;

	if (!d->sys)
		return c;
	path = xasprintf("%s/stat", d->sys);
	line = end = file_read_line(path);
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		v[i] = strtoull(end, &end, 10);
	c = (struct disk_count){v[0], v[4], v[11], v[15], v[2] + v[6] + v[13]};
	free(line);
	free(path);
	return c;
}
