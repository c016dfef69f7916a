// SPDX-License-Identifier: MIT
/* What Xen's tools are told of a domain, what they answer, and the console between. */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/vmms/domain/domain.h"
#include "bench/vmms/domain/pc.h"
#include "bench/vmms/domain/vbd.h"

static struct domain_want usual(void)
{
	return (struct domain_want){
		.name = "exitlab-7",
		.type = "pvh",
		.kernel = "/k/vmlinux",
		.ramdisk = "/i.cpio",
		.cmdline = "console=hvc0 quiet",
		.cpus = 2,
		.mem_mib = 256,
	};
}

static void configuration(void **state)
{
	struct domain_want w = usual();
	struct strbuf sb = STRBUF_INIT;

	(void)state;
	assert_int_equal(domain_config(&w, &sb), 0);
	assert_string_equal(strbuf_str(&sb), "name=\"exitlab-7\"\ntype=\"pvh\"\nkernel=\"/k/vmlinux\"\nramdisk=\"/i.cpio\"\n"
					     "cmdline=\"console=hvc0 quiet\"\ntsc_mode=\"native\"\non_poweroff=\"destroy\"\n"
					     "on_reboot=\"destroy\"\non_crash=\"destroy\"\nvcpus=2\nmemory=256\n");
	strbuf_reset(&sb);
	w.ramdisk = NULL;
	w.uuid = "u-1";
	w.shadow = true;
	w.mac = "02:00:00:00:00:01";
	w.script = "/b/vmm-xen";
	w.disk = "/dev/nullb0";
	assert_int_equal(domain_config(&w, &sb), 0);
	assert_null(strstr(strbuf_str(&sb), "ramdisk"));
	assert_non_null(strstr(strbuf_str(&sb), "\nuuid=\"u-1\"\n"));
	assert_non_null(strstr(strbuf_str(&sb), "\nvif=[\"script=/b/vmm-xen,mac=02:00:00:00:00:01\"]\n"));
	assert_non_null(strstr(strbuf_str(&sb), "\ndisk=[\"script=/b/vmm-xen,format=raw,vdev=xvda,access=rw,"
						"backendtype=phy,target=/dev/nullb0\"]\n"));
	assert_non_null(strstr(strbuf_str(&sb), "\nhap=0\n"));
	strbuf_free(&sb);
}

/* xl hands nothing on to the PC but the kernel's first part: the rest its QEMU puts into memory. */
static void a_pc_is_given_its_files_in_memory(void **state)
{
	struct domain_want w = usual();
	struct strbuf sb = STRBUF_INIT;

	(void)state;
	w.type = "hvm";
	w.kernel = "/d/kernel";
	w.image = "/k/vmlinuz";
	w.image_at = 0x1ffb000;
	w.mac = "02:00:00:00:00:01";
	w.script = "/b/vmm-xen";
	assert_int_equal(domain_config(&w, &sb), 0);
	assert_non_null(strstr(strbuf_str(&sb), "\ntype=\"hvm\"\nkernel=\"/d/kernel\"\ncmdline="));
	assert_non_null(strstr(strbuf_str(&sb), "\nvga=\"none\"\nnographic=1\nvnc=0\ndevice_model_args_hvm=["
						"\"-device\",\"loader,file=/k/vmlinuz,addr=0x1ffb000,force-raw=on\","
						"\"-device\",\"loader,file=/i.cpio,addr=0x1000000,force-raw=on\",]\n"));
	assert_non_null(strstr(strbuf_str(&sb), "\nvif=[\"script=/b/vmm-xen,type=vif,mac=02:00:00:00:00:01\"]\n"));
	w.ramdisk = NULL;
	strbuf_reset(&sb);
	assert_int_equal(domain_config(&w, &sb), 0);
	assert_null(strstr(strbuf_str(&sb), "0x1000000"));
	w.image = "/k/vmlinuz,addr=0";
	assert_int_equal(domain_config(&w, &sb), -EINVAL);
	strbuf_free(&sb);
}

#define SETUP_SECTORS 3
#define SETUP_SIZE    ((SETUP_SECTORS + 1) * 512)

/* A bzImage's header (Documentation/arch/x86/boot.rst), and a byte of what follows its first part. */
static void make_bzimage(uint8_t image[static SETUP_SIZE + 1])
{
	memset(image, 0xcc, SETUP_SIZE + 1);
	image[0x1f1] = SETUP_SECTORS;
	memcpy(image + 0x202, "HdrS", 4);
	image[0x234] = 1; /* relocatable */
}

static uint32_t u32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The code behind it: two words of the boot parameters, at which ESI is, and a register to jump by. */
static void jump_lands(const uint8_t *code, uint32_t initrd, uint32_t size)
{
	assert_int_equal(u32_at(code), 0x021886c7);
	assert_int_equal(u32_at(code + 6), initrd);
	assert_int_equal(u32_at(code + 10), 0x021c86c7);
	assert_int_equal(u32_at(code + 16), size);
	assert_int_equal(code[20], 0xb8);
	assert_int_equal(u32_at(code + 21), PC_KERNEL_AT);
	assert_memory_equal(code + 25, "\xff\xe0", 3);
}

static void a_kernels_first_part_finds_the_rest(void **state)
{
	uint8_t image[SETUP_SIZE + 1], out[SETUP_SIZE + 512];
	uint64_t at;
	size_t len;

	(void)state;
	make_bzimage(image);
	assert_int_equal(pc_first_part(image, sizeof(image), 4711, out, sizeof(out), &len, &at), 0);
	assert_int_equal(len, SETUP_SIZE + 512);
	assert_int_equal(at + SETUP_SIZE, PC_KERNEL_AT);
	assert_memory_equal(out, image, SETUP_SIZE);
	jump_lands(out + SETUP_SIZE, PC_INITRD_AT, 4711);
	assert_int_equal(pc_first_part(image, sizeof(image), 0, out, sizeof(out), &len, &at), 0);
	jump_lands(out + SETUP_SIZE, 0, 0);
}

static void what_is_no_kernel_for_a_pc_is_refused(void **state)
{
	static const struct {
		size_t at, size;
		uint64_t initrd;
	} cases[] = {
		{0x202, SETUP_SIZE + 1, 0}, /* a byte that is not what it should be, */
		{0x234, SETUP_SIZE + 1, 0},
		{0, 0x1f1, 0},		    /* the end of the file, */
		{0, SETUP_SIZE - 1, 0},
		{0, SETUP_SIZE + 1, PC_KERNEL_AT - PC_INITRD_AT + 1},
	};
	uint8_t image[SETUP_SIZE + 1], out[SETUP_SIZE + 512];
	uint64_t at;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		make_bzimage(image);
		image[cases[i].at] = 0;
		assert_int_equal(pc_first_part(image, cases[i].size, cases[i].initrd, out, sizeof(out), &len,
					       &at), -EINVAL);
	}
	make_bzimage(image);
	assert_int_equal(pc_first_part(image, sizeof(image), 0, out, sizeof(out) - 1, &len, &at), -EINVAL);
	assert_int_equal(pc_write_first_part("/no/such/kernel", NULL, "/no/such/part", &at), -ENOENT);
	assert_int_equal(pc_write_first_part("/dev/null", NULL, "/no/such/part", &at), -EINVAL);
}

static void what_would_end_a_string_is_refused(void **state)
{
	static const char *const bad[] = {"a\"\nkernel=\"/etc/passwd", "a\\", "a\nb"};
	struct strbuf sb = STRBUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct domain_want w = usual();

		w.cmdline = bad[i];
		assert_int_equal(domain_config(&w, &sb), -EINVAL);
		w = usual();
		w.mac = "02:00:00:00:00:01";
		w.script = bad[i];
		assert_int_equal(domain_config(&w, &sb), -EINVAL);
		w = usual();
		w.disk = bad[i];
		w.script = "/b/vmm-xen";
		assert_int_equal(domain_config(&w, &sb), -EINVAL);
	}
	strbuf_free(&sb);
}

/* What is no block device has no number of one. */
static void a_disk_is_a_block_device(void **state)
{
	char number[32];

	(void)state;
	assert_int_equal(vbd_number("/dev/null", number, sizeof(number)), -ENOTBLK);
	assert_int_equal(vbd_number("/no/such/disk", number, sizeof(number)), -ENOENT);
}

static void numbers_of_domains(void **state)
{
	static const struct {
		const char *text;
		int err;
		unsigned id;
	} cases[] = {
		{"1\n", 0, 1},	  {"32751", 0, 32751}, {"0\n", -EINVAL, 0},   {"32752\n", -EINVAL, 0},
		{"", -EINVAL, 0}, {"1\n2\n", -EINVAL, 0}, {"one\n", -EINVAL, 0}, {"-1\n", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned id;

		assert_int_equal(domain_parse_id(cases[i].text, &id), cases[i].err);
		if (!cases[i].err)
			assert_int_equal(id, cases[i].id);
	}
}

/* xl that was killed leaves a domain without a name. */
static void a_domain_is_found_by_its_uuid(void **state)
{
	static const char list[] = "UUID                                  ID    name\n"
				   "00000000-0000-0000-0000-000000000000  0    Domain-0\n"
				   "45786974-6c61-6200-0000-000000000080  12    (null)\n"
				   "45786974-6c61-6200-0000-000000000081  x\n";
	unsigned id = 0;

	(void)state;
	assert_int_equal(domain_find_uuid(list, "45786974-6c61-6200-0000-000000000080", &id), 0);
	assert_int_equal(id, 12);
	assert_int_equal(domain_find_uuid(list, "45786974-6c61-6200-0000-000000000081", &id), -ENOENT);
	assert_int_equal(domain_find_uuid(list, "45786974-6c61-6200-0000-000000000082", &id), -ENOENT);
	/* Never dom0. */
	assert_int_equal(domain_find_uuid(list, "00000000-0000-0000-0000-000000000000", &id), -ENOENT);
}

/* The store is dom0's, but what is opened is a terminal's other side and nothing else. */
static void consoles(void **state)
{
	static const char *const bad[] = {"",
					  "\n",
					  "/dev/pts/",
					  "/dev/pts/../sda",
					  "/dev/pts/1/..",
					  "/etc/passwd",
					  "/dev/pts/1\n/dev/pts/2\n",
					  "/dev/pts/12345678901234567890"};
	char path[24];

	(void)state;
	assert_int_equal(domain_parse_tty("/dev/pts/12\n", path, sizeof(path)), 0);
	assert_string_equal(path, "/dev/pts/12");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(domain_parse_tty(bad[i], path, sizeof(path)), -EINVAL);
}

static void ends(void **state)
{
	static const struct {
		const char *log;
		enum domain_end end;
	} cases[] = {
		{"Waiting for domain exitlab-7 (domid 1) to die [pid 300]\n"
		 "Domain 1 has shut down, reason code 0 0x0\nAction for shutdown reason code 0 is destroy\n",
		 DOMAIN_POWEROFF},
		{"Domain 1 has shut down, reason code 3 0x3\n", DOMAIN_CRASH},
		{"Domain 1 has shut down, reason code 1 0x1\nDomain 1 has shut down, reason code 0 0x0\n", DOMAIN_POWEROFF},
		{"Domain 1 has shut down, reason code 77 0x4d\n", DOMAIN_UNKNOWN},
		{"Domain 1 has shut down, reason code -1\n", DOMAIN_UNKNOWN},
		{"Domain 1 has been destroyed externally.\n", DOMAIN_UNKNOWN},
		{"", DOMAIN_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(domain_parse_end(cases[i].log), cases[i].end);
}

/* What a terminal still holds is lost when its other side goes, so that one waits until all is passed on. */
static void await_bytes(int pipe, int n)
{
	int held = 0;

	while (!ioctl(pipe, FIONREAD, &held) && held < n)
		usleep(100);
}

/* Who answers for the console holds the other side, as xenconsoled does; what comes in is said back. */
static pid_t start_guest(int *tty, int passed_on)
{
	struct termios raw;
	int master, slave;
	pid_t pid;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	tcgetattr(slave, &raw);
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	pid = fork();
	if (!pid) {
		char word[4] = "";

		fd_write_all(master, "exitlab hello\n", 14);
		for (size_t n = 0; n < 3; n++)
			if (read(master, word + n, 1) != 1)
				_exit(1);
		fd_write_all(master, word, 3);
		await_bytes(passed_on, 17);
		_exit(0);
	}
	close(master);
	*tty = slave;
	return pid;
}

static void console_is_relayed_until_the_domain_is_gone(void **state)
{
	int in[2], out[2], signal_fd = eventfd(0, EFD_CLOEXEC), tty, status;
	char said[64] = "";
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(in) | pipe(out), 0);
	pid = start_guest(&tty, out[0]);
	fd_write_all(in[1], "go\n", 3);
	close(in[1]);
	assert_int_equal(domain_relay(tty, in[0], out[1], signal_fd), 0);
	close(out[1]);
	assert_int_equal(fd_read_full(out[0], said, sizeof(said) - 1), 17);
	assert_string_equal(said, "exitlab hello\ngo\n");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(in[0]);
	close(out[0]);
	close(tty);
	close(signal_fd);
}

static void a_signal_or_nobody_who_listens_is_an_end(void **state)
{
	int out[2], signal_fd = eventfd(1, EFD_CLOEXEC), never = eventfd(0, EFD_CLOEXEC), master, tty;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(openpty(&master, &tty, NULL, NULL, NULL), 0);
	assert_int_equal(pipe(out), 0);
	assert_int_equal(domain_relay(tty, -1, out[1], signal_fd), -EINTR);
	close(out[0]);
	assert_int_equal(write(master, "x\n", 2), 2);
	assert_int_equal(domain_relay(tty, -1, out[1], never), -EPIPE);
	close(out[1]);
	close(master);
	close(tty);
	close(signal_fd);
	close(never);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configuration),
		cmocka_unit_test(a_pc_is_given_its_files_in_memory),
		cmocka_unit_test(a_kernels_first_part_finds_the_rest),
		cmocka_unit_test(what_is_no_kernel_for_a_pc_is_refused),
		cmocka_unit_test(what_would_end_a_string_is_refused),
		cmocka_unit_test(a_disk_is_a_block_device),
		cmocka_unit_test(numbers_of_domains),
		cmocka_unit_test(a_domain_is_found_by_its_uuid),
		cmocka_unit_test(consoles),
		cmocka_unit_test(ends),
		cmocka_unit_test(console_is_relayed_until_the_domain_is_gone),
		cmocka_unit_test(a_signal_or_nobody_who_listens_is_an_end),
	};

	log_init("test", LOG_SILENT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
