// SPDX-License-Identifier: MIT
/*
 * virtio-net whole, with what really moves its packets: our own threads on sockets that stand in for a TAP's
 * queues, and a vhost-net that answers as the test wants. Each thing that is asked of the kernel fails once.
 */
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/drv_virtio.h"
#include "tests/unit/fake_tap.h"
#include "vmm/core/eventfd.h"
#include "vmm/devices.h"
#include "vmm/devices/virtio_net/net.h"

#define F(name) (1ull << VIRTIO_NET_F_##name)
#define RRESET	(1ull << VIRTIO_F_RING_RESET)
#define HDR	12
#define LEN	60
#define CTRL_Q	4
#define PAIRS	2

static int wire[PAIRS] = {-1, -1};
static struct stat given[PAIRS]; /* the device's ends */
static int given_fd[PAIRS];
static int vhost_errno; /* opening the device ends with it; 0: it is there */

/* In the place of the C library's. */
int open(const char *path, int flags, ...)
{
	if (strcmp(path, "/dev/vhost-net") != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
	if (!vhost_errno)
		return memfd_create("vhost", MFD_CLOEXEC);
	errno = vhost_errno;
	return -1;
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void open_wires(char *opts, size_t size, const char *with)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
		wire[i] = pair[0];
		given_fd[i] = pair[1];
		assert_int_equal(fstat(pair[1], &given[i]), 0);
	}
	snprintf(opts, size, "queues=2,fd=%d:%d,%s", given_fd[0], given_fd[1], with);
}

/* Those that were not taken over, because they were taken for no TAP's. How many. */
static unsigned close_given(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAIRS; i++) {
		struct stat st;

		if (fstat(given_fd[i], &st) || st.st_ino != given[i].st_ino)
			continue;
		close(given_fd[i]);
		n++;
	}
	return n;
}

/* Whether there is a device. */
static bool attach(const char *with)
{
	char opts[128];

	open_wires(opts, sizeof(opts), with);
	vm = fake_vm_create(32 * MIB);
	dev = fake_attach(vm, &virtio_net_ops, opts);
	return dev;
}

static void detach_all(void)
{
	if (vm)
		fake_vm_destroy(vm);
	vm = NULL;
	for (unsigned i = 0; i < PAIRS; i++)
		close_fd(&wire[i]);
}

static int setup(void **state)
{
	(void)state;
	log_init("test", -1);
	memset(&fake_tap, 0, sizeof(fake_tap));
	fake_tap.vhost_features = V1 | F(MRG_RXBUF) | F_EVENT_IDX | F_INDIRECT;
	vhost_errno = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	detach_all();
	return 0;
}

#define WAIT_FOR(cond)                                                   \
	do {                                                             \
		for (int ms_ = 0; ms_ < 10000 && !(cond); ms_++)         \
			clock_sleep_ns(NSEC_PER_MSEC);                   \
		assert_true(cond);                                       \
	} while (0)

/* ---- frames ---- */

static void put_frame(uint8_t *f, uint8_t mark)
{
	memset(f, 0, HDR);
	memset(f + HDR, mark, LEN);
	memset(f + HDR, 0xff, 6);
}

static bool comes_back(unsigned q)
{
	uint16_t id;
	uint32_t len;

	for (int ms = 0; ms < 10000; ms++) {
		if (drv_get(&ring[q], &id, &len))
			return true;
		clock_sleep_ns(NSEC_PER_MSEC);
	}
	return false;
}

/* A frame out by a pair's transmit queue, and what the wire has. */
static void send_frame(unsigned pair, uint8_t mark)
{
	struct drv_seg seg = {BUF_GPA, HDR + LEN, false};
	uint8_t f[HDR + LEN], got[HDR + LEN + 1];
	unsigned q = 2 * pair + 1;

	put_frame(f, mark);
	gmem_write(dev->gm, BUF_GPA, f, sizeof(f));
	drv_add(&ring[q], &seg, 1, false);
	wr(NOTIFY + 4 * q, 2, q);
	assert_true(comes_back(q));
	assert_int_equal(recv(wire[pair], got, sizeof(got), 0), sizeof(f));
	assert_memory_equal(f, got, sizeof(f));
}

static void receive_frame(unsigned pair, uint8_t mark)
{
	struct drv_seg seg = {BUF_GPA + 0x1000, 2048, true};
	uint8_t f[HDR + LEN], got[HDR + LEN];
	unsigned q = 2 * pair;

	put_frame(f, mark);
	drv_add(&ring[q], &seg, 1, false);
	wr(NOTIFY + 4 * q, 2, q);
	assert_int_equal(send(wire[pair], f, sizeof(f), 0), sizeof(f));
	assert_true(comes_back(q));
	gmem_read(dev->gm, BUF_GPA + 0x1000, got, sizeof(got));
	assert_memory_equal(f + HDR, got + HDR, LEN);
}

static uint8_t command(uint8_t class, uint8_t cmd, const void *data, size_t len)
{
	struct drv_seg seg[] = {{BUF_GPA, 2 + (uint32_t)len, false}, {BUF_GPA + 0x1000, 1, true}};
	uint8_t hdr[2] = {class, cmd}, ack = 0xff;

	gmem_write(dev->gm, BUF_GPA, hdr, 2);
	gmem_write(dev->gm, BUF_GPA + 2, data, len);
	drv_add(&ring[CTRL_Q], seg, 2, false);
	wr(NOTIFY + 4 * CTRL_Q, 2, CTRL_Q);
	assert_true(comes_back(CTRL_Q));
	gmem_read(dev->gm, BUF_GPA + 0x1000, &ack, 1);
	return ack;
}

/* ---- mode=virtio ---- */

static void both_pairs(void **state)
{
	uint16_t pairs = 2;

	(void)state;
	assert_true(attach("mode=virtio,coalesce_us=0"));
	bring_up(F(CTRL_VQ) | F(MQ) | F(MRG_RXBUF), 5);
	assert_int_equal(fake_tap.detached, 1); /* until the driver says otherwise */
	send_frame(0, 1);
	receive_frame(0, 2);
	assert_int_equal(command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs, 2),
			 VIRTIO_NET_OK);
	assert_int_equal(fake_tap.attached, 1);
	send_frame(1, 3);
	receive_frame(1, 4);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	bring_up(F(CTRL_VQ) | F(MQ), 5);
	send_frame(0, 5);
}

static void offloads_are_the_taps(void **state)
{
	uint64_t none = 0;

	(void)state;
	assert_true(attach("mode=virtio"));
	bring_up(F(CTRL_VQ) | F(MQ) | F(GUEST_CSUM) | F(GUEST_TSO4) | F(CTRL_GUEST_OFFLOADS), 5);
	assert_int_equal(fake_tap.offloads, TUN_F_CSUM | TUN_F_TSO4);
	assert_int_equal(
		command(VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, &none, 8),
		VIRTIO_NET_OK);
	assert_int_equal(fake_tap.offloads, 0);
}

/* The filter holds on the thread that receives. */
static void filtered_frames(void **state)
{
	uint8_t off = 0, on = 1;
	uint8_t f[HDR + LEN];

	(void)state;
	assert_true(attach("mode=virtio,coalesce_us=0"));
	bring_up(F(CTRL_VQ) | F(MQ) | F(CTRL_RX) | F(CTRL_RX_EXTRA), 5);
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1), VIRTIO_NET_OK);
	put_frame(f, 9);
	f[HDR] = 0x02; /* to somebody else */
	assert_int_equal(send(wire[0], f, sizeof(f), 0), sizeof(f));
	receive_frame(0, 1); /* and not that one */
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on, 1), VIRTIO_NET_OK);
	receive_frame(0, 2);
}

static void a_queue_is_reset(void **state)
{
	(void)state;
	assert_true(attach("mode=virtio,coalesce_us=0"));
	bring_up(RRESET | F(CTRL_VQ) | F(MQ), 5);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned q = 0; q < 2; q++) {
			wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
			wr(RESET_REG, 2, 1);
			assert_int_equal(rd(RESET_REG, 2), 0);
			set_queue(q, 64, 0);
		}
		send_frame(0, 1);
		receive_frame(0, 2);
	}
}

static void ring_outside_memory(void **state)
{
	(void)state;
	assert_true(attach("mode=virtio"));
	assert_true(negotiate(V1));
	set_queue(0, 64, 0);
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	wr64(VIRTIO_PCI_COMMON_Q_DESCLO, 64 * MIB);
	wr(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* ---- options ---- */

static void options_that_are_refused(void **state)
{
	static const char *const with[] = {
		"mode=virtio,poll_us=x", "mode=virtio,coalesce_us=99999999", "mode=virtio,tap=fake",
		"mode=vhost,poll_us=-1", "mode=none-such",		     "mode=virtio,mac=nonsense",
		"mode=virtio,size=3",	 "mode=virtio,csum=maybe",
	};
	int before = open_fds();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(with); i++) {
		assert_false(attach(with[i]));
		detach_all();
		close_given();
		assert_int_equal(open_fds(), before);
	}
}

/* ---- mode=vhost ---- */

static void no_vhost(void **state)
{
	static const int errnos[] = {EACCES, EPERM, ENOENT};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errnos); i++) {
		vhost_errno = errnos[i];
		assert_false(attach("mode=vhost"));
		detach_all();
	}
	vhost_errno = 0;
	fake_tap.vhost_features = 0; /* no virtio 1.0 */
	assert_false(attach("mode=vhost"));
}

static void kernel_serves(void **state)
{
	uint16_t pairs = 2, one = 1;

	(void)state;
	assert_true(attach("mode=vhost,poll_us=50"));
	assert_true(offered() & F(MRG_RXBUF));
	assert_false(offered() & F_PACKED);
	bring_up(F(CTRL_VQ) | F(MQ), 5);
	assert_true(fake_tap.backend[0] >= 0 && fake_tap.backend[1] >= 0);
	assert_int_equal(command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs, 2),
			 VIRTIO_NET_OK);
	assert_int_equal(command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &one, 2),
			 VIRTIO_NET_OK);
	assert_int_equal(fake_tap.backend[1], -1); /* of the second pair */
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	assert_int_equal(fake_tap.backend[0], -1);
}

static void kernel_finds_a_ring_broken(void **state)
{
	(void)state;
	assert_true(attach("mode=vhost"));
	bring_up(F(CTRL_VQ), 3);
	eventfd_signal(fake_tap.err[1].fd);
	WAIT_FOR(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(fake_tap.backend[1], -1);
	assert_true(fake_tap.backend[0] >= 0);
}

static void kernel_gets_no_ring_outside_memory(void **state)
{
	static const uint64_t places[] = {64 * MIB, RING_GPA + 8};

	(void)state;
	assert_true(attach("mode=vhost"));
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		assert_true(negotiate(V1));
		set_queue(0, 64, 0);
		wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
		wr64(VIRTIO_PCI_COMMON_Q_DESCLO, places[i]);
		wr(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
		fake_tap.backend[1] = -1;
		add_status(VIRTIO_CONFIG_S_DRIVER_OK);
		assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
		assert_int_equal(fake_tap.backend[1], -1);
		wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	}
}

static void a_ring_of_the_kernel_is_reset(void **state)
{
	(void)state;
	assert_true(attach("mode=vhost"));
	bring_up(RRESET, 2);
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	wr(RESET_REG, 2, 1);
	assert_int_equal(fake_tap.backend[1], -1);
	assert_true(fake_tap.backend[0] >= 0);
	set_queue(1, 64, 0);
	assert_true(fake_tap.backend[1] >= 0);
}

/* ---- everything fails once ---- */

/* As a driver does it; true: it reached what can fail no more. */
static bool live_through(const char *with)
{
	uint16_t pairs = 2;

	if (!attach(with))
		return false;
	assert_true(negotiate((offered() & (F(CTRL_VQ) | F(MQ) | F(GUEST_CSUM) | RRESET)) | V1));
	for (unsigned q = 0; q < 5; q++)
		set_queue(q, 64, 0);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	if (!(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET)) {
		command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs, 2);
		wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
		wr(RESET_REG, 2, 1);
		set_queue(1, 64, 0);
	}
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	return true;
}

/* Refused, needing a reset, or an answer that says no; never a file left open, and never the end of us. */
static void every_request_fails_once(void **state)
{
	static const char *const with[] = {"mode=virtio", "mode=vhost,poll_us=50"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(with); i++) {
		unsigned calls;

		setup(NULL);
		assert_true(live_through(with[i]));
		detach_all();
		calls = fake_tap.calls;
		assert_true(calls > 5);
		for (unsigned k = 1; k <= calls; k++) {
			int before = open_fds();

			setup(NULL);
			fake_tap.fail_at = k;
			live_through(with[i]);
			detach_all();
			/* The first ask of each queue whether it is a TAP's. */
			assert_int_equal(close_given(), k <= PAIRS ? PAIRS - k + 1 : 0);
			if (open_fds() != before)
				fail_msg("%s: request %u of %u fails: files are left", with[i], k, calls);
		}
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(both_pairs),
		T(offloads_are_the_taps),
		T(filtered_frames),
		T(a_queue_is_reset),
		T(ring_outside_memory),
		T(options_that_are_refused),
		T(no_vhost),
		T(kernel_serves),
		T(kernel_finds_a_ring_broken),
		T(kernel_gets_no_ring_outside_memory),
		T(a_ring_of_the_kernel_is_reset),
		T(every_request_fails_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
