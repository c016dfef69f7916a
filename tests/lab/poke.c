// SPDX-License-Identifier: MIT
/*
 * What a hostile driver does to its PCI device, from a process:
 *
 *   poke mask DEVICE N      mask and unmask every MSI-X vector, N times
 *   poke mem DEVICE N       switch memory decoding off and on N times while another thread reads a register
 *   poke dma DEVICE ADDR    point an igb or igbvf transmit ring at ADDR and ring its doorbell
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BAR_LEN 16384
#define TDBAL   0x3800
#define TDBAH   0x3804
#define TDT     0x3818
#define STATUS  0x0008

static const char *device;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "poke: %s: ", device);
	perror(what);
	exit(1);
}

static int open_file(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, name);
	fd = open(path, O_RDWR | O_SYNC);
	if (fd < 0)
		fail(name);
	return fd;
}

static volatile uint32_t *map_bar(unsigned bar)
{
	char name[16];
	void *p;

	snprintf(name, sizeof(name), "resource%u", bar);
	p = mmap(NULL, BAR_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, open_file(name), 0);
	if (p == MAP_FAILED)
		fail(name);
	return p;
}

static uint32_t config(int fd, unsigned at, size_t len)
{
	uint32_t v = 0;

	if (pread(fd, &v, len, at) != (ssize_t)len)
		fail("config");
	return v;
}

static unsigned find_msix(int fd)
{
	for (unsigned at = config(fd, 0x34, 1); at; at = config(fd, at + 1, 1))
		if (config(fd, at, 1) == 0x11)
			return at;
	fprintf(stderr, "poke: no MSI-X\n");
	exit(1);
}

static void mask(unsigned long n)
{
	int fd = open_file("config");
	unsigned cap = find_msix(fd), vectors = (config(fd, cap + 2, 2) & 0x7ff) + 1;
	uint32_t where = config(fd, cap + 4, 4);
	volatile uint32_t *table = map_bar(where & 7) + (where & ~7u) / 4;

	for (unsigned long i = 0; i < n; i++) {
		for (unsigned v = 0; v < vectors; v++)
			table[v * 4 + 3] = 1;
		usleep(200);
		for (unsigned v = 0; v < vectors; v++)
			table[v * 4 + 3] = 0;
		usleep(200);
	}
	printf("masked %u vectors %lu times\n", vectors, n);
}

static volatile bool done;
static unsigned long reads, ones;

static void *read_status(void *arg)
{
	volatile uint32_t *bar = arg;

	while (!done) {
		ones += bar[STATUS / 4] == UINT32_MAX;
		reads++;
	}
	return NULL;
}

static void mem(unsigned long n)
{
	int fd = open_file("config");
	uint16_t on = (uint16_t)config(fd, 4, 2), off = on & (uint16_t)~2;
	volatile uint32_t *bar = map_bar(0);
	pthread_t t;

	pthread_create(&t, NULL, read_status, (void *)bar);
	for (unsigned long i = 0; i < n; i++) {
		if (pwrite(fd, &off, 2, 4) != 2 || pwrite(fd, &on, 2, 4) != 2)
			fail("config");
		usleep(100);
	}
	done = true;
	pthread_join(t, NULL);
	printf("memory off %lu times: %lu reads, %s\n", n, reads, ones ? "some all-ones" : "none all-ones");
}

static void dma(unsigned long addr)
{
	volatile uint32_t *bar = map_bar(0);

	bar[TDBAL / 4] = (uint32_t)addr;
	bar[TDBAH / 4] = (uint32_t)(addr >> 32);
	bar[TDT / 4] = (bar[TDT / 4] + 1) % 8;
	printf("ring at %#lx\n", addr);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(unsigned long n);
	} table[] = {{"mask", mask}, {"mem", mem}, {"dma", dma}};

	device = argc == 4 ? argv[2] : "usage";
	for (size_t i = 0; argc == 4 && i < sizeof(table) / sizeof(table[0]); i++) {
		if (!strcmp(argv[1], table[i].name)) {
			table[i].fn(strtoul(argv[3], NULL, 0));
			return 0;
		}
	}
	fprintf(stderr, "usage: poke mask|mem|dma DEVICE N\n");
	return 2;
}
