// SPDX-License-Identifier: MIT
#include "bench/host/medium.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mounts.h"
#include "base/proc.h"
#include "base/strbuf.h"
#include "bench/host/nvme_vf.h"
#include "bench/host/outer.h"
#include "bench/host/paths.h"
#include "workloads/workloads.h"

#define FILE_SIZE  (64 * MIB)
#define FILE_PIECE MIB
#define BLKID_NS   (10 * NSEC_PER_SEC)
#define DISK_WAIT_NS (10 * NSEC_PER_SEC)

struct medium_kind {
	const char *name, *module;
	const char *params; /* of the module, with the number of devices */
	const char *device; /* with its number */
	unsigned needs;
	bool keeps, timed;
};

/*
 * null: requests end where they are handed over, or by a timer, and nothing is kept: what is left is the path
 * to it.
 * disk: that of an NVMe controller with virtual functions.
 */
static const struct medium_kind kinds[] = {
	{"null", "null_blk", "nr_devices=%u gb=1 bs=512 no_sched=1 hw_queue_depth=256", "/dev/nullb%u",
	 NEED_ROOT | NEED_NULL_BLK, .timed = true},
	{"ram", "brd", "rd_nr=%u rd_size=65536 max_part=0", "/dev/ram%u", NEED_ROOT | NEED_BRD,
	 .keeps = true},
	{"file", NULL, NULL, NULL, 0, .keeps = true},
	{MEDIUM_OF_DEVICE, "nvme", NULL, NULL, NEED_ROOT | NEED_NVME_VF, .keeps = true},
};

static const struct medium_kind *kind_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, text_or(name, MEDIUM_DEFAULT)))
			return &kinds[i];
	return NULL;
}

int medium_check(const char *name)
{
	if (kind_find(name) || strchr(name, '/'))
		return 0;
	log_error("--medium=%s: it is null, ram, file, disk, or the path of a block device or an image", name);
	return -EINVAL;
}

unsigned medium_needs(const char *name)
{
	const struct medium_kind *k = kind_find(name);

	if (!k)
		return 0;
	return k->needs;
}

bool medium_keeps(const char *name)
{
	const struct medium_kind *k = kind_find(name);

	return !k || k->keeps;
}

bool medium_timed(const char *name)
{
	const struct medium_kind *k = kind_find(name);

	return k && k->timed;
}

const char *medium_module(const char *name)
{
	const struct medium_kind *k = kind_find(name);

	if (!k)
		return NULL;
	return k->module;
}

char *medium_params(const struct medium_want *want)
{
	const struct medium_kind *k = kind_find(want->name);
	uint64_t ns = want->request_us * NSEC_PER_USEC;
	struct strbuf sb = STRBUF_INIT;

	if (!k || !k->params)
		return NULL;
	strbuf_addf(&sb, k->params, want->units);
	if (k->timed && ns)
		strbuf_addf(&sb, " irqmode=2 completion_nsec=%" PRIu64, ns);
	else if (k->timed)
		strbuf_adds(&sb, " irqmode=0");
	return strbuf_take(&sb);
}

/* ---- a device that a module makes ---- */

static int load_module(struct medium *m, const struct medium_kind *k, const struct medium_want *want)
{
	char *params = medium_params(want);
	int err = kmod_load(&m->kmod, k->module, params);

	if (err == -EBUSY)
		log_error("--medium=%s: %s is loaded already and others may use its devices; name one as --medium=/dev/..., or unload it",
			  k->name, k->module);
	else if (err)
		log_error("--medium=%s: %s %s: %s", k->name, k->module, params, strerror(-err));
	free(params);
	return err;
}

/* Two requests of the guest stay two on the medium. The device goes with its module, and this with it. */
static void keep_apart(const char *device)
{
	char *path = xasprintf("/sys/block/%s/queue/nomerges", strrchr(device, '/') + 1);
	int err = file_write(path, "2");

	if (err)
		log_warn("%s: %s", path, strerror(-err));
	free(path);
}

static int open_module(struct medium *m, const struct medium_kind *k, const struct medium_want *want)
{
	int err = 0;

	if (!want->unit)
		err = load_module(m, k, want);
	if (err)
		return err;
	m->path = xasprintf(k->device, want->unit);
	m->is_device = true;
	if (!file_exists(m->path)) {
		log_error("--medium=%s: %s has made no %s", k->name, k->module, m->path);
		return -ENODEV;
	}
	keep_apart(m->path);
	return 0;
}

/* ---- a file ---- */

/* Written once, so that no request finds a place without blocks. */
static int fill_file(int fd)
{
	char *zeroes = xcalloc(1, FILE_PIECE);
	int err = 0;

	for (uint64_t at = 0; at < FILE_SIZE && !err; at += FILE_PIECE)
		err = fd_write_all(fd, zeroes, FILE_PIECE);
	if (!err)
		err = errno_if(fdatasync(fd));
	free(zeroes);
	return err;
}

static int check_direct(const char *path, const char *dir)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC), err = errno_if(fd < 0);

	if (err)
		log_error("--medium=file: no I/O past the page cache in %s (%s), as on a tmpfs; use --medium=ram or null, or name a file",
			  dir, strerror(-err));
	close_fd(&fd);
	return err;
}

/* The file has no name, so the kernel frees it whatever ends us. Others open it through our descriptor. */
static int open_file(struct medium *m)
{
	char *dir = xasprintf("%s/media", path_cache());
	int err = dir_make_all(dir);

	if (!err) {
		m->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		err = errno_if(m->fd < 0);
	}
	if (!err)
		err = fill_file(m->fd);
	if (err) {
		log_error("--medium=file: %s: %s", dir, strerror(-err));
	} else {
		m->path = xasprintf("/proc/%d/fd/%d", getpid(), m->fd);
		err = check_direct(m->path, dir);
	}
	free(dir);
	return err;
}

/* ---- one that was named ---- */

/* What blkid sees on it ("ext4", "gpt"), "" for nothing, or NULL when nobody can say. */
static char *find_signature(const char *path)
{
	char *const argv[] = {"blkid", "-p", "-o", "value", "-s", "TYPE", "-s", "PTTYPE", (char *)path, NULL};
	struct strbuf out = STRBUF_INIT;
	int status = proc_run(argv, &out, BLKID_NS);
	char *text = strbuf_take(&out);

	if (status == 2) /* nothing was found */
		text[0] = '\0';
	if (status && status != 2) {
		free(text);
		return NULL;
	}
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static int check_empty(const char *path)
{
	char *what = find_signature(path);
	int err = -EEXIST;

	if (what && !*what)
		err = 0;
	if (!what)
		log_error("--medium=%s: blkid cannot say whether something is on it; add --overwrite if it may be lost", path);
	else if (err)
		log_error("--medium=%s: there is %s on it; add --overwrite if it may be lost", path, what);
	free(what);
	return err;
}

static void say_busy(const char *path)
{
	char where[MOUNT_PATH];
	struct stat st;

	if (!stat(path, &st) && S_ISBLK(st.st_mode) && mounted_on(st.st_rdev, where))
		log_error("--medium=%s: mounted on %s; unmount it first", path, where);
	else
		log_error("--medium=%s: in use (another program, swap, RAID or device mapper)", path);
}

static int open_named(struct medium *m, const struct medium_want *want)
{
	struct stat st;
	int fd = open(m->path, O_RDWR | O_CLOEXEC | O_EXCL), err = errno_if(fd < 0);

	if (err == -EBUSY)
		say_busy(m->path);
	else if (err)
		log_error("--medium=%s: %s", m->path, strerror(-err));
	if (!err && want->units > 1) {
		log_error("--medium=%s: one disk for %u VMs; use null, ram or file", m->path, want->units);
		err = -EINVAL;
	}
	if (!err && !fstat(fd, &st))
		m->is_device = S_ISBLK(st.st_mode);
	close_fd(&fd);
	if (!err && !want->overwrite)
		err = check_empty(m->path);
	return err;
}

/* ---- that of an NVMe controller ---- */

static char *find_disk(void)
{
	char *controller = nvme_vf_find(), *disk = NULL;

	if (controller)
		disk = nvme_vf_disk(controller);
	free(controller);
	if (!disk || file_exists(disk))
		return disk;
	free(disk);
	return NULL;
}

/* Its driver may still be at it. The lab's is empty, and nobody else's. */
static int open_disk(struct medium *m, const struct medium_want *want)
{
	struct medium_want disk = *want;
	uint64_t until = clock_ns() + DISK_WAIT_NS;
	int err = 0;

	if (lab_inside()) {
		disk.overwrite = true;
		err = kmod_lab_load("nvme", "");
	}
	while (!err && !(m->path = find_disk()) && clock_ns() < until)
		clock_sleep_ns(10 * NSEC_PER_MSEC);
	if (!m->path) {
		log_error("--medium=disk: no NVMe controller here has SR-IOV and a namespace; name a device, or use --on=lab");
		return -ENODEV;
	}
	return open_named(m, &disk);
}

int medium_open(struct medium *m, const struct medium_want *want)
{
	const struct medium_kind *k = kind_find(want->name);

	m->keeps = !k || k->keeps;
	if (!k) {
		m->path = xstrdup(want->name);
		return open_named(m, want);
	}
	if (k->params)
		return open_module(m, k, want);
	if (k->module)
		return open_disk(m, want);
	return open_file(m);
}

void medium_close(struct medium *m)
{
	close_fd(&m->fd);
	free(m->path);
	m->path = NULL;
	kmod_unload(&m->kmod);
}
