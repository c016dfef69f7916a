// SPDX-License-Identifier: MIT
#include "bench/host/nvme_vf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/host/programs.h"
#include "bench/host/sriov_impl.h"

#define IDENTIFY      0x06
#define IDENTIFY_SIZE 4096

enum { CNS_CONTROLLER = 0x01, CNS_PRIMARY_CAPS = 0x14, CNS_SECONDARY_LIST = 0x15 };

/* Virtualization management: actions, and what they are about. */
enum { PRIMARY_ALLOCATE = 1, SECONDARY_ASSIGN = 8, SECONDARY_ONLINE = 9 };
enum { QUEUES, INTERRUPTS, RESOURCES };

/* What the primary controller says of each resource: NVMe 1.4, figure 249. */
struct primary {
	uint16_t id;
	struct {
		bool shared;          /* it can be given to functions */
		uint16_t own, for_vf; /* the primary's part of it now; the most that a function takes */
	} of[RESOURCES];
};

/* ---- finding ---- */

static int is_controller(const struct dirent *e)
{
	char *path = xasprintf("/sys/class/nvme/%s/device/sriov_totalvfs", e->d_name);
	uint64_t vfs = 0;

	if (e->d_name[0] == '.' || file_read_u64(path, &vfs))
		vfs = 0;
	free(path);
	return vfs > 0;
}

char *nvme_vf_find(void)
{
	struct dirent **e;
	int n = scandir("/sys/class/nvme", &e, is_controller, alphasort);
	char *found = NULL;

	if (n > 0)
		found = xstrdup(e[0]->d_name);
	for (int i = 0; i < n; i++)
		free(e[i]);
	if (n >= 0)
		free(e);
	return found;
}

/* A controller with several paths to its namespace has the path ("nvme0c1n1"), and its subsystem the disk. */
static char *disk_of(const char *entry)
{
	unsigned subsystem, controller, ns;

	if (sscanf(entry, "nvme%uc%un%u", &subsystem, &controller, &ns) == 3)
		return xasprintf("/dev/nvme%un%u", subsystem, ns);
	if (sscanf(entry, "nvme%un%u", &controller, &ns) == 2)
		return xasprintf("/dev/%s", entry);
	return NULL;
}

char *nvme_vf_disk(const char *controller)
{
	char *dir = xasprintf("/sys/class/nvme/%s", controller), *disk = NULL;
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && !disk && (e = readdir(d)))
		disk = disk_of(e->d_name);
	if (d)
		closedir(d);
	free(dir);
	return disk;
}

/* ---- what the controller says ---- */

static uint16_t le16_at(const uint8_t *p, size_t at)
{
	return (uint16_t)(p[at] | p[at + 1] << 8);
}

static int identify(const char *controller, uint32_t cns, uint8_t *data)
{
	char *path = xasprintf("/dev/%s", controller);
	struct nvme_admin_cmd c = {
		.opcode = IDENTIFY, .addr = (uintptr_t)data, .data_len = IDENTIFY_SIZE, .cdw10 = cns};
	int fd = open(path, O_RDONLY | O_CLOEXEC), status, err = errno_if(fd < 0);

	memset(data, 0, IDENTIFY_SIZE);
	if (!err) {
		status = ioctl(fd, NVME_IOCTL_ADMIN_CMD, &c);
		err = errno_if(status < 0);
		if (status > 0)
			err = -EIO;
	}
	if (err)
		log_error("%s: Identify 0x%02x: %s", path, cns, strerror(-err));
	close_fd(&fd);
	free(path);
	return err;
}

static int read_primary(const char *controller, struct primary *p)
{
	static const size_t at[RESOURCES] = {32, 64};
	uint8_t data[IDENTIFY_SIZE];
	int err = identify(controller, CNS_CONTROLLER, data);

	if (err)
		return err;
	p->id = le16_at(data, 78);
	err = identify(controller, CNS_PRIMARY_CAPS, data);
	for (int r = 0; r < RESOURCES; r++) {
		p->of[r].shared = data[4] >> r & 1;
		p->of[r].own = le16_at(data, at[r] + 8);
		p->of[r].for_vf = le16_at(data, at[r] + 12);
	}
	return err;
}

/* The secondary controller that is the first function. */
static int find_secondary(const char *controller, uint16_t *id)
{
	uint8_t data[IDENTIFY_SIZE];
	int err = identify(controller, CNS_SECONDARY_LIST, data);

	for (size_t i = 0; !err && i < MIN(data[0], 127); i++) {
		const uint8_t *entry = data + 32 + 32 * i;

		if (le16_at(entry, 8) != 1)
			continue;
		*id = le16_at(entry, 0);
		return 0;
	}
	if (err)
		return err;
	log_error("%s has no secondary controller for its first virtual function", controller);
	return -ENODEV;
}

/* ---- what it is told ---- */

static char *management(const char *controller, uint16_t id, int resource, int action, unsigned n)
{
	return xasprintf("%s virt-mgmt /dev/%s --cntlid=%u --rt=%d --act=%d --nr=%u", nvme_program(), controller, id,
			 resource, action, n);
}

static int manage(struct sriov *s, uint16_t id, int resource, int action, unsigned n)
{
	char *command = management(s->pf, id, resource, action, n);
	int err = journal_run(s->journal, command, NULL);

	free(command);
	return err;
}

/* What is given up, or had back, counts from the controller's next reset, which its driver lives through. */
static int give_up(struct sriov *s, const struct primary *p)
{
	char *reset = sriov_path(s->pf_addr, "reset");
	int err = journal_note(s->journal, reset, "1");

	for (int r = 0; r < RESOURCES && !err; r++) {
		char *give = management(s->pf, p->id, r, PRIMARY_ALLOCATE, 0);
		char *back = management(s->pf, p->id, r, PRIMARY_ALLOCATE, p->of[r].own);

		if (p->of[r].shared && p->of[r].own)
			err = journal_run(s->journal, give, back);
		free(back);
		free(give);
	}
	if (!err)
		err = file_write(reset, "1");
	if (err)
		log_error("%s: its queues cannot be shared out: %s", s->pf, strerror(-err));
	free(reset);
	return err;
}

static int bring_online(struct sriov *s)
{
	struct primary p;
	uint16_t id;
	int err = read_primary(s->pf, &p);

	if (!err)
		err = find_secondary(s->pf, &id);
	for (int r = 0; r < RESOURCES && !err; r++)
		if (p.of[r].shared)
			err = manage(s, id, r, SECONDARY_ASSIGN, p.of[r].for_vf);
	if (err)
		return err;
	return manage(s, id, QUEUES, SECONDARY_ONLINE, 0);
}

/* ---- a function ---- */

static int find_primary(struct sriov *s)
{
	char *link;

	if (!file_exists(nvme_program())) {
		log_error("mode nvme-vf: %s is not there; apt-get install nvme-cli", nvme_program());
		return -ENOENT;
	}
	s->pf = nvme_vf_find();
	if (!s->pf) {
		log_error("mode nvme-vf: no NVMe controller here has SR-IOV; use --on=lab");
		return -ENODEV;
	}
	link = xasprintf("/sys/class/nvme/%s/device", s->pf);
	s->pf_addr = file_link_name(link);
	free(link);
	return errno_if(!s->pf_addr);
}

static int make_function(struct sriov *s, bool unsafe_interrupts)
{
	struct primary p;
	int err = find_primary(s);

	if (err)
		return err;
	err = journal_open(&s->journal);
	if (!err)
		err = sriov_check_remapping(s, unsafe_interrupts);
	if (!err)
		err = read_primary(s->pf, &p);
	if (!err)
		err = give_up(s, &p);
	if (err)
		return err;
	return sriov_enable(s, 1, "");
}

int nvme_vf_setup(struct sriov *s, bool unsafe_interrupts)
{
	int err = make_function(s, unsafe_interrupts);

	if (!err)
		err = bring_online(s);
	if (err)
		return err;
	return sriov_bind(s);
}
