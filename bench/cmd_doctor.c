// SPDX-License-Identifier: MIT
/* `bench doctor`: what this host can measure, a row a topic, and what would change it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/table.h"
#include "bench/host/environment.h"
#include "bench/host/outer.h"
#include "base/json.h"
#include "bench/bench.h"
#include "bench/cli/doctor.h"
#include "bench/lab/lab.h"
#include "bench/host/paths.h"
#include "results/machine.h"

struct doctor_args {
	bool json;
	const char *store;
};

static const char *const verdict_word[] = {"ok", "warning", "missing", "-"};

struct finding found(enum verdict v, char *what, const char *todo)
{
	struct finding f = {.verdict = v, .what = what};

	if (todo)
		f.todo = xstrdup(todo);
	return f;
}

size_t count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static struct finding device_file(const char *path, const char *todo)
{
	enum verdict v = BAD;

	if (!access(path, R_OK | W_OK))
		return found(GOOD, xstrdup(path), NULL);
	if (errno == EACCES) {
		v = WARN;
		todo = "run as root, or add yourself to its group";
	}
	return found(v, xasprintf("%s: %s", path, strerror(errno)), todo);
}

static struct finding find_tap(void)
{
	return device_file("/dev/net/tun", "modprobe tun; until then net modes run in the lab");
}

static struct finding find_vhost(void)
{
	return device_file("/dev/vhost-net", "modprobe vhost_net; until then mode vhost runs in the lab");
}

static struct finding find_lab(void)
{
	char *version = NULL, *why;
	struct finding f;

	if (lab_inside())
		return found(INFO, xstrdup("we are inside one"), NULL);
	why = lab_missing(NULL, &version);
	if (why)
		f = found(BAD, xstrdup(why), path_setup());
	else
		f = found(GOOD, xasprintf("QEMU %s, kernels in %s", version, path_cache()), NULL);
	free(why);
	free(version);
	return f;
}

static const struct {
	const char *name, *topic;
	struct finding (*find)(void);
} rows[] = {
	{"kvm", "KVM back end", find_kvm},
	{"micro_guest", "micro guest", find_micro},
	{"linux_guests", "Linux guests", find_linux},
	{"nested_paging", "nested paging", find_nested_paging},
	{"avic", "AVIC / APICv", find_avic},
	{"tap", "TAP", find_tap},
	{"vhost_net", "vhost-net", find_vhost},
	{"iommu", "IOMMU", find_iommu},
	{"interrupt_remapping", "interrupt remapping", find_remapping},
	{"sriov", "SR-IOV cards", find_sriov},
	{"iommu_groups", "IOMMU groups", find_groups},
	{"acs", "ACS", find_acs},
	{"reset", "reset methods", find_reset},
	{"assignment", "device assignment", find_assignment},
	{"btf", "BTF", find_btf},
	{"process_numbers", "process numbers", find_numbers},
	{"tracepoints", "kvm tracepoints", find_tracepoints},
	{"kvm_exit", "kvm_exit", find_kvm_exit},
	{"pmu", "PMU", find_pmu},
	{"governor", "governor", find_governor},
	{"smt", "SMT", find_smt},
	{"huge_pages", "huge pages", find_huge_pages},
	{"steal", "steal", find_steal},
	{"noise", "jitter", find_jitter},
	{"lab", "lab", find_lab},
};

static json_t *findings_json(const struct finding *f)
{
	json_t *out = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		json_object_set_new(out, rows[i].name,
				    json_pack("{s:s, s:s, s:s?}", "verdict", verdict_word[f[i].verdict],
					      "found", f[i].what, "todo", f[i].todo));
	return out;
}

static void print_json(const struct finding *f)
{
	json_t *out = findings_json(f);

	json_print(out, stdout, JSON_INDENT(1));
	json_decref(out);
}

/* In the store, for the page of this machine. */
static int keep_findings(const struct finding *f, const char *dir)
{
	char *machine = environment_machine(), now[32];
	struct store *store = NULL;
	json_t *about;
	int err = -EINVAL;

	clock_iso8601(time(NULL), now, sizeof(now));
	about = json_pack("{s:s, s:s, s:o}", "machine", machine, "at", now, "findings", findings_json(f));
	if (*machine)
		err = store_open(&store, dir);
	else
		log_error("doctor: this machine has no name; set one with EXITLAB_MACHINE");
	if (!err)
		err = machine_keep(store, about);
	store_close(store);
	json_decref(about);
	free(machine);
	return status_of(err);
}

/*
 * What to do stands in a table of its own: as one more column it would make the lines too long for a
 * terminal.
 */
static void print_table(const struct finding *f)
{
	struct table *t = table_new(3, "topic:", "state:", "found:");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		table_cell(t, "%s", rows[i].topic);
		table_cell(t, "%s", verdict_word[f[i].verdict]);
		table_cell(t, "%s", f[i].what);
	}
	table_print(t, stdout);
	t = table_new(2, "topic:", "what would change it:");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!f[i].todo)
			continue;
		table_cell(t, "%s", rows[i].topic);
		table_cell(t, "%s", f[i].todo);
	}
	putchar('\n');
	table_print(t, stdout);
}

static int doctor_main(int argc, char **argv)
{
	struct doctor_args a = {0};
	struct finding f[ARRAY_SIZE(rows)];
	int status;

	if (!bench_parse(&cmd_doctor, &argc, argv, &a, &status))
		return status;
	status = EXIT_OK;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		f[i] = rows[i].find();
	if (a.json)
		print_json(f);
	else
		print_table(f);
	if (a.store)
		status = keep_findings(f, a.store);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		free(f[i].what);
		free(f[i].todo);
	}
	return status;
}

static const struct opt doctor_opts[] = {
	{"json", 'j', OPT_FLAG, offsetof(struct doctor_args, json), NULL, "as JSON"},
	{"store", 0, OPT_STR, offsetof(struct doctor_args, store), "DIR",
	 "keep it in this store as well, for the dashboard's page of this machine"},
	OPT_END,
};

const struct command cmd_doctor = {
	.name = "doctor",
	.summary = "what this host and its lab can measure, and what to change",
	.examples = "bench doctor\nbench doctor --json\nbench doctor --store=/var/lib/exitlab/store\nbench lab exec -- bench doctor",
	.opts = doctor_opts,
	.run = doctor_main,
};
