// SPDX-License-Identifier: MIT
#include "bench/modes/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "bench/host/paths.h"

#define SOCKET_WAIT_NS (5 * NSEC_PER_SEC)

void path_init(struct device_path *p, const struct mode *mode)
{
	*p = (struct device_path){
		.mode = mode,
		.wire = {.peer_ns = -1, .agent_ns = -1, .switch_ns = -1},
		.medium = MEDIUM_INIT,
		.faults = IOMMU_WATCH_INIT,
		.helper = PROC_INIT,
		.foreign_helper = mode->server != SERVER_VMM && mode->server != SERVER_HELPER,
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
	if (p->journal) /* while the helper can still let go of what it has in the kernel */
		journal_close(p->journal);
	p->journal = NULL;
	proc_end(&p->helper, NSEC_PER_SEC);
	wire_close(&p->wire);
	close_fd(&p->cgroup_fd);
	if (p->mode->undo)
		p->mode->undo(p);
	medium_close(&p->medium); /* after what uses it */
	scsi_target_free(&p->target);
	if (p->socket)
		unlink(p->socket);
	free(p->socket);
	p->socket = NULL;
}

/* Without the right to read the kernel's log faults are not counted. */
void path_watch_function(struct device_path *p)
{
	if (iommu_watch_open(&p->faults, p->sriov.vf_addr))
		log_warn("/dev/kmsg: %s; DMA that the IOMMU stops is not counted", strerror(errno));
}

void path_undo_function(struct device_path *p)
{
	iommu_watch_close(&p->faults);
	sriov_undo(&p->sriov);
}

char *path_helper_program(const struct path_want *want, const char *name)
{
	if (want->helper_dir)
		return xasprintf("%s/%s", want->helper_dir, name);
	if (!path_tool(name))
		return NULL;
	return xstrdup(path_tool(name));
}

int path_make_socket(struct device_path *p, const struct path_want *want)
{
	int err = dir_make_all(journal_dir());

	if (!err)
		p->socket = xasprintf("%s/vu-%d-%u-%u.sock", journal_dir(), getpid(), want->sample, want->vm);
	return err;
}

int path_start_helper(struct device_path *p, const struct path_want *want, char *const *argv,
		      const struct proc_opts *opts, const char *log)
{
	uint64_t until = clock_ns() + SOCKET_WAIT_NS;
	int err = proc_spawn_logged(&p->helper, argv, opts, want->log_dir, log);

	while (!err && !file_exists(p->socket) && clock_ns() < until)
		clock_sleep_ns(10 * NSEC_PER_MSEC);
	return err;
}
