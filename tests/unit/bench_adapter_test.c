// SPDX-License-Identifier: MIT
/* What is the same for every VMM: which program it is, its version. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
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

static const char *nowhere(void)
{
	return "no-such-program";
}

static const struct vmm_adapter stranger = {
	.name = "a-stranger", .program = nowhere, .get = "make one", .version_word = "version",
};

static void the_program_can_be_named(void **state)
{
	static const struct {
		const char *given, *env, *program, *variant;
	} cases[] = {
		{"", NULL, "no-such-program", ""},
		{"", "/opt/other", "/opt/other", ""},
		{"", "", "no-such-program", ""},
		{"/opt/mine", "/opt/other", "/opt/mine", ""},
		{"./mine", NULL, "./mine", ""},
		{"accel=tcg", "/opt/other", "/opt/other", "accel=tcg"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (cases[i].env)
			setenv("EXITLAB_A_STRANGER", cases[i].env, 1);
		assert_string_equal(vmm_program(&stranger, cases[i].given), cases[i].program);
		assert_string_equal(vmm_variant(cases[i].given), cases[i].variant);
		unsetenv("EXITLAB_A_STRANGER");
	}
}

/* A program that says text, and with which status it ends. */
static char *program_saying(const char *text, int status)
{
	static char path[] = "/tmp/exitlab-adapter-XXXXXX";
	int fd = mkstemp(strcpy(path, "/tmp/exitlab-adapter-XXXXXX"));
	FILE *f = fdopen(fd, "w");

	fprintf(f, "#!/bin/sh\n[ \"$*\" = version ] && echo '%s'\nexit %d\n", text, status);
	fclose(f);
	chmod(path, 0755);
	return path;
}

static void versions_are_asked_for(void **state)
{
	static const struct {
		const char *says, *version;
		int status;
	} cases[] = {
		{"QEMU emulator version 10.0.2 (Debian 1:10.0.2)", "10.0.2", 0},
		{"Firecracker v1.15.1\n", "1.15.1", 0},
		{"kvm tool 3.18.0", "3.18.0", 0},
		{"cloud-hypervisor v53.0", "53.0", 0},
		{"kvm tool b48735e", "b48735e", 0},
		{"word", "word", 0},
		{"", NULL, 0},
		{"10.0.2", NULL, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *path = program_saying(cases[i].says, cases[i].status);
		char *version = vmm_version(&stranger, path);

		if (cases[i].version)
			assert_string_equal(version, cases[i].version);
		else
			assert_null(version);
		free(version);
		unlink(path);
	}
	assert_null(vmm_version(&stranger, ""));
}

static json_t *firecracker_config(const struct mode *mode, const char *transport, bool *pci)
{
	char dir[] = "/tmp/exitlab-adapter-XXXXXX", *file;
	struct strlist a = STRLIST_INIT;
	struct device_path path;
	struct knobs ks = {NULL, 0};
	struct vmm_want w = {
		.program = "firecracker",
		.kernel = "/kernel",
		.initrd = "/image.cpio",
		.cmdline = "a=\"b\" c",
		.path = &path,
		.knobs = &ks,
		.variant = "",
		.cpus = 2,
		.mem_bytes = 128 * MIB,
		.log_dir = mkdtemp(dir),
	};
	json_t *config;

	knobs_set(&ks, "transport", transport);
	path_init(&path, mode);
	strcpy(path.wire.tap, "tap7");
	strcpy(path.wire.mac, "52:54:00:00:00:01");
	path.medium.path = (char *)"/dev/d0";
	path.socket = (char *)"/sock";
	assert_int_equal(vmm_adapter_find("firecracker", 11)->command(&w, &a), 0);
	*pci = strlist_has(&a, "--enable-pci");
	file = xasprintf("%s/firecracker.json", dir);
	assert_true(strlist_has(&a, file));
	config = json_load_file(file, 0, NULL);
	assert_non_null(config);
	unlink(file);
	rmdir(dir);
	free(file);
	free(ks.k);
	strlist_free(&a);
	return config;
}

/* What it is told stands in a file beside the sample's logs. */
static void firecracker_reads_a_file(void **state)
{
	static const char net[] =
		"{\"boot-source\": {\"kernel_image_path\": \"/kernel/vmlinux\", \"boot_args\": \"a=\\\"b\\\" c\", "
		"\"initrd_path\": \"/image.cpio\"}, \"machine-config\": {\"vcpu_count\": 2, \"mem_size_mib\": 128}, "
		"\"drives\": [], \"network-interfaces\": [{\"iface_id\": \"eth0\", \"host_dev_name\": \"tap7\", "
		"\"guest_mac\": \"52:54:00:00:00:01\"}]}";
	json_t *want = json_loads(net, 0, NULL), *config;
	bool pci;

	(void)state;
	assert_non_null(want);
	config = firecracker_config(&mode_virtio, "mmio", &pci);
	assert_true(json_equal(config, want));
	assert_false(pci);
	json_decref(config);
	json_object_del(want, "network-interfaces");
	config = firecracker_config(&mode_none, "pci", &pci);
	assert_true(json_equal(config, want));
	assert_true(pci);
	json_decref(config);
	json_object_set_new(want, "drives",
			    json_loads("[{\"drive_id\": \"disk\", \"is_root_device\": false, \"is_read_only\": false, "
				       "\"path_on_host\": \"/dev/d0\", \"cache_type\": \"Writeback\", "
				       "\"io_engine\": \"Async\"}]",
				       0, NULL));
	config = firecracker_config(&mode_virtio_blk, "mmio", &pci);
	assert_true(json_equal(config, want));
	json_decref(config);
	json_object_set_new(want, "drives",
			    json_loads("[{\"drive_id\": \"disk\", \"is_root_device\": false, "
				       "\"cache_type\": \"Writeback\", \"socket\": \"/sock\"}]",
				       0, NULL));
	config = firecracker_config(&mode_vhost_user_blk, "mmio", &pci);
	assert_true(json_equal(config, want));
	json_decref(config);
	json_decref(want);
}

/* The domain of a mode with "k=v", and NULL for one that libvirt has no words for. Caller frees. */
static char *libvirt_domain(const struct mode *mode, const char *knob, const char *value)
{
	char dir[] = "/tmp/exitlab-adapter-XXXXXX", *file;
	struct strlist a = STRLIST_INIT;
	struct strbuf xml = STRBUF_INIT;
	struct device_path path;
	struct knobs ks = {NULL, 0};
	struct vmm_want w = {
		.program = "virsh", .kernel = "/kernel", .initrd = "/a<b.cpio", .cmdline = "a=\"b\" & c",
		.path = &path, .knobs = &ks, .variant = "", .cpus = 2, .mem_bytes = 128 * MIB,
		.log_dir = mkdtemp(dir),
	};
	int err;

	if (knob)
		knobs_set(&ks, knob, value);
	path_init(&path, mode);
	strcpy(path.wire.tap, "tap7");
	strcpy(path.wire.mac, "52:54:00:00:00:01");
	path.socket = (char *)"/run/vu.sock";
	path.medium.path = (char *)"/m&m";
	path.sriov.vf_addr = (char *)"0000:01:10.1";
	err = vmm_adapter_find("libvirt", 7)->command(&w, &a);
	file = xasprintf("%s/domain.xml", dir);
	assert_int_equal(err, file_read(file, &xml) ? -ENOTSUP : 0);
	free(file);
	dir_remove_all(dir);
	free(ks.k);
	strlist_free(&a);
	return strbuf_take(&xml);
}

static void libvirt_is_told_by_a_domain(void **state)
{
	static const struct {
		const struct mode *mode;
		const char *knob, *value, *says; /* NULL: refused */
	} cases[] = {
		{&mode_none, NULL, NULL, "<kernel>/kernel/vmlinuz</kernel>\n<initrd>/a&lt;b.cpio</initrd>"},
		{&mode_none, NULL, NULL, "<cmdline>a=&quot;b&quot; &amp; c</cmdline>"},
		{&mode_none, NULL, NULL, "<memory unit=\"b\">134217728</memory>"},
		{&mode_none, "irqchip", "split", "<ioapic driver=\"qemu\"/>"},
		{&mode_none, "irqchip", "off", NULL},
		{&mode_e1000, NULL, NULL, "<model type=\"e1000\"/>"},
		{&mode_e1000, "offload", "off", NULL},
		{&mode_virtio, NULL, NULL, "<target dev=\"tap7\" managed=\"no\"/>"},
		{&mode_virtio, "event_idx", "off", "<driver name=\"qemu\" event_idx=\"off\"><host/></driver>"},
		{&mode_virtio, "offload", "off", "<host csum=\"off\""},
		{&mode_virtio, "indirect", "off", NULL},
		{&mode_virtio, "irq", "intx", NULL},
		{&mode_vhost, "ring", "packed", "<driver name=\"vhost\" packed=\"on\">"},
		{&mode_vhost, "queues", "4", " queues=\"4\">"},
		{&mode_vhost_user, NULL, NULL, "<source type=\"unix\" mode=\"client\" path=\"/run/vu.sock\"/>"},
		{&mode_vhost_user, NULL, NULL, "<access mode=\"shared\"/>"},
		{&mode_sriov, NULL, NULL, "domain=\"0x0\" bus=\"0x1\" slot=\"0x10\" function=\"0x1\""},
		{&mode_virtio_blk, "cache", "writethrough", "io=\"io_uring\" cache=\"directsync\""},
		{&mode_virtio_blk, NULL, NULL, "<source file=\"/m&amp;m\"/>"},
		{&mode_nvme, NULL, NULL, NULL},
		{&mode_ide, NULL, NULL, NULL},
	};

	(void)state;
	setenv("EXITLAB_CACHE", "/tmp/exitlab-adapter-cache", 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *xml = libvirt_domain(cases[i].mode, cases[i].knob, cases[i].value);

		if (!cases[i].says)
			assert_string_equal(xml, "");
		else
			assert_non_null(strstr(xml, cases[i].says));
		free(xml);
	}
	dir_remove_all("/tmp/exitlab-adapter-cache");
}

/* What is run for a domain of that kind, with a value of paging or NULL: each word behind a blank. */
static int xen_words(const char *kind, const char *paging, struct strbuf *words)
{
	struct knobs knobs = {NULL, 0};
	struct device_path path;
	struct vmm_want w = {
		.program = "vmm-xen", .kernel = "/k", .cmdline = "quiet", .path = &path, .variant = kind,
		.knobs = &knobs, .cpus = 1, .mem_bytes = 256 * MIB, .agent_fd = -1, .stats_fd = -1,
	};
	struct strlist a = STRLIST_INIT;
	int err;

	if (paging)
		knobs_set(&knobs, "paging", paging);
	path_init(&path, &mode_none);
	err = vmm_adapter_find("xen", 3)->command(&w, &a);
	for (size_t i = 0; i < a.n && !err; i++)
		strbuf_addf(words, " %s", a.v[i]);
	strlist_free(&a);
	free(knobs.k);
	return err;
}

static void a_domain_is_of_a_kind(void **state)
{
	static const struct {
		const char *kind, *paging, *words;
		int err;
	} cases[] = {
		{"", NULL, " vmm-xen --type=pv --kernel=/k/vmlinux --cmdline=quiet --cpus=1 --mem=256M", 0},
		{"pv", "shadow", "", -ENOTSUP},
		{"pvh", "shadow",
		 " vmm-xen --type=pvh --paging=shadow --kernel=/k/vmlinux --cmdline=quiet --cpus=1 --mem=256M", 0},
		{"hvm", NULL, " vmm-xen --type=hvm --kernel=/k/vmlinuz --cmdline=quiet --cpus=1 --mem=256M", 0},
		{"hvm", "nested",
		 " vmm-xen --type=hvm --paging=nested --kernel=/k/vmlinuz --cmdline=quiet --cpus=1 --mem=256M", 0},
		{"pvm", NULL, "", -ENOTSUP},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf words = STRBUF_INIT;

		assert_int_equal(xen_words(cases[i].kind, cases[i].paging, &words), cases[i].err);
		assert_string_equal(strbuf_str(&words), cases[i].words);
		strbuf_free(&words);
	}
}

static void why_it_cannot_be_used_is_said(void **state)
{
	char *why = vmm_unusable(&stranger, "");

	(void)state;
	assert_string_equal(why, "no-such-program is not there; make one");
	free(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_vm_has_its_own_monitor),
		cmocka_unit_test(the_program_can_be_named),
		cmocka_unit_test(versions_are_asked_for),
		cmocka_unit_test(firecracker_reads_a_file),
		cmocka_unit_test(libvirt_is_told_by_a_domain),
		cmocka_unit_test(a_domain_is_of_a_kind),
		cmocka_unit_test(why_it_cannot_be_used_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
