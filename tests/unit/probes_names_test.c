// SPDX-License-Identifier: MIT
/*
 * Names that come from other processes, which mean no good to a profiler that is root: pages that are cut,
 * files that are no pages, monitors that never end a line. Class 22.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "probes/names.h"
#include "probes/qemu_names.h"
#include "probes/reasons.h"
#include "vmm/stats_page.h"

#define PIO_REASON 0x7b /* SVM */
#define PORT       0x5555

static struct stats_page page;

/* As one of our VMMs, with a register and a queue. */
static int make_page(unsigned flags)
{
	int fd = memfd_create("exitlab-stats", MFD_CLOEXEC | flags);

	page = (struct stats_page){
		.magic = STATS_MAGIC, .version = STATS_VERSION, .n_regions = 1, .n_queues = 1};
	page.region[0] = (struct stats_region){
		.name = "card \x1b]0;x\a\"\\ \xc2\x9b", .base = PORT, .len = 2, .is_pio = 1};
	page.now.queue[0].suppressed = 7;
	assert_int_equal(write(fd, &page, sizeof(page)), sizeof(page));
	return fd;
}

static void a_page(void **state)
{
	struct names *n = names_new(false);
	int fd = make_page(0);
	uint64_t suppressed;
	char name[64];

	(void)state;
	names_poll(n, getpid());
	assert_true(names_find(n, getpid(), BACKEND_SVM, PIO_REASON, PORT, name, sizeof(name)));
	assert_string_equal(name, "card ?]0;x??? ??");
	assert_true(names_suppressed(n, false, &suppressed));
	assert_int_equal(suppressed, 7);
	names_free(n);
	close(fd);
}

#define MMIO_REASON 0x400 /* SVM: a nested page fault */

/* What a guest says of a VMM that has no page and is no QEMU. */
static void a_guests_word(void **state)
{
	static const struct stats_region regions[] = {
		{.name = "virtio-net0-mmio", .base = 0xc0001000, .len = 0x1000},
		{.name = "virtio-blk1", .base = 0xe0000000, .len = 0x4000},
		{.name = "-mmio", .base = 0xe1000000, .len = 0x100},
		{.name = "virtio-net0", .base = 0x6200, .len = 0x100, .is_pio = 1},
	};
	static const struct {
		uint32_t reason;
		uint64_t key;
		const char *name;
	} cases[] = {
		{MMIO_REASON, 0xc0001050, "virtio-net0 QueueNotify"},
		{MMIO_REASON, 0xc0001064, "virtio-net0 InterruptACK"},
		{MMIO_REASON, 0xc0001044, "virtio-net0 queue"},
		{MMIO_REASON, 0xc0001100, "virtio-net0 config"},
		{MMIO_REASON, 0xe0003000, "virtio-blk1+0x3000"},
		{MMIO_REASON, 0xe1000050, "-mmio+0x50"},
		{MMIO_REASON, 0xe0004000, NULL},
		{PIO_REASON, 0x6210, "virtio-net0+0x10"},
	};
	struct names *n = names_new(false);
	char name[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(regions); i++)
		names_add(n, getpid(), &regions[i]);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool found = names_find(n, getpid(), BACKEND_SVM, cases[i].reason, cases[i].key, name,
					sizeof(name));

		assert_int_equal(found, !!cases[i].name);
		if (found)
			assert_string_equal(name, cases[i].name);
	}
	/* As many as a hostile guest likes. */
	for (unsigned i = 0; i < 10000; i++)
		names_add(n, getpid(), &regions[1]);
	names_free(n);
	names_add(NULL, getpid(), &regions[0]);
}

#define NO_PID 0x400000 /* one above the highest that Linux gives */

/* A host on which VMs come and go: whoever lives has names, however many there were before. */
static void many_vms(void **state)
{
	static const struct stats_region region = {
		.name = "virtio-blk0", .base = PORT, .len = 4, .is_pio = 1};
	struct names *n = names_new(false);
	int fd = make_page(0);
	char name[64];

	(void)state;
	for (int i = 0; i < 1000; i++)
		names_add(n, NO_PID + i, &region);
	assert_true(names_find(n, NO_PID + 999, BACKEND_SVM, PIO_REASON, PORT, name, sizeof(name)));
	assert_string_equal(name, "virtio-blk0");
	names_poll(n, getpid());
	for (int i = 1000; i < 2000; i++)
		names_add(n, NO_PID + i, &region);
	assert_true(names_find(n, getpid(), BACKEND_SVM, PIO_REASON, PORT, name, sizeof(name)));
	assert_string_equal(name, "card ?]0;x??? ??");
	names_free(n);
	close(fd);
}

/* Mapped, its next read was a SIGBUS. */
static void a_page_that_is_cut(void **state)
{
	struct names *n = names_new(false);
	int fd = make_page(0);
	uint64_t suppressed;
	char name[64];

	(void)state;
	names_poll(n, getpid());
	assert_int_equal(ftruncate(fd, 0), 0);
	names_poll(n, getpid());
	assert_false(names_suppressed(n, false, &suppressed));
	/* as it was */
	assert_true(names_find(n, getpid(), BACKEND_SVM, PIO_REASON, PORT, name, sizeof(name)));
	names_free(n);
	close(fd);
}

static void a_page_that_lies(void **state)
{
	int fd = make_page(0);

	(void)state;
	page.n_vcpus = page.n_queues = page.n_regions = UINT32_MAX;
	memset(page.kvm_open, 'x', sizeof(page.kvm_open));
	memset(page.region[0].name, 'x', STATS_NAME);
	assert_int_equal(pwrite(fd, &page, sizeof(page), 0), sizeof(page));
	assert_int_equal(stats_page_copy(fd, &page, sizeof(page)), 0);
	assert_int_equal(page.n_vcpus, STATS_VCPUS);
	assert_int_equal(page.n_queues, STATS_QUEUES);
	assert_int_equal(page.n_regions, STATS_REGIONS);
	assert_int_equal(strlen(page.kvm_open), sizeof(page.kvm_open) - 1);
	assert_int_equal(strlen(page.region[0].name), STATS_NAME - 1);
	assert_int_equal(ftruncate(fd, sizeof(page) - 1), 0);
	assert_int_equal(stats_page_copy(fd, &page, sizeof(page)), -EBADMSG);
	close(fd);
}

/*
 * A process that has made itself a root where a pipe bears the page's name: whoever opens it waits for a
 * writer. Says over fd whether that worked (a user namespace would do; root is simpler), and stays.
 */
static void pose(int fd, const char *root)
{
	bool ok = !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		  !mount("none", root, "tmpfs", 0, NULL) && !chdir(root) &&
		  !mkfifo("memfd:exitlab-stats", 0666) &&
		  open("memfd:exitlab-stats", O_RDONLY | O_NONBLOCK) >= 0 &&
		  !syscall(SYS_pivot_root, ".", ".");

	if (write(fd, ok ? "y" : "n", 1) < 0)
		_exit(1);
	for (;;)
		pause();
}

static void a_pipe_of_that_name(void **state)
{
	struct names *n = names_new(false);
	char said = 0, root[] = "/tmp/exitlab-names-XXXXXX";
	uint64_t suppressed;
	int fds[2];
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(root));
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid)
		pose(fds[1], root);
	assert_int_equal(read(fds[0], &said, 1), 1);
	alarm(20);
	if (said == 'y')
		names_poll(n, pid);
	alarm(0);
	assert_false(names_suppressed(n, false, &suppressed));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	rmdir(root);
	names_free(n);
	close(fds[0]);
	close(fds[1]);
	if (said != 'y')
		skip();
}

/* ---- monitors ---- */

#define SLOW_BYTES 500

struct monitor {
	int listener;
	const char *line; /* said for ever after a connect, */
	bool slow;        /* or a byte now and then, SLOW_BYTES of them in 10 s */
	size_t said;
};

static void *talk(void *arg)
{
	struct monitor *m = arg;
	int fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC);
	ssize_t n;

	while ((!m->slow || m->said < SLOW_BYTES) &&
	       (n = send(fd, m->line, m->slow ? 1 : strlen(m->line), MSG_NOSIGNAL)) > 0) {
		m->said += (size_t)n;
		if (m->slow)
			usleep(20000);
	}
	close(fd);
	return NULL;
}

static struct qmp_socket listen_as(struct monitor *m, const char *line)
{
	struct qmp_socket s = {.abstract = true};
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(s.path, sizeof(s.path), "exitlab-test-%d", getpid());
	memcpy(a.sun_path + 1, s.path, strlen(s.path));
	*m = (struct monitor){.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .line = line};
	assert_int_equal(bind(m->listener, (struct sockaddr *)&a,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(s.path))), 0);
	assert_int_equal(listen(m->listener, 1), 0);
	return s;
}

static void monitors_that_never_end(void **state)
{
	static char line[4096], event[] = "{\"event\": \"STOP\"}\n";
	const char *const lines[] = {line, event, line};
	struct stats_region r[4];

	(void)state;
	memset(line, ' ', sizeof(line) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct monitor m;
		struct qmp_socket s = listen_as(&m, lines[i]);
		size_t most = 8 * MIB; /* what we took, and what the socket holds */
		pthread_t thread;

		m.slow = i == 2;
		if (m.slow)
			most = SLOW_BYTES;
		assert_int_equal(pthread_create(&thread, NULL, talk, &m), 0);
		assert_int_equal(qemu_regions(&s, r, ARRAY_SIZE(r)), 0);
		pthread_join(thread, NULL);
		assert_true(m.said < most); /* given up before it came to an end */
		close(m.listener);
	}
}

/* A command line may name anybody's socket: only one that the process itself listens at is asked. */
static void a_monitor_of_somebody_else(void **state)
{
	struct stats_region r[4];
	struct monitor m;
	struct qmp_socket s = listen_as(&m, "x\n");

	(void)state;
	s.tgid = getppid();
	assert_int_equal(qemu_regions(&s, r, ARRAY_SIZE(r)), 0);
	{
		char byte;
		int fd = accept4(m.listener, NULL, NULL, SOCK_CLOEXEC);

		assert_int_equal(read(fd, &byte, 1), 0); /* not a word */
		close(fd);
	}
	close(m.listener);
}

/* A process whose command line names the socket at which we listen: it is not the one to be asked. */
static pid_t start_with_socket(const char *path)
{
	char *qmp = xasprintf("unix:%s,server=on", path);
	pid_t pid = fork();

	if (!pid) {
		execl("/bin/sh", "sh", "-c", "kill -STOP $$; true", "-qmp", qmp, NULL);
		_exit(127);
	}
	free(qmp);
	return pid;
}

static int listen_at(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

struct stranger {
	char dir[32], *path;
	int fd; /* we listen */
	pid_t pid;
};

static struct stranger stranger_start(void)
{
	struct stranger s = {.dir = "/tmp/exitlab-names-XXXXXX"};

	assert_non_null(mkdtemp(s.dir));
	s.path = xasprintf("%s/qmp", s.dir);
	s.fd = listen_at(s.path);
	s.pid = start_with_socket(s.path);
	return s;
}

static void stranger_end(struct stranger *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	unlink(s->path);
	rmdir(s->dir);
	free(s->path);
	close(s->fd);
}

/* It may cost us seconds each time. */
static void who_does_not_answer_is_asked_less_often(void **state)
{
	char name[64];
	struct names *n = names_new(false);
	uint64_t end = clock_ns() + 2500 * NSEC_PER_MSEC;
	struct stranger s = stranger_start();
	unsigned asked = 0;

	(void)state;
	while (clock_ns() < end) {
		int c = accept4(s.fd, NULL, NULL, SOCK_CLOEXEC);

		asked += c >= 0;
		close_fd(&c);
		/* Before its exec it is us. */
		if (end - clock_ns() < 2300 * NSEC_PER_MSEC)
			names_find(n, s.pid, BACKEND_SVM, PIO_REASON, PORT, name, sizeof(name));
		usleep(50000);
	}
	assert_int_equal(asked, 1);
	names_free(n);
	stranger_end(&s);
}

static unsigned connections(int listener)
{
	unsigned n = 0;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		close(fd);
		n++;
	}
	return n;
}

/* Not while it is measured; then at once, since it may be gone when a name is wanted. */
static void who_may_end_is_asked_before(void **state)
{
	struct stranger s = stranger_start();
	struct names *n = names_new(false);
	int status;

	(void)state;
	assert_int_equal(waitpid(s.pid, &status, WUNTRACED), s.pid);
	names_poll(n, s.pid);
	assert_int_equal(connections(s.fd), 0);
	names_ask(n, s.pid);
	assert_int_equal(connections(s.fd), 1);
	names_ask(NULL, s.pid);
	names_free(n);
	stranger_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page),
		cmocka_unit_test(a_guests_word),
		cmocka_unit_test(many_vms),
		cmocka_unit_test(a_page_that_is_cut),
		cmocka_unit_test(a_page_that_lies),
		cmocka_unit_test(a_pipe_of_that_name),
		cmocka_unit_test(monitors_that_never_end),
		cmocka_unit_test(a_monitor_of_somebody_else),
		cmocka_unit_test(who_does_not_answer_is_asked_less_often),
		cmocka_unit_test(who_may_end_is_asked_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
