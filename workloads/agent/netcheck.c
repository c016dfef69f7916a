// SPDX-License-Identifier: MIT
/* What a driver does to its device besides traffic: leaving and coming back, and its self-test. */
#include <errno.h>
#include <limits.h>
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

int driver_switch(const char *driver, const char *device, bool give)
{
	const char *step = "unbind";
	char path[PATH_MAX + 8];

	if (give)
		step = "bind";
	snprintf(path, sizeof(path), "%s/%s", driver, step);
	return file_write(path, device);
}

int netdev_rebind(struct agent *a)
{
	char path[128], driver[PATH_MAX], *device;
	int err;

	snprintf(path, sizeof(path), "/sys/class/net/%s/device", a->ifname);
	device = file_link_name(path);
	snprintf(path, sizeof(path), "/sys/class/net/%s/device/driver", a->ifname);
	/* The path through the interface is gone once the driver is. */
	if (device && realpath(path, driver))
		err = driver_switch(driver, device, false);
	else
		err = -errno;
	if (!err)
		err = driver_switch(driver, device, true);
	free(device);
	if (err)
		return agent_fail(err, "%s: unbind and bind: %s", a->ifname, strerror(-err));
	return net_setup(a);
}

static int ethtool_request(int sock, const char *ifname, void *request)
{
	struct ifreq ifr = {.ifr_data = request};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	return errno_if(ioctl(sock, SIOCETHTOOL, &ifr));
}

/* Both structs end in an array of as many as the driver has. */
struct selftest {
	struct ethtool_test *result;
	struct ethtool_gstrings *names;
	unsigned n;
};

static const char *test_name(const struct selftest *t, unsigned i)
{
	return (const char *)t->names->data + i * ETH_GSTRING_LEN;
}

static int judge_selftest(const struct agent *a, const struct selftest *t)
{
	for (unsigned i = 0; i < t->n; i++)
		report_note("self-test %.*s: %llu", ETH_GSTRING_LEN, test_name(t, i), t->result->data[i]);
	if (!(t->result->flags & ETH_TEST_FL_FAILED))
		return 0;
	for (unsigned i = 0; i < t->n; i++) {
		if (t->result->data[i])
			return agent_fail(-EIO, "%s: self-test %.*s failed with %llu", a->ifname,
					  ETH_GSTRING_LEN, test_name(t, i), t->result->data[i]);
	}
	return agent_fail(-EIO, "%s: the self-test failed", a->ifname);
}

static int try_selftest(struct agent *a, int sock, struct selftest *t)
{
	int err;

	t->result = calloc(1, sizeof(*t->result) + t->n * sizeof(t->result->data[0]));
	t->names = calloc(1, sizeof(*t->names) + (size_t)t->n * ETH_GSTRING_LEN);
	if (!t->result || !t->names)
		return agent_fail(-ENOMEM, "no memory");
	t->names->cmd = ETHTOOL_GSTRINGS;
	t->names->string_set = ETH_SS_TEST;
	t->result->cmd = ETHTOOL_TEST;
	t->result->flags = ETH_TEST_FL_OFFLINE;
	t->result->len = t->names->len = t->n;
	err = ethtool_request(sock, a->ifname, t->names);
	if (!err)
		err = ethtool_request(sock, a->ifname, t->result);
	if (err)
		return agent_fail(err, "%s: self-test: %s", a->ifname, strerror(-err));
	return judge_selftest(a, t);
}

int run_selftest(struct agent *a)
{
	int err, sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct selftest t = {NULL, NULL, 0};
	struct window w = {0};

	agent_ready(a);
	err = ethtool_request(sock, a->ifname, &info);
	t.n = info.testinfo_len;
	window_open(a, &w);
	if (err || !t.n)
		err = agent_fail(-EOPNOTSUPP, "%s: driver %s has no self-test", a->ifname, info.driver);
	else
		err = try_selftest(a, sock, &t);
	window_close(a, &w);
	close_fd(&sock);
	free(t.result);
	free(t.names);
	if (!err) {
		report_metric("selftests", t.n);
		window_report(a, &w, 0);
	}
	return err;
}
