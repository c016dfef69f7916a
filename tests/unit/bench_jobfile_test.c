// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/plan/jobfile.h"
#include "tests/unit/fake_record.h"

static char *dir, *path;

static int setup(void **state)
{
	(void)state;
	dir = fake_dir();
	path = xasprintf("%s/x.ini", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dir_remove_all(dir);
	free(path);
	free(dir);
	return 0;
}

static int read_text(struct jobfile *f, const char *text)
{
	assert_int_equal(file_write_atomic(path, text, strlen(text)), 0);
	return jobfile_read(f, path);
}

/* All experiments, one a line: "name: arg arg ..." */
static char *flat(const struct jobfile *f)
{
	struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < f->n; i++) {
		strbuf_addf(&sb, "%s:", f->v[i].name);
		for (size_t k = 0; k < f->v[i].args.n; k++)
			strbuf_addf(&sb, " %s", f->v[i].args.v[k]);
		strbuf_addc(&sb, '\n');
	}
	return strbuf_take(&sb);
}

static void sections_become_commands(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"[global]\nreps=10\nduration=2s\n\n[paths] ; the "
		 "four\nworkload=net-throughput\nmode=e1000, virtio ,vhost\n",
		 "paths: net-throughput --mode=e1000,virtio,vhost --reps=10 --duration=2s\n"},
		{"[global]\nreps=10\n[a]\nworkload=boot\nreps=3\nvmm=builtin,qemu\n[b]\nworkload=idle\n",
		 "a: boot --reps=3 --vmm=builtin,qemu\nb: idle --reps=10\n"},
		{"[x]\nworkload=boot,idle\nmem=512M\n",
		 "x/boot: boot --set=mem=512M\nx/idle: idle --set=mem=512M\n"},
		{"[x]\nworkload=net-pps\nring=split,packed\nipv6=on\nprobes=off\ndeterministic=off\n",
		 "x: net-pps --set=ring=split,packed --ipv6 --no-probes\n"},
		{"[global]\nworkload=boot\n[x]\nguest_kernel=newer\nprobes=on\n",
		 "x: boot --kernel=newer\n"},
		/* Whatever is an option of bench run is one here; kernel is the knob, as it always was. */
		{"[x]\nworkload=net-pps\ntopology=wire\nnic=eth1\nvf=0000:01:10.0\npeer=10.0.0.1\ntoken=t\n"
		 "allow-unsafe-interrupts=on\noverhead=off\nno-probes=on\nkernel=bzimage\ntool=iperf3\n",
		 "x: net-pps --topology=wire --nic=eth1 --vf=0000:01:10.0 --peer=10.0.0.1 --token=t "
		 "--allow-unsafe-interrupts --no-probes --set=kernel=bzimage --tool=iperf3\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct jobfile f;
		char *got;

		assert_int_equal(read_text(&f, cases[i].text), 0);
		got = flat(&f);
		assert_string_equal(got, cases[i].want);
		free(got);
		jobfile_free(&f);
	}
}

static void mistakes_are_named(void **state)
{
	static const char *const cases[] = {
		"",
		"[global]\nreps=3\n",
		"[x]\nmode=virtio\n",
		"[x]\nworkload=boot\nreps=3\nreps=4\n",
		"workload=boot\n",
		"[x]\nworkload=boot\nnonsense\n",
		"[x]\nworkload=boot\nipv6=maybe\n",
		"[x]\nworkload=boot\nmode=\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct jobfile f;

		if (read_text(&f, cases[i]) != -EINVAL)
			fail_msg("case %zu was taken", i);
		assert_int_equal(f.n, 0);
	}
	assert_int_equal(jobfile_read(&(struct jobfile){NULL, 0}, "/nonexistent.ini"), -ENOENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(sections_become_commands),
					   TEST(mistakes_are_named)};

	log_init("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
