// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/table.h"
#include "bench/host/outer.h"
#include "bench/run/deterministic.h"
#include "bench/lab/cargo.h"
#include "bench/lab/lab.h"
#include "bench/lab/lab_cache.h"
#include "bench/lab/machine.h"
#include "bench/sample/observer.h"
#include "bench/host/paths.h"
#include "bench/host/programs.h"
#include "workloads/image.h"

/* Paths inside the sealed lab; constant, because every byte of the initramfs is part of the experiment. */
#define SEALED_OUT   "/out"
#define SEALED_SEED  1

#define BOOT_LIMIT_NS (300 * NSEC_PER_SEC)

/* The guests' modules, and those of the lab's own kernel that the paths are made of. */
static int add_modules(struct cargo *cargo, const struct plan *p, const char *kernel_dir)
{
	struct strlist names = STRLIST_INIT, own = STRLIST_INIT;
	int err;

	for (size_t i = 0; i < p->n_cells; i++) {
		const struct cell *c = &p->cell[i];
		const char *medium = cell_has_disk(c) ? medium_module(args_medium(p->args)) : NULL;

		for (const char *const *m = c->mode->modules; *m && c->vmm; m++)
			strlist_add_once(&names, vmm_guest_module(c->vmm, &c->knobs, *m));
		for (const char *const *m = c->mode->host_modules; m && *m; m++)
			strlist_add_once(&own, *m);
		if (medium)
			strlist_add_once(&own, medium);
	}
	if (plan_needs(p) & NEED_LAB && machine_find(p->args->lab)->kvm) /* which is loaded anew */
		strlist_add_once(&own, machine_find(p->args->lab)->kvm);
	err = cargo_add_modules(cargo, kernel_dir, &names);
	if (!err)
		err = cargo_add_lab_modules(cargo, plan_lab_kernel(p), &own);
	strlist_free(&names);
	strlist_free(&own);
	return err;
}

static bool plan_has_vmm(const struct plan *p, const struct vmm_adapter *vmm)
{
	for (size_t i = 0; i < p->n_cells; i++)
		if (p->cell[i].vmm == vmm)
			return true;
	return false;
}

/* What a VMM is made of beside our own programs. */
static void add_vmm(struct cargo *c, const struct vmm_adapter *vmm)
{
	if (vmm->needs & NEED_XEN) /* its program is ours, and nobody else needs it */
		cargo_add_program(c, vmm->program());
	for (const char *const *f = vmm->carry; f && *f; f++) {
		if (!access(*f, X_OK))
			cargo_add_program(c, *f);
		else if (file_exists(*f))
			cargo_add_file(c, *f, *f, 0644);
	}
}

/*
 * The program of --vmm=NAME:PATH: at its path, where it is looked for, and as a program, so that its
 * libraries are there. Ours is cargo_add_ours's.
 */
static void add_given_vmm(struct cargo *c, const struct cell *cell)
{
	const char *path = text_if(cell->vmm && !cell->vmm->ours, cell_vmm_given(cell));

	if (!strchr(path, '/') || access(path, X_OK) || strlist_has(&c->programs, path))
		return;
	cargo_add_program(c, path);
	cargo_add_file(c, path, path, 0755);
}

/*
 * What the Linux guests boot, 74 MB: a lab without any is up sooner. Ours boots a vmlinux unless it is told
 * otherwise.
 */
static void add_guest_kernels(struct cargo *c, const struct plan *p, const char *kernel_dir)
{
	bool any = false, compressed = false;

	for (size_t i = 0; i < p->n_cells; i++) {
		const struct cell *cell = &p->cell[i];

		if (!cell->vmm || strcmp(cell->guest, "linux") != 0)
			continue;
		any = true;
		compressed |= !cell->vmm->ours || !strcmp(knobs_get(&cell->knobs, "kernel", ""), "bzimage");
	}
	if (any)
		cargo_add_kernel_file(c, kernel_dir, "vmlinux");
	if (compressed)
		cargo_add_kernel_file(c, kernel_dir, "vmlinuz");
}

static int load_cargo(struct cargo *c, const struct plan *p, const char *kernel_dir)
{
	const struct cell_programs *other = &p->cell[0].programs; /* of the only cell, if any */
	const char *ip = "/usr/sbin/ip";
	bool tools = false;

	cargo_add_ours(c, LAB_SEALED_BIN, other->vmm, other->helper_dir);
	add_guest_kernels(c, p, kernel_dir);
	for (size_t i = 0; i < p->n_cells; i++) {
		const struct mode *mode = p->cell[i].mode;

		add_given_vmm(c, &p->cell[i]);
		cargo_add_program(c, tool_program(knobs_get(&p->cell[i].knobs, "tool", "engine")));
		if (mode->helper_program)
			cargo_add_program(c, mode->helper_program(&p->cell[i].knobs));
		for (const char *const *f = mode->carry; f && *f; f++)
			cargo_add_program(c, *f);
		tools |= !!observer_program(knobs_get(&p->cell[i].knobs, "observer", ""));
	}
	for (size_t i = 0; tools && observer_names[i]; i++)
		cargo_add_program(c, observer_program(observer_names[i]));
	if (tools)
		cargo_add_program(c, OBSERVER_SHELL);
	if (file_exists("/sbin/ip"))
		ip = "/sbin/ip";
	if (plan_real_wire(p)) /* sets up the cards */
		cargo_add_program(c, ip);
	for (size_t v = 0; vmm_adapters[v]; v++)
		if (plan_has_vmm(p, vmm_adapters[v]))
			add_vmm(c, vmm_adapters[v]);
	return add_modules(c, p, kernel_dir);
}

/* ---- one repetition ---- */

/*
 * What was left to a default is said: `bench gate` repeats a run by saying all of it, and the length of the
 * inner command line shows in virtual time.
 */
static void spell_out(struct run_args *a, const struct plan *p)
{
	const struct cell *c = &p->cell[0];

	if (!a->vmms)
		a->vmms = "builtin";
	if (!a->guest && strcmp(c->guest, "none") != 0)
		a->guest = c->guest;
	if (!a->modes && *c->mode->name)
		a->modes = c->mode->name;
	if (!a->work && !a->duration_ns)
		a->duration_ns = cell_duration_ns(c, a);
}

/* Of processor time. A lab that gives signs of life as it runs is known to hang without. */
static uint64_t cpu_limit(const struct plan *p)
{
	if (machine_find(p->args->lab)->channel == LAB_SPEAKS)
		return 0;
	return BOOT_LIMIT_NS + p->n_cells * BOOT_LIMIT_NS / 4;
}

static int one_lab(const struct plan *p, const struct cargo *cargo, const char *out_dir)
{
	struct lab_spec spec = {
		.machine = machine_find(p->args->lab),
		.kernel = plan_lab_kernel(p),
		.cwd = "/",
		.deterministic = true,
		.nvme = plan_needs(p) & NEED_NVME_VF,
		.tell = {.inner = true, .plan_id = "deterministic"},
		.programs = (const char *const *)cargo->programs.v,
		.bin_dir = LAB_SEALED_BIN,
		.files = cargo->files,
		.n_files = cargo->n_files,
		.out_dir = out_dir,
		.sealed_out = SEALED_OUT,
		.timeout_ns = p->args->timeout_ns,
		.cpu_ns = cpu_limit(p),
	};
	struct run_args args = *p->args;
	struct plan once = *p;
	int status, err;
	char **argv;

	spell_out(&args, p);
	once.args = &args;
	once.reps = 1;
	once.seed = SEALED_SEED;
	argv = run_inner_argv(&once, SEALED_OUT);
	if (strncmp(argv[0], "/usr/bin/", 9) != 0)
		argv[0] = xstrdup(LAB_SEALED_BIN "/bench");
	spec.argv = argv;
	err = lab_run(&spec, &status);
	if (!err && status > EXIT_FAILED)
		err = -EIO;
	return err;
}

static json_t *load_records(const char *out_dir)
{
	char *runs = xasprintf("%s/runs", out_dir);
	json_t *records = json_array();
	DIR *d = opendir(runs);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *path = xasprintf("%s/%s/record.json", runs, e->d_name);
		json_t *rec = NULL;

		if (e->d_name[0] != '.' && file_exists(path))
			rec = record_read(path);
		if (rec)
			json_array_append_new(records, rec);
		free(path);
	}
	if (d)
		closedir(d);
	free(runs);
	return records;
}

static json_t *record_of_cell(json_t *records, const char *label)
{
	json_t *rec;
	size_t i;

	json_array_foreach(records, i, rec)
		if (!strcmp(record_plan_of(rec).cell, label))
			return rec;
	return NULL;
}

/* ---- equality ---- */

/* The first difference between two JSON values as "path: a against b", or NULL. */
static char *difference(const json_t *a, const json_t *b, const char *path)
{
	const char *key;
	json_t *v;
	size_t i;
	char *found = NULL;

	if (json_equal(a, b))
		return NULL;
	if (json_is_object(a) && json_is_object(b)) {
		json_object_foreach((json_t *)a, key, v) {
			char *sub = xasprintf("%s.%s", path, key);

			found = difference(v, json_object_get(b, key), sub);
			free(sub);
			if (found)
				return found;
		}
	} else if (json_is_array(a) && json_array_size(a) == json_array_size(b)) {
		json_array_foreach(a, i, v) {
			char *sub = xasprintf("%s[%zu]", path, i);

			found = difference(v, json_array_get(b, i), sub);
			free(sub);
			if (found)
				return found;
		}
	}
	if (json_is_number(a) && json_is_number(b))
		return xasprintf("%s: %.17g against %.17g", path, json_number_value(a), json_number_value(b));
	return xasprintf("%s differs", path);
}

/* Everything measured: metrics, exits with their histograms, the guest's histograms. */
static char *sample_difference(const struct record_sample *a, const struct record_sample *b)
{
	char *found = difference(a->metrics, b->metrics, "metrics");

	if (!found)
		found = difference(a->exits, b->exits, "exits");
	if (!found && (a->ops || b->ops))
		found = difference(a->ops, b->ops, "ops");
	if (!found)
		found = difference(a->hists, b->hists, "hists");
	if (!found && (a->life || b->life))
		found = difference(a->life, b->life, "life");
	return found;
}

static void check_equal(json_t *rec)
{
	struct record r = record_of(rec);
	struct record_sample first, s;
	size_t n = json_array_size(r.samples), i;
	char *found = NULL, *detail;

	for (i = 1; record_sample(r.samples, 0, &first) && !found && record_sample(r.samples, i, &s); i++)
		found = sample_difference(&first, &s);
	if (n < 2)
		detail = xstrdup("one repetition only: nothing to compare");
	else if (found)
		detail = xasprintf("repetition %zu: %s", i, found);
	else
		detail = xasprintf("%zu repetitions agree in every count and every virtual nanosecond", n);
	record_add_check(r.checks, "deterministic", n >= 2 && !found, detail);
	if (found) {
		json_object_set_new(rec, MEMBER_KEY(struct record, ok), json_false());
		log_error("%s: not deterministic: %s", record_plan_of(rec).cell, detail);
	}
	free(found);
	free(detail);
}

/* ---- the plan ---- */

/* A make between two repetitions would show as a difference that no measurement explains. */
static int same_inputs(const json_t *a, const json_t *b)
{
	const json_t *inputs = record_of(a).inputs, *others = record_of(b).inputs;
	struct record_input in;

	for (size_t i = 0; record_input(inputs, i, &in); i++) {
		if (json_equal(json_array_get(inputs, i), json_array_get(others, i)))
			continue;
		log_error("%s was built anew between two repetitions; run again", in.name);
		return -ESTALE;
	}
	return 0;
}

/* Repetition rep's record of a cell joins the one of the first. */
static int join_records(json_t **merged, json_t *rec, unsigned rep)
{
	json_t *sample, *into;
	size_t i;
	int err;

	if (!*merged) {
		*merged = json_incref(rec);
		return 0;
	}
	err = same_inputs(*merged, rec);
	if (err)
		return err;
	into = record_of(*merged).samples;
	json_array_foreach(record_of(rec).samples, i, sample) {
		json_object_set_new(sample, MEMBER_KEY(struct record_sample, index),
				    json_integer((json_int_t)json_array_size(into)));
		json_object_set_new(sample, MEMBER_KEY(struct record_sample, boot), json_integer(rep));
		json_array_append(into, sample);
	}
	return 0;
}

#define KEY(name) MEMBER_KEY(struct record, name)

/* The sealed lab's clock begins in 2024 each time: when and in which plan it ran is known out here. */
static void date(json_t *rec, const char *id, const char *started, const struct run_result *out)
{
	const json_t *first = json_array_get(out->records, 0);
	const char *plan_id = outer_told().plan_id;
	char now[32];

	if (first)
		plan_id = record_of(first).plan_id;
	else if (!plan_id)
		plan_id = id;
	clock_iso8601(time(NULL), now, sizeof(now));
	json_object_set_new(rec, KEY(started), json_string(started));
	json_object_set_new(rec, KEY(finished), json_string(now));
	json_object_set_new(rec, KEY(plan_id), json_string(plan_id));
}

/* A plan that is being carried out. */
struct sealed {
	const struct plan *p;
	struct cargo cargo;
	json_t **merged;	 /* a record per cell */
	struct lab_out *rep; /* what each repetition left */
	unsigned n_reps;
};

/* Where a repetition's files of a cell are, once its record was found. */
static char *cell_dir(const struct lab_out *out, size_t cell)
{
	return xasprintf("%s/cell-%zu", out->path, cell);
}

/* The logs of a boot, and those of one that was lost before it. */
static int keep_logs(const struct sealed *s, size_t cell, const char *dir)
{
	static const char *const kinds[] = {"", "-lost"};
	int err = 0;

	for (unsigned i = 0; i < s->n_reps * ARRAY_SIZE(kinds) && !err; i++) {
		unsigned rep = i / ARRAY_SIZE(kinds);
		const char *kind = kinds[i % ARRAY_SIZE(kinds)];
		char *cell_path = cell_dir(&s->rep[rep], cell);
		char *from = xasprintf("%s/sample-0%s", cell_path, kind);
		char *to = xasprintf("%s/sample-%u%s", dir, rep, kind);

		if (file_exists(from))
			err = dir_make_all(to);
		if (!err && file_exists(from))
			err = dir_copy_all(from, to);
		free(cell_path);
		free(from);
		free(to);
	}
	if (err)
		log_error("%s: the logs of its boots: %s", dir, strerror(-err));
	return err;
}

static int commit(struct store *store, const struct sealed *s, size_t cell, const struct run_call *call,
		  const char *started, struct run_result *out)
{
	const struct plan *p = s->p;
	json_t *rec = s->merged[cell];
	char id[32], *dir;
	int err = store_begin(store, id, &dir);

	if (err)
		return err;
	json_object_set_new(record_of(rec).plan, MEMBER_KEY(struct record_plan, reps), json_integer(p->reps));
	json_object_del(rec, KEY(id));
	date(rec, id, started, out);
	run_complete_record(rec, machine_find(p->args->lab), call, 0);
	run_refresh_record(rec);
	check_equal(rec);
	err = run_write_csv(dir, rec);
	if (!err)
		err = keep_logs(s, cell, dir);
	if (!err)
		err = store_commit(store, id, rec);
	if (err)
		store_abort(store, id);
	free(dir);
	if (!err) {
		out->ok &= record_of(rec).ok;
		json_array_append(out->records, rec);
	}
	return err;
}

static int take_record(struct sealed *s, size_t cell, json_t *records, unsigned rep)
{
	const char *label = s->p->cell[cell].label;
	json_t *rec = record_of_cell(records, label);
	char *from, *to;
	int err;

	if (!rec) {
		log_error("repetition %u gave no record of %s", rep + 1, label);
		return -EIO;
	}
	from = xasprintf("%s/runs/%s", s->rep[rep].path, record_of(rec).id);
	to = cell_dir(&s->rep[rep], cell);
	err = errno_if(rename(from, to));
	if (err)
		log_error("%s: %s", from, strerror(-err));
	else
		err = join_records(&s->merged[cell], rec, rep);
	free(from);
	free(to);
	return err;
}

static int repetition(struct sealed *s)
{
	unsigned rep = s->n_reps;
	json_t *records;
	uint64_t start = clock_ns();
	int err = lab_out_make(&s->rep[rep]);

	if (err)
		return err;
	s->n_reps++;
	err = one_lab(s->p, &s->cargo, s->rep[rep].path);
	records = load_records(s->rep[rep].path);
	for (size_t i = 0; i < s->p->n_cells && !err; i++)
		err = take_record(s, i, records, rep);
	if (!err)
		log_info("repetition %u of %u: %s", rep + 1, s->p->reps,
			 fmt_ns((double)(clock_ns() - start)));
	json_decref(records);
	return err;
}

static void sealed_free(struct sealed *s)
{
	for (size_t i = 0; i < s->p->n_cells; i++)
		json_decref(s->merged[i]);
	while (s->n_reps--)
		lab_out_remove(&s->rep[s->n_reps]);
	free(s->merged);
	free(s->rep);
	cargo_free(&s->cargo);
}

static int run_sealed(const struct plan *p, struct store *store, const struct run_call *call,
		      struct run_result *out)
{
	char *kernel_dir = path_kernel(cell_kernel(&p->cell[0], p->args), "");
	struct sealed s = {.p = p,
			   .merged = xcalloc(p->n_cells, sizeof(*s.merged)),
			   .rep = xcalloc(p->reps, sizeof(*s.rep))};
	int err = -ENOENT;
	char started[32];

	clock_iso8601(time(NULL), started, sizeof(started));
	if (kernel_dir)
		err = load_cargo(&s.cargo, p, kernel_dir);
	while (s.n_reps < p->reps && !err)
		err = repetition(&s);
	for (size_t i = 0; i < p->n_cells && !err; i++)
		err = commit(store, &s, i, call, started, out);
	sealed_free(&s);
	free(kernel_dir);
	return err;
}

/*
 * In the lab another build lies where ours would, under its name: the length of a path shows in virtual
 * time.
 */
static int check_programs(const struct cell *c)
{
	const char *vmm = c->programs.vmm;

	if (!vmm || (c->vmm->ours && !strcmp(strrchr(vmm, '/'), "/vmm")))
		return 0;
	if (c->vmm->ours)
		log_error("%s: with --deterministic it has to be called vmm; give the build directory", vmm);
	else
		log_error("%s: not supported yet with --deterministic, which takes the installed %s", vmm, c->vmm->name);
	return -ENOTSUP;
}

/* Each of two sides in labs of its own, and nothing in them says which side it is. */
static int run_sides_sealed(const struct plan *p, struct store *store, const struct run_call *call,
			    struct run_result *out)
{
	int err = 0;

	for (size_t i = 0; i < p->n_cells && !err; i++)
		err = check_programs(&p->cell[i]);
	for (size_t i = 0; i < p->n_cells && !err; i++) {
		struct plan one = p->pairs->alone[i];

		one.reps = p->reps;
		err = run_sealed(&one, store, call, out);
	}
	return err;
}

int run_plan_deterministic(const struct plan *p, struct store *store, const struct run_call *call,
			   struct run_result *out)
{
	*out = (struct run_result){.records = json_array(), .ok = true};
	return (p->pairs ? run_sides_sealed : run_sealed)(p, store, call, out);
}
