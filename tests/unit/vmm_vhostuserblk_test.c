// SPDX-License-Identifier: MIT
/*
 * A disk over vhost-user, both ends: the VMM's device in front, our back-end in a thread of the test behind
 * it, which dies and comes back, has another disk, or a medium that shrinks; and front-ends that send the
 * back-end configuration messages which are none.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/drv_virtio.h"
#include "vmm/devices.h"
#include "vmm/devices/virtio_blk/blk_back.h"

#define DISK_BYTES (1 * MIB)
#define DATA_GPA   (BUF_GPA + 0x10000)
#define F(name)	   (1ull << VIRTIO_BLK_F_##name)
#define WCE	   offsetof(struct virtio_blk_config, wce)

#define LOAD(v) __atomic_load_n(&(v), __ATOMIC_ACQUIRE)

static char path[64], file[64]; /* of the socket, of the medium in memory */

/* ---- the other end ---- */

static struct threads running = {.started = true};

static struct {
	pthread_t thread;
	int listener;
	bool stop;
	bool no_region; /* it says that it has no inflight region */
	struct blk_back back;
} peer;

static bool says_no_region(int sock)
{
	const uint64_t protocol = 1ull << VU_P_REPLY_ACK | 1ull << VU_P_CONFIG;
	struct vu_msg m;

	if (!peer.no_region || recv(sock, &m.request, 12, MSG_PEEK) != 12 ||
	    m.request != VU_GET_PROTOCOL_FEATURES || vu_recv(sock, VU_FROM_FRONT, &m, NSEC_PER_SEC) != 1)
		return false;
	m = vu_msg_u64(VU_GET_PROTOCOL_FEATURES, protocol);
	m.flags |= VU_FLAG_REPLY;
	return !vu_send(sock, &m, NSEC_PER_SEC);
}

static void *peer_main(void *arg)
{
	struct vu_back *b = &peer.back.vu;

	(void)arg;
	while (!LOAD(peer.stop)) {
		struct pollfd p[] = {{peer.listener, POLLIN, 0}, {b->sock, POLLIN, 0}};
		int sock;

		if (poll(p, 2, 10) <= 0)
			continue;
		if (p[1].revents && !says_no_region(b->sock) && vu_back_serve(b) <= 0)
			vu_back_hang_up(b);
		if (!p[0].revents)
			continue;
		sock = accept4(peer.listener, NULL, NULL, SOCK_CLOEXEC);
		if (sock >= 0 && b->sock < 0)
			vu_back_connect(b, sock);
		else
			close_fd(&sock);
	}
	return NULL;
}

static void back_open(const char *opts, int stats_fd)
{
	char text[160];
	struct dev_opts *o;

	snprintf(text, sizeof(text), "file=%s,direct=off%s", file, opts);
	assert_int_equal(dev_opts_parse(&o, text), 0);
	assert_int_equal(blk_back_init(&peer.back, &running, o, stats_fd), 0);
	assert_int_equal(dev_opts_done(o), 0);
	dev_opts_free(o);
}

static void peer_start_counting(const char *opts, int stats_fd)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	back_open(opts, stats_fd);
	peer.stop = false;
	peer.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(peer.listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(peer.listener, 4), 0);
	assert_int_equal(pthread_create(&peer.thread, NULL, peer_main, NULL), 0);
}

static void peer_start(const char *opts)
{
	peer_start_counting(opts, -1);
}

/* As a kill: no ring is asked back. */
static void peer_kill(void)
{
	__atomic_store_n(&peer.stop, true, __ATOMIC_RELEASE);
	pthread_join(peer.thread, NULL);
	blk_back_exit(&peer.back);
	close(peer.listener);
	unlink(path);
}

/* ---- our end ---- */

static struct pci_dev *attach_front(const char *opts)
{
	char text[160];

	snprintf(text, sizeof(text), "mode=vhost-user-blk,path=%s%s", path, opts);
	vm = fake_vm_create(32 * MIB);
	assert_non_null(vm);
	dev = fake_attach(vm, device_find("vhost-user-blk"), text);
	return dev;
}

static void detach(void)
{
	fake_vm_destroy(vm);
	vm = NULL;
}

static uint8_t *mem(gpa_t gpa, uint64_t len)
{
	uint8_t *p = gmem_ptr(dev->gm, gpa, len);

	assert_non_null(p);
	return p;
}

/* Header, data and status of a request of one block, in slots of their own. */
static void add(unsigned q, unsigned slot, uint32_t type, uint64_t sector)
{
	gpa_t hdr = BUF_GPA + 64 * slot;
	struct virtio_blk_outhdr h = {.type = type, .sector = sector};
	const struct drv_seg s[3] = {{hdr, 16, false},
				     {DATA_GPA + 4096 * slot, 4096, type == VIRTIO_BLK_T_IN},
				     {hdr + 16, 1, true}};
	const struct drv_seg flush[2] = {s[0], s[2]};

	memcpy(mem(hdr, sizeof(h)), &h, sizeof(h));
	*mem(hdr + 16, 1) = 0xaa;
	if (type == VIRTIO_BLK_T_FLUSH)
		drv_add(&ring[q], flush, 2, false);
	else
		drv_add(&ring[q], s, 3, false);
}

static bool one_completes(unsigned q, unsigned ms)
{
	uint32_t len;
	uint16_t id;

	for (unsigned i = 0; i < 10 * ms; i++) {
		if (drv_get(&ring[q], &id, &len))
			return true;
		clock_sleep_ns(NSEC_PER_MSEC / 10);
	}
	return false;
}

static uint8_t request(unsigned q, uint32_t type, uint64_t sector)
{
	add(q, 0, type, sector);
	wr(NOTIFY + 4 * q, 2, q);
	assert_true(one_completes(q, 10000));
	return *mem(BUF_GPA + 16, 1);
}

static uint8_t write_block(uint64_t sector, uint8_t value)
{
	memset(mem(DATA_GPA, 4096), value, 4096);
	return request(0, VIRTIO_BLK_T_OUT, sector);
}

static bool block_is(uint64_t sector, uint8_t value)
{
	memset(mem(DATA_GPA, 4096), 0x5a, 4096);
	assert_int_equal(request(0, VIRTIO_BLK_T_IN, sector), VIRTIO_BLK_S_OK);
	for (unsigned i = 0; i < 4096; i++)
		if (mem(DATA_GPA, 4096)[i] != value)
			return false;
	return true;
}

static void wait_for_wce(uint8_t want)
{
	for (int i = 0; i < 5000 && LOAD(peer.back.blk.config.wce) != want; i++)
		clock_sleep_ns(NSEC_PER_MSEC);
	assert_int_equal(LOAD(peer.back.blk.config.wce), want);
}

static const struct {
	const char *opts;
	uint64_t features;
} kinds[] = {
	{",ring=split", 0},
	{",ring=packed", F_PACKED},
	{",ring=split,in_order=on", F_IN_ORDER},
	{",ring=packed,in_order=on", F_PACKED | F_IN_ORDER},
};

/* ---- what must work ---- */

static void requests_of_each_ring(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		uint8_t value = (uint8_t)(17 + k);

		peer_start(",queues=2");
		assert_non_null(attach_front(kinds[k].opts));
		bring_up(kinds[k].features | F(FLUSH), 1);
		assert_int_equal(write_block(8 * k, value), VIRTIO_BLK_S_OK);
		assert_int_equal(request(0, VIRTIO_BLK_T_FLUSH, 0), VIRTIO_BLK_S_OK);
		assert_true(block_is(8 * k, value));
		assert_int_equal(request(0, 77, 0), VIRTIO_BLK_S_UNSUPP);
		detach();
		peer_kill();
	}
}

static void configuration_is_the_back_ends(void **state)
{
	struct virtio_blk_config c;

	(void)state;
	peer_start(",queues=4");
	assert_non_null(attach_front(",queues=2,size=64"));
	assert_int_equal(~offered() & (F(FLUSH) | F(CONFIG_WCE) | F(MQ) | F(SEG_MAX) | F(BLK_SIZE)), 0);
	for (unsigned i = 0; i < VBLK_CONFIG_LEN; i++)
		((uint8_t *)&c)[i] = (uint8_t)rd(DEVCFG + i, 1);
	assert_int_equal(c.capacity, DISK_BYTES / 512);
	assert_int_equal(c.num_queues, 2);
	assert_int_equal(c.seg_max, 62); /* the back-end's 126 do not fit into 64 entries */
	bring_up(F(MQ) | F(FLUSH), 2);
	assert_int_equal(request(1, VIRTIO_BLK_T_OUT, 0), VIRTIO_BLK_S_OK);
	detach();
	assert_non_null(attach_front(",flush=off"));
	assert_int_equal(offered() & (F(FLUSH) | F(CONFIG_WCE) | F(MQ)), 0);
	detach();
	peer_kill();
}

static void what_does_not_suit_is_refused(void **state)
{
	(void)state;
	assert_null(attach_front("")); /* nobody there */
	detach();
	peer_start(",queues=2");
	assert_null(attach_front(",queues=3"));
	detach();
	assert_null(attach_front(",size=63"));
	detach();
	peer_kill();
}

/* Those that it had not taken, and those that come while nobody is there, end at the next. */
static void requests_outlive_the_back_end(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		peer_start(",poll_us=0");
		assert_non_null(attach_front(kinds[k].opts));
		bring_up(kinds[k].features | F(FLUSH), 1);
		for (unsigned round = 0; round < 3; round++) {
			assert_int_equal(write_block(0, (uint8_t)round), VIRTIO_BLK_S_OK);
			for (unsigned i = 1; i <= 16; i++) {
				memset(mem(DATA_GPA + 4096 * i, 4096), (int)(i + round), 4096);
				add(0, i, VIRTIO_BLK_T_OUT, 8 * i);
				if (i == 8)
					peer_kill(); /* nobody has kicked: the ring is not idle */
			}
			wr(NOTIFY, 2, 0);
			peer_start(",poll_us=0");
			for (unsigned i = 1; i <= 16; i++) {
				assert_true(one_completes(0, 10000));
				assert_int_equal(*mem(BUF_GPA + 64 * i + 16, 1), VIRTIO_BLK_S_OK);
			}
			assert_true(block_is(0, (uint8_t)round));
			assert_true(block_is(8 * 16, (uint8_t)(16 + round)));
		}
		assert_int_equal(get_status(), 0xf);
		detach();
		peer_kill();
	}
}

/* One that ends as soon as it is looked at comes back behind the one before it all the same. */
static void requests_come_back_in_turn(void **state)
{
	uint16_t first = 99, second = 99;
	uint32_t len;

	(void)state;
	peer_start(",poll_us=0");
	assert_non_null(attach_front(""));
	bring_up(F(FLUSH), 1);
	add(0, 0, VIRTIO_BLK_T_OUT, 0);
	add(0, 1, 77, 0);
	wr(NOTIFY, 2, 0);
	for (int i = 0; i < 10000 && !drv_get(&ring[0], &first, &len); i++)
		clock_sleep_ns(NSEC_PER_MSEC);
	for (int i = 0; i < 10000 && !drv_get(&ring[0], &second, &len); i++)
		clock_sleep_ns(NSEC_PER_MSEC);
	assert_int_equal(first, 0);
	assert_int_equal(second, 3);
	detach();
	peer_kill();
}

/* ---- what must not ---- */

static bool status_becomes(uint8_t want)
{
	for (int i = 0; i < 10000 && get_status() != want; i++)
		clock_sleep_ns(NSEC_PER_MSEC);
	return get_status() == want;
}

/* It has asked for kicks again, after the last look that it takes by itself. */
static void peer_sleeps(void)
{
	uint16_t *flags = &ring[0].used->flags;

	for (int i = 0; i < 10000 && (__atomic_load_n(flags, __ATOMIC_ACQUIRE) & VRING_USED_F_NO_NOTIFY); i++)
		clock_sleep_ns(NSEC_PER_MSEC);
	clock_sleep_ns(50 * NSEC_PER_MSEC);
}

/* Where nothing tells which requests have ended, none may be done twice: only an idle ring goes on. */
static void without_a_region(void **state)
{
	(void)state;
	peer.no_region = true;
	peer_start(",poll_us=0");
	assert_non_null(attach_front(""));
	bring_up(F(FLUSH), 1);
	assert_int_equal(write_block(0, 3), VIRTIO_BLK_S_OK);
	peer_kill();
	peer_start(",poll_us=0");
	assert_true(block_is(0, 3));
	assert_int_equal(get_status(), 0xf);
	peer_sleeps();
	add(0, 0, VIRTIO_BLK_T_OUT, 0); /* nobody has kicked */
	peer_kill();
	assert_true(status_becomes(0xf | VIRTIO_CONFIG_S_NEEDS_RESET));
	peer_start("");
	bring_up(F(FLUSH), 1);
	assert_int_equal(write_block(0, 4), VIRTIO_BLK_S_OK);
	detach();
	peer_kill();
	peer.no_region = false;
}

static void another_disk_is_not_taken(void **state)
{
	(void)state;
	peer_start("");
	assert_non_null(attach_front(""));
	bring_up(F(FLUSH), 1);
	assert_int_equal(write_block(0, 9), VIRTIO_BLK_S_OK);
	peer_kill();
	assert_int_equal(truncate(file, DISK_BYTES / 2), 0);
	peer_start("");
	add(0, 0, VIRTIO_BLK_T_FLUSH, 0);
	wr(NOTIFY, 2, 0);
	assert_false(one_completes(0, 400));
	peer_kill();
	assert_int_equal(truncate(file, DISK_BYTES), 0);
	peer_start("");
	assert_true(one_completes(0, 10000));
	detach();
	peer_kill();
}

static void medium_shrinks(void **state)
{
	(void)state;
	peer_start("");
	assert_non_null(attach_front(""));
	bring_up(F(FLUSH), 1);
	assert_int_equal(truncate(file, 4096), 0);
	assert_int_equal(request(0, VIRTIO_BLK_T_IN, 64), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(0, VIRTIO_BLK_T_FLUSH, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(get_status(), 0xf);
	detach();
	peer_kill();
	assert_int_equal(truncate(file, DISK_BYTES), 0);
}

/* A cache that the guest has switched off stays so with the next back-end, and is on again after a reset. */
static void cache_follows_the_guest(void **state)
{
	(void)state;
	peer_start("");
	assert_non_null(attach_front(""));
	bring_up(F(FLUSH) | F(CONFIG_WCE), 1);
	wr(DEVCFG + WCE, 1, 2);
	wr(DEVCFG, 1, 0); /* the capacity is nobody's to write */
	assert_int_equal(rd(DEVCFG + WCE, 1), 1);
	wr(DEVCFG + WCE, 1, 0);
	wait_for_wce(0);
	assert_int_equal(rd(DEVCFG, 4), DISK_BYTES / 512);
	peer_kill();
	peer_start("");
	wait_for_wce(0);
	assert_int_equal(write_block(0, 1), VIRTIO_BLK_S_OK);
	assert_true(LOAD(peer.back.blk.through));
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	wait_for_wce(1);
	detach();
	peer_kill();
}

/* A driver without FLUSH must not find its writes in a cache, whatever its predecessor has said. */
static void without_flush_writes_are_durable(void **state)
{
	(void)state;
	peer_start("");
	assert_non_null(attach_front(""));
	bring_up(0, 1);
	assert_int_equal(write_block(0, 1), VIRTIO_BLK_S_OK);
	assert_true(LOAD(peer.back.blk.through));
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	bring_up(F(FLUSH), 1);
	assert_int_equal(write_block(0, 1), VIRTIO_BLK_S_OK);
	assert_false(LOAD(peer.back.blk.through));
	detach();
	peer_kill();
}

/* ---- the back-end by itself ---- */

static struct vu_msg config_msg(uint32_t request, uint32_t off, uint32_t size, uint32_t payload)
{
	struct vu_msg m = vu_msg_empty(request);

	m.size = 12 + payload;
	m.p.config.offset = off;
	m.p.config.size = size;
	return m;
}

static void configuration_messages(void **state)
{
	static const struct {
		uint32_t off, size, payload;
		bool read_ok, write_ok;
	} cases[] = {
		{0, VBLK_CONFIG_LEN, VBLK_CONFIG_LEN, true, false},
		{0, 8, 8, true, false},
		{WCE, 1, 1, true, true},
		{WCE, 2, 2, true, false},
		{WCE, 1, 2, false, false},
		{WCE, 1, 0, false, false},
		{0, VBLK_CONFIG_LEN + 1, VBLK_CONFIG_LEN + 1, false, false},
		{VBLK_CONFIG_LEN, 1, 1, false, false},
		{UINT32_MAX, 1, 1, false, false},
		{1, UINT32_MAX, 8, false, false},
		{0, 256, 256, false, false},
	};
	struct vu_back *b = &peer.back.vu;
	struct vu_msg m, reply;
	int pair[2];

	(void)state;
	back_open("", -1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	vu_back_connect(b, pair[1]);
	m = vu_msg_u64(VU_SET_PROTOCOL_FEATURES, 1ull << VU_P_REPLY_ACK | 1ull << VU_P_CONFIG);
	assert_int_equal(vu_send(pair[0], &m, NSEC_PER_SEC), 0);
	assert_int_equal(vu_back_serve(b), 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		m = config_msg(VU_GET_CONFIG, cases[i].off, cases[i].size, cases[i].payload);
		assert_int_equal(vu_send(pair[0], &m, NSEC_PER_SEC), 0);
		assert_int_equal(vu_back_serve(b), 1);
		assert_int_equal(vu_recv_reply(pair[0], &m, &reply, NSEC_PER_SEC), 1);
		assert_int_equal(reply.size != 0, cases[i].read_ok);
		m = config_msg(VU_SET_CONFIG, cases[i].off, cases[i].size, cases[i].payload);
		m.flags |= VU_FLAG_NEED_REPLY;
		assert_int_equal(vu_send(pair[0], &m, NSEC_PER_SEC), 0);
		assert_int_equal(vu_back_serve(b), 1);
		assert_int_equal(vu_recv_reply(pair[0], &m, &reply, NSEC_PER_SEC), 1);
		assert_int_equal(reply.p.u64 == 0, cases[i].write_ok);
	}
	assert_int_equal(peer.back.blk.config.capacity, DISK_BYTES / 512);
	assert_int_equal(peer.back.blk.config.wce, 0);
	vu_back_hang_up(b);
	assert_int_equal(peer.back.blk.config.wce, 1); /* for the next front-end it is as at first */
	close(pair[0]);
	blk_back_exit(&peer.back);
}

/* In the page that the VMM has made; a page that is not there yet is no harm. */
static void counts_in_the_vmms_page(void **state)
{
	int fd = memfd_create("stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stats_page *page;

	(void)state;
	peer_start_counting("", fd);
	assert_non_null(attach_front(""));
	bring_up(F(FLUSH), 1);
	assert_int_equal(write_block(0, 1), VIRTIO_BLK_S_OK);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	assert_int_equal(stats_create(&page, fd, 1), 0);
	snprintf(page->now.queue[0].name, STATS_NAME, "virtio-net0 txq0");
	snprintf(page->now.queue[1].name, STATS_NAME, "vhost-user-blk0 req1");
	snprintf(page->now.queue[2].name, STATS_NAME, "vhost-user-blk0 req0");
	bring_up(F(FLUSH), 1);
	assert_int_equal(write_block(0, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(request(0, VIRTIO_BLK_T_FLUSH, 0), VIRTIO_BLK_S_OK);
	detach();
	peer_kill();
	assert_int_equal(page->now.queue[2].descs, 2);
	assert_int_equal(page->now.queue[2].flushes, 1);
	assert_int_equal(page->now.queue[2].bytes, 4096);
	assert_int_equal(page->now.queue[0].descs + page->now.queue[1].descs, 0);
	stats_destroy(page);
	close(fd);
}

int main(void)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_of_each_ring),
		cmocka_unit_test(configuration_is_the_back_ends),
		cmocka_unit_test(what_does_not_suit_is_refused),
		cmocka_unit_test(requests_outlive_the_back_end),
		cmocka_unit_test(requests_come_back_in_turn),
		cmocka_unit_test(without_a_region),
		cmocka_unit_test(another_disk_is_not_taken),
		cmocka_unit_test(medium_shrinks),
		cmocka_unit_test(cache_follows_the_guest),
		cmocka_unit_test(without_flush_writes_are_durable),
		cmocka_unit_test(configuration_messages),
		cmocka_unit_test(counts_in_the_vmms_page),
	};

	log_init("test", LOG_ERROR);
	if (fd < 0 || ftruncate(fd, DISK_BYTES))
		return 1;
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	snprintf(path, sizeof(path), "/tmp/exitlab-vub-%d.sock", getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
