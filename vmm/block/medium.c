// SPDX-License-Identifier: MIT
/*
 * The file or block device itself: opened so that nobody else writes to it, and asked what it can
 * do.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mounts.h"
#include "vmm/block/disk_priv.h"

#define BLOCK_MIN    512u
#define BLOCK_MAX    4096u
#define PHYSICAL_MAX (64u * 1024)
#define BUSY_TRIES   20
#define BUSY_WAIT_NS (25 * NSEC_PER_MSEC)

static int medium_error(const struct disk *d, int err, const char *advice)
{
	log_error("%s: %s: %s%s", d->dev_name, d->path, strerror(err), advice);
	return -err;
}

/* ---- who else has it ---- */

/* A number in a file below the device's directory of sysfs; a partition's queue is its disk's. */
static uint64_t sysfs_number(unsigned major, unsigned minor, const char *name)
{
	static const char *const forms[] = {"/sys/dev/block/%u:%u/%s", "/sys/dev/block/%u:%u/../%s"};
	uint64_t value = 0;
	char path[128];
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(forms) && !found; i++) {
		FILE *f;

		snprintf(path, sizeof(path), forms[i], major, minor, name);
		f = fopen(path, "re");
		if (!f)
			continue;
		found = fscanf(f, "%" SCNu64, &value) == 1;
		fclose(f);
	}
	return found ? value : 0;
}

static int medium_busy(const struct disk *d, dev_t dev)
{
	char where[MOUNT_PATH];

	if (!d->is_device)
		log_error("%s: %s is in use by another virtual machine", d->dev_name, d->path);
	else if (mounted_on(dev, where))
		log_error("%s: %s is mounted on %s; unmount it, or use readonly=on", d->dev_name, d->path, where);
	else
		log_error("%s: %s is in use (another program, swap, RAID or device mapper)", d->dev_name, d->path);
	return -EBUSY;
}

/*
 * QEMU looks for locks on single bytes of images: one on all of it keeps it out, too. 0, -EBUSY or
 * what opening says.
 */
static int lock_file(const struct disk *d, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

	if (!fcntl(d->fd, F_OFD_SETLK, &lock))
		return 0;
	/* Others: a file system without locks. */
	return errno == EAGAIN || errno == EACCES ? -EBUSY : 0;
}

/* ---- opening ---- */

static const char *open_advice(const struct disk *d, int err)
{
	if (err == EINVAL && d->direct)
		return "; this file system has no direct I/O: use direct=off, or a file elsewhere";
	if (err == EACCES || err == EROFS)
		return "; readonly=on needs no right to write";
	return "";
}

static int open_once(struct disk *d, bool is_device)
{
	int flags = O_CLOEXEC | (d->info.read_only ? O_RDONLY : O_RDWR), err = 0;

	if (d->direct)
		flags |= O_DIRECT;
	if (is_device && !d->info.read_only)
		flags |= O_EXCL; /* not while it is mounted */
	d->fd = open(d->path, flags);
	if (d->fd < 0)
		return -errno;
	if (!is_device)
		err = lock_file(d, d->info.read_only ? F_RDLCK : F_WRLCK);
	if (err)
		close_fd(&d->fd);
	return err;
}

/* The io_uring of a process that has just ended keeps its files for some milliseconds more. */
static int open_file(struct disk *d)
{
	struct stat st;
	int err = -EBUSY;

	if (stat(d->path, &st) < 0)
		return medium_error(d, errno, "");
	d->is_device = S_ISBLK(st.st_mode);
	if (!d->is_device && !S_ISREG(st.st_mode)) {
		log_error("%s: %s: want a regular file or a block device", d->dev_name, d->path);
		return -EINVAL;
	}
	for (unsigned i = 0; i < BUSY_TRIES && err == -EBUSY; i++) {
		if (i)
			clock_sleep_ns(BUSY_WAIT_NS);
		err = open_once(d, d->is_device);
	}
	if (err == -EBUSY)
		return medium_busy(d, st.st_rdev);
	if (err)
		return medium_error(d, -err, open_advice(d, -err));
	return 0;
}

static int medium_size(const struct disk *d, uint64_t *size)
{
	struct stat st;

	if (d->is_device)
		return errno_if(ioctl(d->fd, BLKGETSIZE64, size) < 0);
	if (fstat(d->fd, &st) < 0)
		return -errno;
	*size = (uint64_t)st.st_size;
	return 0;
}

/* ---- what it can do ---- */

static bool can_read(const struct disk *d, char *at, uint32_t len)
{
	return pread(d->fd, at, len, 0) >= 0 || errno != EINVAL;
}

/*
 * Direct I/O is in blocks of the medium, from memory that is aligned as its controller wants it:
 * tried out.
 */
static int probe_alignment(struct disk *d)
{
	char *buf;

	d->info.block = BLOCK_MIN;
	d->mem_align = 1;
	if (!d->direct)
		return 0;
	buf = aligned_alloc(BLOCK_MAX, 2 * BLOCK_MAX);
	if (!buf)
		return -ENOMEM;
	while (d->info.block < BLOCK_MAX && !can_read(d, buf, d->info.block))
		d->info.block *= 2;
	d->mem_align = BLOCK_MIN;
	while (d->mem_align < d->info.block && !can_read(d, buf + d->mem_align, d->info.block))
		d->mem_align *= 2;
	free(buf);
	return 0;
}

static void probe_device(struct disk *d, const struct stat *st)
{
	unsigned a = major(st->st_rdev), b = minor(st->st_rdev);
	unsigned physical = 0;
	int logical = 0;

	if (!ioctl(d->fd, BLKSSZGET, &logical) && (uint32_t)logical > d->info.block)
		d->info.block = (uint32_t)logical;
	if (!ioctl(d->fd, BLKPBSZGET, &physical))
		d->info.physical = physical;
	if (sysfs_number(a, b, "queue/discard_max_bytes"))
		d->info.discard = (uint32_t)MIN(sysfs_number(a, b, "queue/discard_granularity"), GIB);
}

/* Tried out behind the end, where there is nothing to lose. */
static bool can_punch(const struct disk *d, const struct stat *st)
{
	off_t end = (off_t)align_up((uint64_t)st->st_size, BLOCK_MAX);

	return !fallocate(d->fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, end, BLOCK_MAX);
}

static void probe_file(struct disk *d, const struct stat *st)
{
	d->info.physical = (uint32_t)st->st_blksize;
	if (can_punch(d, st))
		d->info.discard = (uint32_t)st->st_blksize;
}

static int probe_medium(struct disk *d)
{
	struct stat st;
	int err = probe_alignment(d);

	if (err)
		return err;
	if (fstat(d->fd, &st) < 0)
		return medium_error(d, errno, "");
	if (d->is_device)
		probe_device(d, &st);
	else
		probe_file(d, &st);
	if (!is_pow2(d->info.physical) || d->info.physical < d->info.block ||
	    d->info.physical > PHYSICAL_MAX)
		d->info.physical = d->info.block;
	if (d->info.discard)
		d->info.discard = (uint32_t)align_up(d->info.discard, d->info.block);
	if (d->info.read_only)
		d->info.discard = 0;
	return 0;
}

static void warn_of_format(const struct disk *d)
{
	_Alignas(BLOCK_MAX) char head[BLOCK_MAX];

	if (pread(d->fd, head, d->info.block, 0) >= 4 && !memcmp(head, "QFI\xfb", 4))
		log_warn("%s: %s looks like a qcow2 image, and the guest sees it raw; qemu-img convert -O raw makes one",
			 d->dev_name, d->path);
}

static int measure_medium(struct disk *d)
{
	uint64_t size = 0;
	int err = medium_size(d, &size);

	if (err)
		return medium_error(d, -err, "");
	d->info.size = align_down(size, d->info.block);
	if (!d->info.size) {
		log_error("%s: %s: smaller than one block; truncate -s 1G makes a file of a size", d->dev_name, d->path);
		return -EINVAL;
	}
	if (d->info.size != size)
		log_warn("%s: %s: the last %" PRIu64 " bytes are no whole block; the guest does not see them",
			 d->dev_name, d->path, size - d->info.size);
	return 0;
}

int medium_open(struct disk *d)
{
	int err = open_file(d);

	if (!err)
		err = probe_medium(d);
	if (!err)
		err = measure_medium(d);
	if (!err)
		warn_of_format(d);
	return err;
}

void medium_close(struct disk *d)
{
	if (d->fd >= 0 && !d->is_device)
		lock_file(d, F_UNLCK);
	close_fd(&d->fd);
}

int medium_check(struct disk *d)
{
	uint64_t size = 0;

	if (!__atomic_load_n(&d->gone, __ATOMIC_RELAXED) && !medium_size(d, &size) &&
	    size >= d->info.size)
		return 0;
	if (!__atomic_exchange_n(&d->gone, true, __ATOMIC_RELAXED))
		log_error("%s: %s is shorter than it was; all further I/O fails", d->dev_name, d->path);
	return -ENODEV;
}
