// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bench/vmms/vmm.h"
#include "bench/modes/knobs.h"

/* The word of QEMU's command line that begins so, copied into buf. */
static void word_of(int stats_fd, const char *start, char *buf, size_t size)
{
	struct knobs none = {0};
	struct device_path path;
	struct vmm_want w = {
		.program = "qemu", .micro = true, .kernel = "micro.elf", .cmdline = "",
		.console_path = "console", .path = &path,
		.variant = "", .knobs = &none, .cpus = 1, .mem_bytes = 64 * MIB, .agent_fd = 5,
		.stats_fd = stats_fd,
	};
	struct strlist a = STRLIST_INIT;

	path_init(&path, &mode_none);
	assert_int_equal(vmm_adapter_find("qemu", 4)->command(&w, &a), 0);
	buf[0] = '\0';
	for (size_t i = 0; i < a.n; i++)
		if (!strncmp(a.v[i], start, strlen(start)))
			strncpy(buf, a.v[i], size - 1);
	strlist_free(&a);
	assert_int_not_equal(buf[0], 0);
}

/* --set vms=2: the second QEMU did not start, since the first had the name of its monitor's socket. */
static void each_vm_has_its_own_monitor(void **state)
{
	char first[128] = "", second[128] = "";

	(void)state;
	word_of(7, "socket,id=qmp", first, sizeof(first));
	word_of(8, "socket,id=qmp", second, sizeof(second));
	assert_string_not_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_vm_has_its_own_monitor)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
