// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a vhost-user back-end that answers whatever the input says; the front-end's connection asks
 * all it ever asks. Records: fds to send along (a byte), length (a byte), bytes; all of them lie in the
 * socket before the first request. Afterwards no file is left open that the front-end did not hand out.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/vhost/user_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gmem *gm;
static int extra;

static int count_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 128; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void send_piece(int sock, const uint8_t *data, size_t len, unsigned n_fds)
{
	char control[CMSG_SPACE(16 * sizeof(int))] __attribute__((aligned(8))) = {0};
	struct iovec iov = {(void *)data, len};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c = (struct cmsghdr *)control;

	if (n_fds) {
		h.msg_control = control;
		h.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (unsigned i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &extra, sizeof(int));
	}
	if (sendmsg(sock, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

static void answer(int sock, const uint8_t *data, size_t size)
{
	while (size >= 3) {
		size_t len = MIN((size_t)MAX(data[1], 1), size - 2);

		send_piece(sock, data + 2, len, data[0] & 15);
		data += 2 + len;
		size -= 2 + len;
	}
	shutdown(sock, SHUT_WR);
}

static void ask(struct vu_link *l, uint32_t request, uint32_t size)
{
	struct vu_msg m = vu_msg_empty(request);

	m.size = size;
	if (!vu_link_get(l, &m))
		vu_close_fds(&m);
}

static void ask_all(struct vu_link *l)
{
	struct vu_msg m = vu_msg_u64(VU_SET_PROTOCOL_FEATURES, 0);

	ask(l, VU_GET_FEATURES, 0);
	ask(l, VU_GET_PROTOCOL_FEATURES, 0);
	vu_link_do(l, &m);
	l->protocol = 1ull << VU_P_REPLY_ACK | 1ull << VU_P_MQ;
	ask(l, VU_GET_QUEUE_NUM, 0);
	ask(l, VU_GET_CONFIG, 12);
	ask(l, VU_GET_INFLIGHT_FD, sizeof(struct vu_inflight));
	vu_link_set_memory(l, gm);
	vu_link_set_fd(l, VU_SET_VRING_KICK, 0, extra);
	ask(l, VU_GET_VRING_BASE, 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vu_link l = {.who = "fuzz", .sock = -1};
	int pair[2], files;

	if (!gm) {
		log_init("fuzz", LOG_ERROR);
		extra = memfd_create("extra", MFD_CLOEXEC);
		if (gmem_create(&gm, MIB) || extra < 0)
			abort();
	}
	files = count_files();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	l.sock = pair[0];
	answer(pair[1], data, size);
	ask_all(&l);
	vu_link_close(&l);
	close(pair[1]);
	if (count_files() != files)
		abort();
	return 0;
}
