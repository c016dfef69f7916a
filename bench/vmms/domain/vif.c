// SPDX-License-Identifier: MIT
#include "bench/vmms/domain/vif.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "bench/host/link.h"

int vif_move(unsigned domain, const char *netns)
{
	char name[IF_NAMESIZE];
	struct link_setup setup = {name, NULL, WIRE_HOST_PEER};
	int fd = open(netns, O_RDONLY | O_CLOEXEC), err = errno_if(fd < 0);

	snprintf(name, sizeof(name), "vif%u.0", domain);
	if (!err)
		err = link_move(name, fd);
	if (!err)
		err = netns_run(&fd, link_setup, &setup);
	if (err)
		log_error("%s into the namespace %s: %s", name, netns, strerror(-err));
	close_fd(&fd);
	return err;
}
