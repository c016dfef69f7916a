// SPDX-License-Identifier: MIT
/* The kernel's words for DMA that the IOMMU stopped, of Intel's and AMD's drivers through the years. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/iommu.h"

#define DEVICE "0000:01:10.2"

static const struct {
	const char *line;
	bool ours;
	uint64_t at;
} cases[] = {
	{"3,721,5120,-;DMAR: [DMA Read NO_PASID] Request device [01:10.2] fault addr 0x300000000 [fault reason 0x06] PTE Read "
	 "access is not set", true, 0x300000000},
	{"3,7,5,-;DMAR: [DMA Write] Request device [01:10.2] fault addr 12345000 [fault reason 05] PTE Write access is not set",
	 true, 0x12345000},
	{"3,7,5,-;DMAR: [DMA Read NO_PASID] Request device [0x01:0x10.2] fault addr 0xfee00000 [fault reason 0x06]", true,
	 0xfee00000},
	{"3,7,5,-;vfio-pci 0000:01:10.2: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000a address=0x5000 flags=0x0020]", true,
	 0x5000},
	{"3,7,5,-;AMD-Vi: Event logged [IO_PAGE_FAULT device=01:10.2 domain=0x000a address=0x6000 flags=0x0020]", true, 0x6000},
	/* Another device's, and what only looks like one. */
	{"3,7,5,-;DMAR: [DMA Read NO_PASID] Request device [01:10.0] fault addr 0x300000000 [fault reason 0x06]", false, 0},
	{"3,7,5,-;DMAR: [DMA Read NO_PASID] Request device [11:10.2] fault addr 0x300000000 [fault reason 0x06]", false, 0},
	{"3,7,5,-;vfio-pci 0000:02:10.2: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000a address=0x5000 flags=0x0020]", false,
	 0},
	{"3,7,5,-;DMAR: INTR-REMAP: Request device [01:10.2] fault index 0x26 [fault reason 0x25]", false, 0},
	{"6,7,5,-;vfio-pci 0000:01:10.2: enabling device (0000 -> 0002)", false, 0},
	{"DMAR: DRHD: handling fault status reg 2", false, 0},
	{"", false, 0},
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t at = 0;

		assert_int_equal(iommu_fault_parse(cases[i].line, DEVICE, &at), cases[i].ours);
		assert_int_equal(at, cases[i].at);
	}
}

/* The log as a socket: a record a read, as /dev/kmsg gives them. */
static void test_watch(void **state)
{
	struct iommu_watch w = IOMMU_WATCH_INIT;
	int pair[2];

	(void)state;
	assert_int_equal(iommu_watch_read(&w), 0); /* not allowed to read the log */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	w.fd = pair[0];
	strcpy(w.addr, DEVICE);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (*cases[i].line)
			assert_true(write(pair[1], cases[i].line, strlen(cases[i].line)) > 0);
	assert_int_equal(iommu_watch_read(&w), 5);
	assert_int_equal(iommu_watch_read(&w), 0);
	assert_int_equal(w.faults, 5);
	assert_int_equal(w.first, 0x300000000);
	iommu_watch_close(&w);
	assert_int_equal(w.fd, -1);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_watch),
	};

	return cmocka_run_group_tests_name("base_iommu", tests, NULL, NULL);
}
