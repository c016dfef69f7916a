// SPDX-License-Identifier: MIT
/* Virtual functions of any card: how many there are, and whose they are. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/iommu.h"
#include "base/log.h"
#include "bench/host/sriov_impl.h"

#define BIND_WAIT_NS (5 * NSEC_PER_SEC)

char *sriov_path(const char *addr, const char *file)
{
	return xasprintf("/sys/bus/pci/devices/%s/%s", addr, file);
}

static int set_device(struct sriov *s, const char *addr, const char *file, const char *value,
		      const char *undo)
{
	char *path = sriov_path(addr, file);
	int err = journal_write(s->journal, path, value, undo);

	free(path);
	return err;
}

char *sriov_function(const struct sriov *s, unsigned index)
{
	char *path = xasprintf("/sys/bus/pci/devices/%s/virtfn%u", s->pf_addr, index);
	char *vf = file_link_name(path);

	free(path);
	return vf;
}

/* No more than the guests need, and without a driver: nothing on this host is to see them come and go. */
int sriov_enable(struct sriov *s, unsigned functions, const char *other_way)
{
	char *path = sriov_path(s->pf_addr, "sriov_numvfs"), number[12];
	uint64_t now = 0;
	int err = file_read_u64(path, &now);

	free(path);
	if (!err && now) {
		log_error("%s has %llu virtual functions already, which are not ours to change; %swrite 0 to its sriov_numvfs",
			  s->pf, (unsigned long long)now, other_way);
		return -EBUSY;
	}
	err = set_device(s, s->pf_addr, "sriov_drivers_autoprobe", "0", NULL);
	snprintf(number, sizeof(number), "%u", functions);
	if (!err)
		err = set_device(s, s->pf_addr, "sriov_numvfs", number, "0");
	if (err)
		return err;
	s->vf_addr = sriov_function(s, 0);
	if (!s->vf_addr)
		return -ENODEV;
	return 0;
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
	char *path = sriov_path(addr, "driver"), *name = file_link_name(path);

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
	char *path = sriov_path(s->vf_addr, "driver_override"), *old = file_read_line(path);
	int err = journal_write(s->journal, path, "vfio-pci", text_if(strcmp(old, "(null)"), old));

	free(old);
	free(path);
	return err;
}

int sriov_bind(struct sriov *s)
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
int sriov_check_remapping(struct sriov *s, bool allow)
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
