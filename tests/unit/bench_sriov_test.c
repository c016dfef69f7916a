// SPDX-License-Identifier: MIT
/* Settings of a virtual function: read from iproute2's JSON, written as its command, undone as what they
 * were. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bench/host/vf_settings.h"

static const char json[] =
	"[{\"ifname\":\"eth0\",\"vfinfo_list\":["
	"{\"vf\":0,\"link_type\":\"ether\",\"address\":\"00:00:00:00:00:00\",\"spoofchk\":true,\"link_state\":\"auto\",\"trust\":false},"
	"{\"vf\":1,\"link_type\":\"ether\",\"address\":\"52:54:00:aa:bb:cc\",\"vlan_list\":[{\"vlan\":7}],\"spoofchk\":false,"
	"\"link_state\":\"auto\",\"trust\":true},"
	"{\"vf\":2,\"address\":\"52:54:00:aa:bb:cd\"}]}]";

static void test_parse(void **state)
{
	struct vf_settings s;

	(void)state;
	assert_int_equal(vf_settings_parse(json, 1, &s), 0);
	assert_string_equal(s.mac, "52:54:00:aa:bb:cc");
	assert_int_equal(s.vlan, 7);
	assert_int_equal(s.spoofchk, 0);
	assert_int_equal(s.trust, 1);
	assert_int_equal(vf_settings_parse(json, 0, &s), 0);
	assert_int_equal(s.vlan, 0);
	assert_int_equal(s.trust, 0);
	/* A driver without spoof check and trust. */
	assert_int_equal(vf_settings_parse(json, 2, &s), 0);
	assert_int_equal(s.spoofchk, -1);
	assert_int_equal(s.trust, -1);
	assert_int_equal(vf_settings_parse(json, 3, &s), -ENOENT);
	assert_int_equal(vf_settings_parse("[]", 0, &s), -ENOENT);
	assert_int_equal(vf_settings_parse("not json", 0, &s), -ENOENT);
}

static const struct {
	struct vf_settings new;
	const char *command, *undo; /* the undo for function 1 above */
} cases[] = {
	{{"52:54:00:77:00:02", -1, 1, -1},
	 "ip link set dev eth0 vf 1 mac 52:54:00:77:00:02 spoofchk on",
	 "ip link set dev eth0 vf 1 mac 52:54:00:aa:bb:cc spoofchk off"},
	{{"", 100, -1, 0},
	 "ip link set dev eth0 vf 1 vlan 100 trust off",
	 "ip link set dev eth0 vf 1 vlan 7 trust on"},
	{{"", 0, -1, -1}, "ip link set dev eth0 vf 1 vlan 0", "ip link set dev eth0 vf 1 vlan 7"},
};

static void test_commands(void **state)
{
	const struct vf_settings none = VF_SETTINGS_NONE;
	struct vf_settings old;

	(void)state;
	assert_null(vf_settings_command("eth0", 1, &none));
	assert_int_equal(vf_settings_parse(json, 1, &old), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vf_settings back = vf_settings_undo(&old, &cases[i].new);
		char *command = vf_settings_command("eth0", 1, &cases[i].new),
		     *undo = vf_settings_command("eth0", 1, &back);

		assert_string_equal(command, cases[i].command);
		assert_string_equal(undo, cases[i].undo);
		free(command);
		free(undo);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests_name("bench_sriov", tests, NULL, NULL);
}
