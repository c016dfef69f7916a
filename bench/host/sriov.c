// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench/host/sriov_impl.h"

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
	totals = sriov_path(s->pf_addr, "sriov_totalvfs");
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

static int make_vfs(struct sriov *s, const char *nic, unsigned functions)
{
	int err = find_pf(s, nic, functions);

	if (err)
		return err;
	return sriov_enable(s, functions, "use one that is free (--vf=ADDR), or ");
}

/* ---- a function that is there ---- */

/* The one interface of a PCI device, or NULL. */
static char *interface_of(const char *addr)
{
	char *dir = sriov_path(addr, "net"), *name = dir_entry(dir);

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
		char *vf = sriov_function(s, s->index);
		bool same = vf && !strcmp(vf, s->vf_addr);

		free(vf);
		if (same)
			return 0;
	}
	return -ENODEV;
}

static int adopt_vf(struct sriov *s, const char *addr)
{
	char *physfn = sriov_path(addr, "physfn"), *own;

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

int sriov_setup(struct sriov *s, const struct sriov_want *want)
{
	int err;

	*s = (struct sriov){.pf = NULL};
	err = journal_open(&s->journal);
	if (!err)
		err = sriov_check_remapping(s, want->unsafe_interrupts);
	if (!err && want->vf)
		err = adopt_vf(s, want->vf);
	else if (!err)
		err = make_vfs(s, text_or(want->nic, "auto"), want->functions);
	if (!err)
		err = configure_vf(s, want);
	if (err)
		return err;
	return sriov_bind(s);
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
	s->vf_addr = sriov_function(s, index);
	if (!s->vf_addr)
		return -ENODEV;
	err = configure_vf(s, want);
	if (err)
		return err;
	return sriov_bind(s);
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
