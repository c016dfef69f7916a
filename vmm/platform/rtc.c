// SPDX-License-Identifier: MIT
/* MC146818 clock: the host's UTC in BCD, and 128 bytes of CMOS memory. No alarm, no interrupt;
 * setting it does nothing. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "vmm/platform/pm.h"

#define RTC_PORT   0x70
#define CMOS_BYTES 128
#define REG_A_32KHZ 0x26 /* never updating: a guest never has to wait */
#define REG_B_24H   0x02
#define REG_D_VALID 0x80

struct rtc {
	uint8_t index;
	uint8_t cmos[CMOS_BYTES];
};

static uint8_t to_bcd(int v)
{
	return (uint8_t)(v / 10 % 10 << 4 | v % 10);
}

static uint8_t cmos_read(const struct rtc *rtc)
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	switch (rtc->index) {
	case 0x00:
		return to_bcd(tm.tm_sec);
	case 0x02:
		return to_bcd(tm.tm_min);
	case 0x04:
		return to_bcd(tm.tm_hour);
	case 0x06:
		return to_bcd(tm.tm_wday + 1);
	case 0x07:
		return to_bcd(tm.tm_mday);
	case 0x08:
		return to_bcd(tm.tm_mon + 1);
	case 0x09:
		return to_bcd(tm.tm_year % 100);
	case 0x0a:
		return REG_A_32KHZ;
	case 0x0b:
		return REG_B_24H;
	case 0x0c:
		return 0;
	case 0x0d:
		return REG_D_VALID;
	case 0x32:
		return to_bcd((tm.tm_year + 1900) / 100);
	default:
		return rtc->cmos[rtc->index];
	}
}

static uint64_t rtc_read(void *arg, uint64_t off, unsigned len)
{
	const struct rtc *rtc = arg;

	/* The index port cannot be read back. */
	if (off != 1 || len != 1)
		return UINT64_MAX;
	return cmos_read(rtc);
}

static void rtc_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct rtc *rtc = arg;

	if (off == 0)
		rtc->index = val & (CMOS_BYTES - 1);
	if (off == 0)
		val >>= 8; /* a word at the index port is the index and its byte */
	if (off == 1 || len == 2)
		rtc->cmos[rtc->index % CMOS_BYTES] = (uint8_t)val;
}

static const struct bus_ops rtc_ops = {"CMOS", rtc_read, rtc_write};

void rtc_reset(struct rtc *rtc)
{
	rtc->index = 0; /* the memory has a battery */
}

int rtc_create(struct rtc **out, struct vm *vm)
{
	struct rtc *rtc = calloc(1, sizeof(*rtc));

	if (!rtc)
		return -ENOMEM;
	*out = rtc;
	vm_stats_region(vm, "CMOS", true, RTC_PORT, 2);
	return vm_map(vm, true, RTC_PORT, 2, &rtc_ops, rtc);
}

void rtc_destroy(struct rtc *rtc)
{
	free(rtc);
}
