// SPDX-License-Identifier: MIT
/* What a driver does to its device besides traffic: leaving and coming back, and its self-test. */
#include <errno.h>
#include <libgen.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "workloads/agent/agent.h"

/* Last component of a link in sysfs, or -errno. */
static int link_name(const char *path, char *name, size_t size)
{
	char target[256];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	snprintf(name, size, "%s", basename(target));
	return 0;
}

int netdev_rebind(struct agent *a)
{
	char path[128], real[256], device[64], bind[320];
	int err;

	snprintf(path, sizeof(path), "/sys/class/net/%s/device", a->ifname);
	err = link_name(path, device, sizeof(device));
	if (!err) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/device/driver", a->ifname);
		/* The path through the interface is gone once the driver is. */
		if (!realpath(path, real))
			err = -errno;
	}
	if (!err) {
		snprintf(bind, sizeof(bind), "%.250s/unbind", real);
		err = file_write(bind, device);
	}
	if (!err) {
		snprintf(bind, sizeof(bind), "%.250s/bind", real);
		err = file_write(bind, device);
	}
	return err ? agent_fail(err, "%s: unbind and bind: %s", a->ifname, strerror(-err)) : net_setup(a);
}

static int ethtool(int sock, const char *ifname, void *request)
{
	struct ifreq ifr = {.ifr_data = request};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	return ioctl(sock, SIOCETHTOOL, &ifr) ? -errno : 0;
}

#define TESTS_MAX 32

struct selftest {
	struct ethtool_test head;
	uint64_t data[TESTS_MAX];
};

struct testnames {
	struct ethtool_gstrings head;
	char name[TESTS_MAX][ETH_GSTRING_LEN];
};

static int report_failures(const char *ifname, const struct selftest *t, const struct testnames *names)
{
	if (!(t->head.flags & ETH_TEST_FL_FAILED))
		return 0;
	for (unsigned i = 0; i < MIN(t->head.len, TESTS_MAX); i++) {
		if (t->data[i])
			return agent_fail(-EIO, "%s: self-test %.*s failed with %llu", ifname, ETH_GSTRING_LEN,
					  names->name[i], (unsigned long long)t->data[i]);
	}
	return agent_fail(-EIO, "%s: the self-test failed", ifname);
}

static int selftest(struct agent *a, int sock, unsigned *n)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct selftest t = {.head = {.cmd = ETHTOOL_TEST, .flags = ETH_TEST_FL_OFFLINE}};
	struct testnames names = {.head = {.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_TEST}};
	int err = ethtool(sock, a->ifname, &info);

	if (err || !info.testinfo_len)
		return agent_fail(-EOPNOTSUPP, "%s: driver %s has no self-test", a->ifname, info.driver);
	if (info.testinfo_len > TESTS_MAX)
		return agent_fail(-E2BIG, "%s: more self-tests than expected", a->ifname);
	*n = t.head.len = names.head.len = info.testinfo_len;
	ethtool(sock, a->ifname, &names);
	err = ethtool(sock, a->ifname, &t);
	if (err)
		return agent_fail(err, "%s: self-test: %s", a->ifname, strerror(-err));
	for (unsigned i = 0; i < *n; i++)
		report_note("self-test %.*s: %llu", ETH_GSTRING_LEN, names.name[i], (unsigned long long)t.data[i]);
	return report_failures(a->ifname, &t, &names);
}

int run_selftest(struct agent *a)
{
	int err, sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct window w = {0};
	unsigned n = 0;

	report_line("ready");
	report_flush();
	window_open(a, &w);
	err = selftest(a, sock, &n);
	window_close(a, &w);
	close_fd(&sock);
	if (!err) {
		report_metric("selftests", n);
		window_report(a, &w, 0);
	}
	return err;
}
