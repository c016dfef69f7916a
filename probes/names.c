// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "probes/names.h"
#include "probes/qemu_names.h"
#include "probes/reasons.h"
#include "vmm/stats_page.h"
#include "workloads/protocol.h"

#define NAME_MAX_LEN (STATS_NAME + 24)
#define STATS_LINK "/memfd:exitlab-stats"
#define MAX_VMS    256 /* processes, each of which may hold an fd of ours */
#define MAX_REGIONS 256
#define MAX_FDS     4096 /* of a process, among which its page is looked for */
#define LAPIC_BASE 0xfee00000
#define ASK_NS     NSEC_PER_SEC /* a QEMU is not asked more often: its answer costs it a millisecond */
#define ASK_LATER  16 /* nor after so many times that, of one that does not answer: it costs us seconds */

struct vm_names {
	pid_t tgid;
	int page_fd; /* -1: not our VMM */
	bool qemu, has_qmp;
	bool unnamed; /* something was looked up in vain */
	bool gone;    /* the process has ended; the kernel may give its number to another one */
	struct qmp_socket qmp;
	uint64_t seen_ns, asked_ns; /* asked_ns 0: never; from the end of it */
	uint64_t pause_ns;	    /* before it is asked again */
	struct stats_region region[MAX_REGIONS]; /* as last seen mapped */
	uint32_t n_regions;
};

struct names {
	pthread_mutex_t lock;
	struct vm_names *vm[MAX_VMS];
	unsigned n;
	bool ask_early;
};

struct fixed_name {
	uint64_t base, len;
	const char *name;
};

/* The same in every PC; narrower entries first. */
static const struct fixed_name pc_ports[] = {
	{MARKER_PORT, 4, "window marker"},
	{0x20, 2, "PIC1"}, {0xa0, 2, "PIC2"}, {0x40, 4, "PIT"}, {0x60, 1, "i8042 data"},
	{0x61, 1, "NMI status"}, {0x64, 1, "i8042 command"}, {0x70, 1, "RTC index"},
	{0x71, 1, "RTC data"}, {0x80, 1, "POST code"}, {0x92, 1, "A20 gate"}, {0xf4, 4, "debug exit"},
	{0x170, 8, "IDE2"}, {0x1f0, 8, "IDE1"}, {0x2f8, 8, "COM2"}, {0x3e8, 8, "COM3"},
	{0x2e8, 8, "COM4"}, {0x3b0, 0x30, "VGA"},
	{0x3f8, 8, "COM1"}, {0x402, 1, "debug console"}, {0x4d0, 2, "ELCR"}, {0x510, 12, "fw_cfg"},
	{0xcf8, 8, "PCI CF8/CFC"},
};

static const struct fixed_name pc_memory[] = {
	{0xfee00020, 4, "LAPIC ID"}, {0xfee00080, 4, "LAPIC TPR"}, {0xfee000b0, 4, "LAPIC EOI"},
	{0xfee000f0, 4, "LAPIC SVR"}, {0xfee00300, 4, "LAPIC ICR"}, {0xfee00310, 4, "LAPIC ICR high"},
	{0xfee00320, 4, "LAPIC LVT timer"}, {0xfee00380, 4, "LAPIC timer start"},
	{0xfee00390, 4, "LAPIC timer count"}, {0xfee003e0, 4, "LAPIC timer divide"},
	{0xfee00000, 0x1000, "LAPIC"}, {0xfec00000, 0x1000, "IOAPIC"}, {0xfed00000, 0x400, "HPET"},
	{0xa0000, 0x20000, "VGA memory"},
};

static const struct fixed_name pc_msrs[] = {
	{0x10, 1, "TSC"}, {0x1b, 1, "APIC_BASE"}, {0x3b, 1, "TSC_ADJUST"}, {0x48, 1, "SPEC_CTRL"},
	{0x49, 1, "PRED_CMD"}, {0x8b, 1, "UCODE_REV"}, {0x277, 1, "PAT"}, {0x6e0, 1, "TSC_DEADLINE"},
	{0x808, 1, "x2APIC TPR"}, {0x80b, 1, "x2APIC EOI"}, {0x830, 1, "x2APIC ICR"},
	{0x832, 1, "x2APIC LVT timer"}, {0x838, 1, "x2APIC timer start"}, {0x80f, 1, "x2APIC SVR"},
	{0x800, 0x100, "x2APIC"},
	{0x4b564d00, 1, "KVM wall clock"}, {0x4b564d01, 1, "KVM clock"}, {0x4b564d02, 1, "KVM async PF"},
	{0x4b564d03, 1, "KVM steal time"}, {0x4b564d04, 1, "KVM PV EOI"}, {0xc0000080, 1, "EFER"},
	{0xc0000081, 1, "STAR"}, {0xc0000082, 1, "LSTAR"}, {0xc0000100, 1, "FS_BASE"},
	{0xc0000101, 1, "GS_BASE"}, {0xc0000102, 1, "KERNEL_GS_BASE"}, {0xc0000103, 1, "TSC_AUX"},
	{0xfe, 1, "MTRR_CAP"}, {0x200, 0x20, "MTRR variable"}, {0x250, 1, "MTRR fixed"},
	{0x258, 2, "MTRR fixed"}, {0x268, 8, "MTRR fixed"}, {0x2ff, 1, "MTRR default"},
	{0x174, 3, "SYSENTER"}, {0x1a0, 1, "MISC_ENABLE"}, {0x1d9, 1, "DEBUGCTL"},
	{0xc0010000, 8, "PMU (K7)"},
};

/* 82540EM; what a driver touches while it runs. */
static const struct fixed_name e1000_regs[] = {
	{0x0, 4, "CTRL"}, {0x8, 4, "STATUS"}, {0x10, 4, "EECD"}, {0x14, 4, "EERD"}, {0x20, 4, "MDIC"},
	{0xc0, 4, "ICR"}, {0xc4, 4, "ITR"}, {0xc8, 4, "ICS"}, {0xd0, 4, "IMS"}, {0xd8, 4, "IMC"},
	{0x100, 4, "RCTL"}, {0x400, 4, "TCTL"}, {0x2810, 4, "RDH"}, {0x2818, 4, "RDT"},
	{0x3810, 4, "TDH"}, {0x3818, 4, "TDT"},
};

/* virtio 1.3, 4.2.2. */
static const struct fixed_name virtio_mmio_regs[] = {
	{0x0, 0x10, "identity"}, {0x10, 0x18, "features"}, {0x30, 4, "QueueSel"},
	{0x50, 4, "QueueNotify"}, {0x60, 4, "InterruptStatus"}, {0x64, 4, "InterruptACK"},
	{0x70, 4, "Status"}, {0x34, 0x7c, "queue"}, {0xfc, 4, "ConfigGeneration"}, {0x100, 0xf00, "config"},
};

struct names *names_new(bool ask_early)
{
	struct names *n = calloc(1, sizeof(struct names));

	if (!n)
		return NULL;
	n->ask_early = ask_early;
	pthread_mutex_init(&n->lock, NULL);
	return n;
}

void names_free(struct names *n)
{
	for (unsigned i = 0; n && i < n->n; i++) {
		close_fd(&n->vm[i]->page_fd);
		free(n->vm[i]);
	}
	if (n)
		pthread_mutex_destroy(&n->lock);
	free(n);
}

/* Where what an fd leads to is mounted; -1: unknown. Asks the kernel alone, no file system. */
static long mount_of(int fd)
{
	char path[64], text[512], *at;
	ssize_t n;
	int info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return -1;
	n = fd_read_full(info, text, sizeof(text) - 1);
	close(info);
	text[MAX(n, 0)] = '\0';
	at = strstr(text, "mnt_id:");
	if (!at)
		return -1;
	return strtol(at + strlen("mnt_id:"), NULL, 10);
}

/*
 * A memfd, and nothing else that somebody gave its name: opening a pipe, or a file of a file system that a
 * process serves, could keep us waiting for ever. All memfds lie on one mount that nobody else reaches.
 */
static bool is_memfd(int fd)
{
	int own = memfd_create("exitlab-mount", MFD_CLOEXEC);
	long mount = mount_of(own);

	close_fd(&own);
	return mount >= 0 && mount_of(fd) == mount;
}

static int open_page(const char *path)
{
	struct stats_page *copy = malloc(sizeof(*copy));
	int at = open(path, O_PATH | O_CLOEXEC), fd = -1;
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", at);
	if (copy && at >= 0 && is_memfd(at))
		fd = open(self, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && stats_page_copy(fd, copy, sizeof(*copy)))
		close_fd(&fd);
	close_fd(&at);
	free(copy);
	return fd;
}

/* The memfd among the fds of the process that bears the page's name. */
static int find_page(pid_t tgid)
{
	char dir[64], path[384], link[64];
	unsigned looked_at = 0;
	struct dirent *e;
	ssize_t len;
	int fd = -1;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)tgid);
	d = opendir(dir);
	while (d && fd < 0 && looked_at++ < MAX_FDS && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		len = readlink(path, link, sizeof(link) - 1);
		if (len >= (ssize_t)strlen(STATS_LINK) && !strncmp(link, STATS_LINK, strlen(STATS_LINK)))
			fd = open_page(path);
	}
	if (d)
		closedir(d);
	return fd;
}

/* Regions of a page may move while we copy; a torn one is put right by the next poll. */
static void take_regions(struct vm_names *vm)
{
	struct stats_page *copy;

	if (vm->page_fd < 0)
		return;
	copy = malloc(sizeof(*copy));
	if (copy && !stats_page_copy(vm->page_fd, copy, offsetof(struct stats_page, now))) {
		vm->n_regions = copy->n_regions;
		for (uint32_t i = 0; i < vm->n_regions; i++)
			if (copy->region[i].len)
				vm->region[i] = copy->region[i];
	}
	free(copy);
}

static bool process_gone(pid_t tgid)
{
	return kill(tgid, 0) && errno == ESRCH;
}

static void vm_meet(struct vm_names *vm, pid_t tgid)
{
	*vm = (struct vm_names){.tgid = tgid, .seen_ns = clock_ns()};
	vm->page_fd = find_page(tgid);
	vm->qemu = vm->page_fd < 0 && qemu_is(tgid);
	vm->has_qmp = vm->page_fd < 0 && qemu_socket_of(tgid, &vm->qmp);
}

/* A place for one more: a new one, or that of the process that was met first of those that have ended. */
static struct vm_names *vm_place(struct names *n)
{
	struct vm_names *vm = NULL;

	if (n->n < MAX_VMS) {
		vm = calloc(1, sizeof(*vm));
		if (vm)
			n->vm[n->n++] = vm;
		return vm;
	}
	for (unsigned i = 0; i < n->n; i++)
		if ((!vm || n->vm[i]->seen_ns < vm->seen_ns) && process_gone(n->vm[i]->tgid))
			vm = n->vm[i];
	if (vm)
		close_fd(&vm->page_fd);
	return vm;
}

static struct vm_names *vm_of(struct names *n, pid_t tgid)
{
	struct vm_names *vm;

	for (unsigned i = 0; i < n->n; i++)
		if (n->vm[i]->tgid == tgid)
			return n->vm[i];
	vm = vm_place(n);
	if (vm)
		vm_meet(vm, tgid);
	return vm;
}

/* What lives under the number of a process that has ended is another one. */
static void vm_look_again(struct vm_names *vm)
{
	bool gone = process_gone(vm->tgid);

	if (vm->gone && !gone) {
		close_fd(&vm->page_fd);
		vm_meet(vm, vm->tgid);
	}
	vm->gone = gone;
}

static void ask_qemu(struct vm_names *vm)
{
	size_t n;

	if (!vm->has_qmp || (vm->asked_ns && clock_ns() - vm->asked_ns < vm->pause_ns))
		return;
	n = qemu_regions(&vm->qmp, vm->region, MAX_REGIONS);
	vm->asked_ns = clock_ns();
	vm->pause_ns = ASK_NS;
	if (!n)
		vm->pause_ns *= ASK_LATER;
	/* It has ended, or serves another client: what was known before stays. */
	if (n)
		vm->n_regions = (uint32_t)n;
}

void names_poll(struct names *n, pid_t tgid)
{
	struct vm_names *vm;

	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	vm = vm_of(n, tgid);
	if (vm)
		vm_look_again(vm);
	if (vm)
		take_regions(vm);
	/*
	 * Once unasked, for one that is gone when its names are wanted; by then its firmware has set the
	 * BARs.
	 */
	if (vm && n->ask_early && !vm->asked_ns && clock_ns() - vm->seen_ns > 2 * NSEC_PER_SEC)
		ask_qemu(vm);
	pthread_mutex_unlock(&n->lock);
}

void names_ask(struct names *n, pid_t tgid)
{
	struct vm_names *vm;

	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	vm = vm_of(n, tgid);
	if (vm)
		ask_qemu(vm);
	pthread_mutex_unlock(&n->lock);
}

void names_add(struct names *n, pid_t tgid, const struct stats_region *region)
{
	struct vm_names *vm;

	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	vm = vm_of(n, tgid);
	if (vm && vm->page_fd < 0 && !vm->qemu && vm->n_regions < MAX_REGIONS)
		vm->region[vm->n_regions++] = *region;
	pthread_mutex_unlock(&n->lock);
}

/* Is it ours, with its own statistics page? */
static bool has_page(struct names *n, pid_t tgid)
{
	struct vm_names *vm;
	bool page;

	if (!n)
		return false;
	pthread_mutex_lock(&n->lock);
	vm = vm_of(n, tgid);
	page = vm && vm->page_fd >= 0;
	pthread_mutex_unlock(&n->lock);
	return page;
}

static uint64_t suppressed_of(const struct stats_page *page, bool window)
{
	const struct stats_counters *to = &page->now;
	uint64_t sum = 0;

	if (window && !page->open_ns)
		return 0;
	if (window && page->close_ns)
		to = &page->at_close;
	for (uint32_t q = 0; q < page->n_queues; q++) {
		sum += to->queue[q].suppressed;
		if (window)
			sum -= page->at_open.queue[q].suppressed;
	}
	return sum;
}

bool names_suppressed(struct names *n, bool window, uint64_t *suppressed)
{
	struct stats_page *copy = malloc(sizeof(*copy));
	bool any = false;

	*suppressed = 0;
	if (!n || !copy) {
		free(copy);
		return false;
	}
	pthread_mutex_lock(&n->lock);
	for (unsigned i = 0; i < n->n; i++) {
		if (n->vm[i]->page_fd < 0 || stats_page_copy(n->vm[i]->page_fd, copy, sizeof(*copy)))
			continue;
		any = true;
		*suppressed += suppressed_of(copy, window);
	}
	pthread_mutex_unlock(&n->lock);
	free(copy);
	return any;
}

static const char *in_table(const struct fixed_name *t, size_t n, uint64_t addr)
{
	for (size_t i = 0; i < n; i++)
		if (addr >= t[i].base && addr - t[i].base < t[i].len)
			return t[i].name;
	return NULL;
}

static const struct stats_region *in_regions(const struct vm_names *vm, bool pio, uint64_t addr)
{
	const struct stats_region *best = NULL, *r;

	for (uint32_t i = 0; i < vm->n_regions; i++) {
		r = &vm->region[i];
		if (!r->is_pio == pio || !r->len || addr < r->base || addr - r->base >= r->len)
			continue;
		if (!best || r->len < best->len)
			best = r;
	}
	return best;
}

/* NVMe 1.4, 3.1: from 0x1000 on a tail and a head of each pair of queues, four bytes each. */
static bool nvme_doorbell(const char *region, uint64_t off, char name[NAME_MAX_LEN])
{
	uint64_t n = off / 4 - 0x400;

	if (strcmp(region, "nvme") || off < 0x1000 || off % 4)
		return false;
	snprintf(name, NAME_MAX_LEN, n % 2 ? "nvme CQ%" PRIu64 " head" : "nvme SQ%" PRIu64 " tail", n / 2);
	return true;
}

/* As a guest says it of its VMM: "virtio-net0-mmio". */
static bool virtio_mmio_reg(const struct stats_region *r, uint64_t off, char name[NAME_MAX_LEN])
{
	static const char end[] = "-mmio";
	size_t len = strnlen(r->name, STATS_NAME), device = len - strlen(end);
	const char *reg = in_table(virtio_mmio_regs, ARRAY_SIZE(virtio_mmio_regs), off);

	if (!reg || len <= strlen(end) || strncmp(r->name, "virtio-", 7) ||
	    strncmp(r->name + device, end, strlen(end)))
		return false;
	snprintf(name, NAME_MAX_LEN, "%.*s %s", (int)device, r->name, reg);
	return true;
}

/*
 * QEMU names what it maps as one: a register is then told by its offset, an e1000's and an nvme's doorbell by
 * its name as we call it.
 */
static void region_name(const struct vm_names *vm, const struct stats_region *r, uint64_t addr,
			char name[NAME_MAX_LEN])
{
	bool ours = vm->page_fd >= 0;
	const char *reg = NULL;

	if (!ours && !strcmp(r->name, "e1000-mmio"))
		reg = in_table(e1000_regs, ARRAY_SIZE(e1000_regs), addr - r->base);
	if (reg)
		snprintf(name, NAME_MAX_LEN, "e1000 %s", reg);
	else if (!ours && virtio_mmio_reg(r, addr - r->base, name))
		return;
	else if (!ours && nvme_doorbell(r->name, addr - r->base, name))
		return;
	else if (ours || r->len <= 4)
		snprintf(name, NAME_MAX_LEN, "%.*s", STATS_NAME, r->name);
	else
		snprintf(name, NAME_MAX_LEN, "%.*s+0x%" PRIx64, STATS_NAME, r->name, addr - r->base);
}

/* Copies the name under the lock. */
static bool in_vm(struct names *n, pid_t tgid, bool pio, uint64_t addr, char name[NAME_MAX_LEN])
{
	const struct stats_region *found = NULL;
	struct vm_names *vm;

	if (!n)
		return false;
	names_poll(n, tgid);
	pthread_mutex_lock(&n->lock);
	vm = vm_of(n, tgid);
	if (vm)
		found = in_regions(vm, pio, addr);
	if (vm && !found) {
		ask_qemu(vm);
		found = in_regions(vm, pio, addr);
	}
	if (found)
		region_name(vm, found, addr, name);
	else if (vm)
		vm->unnamed = true;
	pthread_mutex_unlock(&n->lock);
	return found;
}

const char *names_missing(struct names *n)
{
	const char *why = NULL;

	if (!n)
		return NULL;
	pthread_mutex_lock(&n->lock);
	for (unsigned i = 0; i < n->n && !why; i++) {
		const struct vm_names *vm = n->vm[i];

		if (!vm->qemu || !vm->unnamed || vm->n_regions)
			continue;
		why = "QEMU's registers have no names here: it has no QMP socket to be asked over; start it "
		      "with -qmp unix:PATH,server=on,wait=off";
		if (vm->has_qmp)
			why = "QEMU's registers have no names here: its QMP socket did not answer (libvirt or "
			      "another client has it, or QEMU has ended); give it a second one";
	}
	pthread_mutex_unlock(&n->lock);
	return why;
}

bool names_find(struct names *n, pid_t tgid, enum probe_backend backend, uint32_t reason, uint64_t key,
		char *buf, size_t size)
{
	enum reason_kind kind = reason_kind(backend, reason);
	char of_vm[NAME_MAX_LEN];
	const char *name = NULL;

	if (key == KEY_OTHER || (kind == KIND_MMIO && key == KEY_NONE))
		return false;
	if (kind == KIND_APIC && key & KEY_SOME) {
		kind = KIND_MMIO;
		key = LAPIC_BASE + (key & 0xfff);
	}
	if (kind == KIND_VECTOR && key > 0xff) /* an address after all: key_text */
		kind = KIND_MMIO;
	if (kind == KIND_PIO)
		key &= 0xffff;
	if (kind == KIND_MSR)
		name = in_table(pc_msrs, ARRAY_SIZE(pc_msrs), key & 0xffffffff);
	else if (kind == KIND_MMIO)
		name = in_table(pc_memory, ARRAY_SIZE(pc_memory), key);
	else if (kind == KIND_PIO)
		name = in_table(pc_ports, ARRAY_SIZE(pc_ports), key);
	/* What the VMM says goes before what every PC has; a QEMU's word for those would only be another. */
	if ((kind == KIND_MMIO || kind == KIND_PIO) && (!name || has_page(n, tgid)) &&
	    in_vm(n, tgid, kind == KIND_PIO, key, of_vm))
		name = of_vm;
	if (name)
		snprintf(buf, size, "%s", name);
	/*
	 * The name may come from another process: nothing from it may end a JSON string (trace.c writes them
	 * as they are) or reach the terminal as a command.
	 */
	if (name)
		str_one_line(buf);
	for (char *c = buf; name && *c; c++)
		if (*c == '"' || *c == '\\')
			*c = '?';
	return name;
}
