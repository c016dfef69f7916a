// SPDX-License-Identifier: MIT
/*
 * kill -9 of a VMM amid its guest's writes and flushes, and the power of its disk fails with it: what the
 * disk had said to be flushed must be there, and no sector may be half of one thing and half of another.
 *
 *      disk_kill [--kills=N] [--depth=N] [--seed=N] [--fault=flush|tear] MODE[,KNOB=VALUE...]
 *
 * The guest is the micro guest with blk-sync; the disk loses what was not flushed (lossy.h); what was
 * written and what the disk said is read from the guest's own memory after its death
 * (workloads/blk_ledger.h), so that nothing between can tell it wrongly. Kills take engine=io_uring and
 * engine=sync by turns.
 *
 *      --fault=flush   the VMM's fdatasync does nothing (a filter of system calls; engine=sync): must fail
 *      --fault=tear    the disk tears sectors: must fail
 *
 * Exit status: 0 all is there; 1 something is not; 2 wrong arguments; 77 this machine has no KVM or no FUSE.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/soak/lossy.h"
#include "workloads/blk_ledger.h"
#include "workloads/blk_stamp.h"

#define AREA	 (256 * KIB)
#define RAM	 (32 * MIB)
#define PAGE	 4096u
#define WAIT_NS	 (20 * NSEC_PER_SEC)
#define ACKS	 100  /* a kill comes after so many writes at most, */
#define LATER_US 1000 /* and so much later at most */
#define SKIPPED	 77

enum fault { SOUND, NO_FLUSH, TEARS };

struct campaign {
	const char *vmm, *micro, *disk;
	uint64_t kills, depth, seed, random;
	enum fault fault;
	struct lossy *lossy;
	int log;
	uint64_t ledger_at; /* where it was last; 0: not known yet */
	/* What came of it. */
	uint64_t acknowledged, under_way, with_cache, cached, lost;
	uint64_t missing, torn, failed;
};

/* A VM, and its memory, which outlives it. */
struct victim {
	pid_t pid;
	int ram;
	struct blk_ledger ledger;
};

static uint64_t next_random(struct campaign *c, uint64_t below)
{
	c->random = c->random * 6364136223846793005ull + 1442695040888963407ull;
	return (c->random >> 33) % below;
}

/* ---- the VM ---- */

/* Of this process and what it becomes: fdatasync says 0 and does nothing. */
static int lose_flushes(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fdatasync, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {ARRAY_SIZE(code), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static void become_vmm(const struct campaign *c, bool uring)
{
	char *disk = xasprintf("file=%s,mode=%s,engine=%s", lossy_path(c->lossy), c->disk,
			       uring ? "io_uring" : "sync");
	char *job = xasprintf("workload=blk-sync duration_ns=%llu area=%llu depth=%llu seed=%llu",
			      3600 * NSEC_PER_SEC, (unsigned long long)AREA, (unsigned long long)c->depth,
			      (unsigned long long)c->random >> 40);
	char *mem = xasprintf("%lluM", (unsigned long long)(RAM / MIB));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(c->log, 1);
	dup2(c->log, 2);
	if (c->fault == NO_FLUSH && lose_flushes())
		_exit(SKIPPED);
	execl(c->vmm, c->vmm, "--kernel", c->micro, "--cmdline", job, "--mem", mem, "--share-memory",
	      "--console", "none", "--agent", "stdio", "--disk", disk, (char *)NULL);
	_exit(127);
}

/* The memfd that is the guest's memory, or -1 as long as there is none. */
static int find_ram(pid_t pid)
{
	char path[64], link[64];
	struct dirent *e;
	int ram = -1;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && ram < 0 && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);

		link[MAX(n, 0)] = '\0';
		if (!strncmp(link, "/memfd:guest-memory", 19))
			ram = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
	}
	if (d)
		closedir(d);
	return ram;
}

static bool ledger_is_at(struct victim *v, uint64_t at)
{
	struct blk_ledger *l = &v->ledger;

	if (pread(v->ram, l, sizeof(*l), (off_t)at) != sizeof(*l))
		return false;
	return l->magic == BLK_LEDGER_MAGIC && l->at == at && l->places && l->sectors;
}

static bool find_ledger(struct campaign *c, struct victim *v)
{
	if (c->ledger_at)
		return ledger_is_at(v, c->ledger_at);
	for (uint64_t at = 0; at < RAM && !c->ledger_at; at += PAGE)
		if (ledger_is_at(v, at))
			c->ledger_at = at;
	return c->ledger_at;
}

/* Until the guest has written and flushed its whole disk once. */
static int start_vm(struct campaign *c, struct victim *v, bool uring)
{
	uint64_t end = clock_ns() + WAIT_NS;

	*v = (struct victim){.ram = -1};
	if (ftruncate(c->log, 0) || lseek(c->log, 0, SEEK_SET))
		return -errno;
	v->pid = fork();
	if (!v->pid)
		become_vmm(c, uring);
	while (v->pid > 0 && clock_ns() < end) {
		if (waitpid(v->pid, NULL, WNOHANG)) {
			v->pid = 0;
			return -ECHILD;
		}
		close_fd(&v->ram); /* a first one, of huge pages, is given up where there are none */
		v->ram = find_ram(v->pid);
		if (v->ram >= 0 && find_ledger(c, v))
			return 0;
		clock_sleep_ns(NSEC_PER_MSEC / 2);
	}
	return -ETIMEDOUT;
}

static int read_list(const struct victim *v, uint64_t at, uint64_t *list)
{
	size_t len = v->ledger.places * sizeof(*list);

	return errno_if(pread(v->ram, list, len, (off_t)at) != (ssize_t)len);
}

static uint64_t newest_of(const struct victim *v, const uint64_t *list)
{
	uint64_t newest = 0;

	if (!v->ledger.sectors)
		return 0; /* it never came so far */
	for (uint64_t i = 0; i < v->ledger.places; i++)
		newest = MAX(newest, list[i]);
	return newest / v->ledger.sectors;
}

/* Until the disk has said of so many writes, after those that filled it, that they are safe. */
static int wait_acknowledged(const struct victim *v, uint64_t n)
{
	uint64_t *durable = xcalloc(v->ledger.places, sizeof(*durable)), end = clock_ns() + WAIT_NS;
	int err = 0;

	while (!err && !(err = read_list(v, v->ledger.durable, durable)) &&
	       newest_of(v, durable) < v->ledger.places - 1 + n) {
		if (clock_ns() > end)
			err = -ETIMEDOUT;
		clock_sleep_ns(50 * NSEC_PER_USEC);
	}
	free(durable);
	return err;
}

/* Half of the kills come at any moment, the other half as soon as the disk has something to lose. */
static void choose_moment(struct campaign *c)
{
	uint64_t end = clock_ns() + WAIT_NS;
	bool any = next_random(c, 2);

	clock_sleep_ns(next_random(c, LATER_US) * NSEC_PER_USEC);
	while (!any && !lossy_cached(c->lossy) && clock_ns() < end)
		clock_sleep_ns(10 * NSEC_PER_USEC);
}

static void kill_vm(struct victim *v)
{
	if (v->pid <= 0)
		return;
	kill(v->pid, SIGKILL);
	waitpid(v->pid, NULL, 0);
}

/* ---- what must be there ---- */

static void complain(struct campaign *c, uint64_t *count, uint64_t kill_no, uint64_t sector, const char *what)
{
	if (++*count <= 3 && c->fault == SOUND)
		printf("%s: kill %llu: sector %llu: %s\n", c->disk, (unsigned long long)kill_no,
		       (unsigned long long)sector, what);
}

static void check_place(struct campaign *c, uint64_t kill_no, const struct blk_ledger *l, uint64_t place,
			uint64_t durable, uint64_t written)
{
	for (uint64_t i = 0, sector = place * l->sectors; i < l->sectors; i++, sector++) {
		struct blk_stamp s;
		const char *wrong;

		memcpy(&s, lossy_medium(c->lossy) + sector * LOSSY_SECTOR, sizeof(s));
		wrong = blk_stamp_check(&s, sector, s.seq);
		if (s.magic != BLK_STAMP_MAGIC) /* as the disk was before */
			complain(c, &c->missing, kill_no, sector, "the first write is gone");
		else if (wrong)
			complain(c, &c->torn, kill_no, sector, wrong);
		else if (s.seq < durable + i)
			complain(c, &c->missing, kill_no, sector, "an acknowledged write is gone");
		else if (s.seq > written + i)
			complain(c, &c->torn, kill_no, sector, "a write that was never begun");
	}
}

static int check_disk(struct campaign *c, uint64_t kill_no, const struct victim *v)
{
	const struct blk_ledger *l = &v->ledger;
	uint64_t *written = xcalloc(l->places, sizeof(*written)),
		 *durable = xcalloc(l->places, sizeof(*durable));
	int err = read_list(v, l->written, written);

	if (!err)
		err = read_list(v, l->durable, durable);
	for (uint64_t i = 0; i < l->places && !err; i++)
		check_place(c, kill_no, l, i, durable[i], written[i]);
	c->acknowledged += newest_of(v, durable) + 1;
	c->under_way += newest_of(v, written) > newest_of(v, durable);
	free(written);
	free(durable);
	return err;
}

/* ---- the campaign ---- */

static int one_kill(struct campaign *c, uint64_t kill_no)
{
	bool uring = c->fault != NO_FLUSH && kill_no % 2;
	struct lossy_loss loss;
	struct victim v;
	int err;

	lossy_load(c->lossy, NULL);
	err = start_vm(c, &v, uring);
	if (!err)
		err = wait_acknowledged(&v, next_random(c, ACKS));
	if (!err)
		choose_moment(c);
	lossy_cut(c->lossy);
	kill_vm(&v);
	if (!err)
		err = lossy_wait_closed(c->lossy);
	if (!err) {
		loss = lossy_settle(c->lossy, &c->random, c->fault == TEARS);
		c->with_cache += loss.cached != 0;
		c->cached += loss.cached;
		c->lost += loss.lost;
		err = check_disk(c, kill_no, &v);
	}
	close_fd(&v.ram);
	return err;
}

static void show_log(int log)
{
	char text[2048];
	ssize_t n = pread(log, text, sizeof(text), 0);

	if (n > 0)
		fwrite(text, 1, (size_t)n, stdout);
}

static void run_campaign(struct campaign *c)
{
	for (uint64_t i = 1; i <= c->kills; i++) {
		int err = one_kill(c, i);

		if (!err)
			continue;
		c->failed++;
		printf("%s: kill %llu: %s\n", c->disk, (unsigned long long)i, strerror(-err));
		show_log(c->log);
		if (c->failed == 3)
			return;
	}
}

#define N(field) (unsigned long long)c->field

static int say_result(const struct campaign *c)
{
	unsigned ragged = lossy_ragged(c->lossy);

	printf("%s: depth %llu, %llu kills, %llu of them with a write under way; %llu writes acknowledged, %llu sectors in the cache of "
	       "%llu power failures, %llu of them lost with it: %llu acknowledged sectors missing, %llu torn, %u ragged requests, "
	       "%llu runs failed (seed %llu)\n",
	       c->disk, N(depth), N(kills), N(under_way), N(acknowledged), N(cached), N(with_cache), N(lost),
	       N(missing), N(torn), ragged, N(failed), N(seed));
	return c->missing || c->torn || ragged || c->failed;
}

static int parse_arguments(struct campaign *c, int argc, char **argv)
{
	static const struct option options[] = {{"kills", required_argument, NULL, 'k'},
						{"depth", required_argument, NULL, 'd'},
						{"seed", required_argument, NULL, 's'},
						{"fault", required_argument, NULL, 'f'},
						{0}};
	int o, err = 0;

	while (!err && (o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'k')
			err = parse_u64(optarg, &c->kills);
		else if (o == 'd')
			err = parse_u64(optarg, &c->depth);
		else if (o == 's')
			err = parse_u64(optarg, &c->seed);
		else if (o == 'f' && !strcmp(optarg, "flush"))
			c->fault = NO_FLUSH;
		else if (o == 'f' && !strcmp(optarg, "tear"))
			c->fault = TEARS;
		else
			err = -EINVAL;
	}
	c->disk = argv[optind];
	if (!c->disk)
		err = -EINVAL;
	return err;
}

int main(int argc, char **argv)
{
	struct campaign c = {.kills = 10, .depth = 1, .seed = clock_ns(), .log = -1};
	const char *out = text_or(getenv("O"), "build");
	int err;

	if (parse_arguments(&c, argc, argv)) {
		fprintf(stderr,
			"usage: disk_kill [--kills=N] [--depth=N] [--seed=N] [--fault=flush|tear] MODE[,KNOB=VALUE...]\n");
		return 2;
	}
	c.random = c.seed;
	c.vmm = text_or(getenv("VMM"), xasprintf("%s/vmm", out));
	c.micro = xasprintf("%s/micro.elf", out);
	c.log = memfd_create("log", MFD_CLOEXEC);
	err = access("/dev/kvm", R_OK | W_OK) ? -errno : lossy_open(&c.lossy, AREA);
	if (err) {
		printf("disk_kill: skipped: no KVM, or no FUSE to mount a disk with: %s\n", strerror(-err));
		return SKIPPED;
	}
	run_campaign(&c);
	err = say_result(&c);
	lossy_close(c.lossy);
	return err;
}
