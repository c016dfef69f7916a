// SPDX-License-Identifier: MIT
/*
 * The back-end's end of vhost-user against front-ends that are wrong, hostile or merely odd, over a real
 * socket. The net_backend below it only remembers what it was told. (DPDK's CVE-2020-10722 to 10726 and
 * CVE-2022-0669 are in here: unchecked indices, mmap offsets and sizes, address translation, leaking file
 * descriptors.)
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/held_fd.h"
#include "vmm/devices/virtio_net/net_back.h"

#define BIT(n) (1ull << (n))
#define PACKED BIT(34)
#define MEM_SIZE (16 * MIB)
#define USER 0x7f0000000000ull /* where the front-end pretends to have its memory */
#define FEATURES (BIT(0) | BIT(28) | BIT(29) | PACKED)

/* ---- a net_backend that remembers ---- */

static struct {
	bool started;
	unsigned starts, stops, pairs;
	uint64_t features;
} fake;

static int fake_start(struct net_backend *be, uint64_t features, unsigned n)
{
	assert_false(fake.started);
	assert_int_equal(n, 2 * be->pairs);
	for (unsigned i = 0; i < n; i++) {
		const struct virtq_layout *l = &be->rings[i].layout;

		if (!be->rings[i].ready)
			continue;
		assert_non_null(gmem_ptr(be->gm, l->desc, 16ull * l->size));
		assert_non_null(be->rings[i].stats);
	}
	fake.started = true;
	fake.starts++;
	fake.features = features;
	return 0;
}

static void fake_stop(struct net_backend *be)
{
	assert_true(fake.started);
	for (unsigned i = 0; i < 2 * be->pairs; i++)
		if (be->rings[i].ready)
			be->rings[i].base++; /* as if one chain had been served */
	fake.started = false;
	fake.stops++;
}

static int fake_set_pairs(struct net_backend *be, unsigned pairs)
{
	(void)be;
	fake.pairs = pairs;
	return 0;
}

static int fake_set_offloads(struct net_backend *be, uint64_t features)
{
	(void)be;
	(void)features;
	return 0;
}

static const struct net_backend_ops fake_ops = {
	.name = "fake",
	.start = fake_start,
	.stop = fake_stop,
	.set_pairs = fake_set_pairs,
	.set_offloads = fake_set_offloads,
};

/* ---- both ends ---- */

static struct net_backend be;
static struct net_back back;
static int sock = -1; /* the front-end's end */
static int memfd = -1;

static void join(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	sock = pair[0];
	vu_back_connect(&back.vu, pair[1]);
}

static void part(void)
{
	vu_back_hang_up(&back.vu);
	close_fd(&sock);
}

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	be = (struct net_backend){.ops = &fake_ops,
				  .dev_name = "test",
				  .pairs = 2,
				  .features = FEATURES,
				  .mtu = 1500};
	assert_int_equal(net_back_init(&back, &be), 0);
	memfd = memfd_create("test", MFD_CLOEXEC);
	assert_int_equal(ftruncate(memfd, MEM_SIZE), 0);
	join();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	part();
	vu_back_exit(&back.vu);
	close_fd(&memfd);
	return 0;
}

/* Send, let the back-end serve, return its verdict: 0, 1 (refused), or the -errno with which it hangs up. */
static int ask(struct vu_msg m)
{
	struct vu_msg reply;
	int r;

	m.flags |= VU_FLAG_NEED_REPLY;
	assert_int_equal(vu_send(sock, &m, NSEC_PER_SEC), 0);
	r = vu_back_serve(&back.vu);
	if (r <= 0)
		return r ? r : -EPIPE;
	assert_int_equal(vu_recv_reply(sock, &m, &reply, NSEC_PER_SEC), 1);
	return reply.p.u64 != 0;
}

static struct vu_msg get(struct vu_msg m)
{
	struct vu_msg reply;

	assert_int_equal(vu_send(sock, &m, NSEC_PER_SEC), 0);
	assert_int_equal(vu_back_serve(&back.vu), 1);
	assert_int_equal(vu_recv_reply(sock, &m, &reply, NSEC_PER_SEC), 1);
	return reply;
}

static struct vu_msg with_fd(struct vu_msg m, int fd)
{
	m.fd[m.n_fds++] = fd;
	return m;
}

static struct vu_msg mem_msg(struct vu_region r, int fd)
{
	struct vu_msg m = vu_msg_empty(VU_SET_MEM_TABLE);

	m.size = 8 + sizeof(r);
	m.p.mem.n = 1;
	m.p.mem.region[0] = r;
	return with_fd(m, fd);
}

static struct vu_msg reg_msg(uint32_t request, struct vu_region r)
{
	struct vu_msg m = vu_msg_empty(request);

	m.size = sizeof(m.p.reg);
	m.p.reg.region = r;
	return m;
}

static struct vu_msg addr_msg(uint32_t index, uint64_t desc, uint64_t avail, uint64_t used)
{
	struct vu_msg m = vu_msg_empty(VU_SET_VRING_ADDR);

	m.size = sizeof(m.p.addr);
	m.p.addr = (struct vu_vring_addr){.index = index, .desc = desc, .avail = avail, .used = used};
	return m;
}

static const struct vu_region whole = {0, MEM_SIZE, USER, 0};

static void negotiate(void)
{
	uint64_t features = get(vu_msg_empty(VU_GET_FEATURES)).p.u64;
	uint64_t protocol = get(vu_msg_empty(VU_GET_PROTOCOL_FEATURES)).p.u64;

	assert_true(protocol & BIT(VU_P_REPLY_ACK));
	/* The verdict on this one comes already: the bit is on when it is answered. */
	assert_int_equal(ask(vu_msg_u64(VU_SET_PROTOCOL_FEATURES, protocol)), 0);
	assert_int_equal(ask(vu_msg_u64(VU_SET_FEATURES, features & ~PACKED)), 0);
	assert_int_equal(ask(vu_msg_empty(VU_SET_OWNER)), 0);
}

static void start_ring(uint32_t i)
{
	uint64_t at = USER + i * 0x10000;
	int kick = eventfd(0, EFD_NONBLOCK), call = eventfd(0, EFD_NONBLOCK);

	assert_int_equal(ask(vu_msg_state(VU_SET_VRING_NUM, i, 256)), 0);
	assert_int_equal(ask(vu_msg_state(VU_SET_VRING_BASE, i, 7)), 0);
	assert_int_equal(ask(addr_msg(i, at, at + 0x2000, at + 0x3000)), 0);
	assert_int_equal(ask(with_fd(vu_msg_u64(VU_SET_VRING_CALL, i), call)), 0);
	assert_int_equal(ask(with_fd(vu_msg_u64(VU_SET_VRING_KICK, i), kick)), 0);
	assert_int_equal(ask(vu_msg_state(VU_SET_VRING_ENABLE, i, 1)), 0);
	close(kick);
	close(call);
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 512; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static long rss_pages(void)
{
	long size = 0, rss = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_int_equal(fscanf(f, "%ld %ld", &size, &rss), 2);
	fclose(f);
	return rss;
}

/* ---- what must work ---- */

static void test_life_of_a_ring(void **state)
{
	(void)state;
	negotiate();
	assert_int_equal(get(vu_msg_empty(VU_GET_QUEUE_NUM)).p.u64, 4);
	start_ring(0);
	assert_false(fake.started); /* its addresses are in no memory yet */
	assert_int_equal(ask(mem_msg(whole, memfd)), 0);
	assert_true(fake.started);
	assert_int_equal(be.rings[0].base, 7);
	assert_int_equal(be.rings[0].layout.driver, 0x2000);
	assert_int_equal(be.rings[0].layout.device, 0x3000);
	assert_false(be.rings[1].ready);
	assert_int_equal(fake.pairs, 1);
	start_ring(3);
	assert_true(be.rings[3].ready);
	assert_int_equal(fake.pairs, 2);
	assert_false(fake.features & PACKED);
	/* Disabled and enabled again: it goes on where it was (the fake moves the base at each stop). */
	assert_int_equal(ask(vu_msg_state(VU_SET_VRING_ENABLE, 3, 0)), 0);
	assert_false(be.rings[3].ready);
	assert_int_equal(ask(vu_msg_state(VU_SET_VRING_ENABLE, 3, 1)), 0);
	assert_int_equal(be.rings[3].base, 8);
	assert_int_equal(get(vu_msg_state(VU_GET_VRING_BASE, 3, 0)).p.state.num, 9);
	assert_false(be.rings[3].ready);
	assert_true(be.rings[0].ready);
	/* Memory taken away under a running ring stops it. */
	assert_int_equal(ask(reg_msg(VU_REM_MEM_REG, whole)), 0);
	assert_false(fake.started);
	assert_int_equal(ask(with_fd(reg_msg(VU_ADD_MEM_REG, whole), memfd)), 0);
	assert_true(fake.started);
	assert_int_equal(ask(vu_msg_empty(VU_RESET_DEVICE)), 0);
	assert_false(fake.started);
}

/* Without the protocol features a ring runs unasked, and refusals end the connection. */
static void test_old_front_end(void **state)
{
	struct vu_msg m = vu_msg_u64(VU_SET_FEATURES, BIT(32));

	(void)state;
	assert_int_equal(vu_send(sock, &m, NSEC_PER_SEC), 0);
	assert_int_equal(vu_back_serve(&back.vu), 1);
	assert_true(back.vu.ring[0].enabled);
	m = vu_msg_state(VU_SET_VRING_NUM, 99, 256);
	assert_int_equal(vu_send(sock, &m, NSEC_PER_SEC), 0);
	assert_int_equal(vu_back_serve(&back.vu), -EINVAL);
}

/*
 * A call that is replaced while the ring runs must not stop it: QEMU does so whenever the guest masks its
 * vector.
 */
static void test_call_replaced_at_run_time(void **state)
{
	int call = eventfd(0, EFD_NONBLOCK);
	uint64_t n = 0;
	unsigned stops;

	(void)state;
	negotiate();
	assert_int_equal(ask(mem_msg(whole, memfd)), 0);
	start_ring(1);
	stops = fake.stops;
	assert_int_equal(ask(with_fd(vu_msg_u64(VU_SET_VRING_CALL, 1), call)), 0);
	assert_int_equal(fake.stops, stops);
	be.front_ops->call(be.front, 1);
	assert_int_equal(read(call, &n, sizeof(n)), sizeof(n));
	assert_int_equal(n, 1);
	/* And taken away: nothing may be written to it any more. */
	assert_int_equal(ask(vu_msg_u64(VU_SET_VRING_CALL, 1 | VU_VRING_NO_FD)), 0);
	be.front_ops->call(be.front, 1);
	assert_int_equal(read(call, &n, sizeof(n)), -1);
	close(call);
}

static void test_config(void **state)
{
	static const struct {
		uint32_t offset, size, payload, reply;
	} cases[] = {
		{0, 12, 12, 24},
		{10, 2, 2, 14},
		{0, 0, 0, 12},
		{0, 256, 256, 0},
		{0, 12, 2, 0},
		{UINT32_MAX, 2, 2, 0},
		{2, UINT32_MAX, 2, 0},
		{UINT32_MAX, UINT32_MAX, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vu_msg m = vu_msg_empty(VU_GET_CONFIG);

		m.size = 12 + cases[i].payload;
		m.p.config.offset = cases[i].offset;
		m.p.config.size = cases[i].size;
		m = get(m);
		assert_int_equal(m.size, cases[i].reply);
		if (i == 1)
			assert_int_equal(m.p.config.data[0] | m.p.config.data[1] << 8, 1500);
	}
}

/* ---- what must be refused ---- */

static void test_bad_values(void **state)
{
	static const struct {
		uint32_t request, index, num;
		int verdict;
	} cases[] = {
		{VU_SET_VRING_NUM, 4, 256, 1},
		{VU_SET_VRING_NUM, UINT32_MAX, 256, 1},
		{VU_SET_VRING_NUM, 0, 0, 1},
		{VU_SET_VRING_NUM, 0, 3, 1},
		{VU_SET_VRING_NUM, 0, 2048, 1},
		{VU_SET_VRING_NUM, 0, 65536 + 256, 1},
		{VU_SET_VRING_NUM, 0, UINT32_MAX, 1},
		{VU_SET_VRING_NUM, 0, 1024, 0},
		{VU_SET_VRING_BASE, 4, 0, 1},
		{VU_SET_VRING_BASE, 0x80000000, 0, 1},
		{VU_SET_VRING_ENABLE, 4, 1, 1},
		{VU_SET_VRING_ENABLE, 0, 2, 1},
		{VU_SET_VRING_ENABLE, 0, UINT32_MAX, 1},
		{VU_GET_VRING_BASE, 4, 0, -EINVAL},
	};

	(void)state;
	negotiate();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(ask(vu_msg_state(cases[i].request, cases[i].index, cases[i].num)),
				 cases[i].verdict);
	assert_int_equal(ask(vu_msg_u64(VU_SET_FEATURES, BIT(63))), 1);
	assert_int_equal(ask(vu_msg_u64(VU_SET_PROTOCOL_FEATURES, BIT(63))), 1);
	assert_int_equal(ask(addr_msg(4, 0, 0, 0)), 1);
	/* None of it was fatal. */
	assert_int_equal(ask(vu_msg_state(VU_SET_VRING_NUM, 0, 256)), 0);
}

static void test_busy_ring(void **state)
{
	(void)state;
	negotiate();
	assert_int_equal(ask(mem_msg(whole, memfd)), 0);
	start_ring(0);
	assert_int_equal(ask(vu_msg_state(VU_SET_VRING_NUM, 0, 128)), 1);
	assert_int_equal(ask(vu_msg_state(VU_SET_VRING_BASE, 0, 0)), 1);
	assert_true(fake.started);
}

static void test_bad_memory(void **state)
{
	static const struct vu_region cases[] = {
		{0, 0, USER, 0},                                      /* empty */
		{0, MEM_SIZE + 4096, USER, 0},                        /* longer than the file */
		{0, MEM_SIZE, USER, 4096},                            /* so with its offset */
		{0, 4096, USER, MEM_SIZE},                            /* behind the file */
		{0, 4096, USER, UINT64_MAX - 4095},                   /* offset wraps */
		{0, UINT64_MAX & ~4095ull, USER, 4096},               /* size wraps */
		{UINT64_MAX & ~4095ull, 8192, USER, 0},               /* guest address wraps */
		{0, 8192, UINT64_MAX & ~4095ull, 0},                  /* user address wraps */
		/* off the page */
		{1, 4096, USER, 0}, {0, 4097, USER, 0}, {0, 4096, USER + 8, 0}, {0, 4096, USER, 16},
	};
	int before, p[2];

	(void)state;
	negotiate();
	before = open_fds();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(ask(mem_msg(cases[i], memfd)), 1);
		assert_int_equal(ask(with_fd(reg_msg(VU_ADD_MEM_REG, cases[i]), memfd)), 1);
		assert_int_equal(back.vu.mem.n, 0);
	}
	/* No memory at all. */
	assert_int_equal(pipe(p), 0);
	assert_int_equal(ask(mem_msg((struct vu_region){0, 4096, USER, 0}, p[0])), 1);
	close(p[0]);
	close(p[1]);
	assert_int_equal(open_fds(), before);
}

static void test_overlapping_memory(void **state)
{
	static const struct vu_region cases[] = {
		{0x1000, 4096, USER + MEM_SIZE, 0},   /* guest addresses */
		{MEM_SIZE, 4096, USER + 0x1000, 0},   /* user addresses */
		{MEM_SIZE - 4096, 8192, USER + MEM_SIZE, 0},
	};

	(void)state;
	negotiate();
	assert_int_equal(ask(with_fd(reg_msg(VU_ADD_MEM_REG, whole), memfd)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(ask(with_fd(reg_msg(VU_ADD_MEM_REG, cases[i]), memfd)), 1);
	assert_int_equal(back.vu.mem.n, 1);
	/* All slots, and one more. */
	for (unsigned i = 1; i <= VU_SLOTS; i++) {
		struct vu_region r = {MEM_SIZE * i, 4096, USER + MEM_SIZE * i, 0};

		assert_int_equal(ask(with_fd(reg_msg(VU_ADD_MEM_REG, r), memfd)), i == VU_SLOTS);
	}
}

static void test_memory_counts(void **state)
{
	struct vu_msg m = mem_msg(whole, memfd);

	(void)state;
	negotiate();
	m.p.mem.n = 2; /* says two, brings one */
	assert_int_equal(ask(m), 1);
	m.p.mem.n = UINT32_MAX;
	assert_int_equal(ask(m), 1);
	m.p.mem.n = 1;
	m.size = 8; /* and no room for it */
	assert_int_equal(ask(m), 1);
	m.size = 8 + sizeof(whole);
	assert_int_equal(ask(with_fd(m, memfd)), 1); /* one region, two fds */
	assert_int_equal(ask(m), 0);
}

/* A ring of which any part is outside memory, or wraps, is never started. */
static void test_ring_addresses(void **state)
{
	static const struct {
		uint64_t desc, avail, used;
	} cases[] = {
		{0, USER, USER},
		{USER + MEM_SIZE, USER, USER},
		{USER + MEM_SIZE - 4080, USER, USER},   /* 256 * 16 bytes do not fit */
		{USER, USER + MEM_SIZE - 512, USER},
		{USER, USER, USER + MEM_SIZE - 2048},
		{UINT64_MAX - 15, USER, USER},
		{USER - 16, USER, USER},
		{USER, USER, UINT64_MAX - 3},
	};

	(void)state;
	negotiate();
	assert_int_equal(ask(mem_msg(whole, memfd)), 0);
	start_ring(0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ask(addr_msg(0, cases[i].desc, cases[i].avail, cases[i].used));
		assert_false(fake.started);
	}
	assert_int_equal(ask(addr_msg(0, USER, USER + 0x2000, USER + 0x3000)), 0);
	assert_true(fake.started);
}

static void test_eventfds_only(void **state)
{
	static const uint32_t requests[] = {VU_SET_VRING_KICK, VU_SET_VRING_CALL, VU_SET_VRING_ERR};
	int before, p[2], ev;

	(void)state;
	negotiate();
	before = open_fds();
	assert_int_equal(pipe(p), 0);
	ev = eventfd(0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		assert_int_equal(ask(with_fd(vu_msg_u64(requests[i], 0), p[0])), 1);
		assert_int_equal(ask(with_fd(vu_msg_u64(requests[i], 0), memfd)), 1);
		/* fd missing */
		assert_int_equal(ask(vu_msg_u64(requests[i], 0)), 1);
		assert_int_equal(ask(with_fd(vu_msg_u64(requests[i], VU_VRING_NO_FD), ev)), 1); /* both */
		assert_int_equal(ask(with_fd(vu_msg_u64(requests[i], 4), ev)), 1);
		assert_int_equal(ask(with_fd(vu_msg_u64(requests[i], BIT(32)), ev)), 1);
	}
	close(ev);
	close(p[0]);
	close(p[1]);
	assert_int_equal(open_fds(), before);
}

/* ---- what is no message ---- */

/* Sends raw bytes with any number of fds. */
static void send_raw(const void *data, size_t len, unsigned n_fds, int fd)
{
	char control[CMSG_SPACE(250 * sizeof(int))] __attribute__((aligned(8))) = {0};
	struct iovec iov = {(void *)data, len};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		h.msg_control = control;
		h.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (unsigned i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &h, MSG_NOSIGNAL), len);
}

static void test_not_a_message(void **state)
{
	static const struct {
		uint32_t hdr[3], body;
		unsigned fds;
		int result;
	} cases[] = {
		{{VU_GET_FEATURES, 0, 0}, 0, 0, -EPROTO},                 /* version 0 */
		{{VU_GET_FEATURES, 2, 0}, 0, 0, -EPROTO},                 /* version 2 */
		{{VU_GET_FEATURES, 5, 0}, 0, 0, -EPROTO},                 /* a reply */
		{{VU_GET_FEATURES, 1, 8}, 8, 0, -EPROTO},                 /* payload not due */
		{{VU_SET_FEATURES, 1, 4}, 4, 0, -EPROTO},                 /* short payload */
		{{VU_SET_FEATURES, 1, UINT32_MAX}, 8, 0, -EPROTO},        /* endless payload */
		{{VU_SET_FEATURES, 1, 273}, 8, 0, -EPROTO},               /* just too long */
		{{VU_SET_MEM_TABLE, 1, 4}, 4, 0, -EPROTO},
		{{VU_SET_OWNER, 1, 0}, 0, 1, -EPROTO},                    /* fds not due */
		{{VU_SET_VRING_KICK, 1, 8}, 8, 2, -EPROTO},
		{{VU_SET_MEM_TABLE, 1, 8}, 8, 9, -EPROTO},                /* one more than fit */
		{{VU_SET_MEM_TABLE, 1, 8}, 8, 250, -EPROTO},
		{{6, 1, 16}, 16, 1, -ENOSYS},                             /* SET_LOG_BASE: unknown here */
		{{0, 1, 0}, 0, 0, -ENOSYS},
		{{UINT32_MAX, 1, 0}, 0, 8, -ENOSYS},
	};
	static const char zeros[512];
	int before;

	(void)state;
	part();
	join();
	before = open_fds();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char buf[600];

		memcpy(buf, cases[i].hdr, 12);
		memcpy(buf + 12, zeros, cases[i].body);
		send_raw(buf, 12 + cases[i].body, cases[i].fds, memfd);
		assert_int_equal(vu_back_serve(&back.vu), cases[i].result);
		part();
		join();
		assert_int_equal(open_fds(), before);
	}
}

/* fds that come with the payload, or in the middle of a header, never stay in our table. */
static void test_fds_at_odd_places(void **state)
{
	static const uint32_t hdr[3] = {VU_SET_FEATURES, 1, 8};
	uint64_t features = BIT(32);
	int before;

	(void)state;
	before = open_fds();
	for (int i = 0; i < 100; i++) {
		send_raw(hdr, 12, 0, 0);
		send_raw(&features, 8, 250, memfd);
		assert_int_equal(vu_back_serve(&back.vu), 1);
		send_raw(hdr, 6, 0, 0);
		send_raw((char *)hdr + 6, 6, 250, memfd);
		send_raw(&features, 8, 0, 0);
		assert_int_equal(vu_back_serve(&back.vu), -EPROTO);
		part();
		join();
	}
	assert_int_equal(open_fds(), before);
}

static void test_hangs_up_in_a_message(void **state)
{
	static const uint32_t hdr[3] = {VU_SET_FEATURES, 1, 8};

	(void)state;
	for (size_t len = 0; len < 20; len++) {
		char buf[20] = {0};

		memcpy(buf, hdr, sizeof(hdr));
		if (len)
			send_raw(buf, len, 0, 0);
		close_fd(&sock);
		assert_int_equal(vu_back_serve(&back.vu), len ? -EPIPE : 0);
		part();
		join();
	}
}

/* A message that never ends is given up (the receiver's own limit is seconds; here it is shorter). */
static void test_stalled_message(void **state)
{
	uint32_t hdr[3] = {VU_SET_FEATURES, 1, 8};
	struct vu_msg m;
	uint64_t start = clock_ns();

	(void)state;
	send_raw(hdr, 12, 0, 0);
	assert_int_equal(vu_recv(back.vu.sock, VU_FROM_FRONT, &m, 20 * NSEC_PER_MSEC), -ETIMEDOUT);
	assert_true(clock_ns() - start < 2 * NSEC_PER_SEC);
}

/* ---- thousands of random messages ---- */

static uint64_t rng_state = 0x9e3779b97f4a7c15ull;

static uint64_t rnd(uint64_t below)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state % below;
}

static uint64_t odd_value(void)
{
	static const uint64_t values[] = {0, 1, 2, 3, 4, 255, 256, 1024, 4096, MEM_SIZE, USER, USER + 0x2000,
					  UINT32_MAX, UINT64_MAX, UINT64_MAX & ~4095ull, BIT(32), BIT(63)};

	return values[rnd(ARRAY_SIZE(values))];
}

static struct vu_msg random_msg(const int *fds, size_t n_fds)
{
	struct vu_msg m = {.request = (uint32_t)rnd(40),
			   .flags = VU_FLAG_VERSION | (rnd(2) ? VU_FLAG_NEED_REPLY : 0)};
	static const uint32_t sizes[] = {0, 8, 8, 8, 8, 12, 20, 24, 40, 40, 40, 72, 264, 268};

	m.size = sizes[rnd(ARRAY_SIZE(sizes))];
	for (size_t i = 0; i < m.size / 8; i++) {
		uint64_t v = rnd(4) ? odd_value() : rnd(8) | rnd(8) << 32;

		memcpy(m.p.raw + 8 * i, &v, sizeof(v));
	}
	m.n_fds = rnd(3) ? 0 : (uint32_t)rnd(VU_FDS_MAX + 1);
	for (unsigned i = 0; i < m.n_fds; i++)
		m.fd[i] = fds[rnd(n_fds)];
	return m;
}

static void drain(void)
{
	char buf[4096];

	while (recv(sock, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static void test_flat_under_random_messages(void **state)
{
	int fds[] = {memfd, eventfd(0, EFD_NONBLOCK), open("/dev/null", O_RDWR)};
	int before, served = 0;
	long rss = 0;

	(void)state;
	before = open_fds();
	for (int round = 0; round < 20000; round++) {
		struct vu_msg m = random_msg(fds, ARRAY_SIZE(fds));

		if (round % 50 == 0) {
			negotiate();
			assert_int_equal(ask(mem_msg(whole, memfd)), 0);
			start_ring(0);
		}
		assert_int_equal(vu_send(sock, &m, NSEC_PER_SEC), 0);
		served += vu_back_serve(&back.vu) > 0;
		drain();
		if (round % 50 == 49) {
			part();
			join();
			assert_int_equal(open_fds(), before);
		}
		if (round == 4000)
			rss = rss_pages();
	}
	assert_true(served > 1000); /* else the messages were too random to reach anything */
	assert_true(rss_pages() - rss < 256);
	close(fds[1]);
	close(fds[2]);
}

/* Class 19: call and error eventfds are the front-end's, and full: the threads that signal them go on. */
static void test_eventfds_held_by_the_front_end(void **state)
{
	int call = eventfd(0, EFD_NONBLOCK), err = eventfd(0, EFD_NONBLOCK);

	(void)state;
	negotiate();
	assert_int_equal(ask(mem_msg(whole, memfd)), 0);
	start_ring(0);
	assert_int_equal(ask(with_fd(vu_msg_u64(VU_SET_VRING_CALL, 0), call)), 0);
	assert_int_equal(ask(with_fd(vu_msg_u64(VU_SET_VRING_ERR, 0), err)), 0);
	held_full(call);
	held_full(err);
	be.front_ops->call(be.front, 0);
	be.front_ops->ring_broken(be.front, 0);
	close(call);
	close(err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life_of_a_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_old_front_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_call_replaced_at_run_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overlapping_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ring_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_eventfds_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_eventfds_held_by_the_front_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_a_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fds_at_odd_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hangs_up_in_a_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stalled_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flat_under_random_messages, setup, teardown),
	};

	log_init("vhostuser_test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
