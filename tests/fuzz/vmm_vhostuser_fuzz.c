// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a front-end that sends whatever the input says, against the back-end and its codec. The input
 * is a row of records: request, flags, fds, size of the payload (a byte each), payload. fds: low nibble how
 * many, high nibble which. After each input nothing may be left: no open file, no mapping, no ring.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "vmm/devices/virtio_net/net_back.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int started;

static int sink_start(struct net_backend *be, uint64_t features, unsigned n)
{
	(void)features;
	for (unsigned i = 0; i < n; i++) {
		struct virtq_layout *l = &be->rings[i].layout;

		if (be->rings[i].ready && (!gmem_ptr(be->gm, l->desc, 16ull * l->size) || !l->size))
			abort();
	}
	started++;
	return 0;
}

static void sink_stop(struct net_backend *be)
{
	(void)be;
	started--;
}

static int sink_set_offloads(struct net_backend *be, uint64_t f)
{
	(void)be;
	(void)f;
	return 0;
}

static const struct net_backend_ops sink = {
	.name = "sink", .start = sink_start, .stop = sink_stop, .set_offloads = sink_set_offloads};

static struct net_backend be = {
	.ops = &sink, .dev_name = "fuzz", .pairs = 2, .features = NET_BACKEND_FEATURES};
static struct net_back back;
static int fds[4];

static int count_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void set_up(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	log_init("fuzz", LOG_ERROR);
	fds[0] = memfd_create("fuzz", MFD_CLOEXEC);
	fds[1] = eventfd(0, EFD_NONBLOCK);
	fds[2] = open("/dev/null", O_RDWR);
	fds[3] = fds[0];
	if (ftruncate(fds[0], 1 << 20) || net_back_init(&back, &be))
		abort();
}

/* One record; the rest of the input. */
static size_t take(const uint8_t *data, size_t size, struct vu_msg *m)
{
	size_t len;

	memset(m, 0, sizeof(*m));
	m->request = data[0];
	m->flags = VU_FLAG_VERSION | (data[1] & VU_FLAG_NEED_REPLY);
	len = MIN((size_t)data[3], size - 4);
	len = MIN(len, sizeof(m->p));
	m->size = (uint32_t)len;
	memcpy(&m->p, data + 4, len);
	m->n_fds = MIN((uint32_t)(data[2] & 15), VU_FDS_MAX);
	for (unsigned i = 0; i < m->n_fds; i++)
		m->fd[i] = fds[data[2] >> 4 & 3];
	return 4 + len;
}

static void drain(int sock)
{
	char buf[1024];

	while (recv(sock, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vu_msg m;
	int pair[2], files_before;

	set_up();
	files_before = count_files();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	vu_back_connect(&back.vu, pair[1]);
	while (size >= 4) {
		size_t n = take(data, size, &m);

		data += n;
		size -= n;
		if (vu_send(pair[0], &m, NSEC_PER_SEC) || vu_back_serve(&back.vu) <= 0)
			break;
		drain(pair[0]);
	}
	close(pair[0]);
	vu_back_hang_up(&back.vu);
	if (started || back.vu.mem.n || count_files() != files_before)
		abort();
	return 0;
}
