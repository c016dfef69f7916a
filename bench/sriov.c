// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "bench/sriov.h"

#define BIND_WAIT_NS (5 * NSEC_PER_SEC)

/* Interfaces sort by name, so that "auto" means the same card every time. */
static char *find_card(const char *other_than)
{
	struct dirent **e;
	int n = scandir("/sys/class/net", &e, NULL, alphasort);
	char *found = NULL;

	for (int i = 0; i < n; i++) {
		char *path = xasprintf("/sys/class/net/%s/device/sriov_totalvfs", e[i]->d_name);
		uint64_t vfs;

		if (!found && (!other_than || strcmp(other_than, e[i]->d_name)) &&
		    !file_read_u64(path, &vfs) && vfs)
			found = xstrdup(e[i]->d_name);
		free(path);
		free(e[i]);
	}
	if (n >= 0)
		free(e);
	return found;
}

char *sriov_find_pf(void)
{
	return find_card(NULL);
}

char *sriov_peer_nic(const char *pf)
{
	return find_card(pf);
}

static char *link_name(const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return NULL;
	target[n] = '\0';
	return xstrdup(strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
}

static char *device_path(const char *addr, const char *file)
{
	return xasprintf("/sys/bus/pci/devices/%s/%s", addr, file);
}

static int set_device(struct sriov *s, const char *addr, const char *file, const char *value,
		      const char *undo)
{
	char *path = device_path(addr, file);
	int err = journal_write(s->journal, path, value, undo);

	free(path);
	return err;
}

static int find_pf(struct sriov *s, const char *nic)
{
	char *path, *totals;
	uint64_t total;
	int err;

	s->pf = strcmp(nic, "auto") ? xstrdup(nic) : sriov_find_pf();
	if (!s->pf) {
		log_error("--nic=auto: no card here has SR-IOV; use --on=lab");
		return -ENODEV;
	}
	path = xasprintf("/sys/class/net/%s/device", s->pf);
	s->pf_addr = link_name(path);
	free(path);
	if (!s->pf_addr) {
		log_error("--nic=%s: no such network card; see bench doctor", s->pf);
		return -ENODEV;
	}
	totals = device_path(s->pf_addr, "sriov_totalvfs");
	err = file_read_u64(totals, &total);
	free(totals);
	if (err || !total) {
		log_error("--nic=%s: this card has no SR-IOV; see bench doctor", s->pf);
		return -ENOTSUP;
	}
	return 0;
}

/* New VFs are left without a driver: nothing on this host is to see them come and go. */
static int enable_vf(struct sriov *s)
{
	char *path = device_path(s->pf_addr, "sriov_numvfs"), *virtfn;
	uint64_t now = 0;
	int err = file_read_u64(path, &now);

	free(path);
	if (!err && now) {
		log_error("%s has %llu VFs already, which are not ours to change; set its sriov_numvfs to 0", s->pf,
			  (unsigned long long)now);
		return -EBUSY;
	}
	err = set_device(s, s->pf_addr, "sriov_drivers_autoprobe", "0", NULL);
	err = err ? err : set_device(s, s->pf_addr, "sriov_numvfs", "1", "0");
	if (err)
		return err;
	virtfn = device_path(s->pf_addr, "virtfn0");
	s->vf_addr = link_name(virtfn);
	free(virtfn);
	return s->vf_addr ? 0 : -ENODEV;
}

/* Through sysfs and the journal: a card that was down is down again afterwards. */
static int raise_pf(struct sriov *s)
{
	char *path = xasprintf("/sys/class/net/%s/flags", s->pf), *old = file_read_line(path), value[24];
	int err = old ? 0 : -ENODEV;

	if (!err) {
		snprintf(value, sizeof(value), "0x%lx", strtoul(old, NULL, 16) | IFF_UP);
		err = journal_write(s->journal, path, value, NULL);
	}
	free(old);
	free(path);
	return err;
}

/* Without a MAC of its own the PF's driver refuses the VF's filters. */
static int configure_vf(struct sriov *s, const char *mac)
{
	char *set[] = {"ip", "link", "set", s->pf, "vf", "0", "mac", (char *)mac, "spoofchk", "on", NULL};
	int err = raise_pf(s), status;

	if (err)
		return err;
	status = proc_run(set, NULL, 10 * NSEC_PER_SEC);
	if (status)
		log_error("%s: its VF did not take the MAC address %s (ip link: status %d)", s->pf, mac, status);
	return status ? -EIO : 0;
}

/* The override ends with the VF, so it needs no undoing of its own. */
static int bind_vf(struct sriov *s)
{
	char *override = device_path(s->vf_addr, "driver_override"),
	     *driver = device_path(s->vf_addr, "driver"), *name = NULL;
	uint64_t deadline = clock_ns() + BIND_WAIT_NS;
	int err = file_write(override, "vfio-pci");

	if (!err)
		err = file_write("/sys/bus/pci/drivers_probe", s->vf_addr);
	while (!err && !(name = link_name(driver)) && clock_ns() < deadline)
		clock_sleep_ns(10 * NSEC_PER_MSEC);
	if (err || !name || strcmp(name, "vfio-pci")) {
		log_error("%s: cannot be bound to vfio-pci%s%s; modprobe vfio-pci", s->vf_addr,
			  err ? ": " : "", err ? strerror(-err) : "");
		err = err ? err : -ENODEV;
	}
	free(name);
	free(driver);
	free(override);
	return err;
}

int sriov_setup(struct sriov *s, const char *nic, const char *mac)
{
	int err;

	*s = (struct sriov){NULL, NULL, NULL, NULL};
	err = find_pf(s, nic);
	err = err ? err : journal_open(&s->journal);
	err = err ? err : enable_vf(s);
	err = err ? err : configure_vf(s, mac);
	return err ? err : bind_vf(s);
}

void sriov_undo(struct sriov *s)
{
	journal_close(s->journal);
	free(s->pf);
	free(s->pf_addr);
	free(s->vf_addr);
	*s = (struct sriov){NULL, NULL, NULL, NULL};
}
