// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a front-end of our disk back-end that sends whatever the input says, and writes what it likes
 * into the memory that it has shared. Records: request, flags, fds, size (a byte each), payload. Request 255:
 * the payload, behind two bytes that say where, goes into the memory, and the rings are kicked. First of all,
 * a ring is set up that runs. After each input nothing may be left: no open file, no mapping, no request; and
 * the medium is as large as it was.
 */
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "vmm/core/eventfd.h"
#include "vmm/core/threads.h"
#include "vmm/devices/virtio_blk/blk_back.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMORY	  (256 * KIB)
#define REACH	  0x4000 /* of the input's writes: rings, headers, some data */
#define DISK	  (64 * KIB)
#define KICK_FD	  1
#define POKE	  255

static struct threads threads = {.started = true};
static struct blk_back back;
static int fds[4], medium;
static uint8_t *memory;

static int count_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void set_up(void)
{
	char text[128];
	struct dev_opts *o;

	if (memory)
		return;
	log_init("fuzz", LOG_SILENT);
	fds[0] = memfd_create("memory", MFD_CLOEXEC);
	fds[KICK_FD] = eventfd(0, EFD_NONBLOCK);
	fds[2] = open("/dev/null", O_RDWR);
	fds[3] = eventfd(0, EFD_NONBLOCK);
	medium = memfd_create("disk", MFD_CLOEXEC);
	if (ftruncate(fds[0], MEMORY) || ftruncate(medium, DISK))
		abort();
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	snprintf(text, sizeof(text), "file=/proc/self/fd/%d,direct=off,engine=sync,poll_us=0,queues=2", medium);
	if (memory == MAP_FAILED || dev_opts_parse(&o, text) || blk_back_init(&back, &threads, o, -1))
		abort();
	dev_opts_free(o);
}

/* ---- the front-end ---- */

static bool say(int sock, const struct vu_msg *m)
{
	char buf[1024];
	bool lives = !vu_send(sock, m, NSEC_PER_SEC) && vu_back_serve(&back.vu) > 0;

	while (recv(sock, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	return lives;
}

static struct vu_msg with_fd(struct vu_msg m, int fd)
{
	m.fd[m.n_fds++] = fd;
	return m;
}

/* Queue 0 on 16 entries at the memory's beginning. */
static void start_ring(int sock)
{
	struct vu_msg memory_table = with_fd(vu_msg_empty(VU_SET_MEM_TABLE), fds[0]);
	struct vu_msg addr = vu_msg_empty(VU_SET_VRING_ADDR);
	struct vu_msg msgs[7];

	memory_table.size = 8 + sizeof(struct vu_region);
	memory_table.p.mem.n = 1;
	memory_table.p.mem.region[0] = (struct vu_region){0, MEMORY, 0, 0};
	addr.size = sizeof(addr.p.addr);
	addr.p.addr = (struct vu_vring_addr){.desc = 0, .avail = 0x200, .used = 0x400};
	msgs[0] = vu_msg_u64(VU_SET_FEATURES, back.dev.features & (1ull << VIRTIO_BLK_F_FLUSH | 1ull << 28));
	msgs[1] = memory_table;
	msgs[2] = vu_msg_state(VU_SET_VRING_NUM, 0, 16);
	msgs[3] = addr;
	msgs[4] = with_fd(vu_msg_u64(VU_SET_VRING_CALL, 0), fds[3]);
	msgs[5] = with_fd(vu_msg_u64(VU_SET_VRING_KICK, 0), fds[KICK_FD]);
	msgs[6] = vu_msg_state(VU_SET_VRING_ENABLE, 0, 1);
	for (size_t i = 0; i < ARRAY_SIZE(msgs); i++)
		say(sock, &msgs[i]);
}

static void turn(void *arg)
{
	(void)arg;
}

static void poke(const uint8_t *data, size_t len)
{
	unsigned where;

	if (len < 2)
		return;
	where = (unsigned)(data[0] | data[1] << 8) % REACH;
	memcpy(memory + where, data + 2, len - 2);
	eventfd_signal(fds[KICK_FD]);
	for (unsigned i = 0; i < 4; i++)
		io_thread_call(back.blk.q[i & 1].thread, turn, NULL);
}

/* One record; how long it is, or 0: the back-end hangs up. */
static size_t take(int sock, const uint8_t *data, size_t size)
{
	size_t len = MIN((size_t)data[3], size - 4);
	struct vu_msg m = {.request = data[0], .flags = VU_FLAG_VERSION | (data[1] & VU_FLAG_NEED_REPLY)};

	if (data[0] == POKE) {
		poke(data + 4, len);
		return 4 + len;
	}
	m.size = (uint32_t)MIN(len, sizeof(m.p));
	memcpy(&m.p, data + 4, m.size);
	m.n_fds = MIN((uint32_t)(data[2] & 15), VU_FDS_MAX);
	for (unsigned i = 0; i < m.n_fds; i++)
		m.fd[i] = fds[data[2] >> 4 & 3];
	return say(sock, &m) ? 4 + len : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int pair[2], files;
	struct stat st;
	size_t n = 1;

	set_up();
	memset(memory, 0, MEMORY);
	files = count_files();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	vu_back_connect(&back.vu, pair[1]);
	start_ring(pair[0]);
	while (size >= 4 && n) {
		n = take(pair[0], data, size);
		data += n;
		size -= n;
	}
	close(pair[0]);
	vu_back_hang_up(&back.vu);
	if (back.vu.mem.n || count_files() != files || fstat(medium, &st) || st.st_size != DISK)
		abort();
	return 0;
}
