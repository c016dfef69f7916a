// SPDX-License-Identifier: MIT
/*
 * No VM, but what an operating system offers in its place: the agent in namespaces and a cgroup of its own,
 * over a veth pair and a bridge to the peer, or to the card that leads to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench/modes/block.h"
#include "bench/modes/net.h"

static const char *const no_modules[] = {NULL};

/* Where cgroup2 is mounted, into dir[96]. */
static int find_cgroups(char *dir)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char line[512], type[32];
	int err = -ENOENT;

	while (f && err && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %95s %31s", dir, type) == 2 && !strcmp(type, "cgroup2"))
			err = 0;
	if (f)
		fclose(f);
	if (err)
		log_error("container: no cgroup2 is mounted; mount -t cgroup2 none /sys/fs/cgroup, or use --on=lab");
	return err;
}

static int make_cgroup(struct device_path *p, const struct path_want *want)
{
	char dir[96], *path;
	int err = find_cgroups(dir);

	if (!err)
		err = journal_open(&p->journal);
	if (err)
		return err;
	path = xasprintf("%s/exitlab-%d-%u-%u", dir, getpid(), want->sample, want->vm);
	err = journal_mkdir(p->journal, path);
	if (!err) {
		p->cgroup_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (p->cgroup_fd < 0)
			err = -errno;
	}
	free(path);
	return err;
}

static int make_over_card(struct device_path *p, const struct path_want *want)
{
	struct net_cards c;
	int err = net_find_cards(want, &c);

	if (!err)
		err = wire_container(&p->wire, c.peer, c.own, want->ipv6);
	net_free_cards(&c);
	return err;
}

static int container_make(struct device_path *p, const struct path_want *want)
{
	int err = make_cgroup(p, want);

	if (err)
		return err;
	if (want->real_wire)
		return make_over_card(p, want);
	return wire_container(&p->wire, NULL, NULL, want->ipv6);
}

const struct mode mode_container = {
	.name = "container",
	.kind = MODE_NET,
	.needs = NEED_ROOT,
	.guests = GUEST_NONE,
	.modules = no_modules,
	.knobs = "",
	.apart = true,
	.make = container_make,
};

static int container_make_block(struct device_path *p, const struct path_want *want)
{
	int err = make_cgroup(p, want);

	if (err)
		return err;
	return block_make(p, want);
}

/* The medium is where it is outside: its mounts are copies of ours. */
const struct mode mode_container_block = {
	.name = "container",
	.kind = MODE_BLOCK,
	.needs = NEED_ROOT,
	.guests = GUEST_NONE,
	.modules = no_modules,
	.knobs = "",
	.apart = true,
	.make = container_make_block,
};

const struct mode mode_container_bare = {
	.name = "container",
	.kind = MODE_NONE,
	.needs = NEED_ROOT,
	.guests = GUEST_NONE,
	.modules = no_modules,
	.knobs = "",
	.apart = true,
	.make = make_cgroup,
};
