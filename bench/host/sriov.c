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
#include "base/iommu.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench/host/sriov.h"

#define BIND_WAIT_NS (5 * NSEC_PER_SEC)

/* Interfaces sort by name, so that "auto" means the same card every time. */
char *sriov_find_card(const char *not_this)
{
	struct dirent **e;
	int n = scandir("/sys/class/net", &e, NULL, alphasort);
	char *found = NULL;

	for (int i = 0; i < n; i++) {
		char *path = xasprintf("/sys/class/net/%s/device/sriov_totalvfs", e[i]->d_name);
		uint64_t vfs;

		if (!found && (!not_this || strcmp(not_this, e[i]->d_name)) &&
		    !file_read_u64(path, &vfs) && vfs)
			found = xstrdup(e[i]->d_name);
		free(path);
		free(e[i]);
	}
	if (n >= 0)
		free(e);
	return found;
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

static char *vf_link(const struct sriov *s, unsigned index)
{
	char *path = xasprintf("/sys/bus/pci/devices/%s/virtfn%u", s->pf_addr, index);
	char *vf = file_link_name(path);

	free(path);
	return vf;
}

/* ---- a function of our own ---- */

static int find_pf(struct sriov *s, const char *nic, unsigned functions)
{
	char *path, *totals;
	uint64_t total;
	int err;

	if (strcmp(nic, "auto"))
		s->pf = xstrdup(nic);
	else
		s->pf = sriov_find_card(NULL);
	if (!s->pf) {
		log_error("--nic=auto: no card here has SR-IOV; use --on=lab");
		return -ENODEV;
	}
	path = xasprintf("/sys/class/net/%s/device", s->pf);
	s->pf_addr = file_link_name(path);
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
	if (total < functions) {
		log_error("--nic=%s: %u VMs want a virtual function each, and this card has %llu", s->pf, functions,
			  (unsigned long long)total);
		return -ENOTSUP;
	}
	return 0;
}

static int refuse_others(const struct sriov *s, uint64_t n)
{
	char *first = vf_link(s, 0);

	log_error("%s has %llu virtual functions already, which are not ours to change; use one that is free (--vf=%s), or write 0 "
		  "to its sriov_numvfs", s->pf, (unsigned long long)n, text_or(first, "ADDR"));
	free(first);
	return -EBUSY;
}

/* No more than the guests need, and without a driver: nothing on this host is to see them come and go. */
static int enable_vfs(struct sriov *s, unsigned functions)
{
	char *path = device_path(s->pf_addr, "sriov_numvfs"), number[12];
	uint64_t now = 0;
	int err = file_read_u64(path, &now);

	free(path);
	if (!err && now)
		return refuse_others(s, now);
	err = set_device(s, s->pf_addr, "sriov_drivers_autoprobe", "0", NULL);
	snprintf(number, sizeof(number), "%u", functions);
	if (!err)
		err = set_device(s, s->pf_addr, "sriov_numvfs", number, "0");
	if (err)
		return err;
	s->vf_addr = vf_link(s, 0);
	if (!s->vf_addr)
		return -ENODEV;
	return 0;
}

static int make_vfs(struct sriov *s, const char *nic, unsigned functions)
{
	int err = find_pf(s, nic, functions);

	if (err)
		return err;
	return enable_vfs(s, functions);
}

/* ---- a function that is there ---- */

/* The one interface of a PCI device, or NULL. */
static char *interface_of(const char *addr)
{
	char *dir = device_path(addr, "net"), *name = dir_entry(dir);

	free(dir);
	return name;
}

static bool interface_up(const char *name)
{
	char *path = xasprintf("/sys/class/net/%s/flags", name), *flags = file_read_line(path);
	bool up = strtoul(flags, NULL, 16) & IFF_UP;

	free(flags);
	free(path);
	return up;
}

static int find_index(struct sriov *s)
{
	for (s->index = 0; s->index < 256; s->index++) {
		char *vf = vf_link(s, s->index);
		bool same = vf && !strcmp(vf, s->vf_addr);

		free(vf);
		if (same)
			return 0;
	}
	return -ENODEV;
}

static int adopt_vf(struct sriov *s, const char *addr)
{
	char *physfn = device_path(addr, "physfn"), *own;

	s->vf_addr = xstrdup(addr);
	s->pf_addr = file_link_name(physfn);
	free(physfn);
	if (s->pf_addr)
		s->pf = interface_of(s->pf_addr);
	if (!s->pf || find_index(s)) {
		log_error("--vf=%s: no virtual function of a network card; see bench doctor, lspci -D", addr);
		return -ENODEV;
	}
	own = interface_of(addr);
	if (own && interface_up(own)) {
		log_error("--vf=%s: this host uses it: its interface %s is up; ip link set %s down, or take another", addr, own, own);
		free(own);
		return -EBUSY;
	}
	free(own);
	return 0;
}

/* ---- both ---- */

/* Through sysfs and the journal: a card that was down is down again afterwards. */
static int raise_pf(struct sriov *s)
{
	char *path = xasprintf("/sys/class/net/%s/flags", s->pf), *old = file_read_line(path), value[24];
	int err;

	snprintf(value, sizeof(value), "0x%lx", strtoul(old, NULL, 16) | IFF_UP);
	err = journal_write(s->journal, path, value, NULL);
	free(old);
	free(path);
	return err;
}

static int apply_settings(struct sriov *s, const struct vf_settings *old, const struct vf_settings *new)
{
	struct vf_settings back = vf_settings_undo(old, new);
	char *command = vf_settings_command(s->pf, s->index, new);
	char *undo = vf_settings_command(s->pf, s->index, &back);
	int err = 0;

	if (command)
		err = journal_run(s->journal, command, undo);
	free(command);
	free(undo);
	return err;
}

/* A MAC address that the card gave stays; without one its driver refuses the function's filters. */
static int configure_vf(struct sriov *s, const struct sriov_want *want)
{
	static const char no_mac[] = "00:00:00:00:00:00";
	struct vf_settings old = VF_SETTINGS_NONE, new = want->settings;
	int err = raise_pf(s);

	if (err)
		return err;
	/* What the card does not tell of a function of our own goes with it; of another's it could not be put
	 * back. */
	if (vf_settings_read(s->pf, s->index, &old) && want->vf) {
		log_error("--vf=%s: %s does not tell its settings, so they could not be put back; leave --vf out", want->vf, s->pf);
		return -ENOTSUP;
	}
	if (!want->vf || !*old.mac || !strcmp(old.mac, no_mac))
		snprintf(new.mac, sizeof(new.mac), "%s", want->mac);
	return apply_settings(s, &old, &new);
}

static int unbind_driver(struct sriov *s, const char *driver)
{
	char *path = xasprintf("/sys/bus/pci/drivers/%s/unbind", driver);
	int err = journal_note(s->journal, "/sys/bus/pci/drivers_probe", s->vf_addr);

	if (!err)
		err = file_write(path, s->vf_addr);
	if (err)
		log_error("%s: cannot be taken from its driver %s: %s", s->vf_addr, driver, strerror(-err));
	free(path);
	return err;
}

static char *driver_of(const char *addr)
{
	char *path = device_path(addr, "driver"), *name = file_link_name(path);

	free(path);
	return name;
}

/* The probe is asynchronous for some buses: wait for its outcome. */
static int probe_drivers(struct sriov *s)
{
	uint64_t deadline = clock_ns() + BIND_WAIT_NS;
	int err = file_write("/sys/bus/pci/drivers_probe", s->vf_addr);
	char *name = NULL;

	while (!err && !(name = driver_of(s->vf_addr)) && clock_ns() < deadline)
		clock_sleep_ns(10 * NSEC_PER_MSEC);
	if (!err && (!name || strcmp(name, "vfio-pci")))
		err = -ENODEV;
	if (err)
		log_error("%s: cannot be bound to vfio-pci (%s); modprobe vfio-pci", s->vf_addr, strerror(-err));
	free(name);
	return err;
}

/* None is shown as "(null)"; written back as that, it would be the name of a driver that never comes. */
static int override_driver(struct sriov *s)
{
	char *path = device_path(s->vf_addr, "driver_override"), *old = file_read_line(path);
	int err = journal_write(s->journal, path, "vfio-pci", text_if(strcmp(old, "(null)"), old));

	free(old);
	free(path);
	return err;
}

static int bind_vf(struct sriov *s)
{
	char *old = driver_of(s->vf_addr);
	int err = 0;

	if (old && !strcmp(old, "vfio-pci"))
		goto out;
	if (old)
		err = unbind_driver(s, old);
	if (!err)
		err = override_driver(s);
	if (!err)
		err = journal_note(s->journal, "/sys/bus/pci/drivers/vfio-pci/unbind", s->vf_addr);
	if (!err)
		err = probe_drivers(s);
out:
	free(old);
	return err;
}

/* VFIO would refuse as well, but only the VMM would hear why. */
static int check_remapping(struct sriov *s, bool allow)
{
	const char *const *parameter = iommu_unsafe_parameters();
	int err = 0;

	if (iommu_remaps_interrupts())
		return 0;
	if (!allow) {
		log_error("interrupts are not remapped on this host, so a device could forge them; switch remapping on in the firmware, "
			  "or accept it with --allow-unsafe-interrupts");
		return -EPERM;
	}
	if (!*parameter) {
		log_error("vfio_iommu_type1 is not loaded, so unsafe interrupts cannot be allowed; modprobe vfio_iommu_type1");
		return -ENOENT;
	}
	log_warn("interrupts are not remapped on this host: the guest's device can raise any of them while this runs");
	for (; !err && *parameter; parameter++)
		err = journal_write(s->journal, *parameter, "Y", NULL);
	return err;
}

int sriov_setup(struct sriov *s, const struct sriov_want *want)
{
	int err;

	*s = (struct sriov){.pf = NULL};
	err = journal_open(&s->journal);
	if (!err)
		err = check_remapping(s, want->unsafe_interrupts);
	if (!err && want->vf)
		err = adopt_vf(s, want->vf);
	else if (!err)
		err = make_vfs(s, text_or(want->nic, "auto"), want->functions);
	if (!err)
		err = configure_vf(s, want);
	if (err)
		return err;
	return bind_vf(s);
}

int sriov_setup_next(struct sriov *s, const struct sriov *first, unsigned index,
		     const struct sriov_want *want)
{
	int err;

	*s = (struct sriov){.journal = first->journal,
			    .is_next = true,
			    .pf = xstrdup(first->pf),
			    .pf_addr = xstrdup(first->pf_addr),
			    .index = index};
	s->vf_addr = vf_link(s, index);
	if (!s->vf_addr)
		return -ENODEV;
	err = configure_vf(s, want);
	if (err)
		return err;
	return bind_vf(s);
}

void sriov_undo(struct sriov *s)
{
	if (!s->is_next)
		journal_close(s->journal);
	free(s->pf);
	free(s->pf_addr);
	free(s->vf_addr);
	*s = (struct sriov){.pf = NULL};
}
