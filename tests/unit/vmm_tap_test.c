// SPDX-License-Identifier: MIT
/*
 * TAPs by name and by fd, in a network namespace of our own: what is asked wrongly gets one line and the
 * right errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "vmm/net/tap.h"

static bool have_tun;

/* ---- what was logged ---- */

static int saved_stderr = -1, log_fd = -1;

static void log_capture(void)
{
	char path[] = "/tmp/tap_test.XXXXXX";

	fflush(stderr);
	saved_stderr = dup(2);
	log_fd = mkstemp(path);
	unlink(path);
	dup2(log_fd, 2);
}

static const char *log_captured(void)
{
	static char text[4096];
	ssize_t n;

	fflush(stderr);
	dup2(saved_stderr, 2);
	close(saved_stderr);
	n = pread(log_fd, text, sizeof(text) - 1, 0);
	close(log_fd);
	text[n > 0 ? n : 0] = 0;
	return text;
}

static void assert_one_line_with(const char *text, const char *part)
{
	const char *nl = strchr(text, '\n');

	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
	assert_non_null(nl);
	assert_int_equal(nl[1], 0);
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int make_tap(const char *name, int flags, bool persist)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | flags)};
	int fd = open("/dev/net/tun", O_RDWR);

	strcpy(ifr.ifr_name, name);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	if (persist)
		ioctl(fd, TUNSETPERSIST, 1);
	return fd;
}

static void need_tun(void)
{
	if (!have_tun) {
		print_message("no network namespace or /dev/net/tun here\n");
		skip();
	}
}

/* ---- by name ---- */

static void test_names(void **state)
{
	static const struct {
		const char *name;
		unsigned queues;
		int err;
		const char *text;
	} cases[] = {
		{"", 1, -EINVAL, "1 to 15 characters"},
		{"a-name-too-long-for-a-device", 1, -EINVAL, "1 to 15 characters"},
		{"t0", 0, -EINVAL, "queues are 1 to 8"},
		{"t0", 9, -EINVAL, "queues are 1 to 8"},
		{"t0", 17, -EINVAL, "queues are 1 to 8"},
		{"nosuchtap", 1, -ENODEV, "does not exist"},
		{"nosuchtap", 2, -ENODEV, "multi_queue`"},
	};
	int before = open_fds();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tap t;
		int err;

		log_capture();
		err = tap_open(&t, cases[i].name, cases[i].queues);
		assert_one_line_with(log_captured(), cases[i].text);
		assert_int_equal(err, cases[i].err);
		assert_int_equal(t.fd[0], -1);
	}
	assert_int_equal(open_fds(), before);
}

/* TUNSETIFF would make the missing interface: it must not be there afterwards. */
static void test_missing_is_not_made(void **state)
{
	struct tap t;

	(void)state;
	need_tun();
	log_capture();
	assert_int_equal(tap_open(&t, "ghost0", 1), -ENODEV);
	log_captured();
	assert_int_equal(if_nametoindex("ghost0"), 0);
}

static void test_busy_and_kind(void **state)
{
	static const struct {
		const char *name;
		unsigned queues;
		int err;
		const char *text;
	} cases[] = {
		{"busy0", 1, -EBUSY, "in use"},
		{"lo", 1, -EINVAL, "not a TAP"},
		{"single0", 2, -EINVAL, "several queues"},
	};
	int busy, single;

	(void)state;
	need_tun();
	busy = make_tap("busy0", IFF_NO_PI | IFF_VNET_HDR, false);
	single = make_tap("single0", IFF_NO_PI | IFF_VNET_HDR, true);
	close(single);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tap t;
		int err;

		log_capture();
		err = tap_open(&t, cases[i].name, cases[i].queues);
		assert_one_line_with(log_captured(), cases[i].text);
		assert_int_equal(err, cases[i].err);
	}
	close(busy);
}

static void test_open_named(void **state)
{
	struct tap t;
	int hdr = 0;

	(void)state;
	need_tun();
	close(make_tap("mq0", IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE, true));
	for (unsigned queues = 1; queues <= TAP_QUEUES_MAX; queues++) {
		log_capture();
		assert_int_equal(tap_open(&t, "mq0", queues), 0);
		assert_one_line_with(log_captured(), "is down");
		assert_int_equal(t.n, queues);
		assert_int_equal(t.mtu, 1500);
		for (unsigned i = 0; i < queues; i++) {
			assert_int_equal(ioctl(t.fd[i], TUNGETVNETHDRSZ, &hdr), 0);
			assert_int_equal(hdr, 12);
			assert_true(fcntl(t.fd[i], F_GETFL) & O_NONBLOCK);
			assert_true(fcntl(t.fd[i], F_GETFD) & FD_CLOEXEC);
		}
		assert_int_equal(tap_set_queues(&t, 1), 0);
		assert_int_equal(tap_set_queues(&t, queues), 0);
		assert_int_equal(tap_set_queues(&t, queues + 1), -EINVAL);
		assert_int_equal(tap_set_queues(&t, 0), -EINVAL);
		tap_close(&t);
	}
}

/*
 * Every combination of guest offloads is one that the kernel takes: it refuses TSO without checksums, ECN
 * without TSO.
 */
static void test_offload_combinations(void **state)
{
	static const uint8_t bits[] = {VIRTIO_NET_F_GUEST_CSUM,
				       VIRTIO_NET_F_GUEST_TSO4,
				       VIRTIO_NET_F_GUEST_TSO6,
				       VIRTIO_NET_F_GUEST_ECN,
				       54,
				       55};
	struct tap t;

	(void)state;
	need_tun();
	close(make_tap("off0", IFF_NO_PI | IFF_VNET_HDR, true));
	log_capture();
	assert_int_equal(tap_open(&t, "off0", 1), 0);
	for (unsigned mask = 0; mask < 1u << ARRAY_SIZE(bits); mask++) {
		uint64_t f = 0;

		for (unsigned b = 0; b < ARRAY_SIZE(bits); b++)
			f |= (uint64_t)(mask >> b & 1) << bits[b];
		assert_int_equal(tap_set_offloads(&t, f), 0);
	}
	log_captured();
	assert_true(tap_features(&t) & 1ull << VIRTIO_NET_F_HOST_TSO4);
	assert_int_equal(!!(tap_features(&t) & 1ull << 56), t.uso);
	tap_close(&t);
}

/* ---- by fd ---- */

static void test_fd_lists(void **state)
{
	static const struct {
		const char *list, *text;
	} cases[] = {
		{"", "0 TAP fds for 1"},
		{"x", "expected up to 8 numbers"},
		{"-1", "expected up to 8 numbers"},
		{"5:", "expected up to 8 numbers"},
		{":5", "expected up to 8 numbers"},
		{"99999999999999999999", "expected up to 8 numbers"},
		{"4294967297", "expected up to 8 numbers"},
		{"250", "is not open"},
		{"0", "is not a TAP"},
	};
	int before = open_fds();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tap t;
		int err;

		log_capture();
		err = tap_open_fds(&t, cases[i].list, 1);
		assert_one_line_with(log_captured(), cases[i].text);
		assert_int_equal(err, -EINVAL);
	}
	assert_int_equal(open_fds(), before);
}

static void expect_fds(const char *list, unsigned queues, const char *text)
{
	struct tap t;
	int err;

	log_capture();
	err = tap_open_fds(&t, list, queues);
	assert_one_line_with(log_captured(), text);
	assert_int_equal(err, -EINVAL);
}

static void test_fds_inherited(void **state)
{
	int before, a, b, plain, other;
	char list[64];
	struct tap t;

	(void)state;
	need_tun();
	before = open_fds();
	a = make_tap("in0", IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE, false);
	b = make_tap("in0", IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE, false);
	snprintf(list, sizeof(list), "%d:%d", a, b);
	assert_int_equal(tap_open_fds(&t, list, 2), 0);
	assert_string_equal(t.name, "in0");
	assert_int_equal(tap_set_queues(&t, 1), 0);
	tap_close(&t);
	assert_int_equal(open_fds(), before);

	a = make_tap("in1", IFF_NO_PI | IFF_VNET_HDR, false);
	snprintf(list, sizeof(list), "%d", a);
	expect_fds(list, 2, "1 TAP fds for 2");
	a = make_tap("in2", IFF_NO_PI | IFF_VNET_HDR, false);
	snprintf(list, sizeof(list), "%d:%d", a, a);
	expect_fds(list, 2, "given twice");
	a = make_tap("in3", IFF_NO_PI | IFF_VNET_HDR, false);
	other = make_tap("in4", IFF_NO_PI | IFF_VNET_HDR, false);
	snprintf(list, sizeof(list), "%d:%d", a, other);
	expect_fds(list, 2, "another TAP");
	close(other);
	plain = make_tap("in5", IFF_NO_PI, false);
	snprintf(list, sizeof(list), "%d", plain);
	expect_fds(list, 1, "IFF_VNET_HDR");
	close(plain);
	assert_int_equal(open_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_missing_is_not_made),
		cmocka_unit_test(test_busy_and_kind),
		cmocka_unit_test(test_open_named),
		cmocka_unit_test(test_offload_combinations),
		cmocka_unit_test(test_fd_lists),
		cmocka_unit_test(test_fds_inherited),
	};
	int fd;

	log_init("tap_test", LOG_INFO);
	/*
	 * Root only needs the network namespace; others get it with a user namespace, where that is
	 * allowed.
	 */
	if (unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) {
		fd = open("/dev/net/tun", O_RDWR);
		have_tun = fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
