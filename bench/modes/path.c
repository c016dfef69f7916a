// SPDX-License-Identifier: MIT
#include "bench/modes/path.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/journal.h"

void path_init(struct device_path *p, const struct mode *mode)
{
	*p = (struct device_path){
		.mode = mode,
		.wire = {.peer_ns = -1, .agent_ns = -1, .switch_ns = -1},
		.medium = MEDIUM_INIT,
		.faults = IOMMU_WATCH_INIT,
		.helper = PROC_INIT,
		.cgroup_fd = -1,
	};
	memset(p->wire.tap_fd, -1, sizeof(p->wire.tap_fd));
}

int path_fds(const struct device_path *p, int *fd)
{
	int n = 0;

	while (n < WIRE_QUEUES && p->wire.tap_fd[n] >= 0) {
		fd[n] = p->wire.tap_fd[n];
		n++;
	}
	return n;
}

void path_undo(struct device_path *p)
{
	proc_end(&p->helper, NSEC_PER_SEC);
	wire_close(&p->wire);
	medium_close(&p->medium);
	close_fd(&p->cgroup_fd);
	if (p->journal)
		journal_close(p->journal);
	p->journal = NULL;
	if (p->mode->undo)
		p->mode->undo(p);
	if (p->socket)
		unlink(p->socket);
	free(p->socket);
	p->socket = NULL;
}
