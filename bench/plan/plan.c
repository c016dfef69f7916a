// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "base/table.h"
#include "bench/host/kvm_params.h"
#include "bench/plan/plan.h"

static int unknown(const char *what, const char *list, const char *name, const char *const *names)
{
	const char *near = opts_nearest(name, names);

	if (near)
		log_error("no %s %s; did you mean %s; see bench list %s", what, name, near, list);
	else
		log_error("no %s %s; see bench list %s", what, name, list);
	return -EINVAL;
}

static int unknown_workload(const char *name)
{
	const char *names[64];
	size_t n = 0;

	for (; n < ARRAY_SIZE(names) - 1 && workload_table[n]; n++)
		names[n] = workload_table[n]->name;
	names[n] = NULL;
	return unknown("workload", "workloads", name, names);
}

/* Split "a,b" into words of the caller's. */
static size_t list_split(const char *list, char ***words)
{
	char *copy = xstrdup(list), *save, **w = NULL;
	size_t n = 0;

	for (char *s = strtok_r(copy, ",", &save); s; s = strtok_r(NULL, ",", &save)) {
		w = xgrow(w, n, sizeof(*w));
		w[n++] = xstrdup(s);
	}
	free(copy);
	*words = w;
	return n;
}

/* The knobs of combination number c: a mixed-radix number with one digit a --set. */
static int combine_knobs(const struct run_args *args, size_t c, const struct mode *mode,
			 struct knobs *ks)
{
	for (size_t i = 0; i < args->set.n; i++) {
		const char *eq = strchr(args->set.item[i], '=');
		const char *name, *value;
		char **values;
		size_t n;
		int err;

		if (!eq || eq == args->set.item[i] || !eq[1]) {
			log_error("--set %s: expected knob=value[,value...]", args->set.item[i]);
			return -EINVAL;
		}
		name = xasprintf("%.*s", (int)(eq - args->set.item[i]), args->set.item[i]);
		n = list_split(eq + 1, &values);
		if (!n)
			return -EINVAL;
		value = values[c % n];
		knob_translate(&name, &value);
		err = knob_check(name, value, mode);
		if (err)
			return err;
		knobs_set(ks, name, value);
		c /= n;
	}
	return 0;
}

static size_t combinations(const struct run_args *args)
{
	size_t total = 1;

	for (size_t i = 0; i < args->set.n; i++) {
		const char *eq = strchr(args->set.item[i], '=');
		size_t n = 1;

		for (const char *s = eq; s && *s; s++)
			n += *s == ',';
		total *= n;
	}
	return total;
}

static char *cell_label(const struct cell *c)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, text_or(c->mode->name, c->workload->name));
	if (c->vmm)
		strbuf_addf(&sb, "/%s%s%s", c->vmm->name, text_if(*c->variant, ":"), c->variant);
	for (size_t i = 0; i < c->knobs.n; i++)
		strbuf_addf(&sb, " %s=%s", c->knobs.k[i].name, c->knobs.k[i].value);
	return strbuf_take(&sb);
}

/* The kinds of path that a workload runs over. */
static unsigned workload_kinds(const struct workload *wl)
{
	if (wl->flags & WORKLOAD_NET)
		return MODE_NET;
	if (wl->flags & WORKLOAD_BLOCK)
		return MODE_BLOCK;
	if (wl->flags & WORKLOAD_MAY_NET)
		return MODE_NONE | MODE_NET;
	return MODE_NONE;
}

static int unknown_mode(const struct workload *wl, const char *name)
{
	const char *names[64];
	size_t n = 0;

	if (workload_kinds(wl) == MODE_NONE) {
		log_error("%s has no device path; leave --mode out, or say --mode=host for this machine without a VM", wl->name);
		return -EINVAL;
	}
	for (const struct mode *const *m = mode_table; *m && n < ARRAY_SIZE(names) - 1; m++)
		if ((*m)->kind & workload_kinds(wl) && *(*m)->name)
			names[n++] = (*m)->name;
	names[n] = NULL;
	return unknown("mode", "modes", name, names);
}

/* A workload that does not use its device needs no driver for it. */
static int check_mode(const struct workload *wl, const struct mode *mode, const char *guest)
{
	if (!(wl->flags & (WORKLOAD_NET | WORKLOAD_BLOCK)) || strcmp(guest, "micro") ||
	    mode->guests & GUEST_MICRO)
		return 0;
	log_error("--mode=%s: the micro guest has no driver for it; use --guest=linux", mode->name);
	return -ENOTSUP;
}

/*
 * The micro guest's device works from the first instant: 50 ms are thousands of frames or blocks, and ten
 * boots fit in three seconds.
 */
#define MICRO_DEVICE_NS (50 * NSEC_PER_MSEC)

/* --quick: long enough for a stream to be under way. */
#define QUICK_NS (500 * NSEC_PER_MSEC)

static uint64_t usual_duration(const struct cell *c)
{
	if (c->workload->flags & (WORKLOAD_NET | WORKLOAD_BLOCK) && !strcmp(c->guest, "micro"))
		return MICRO_DEVICE_NS;
	return c->workload->duration_ns;
}

uint64_t cell_duration_ns(const struct cell *c, const struct run_args *args)
{
	uint64_t usual = usual_duration(c);

	if (args->duration_ns)
		return args->duration_ns;
	if (args->quick)
		return MIN(usual, QUICK_NS);
	return usual;
}

int cell_job(const struct cell *c, const struct run_args *args, struct workload_job *job)
{
	const struct workload *wl = c->workload;

	job_defaults(job);
	snprintf(job->workload, sizeof(job->workload), "%s", wl->name);
	if (cell_duration_ns(c, args))
		job->duration_ns = cell_duration_ns(c, args);
	if (wl->defaults)
		wl->defaults(job);
	if (args->duration_ns)
		job->duration_ns = args->duration_ns;
	if (args->work)
		job->work = args->work;
	for (size_t i = 0; i < c->knobs.n; i++) {
		const struct knob *k = &c->knobs.k[i];

		if (!knob_find(k->name) && job_set_text(job, k->name, k->value)) {
			log_error("--set %s=%s: the job does not take it", k->name, k->value);
			return -EINVAL;
		}
	}
	if (!wl->check)
		return 0;
	return wl->check(job);
}

const char *cell_kernel(const struct cell *c, const struct run_args *args)
{
	return text_or(text_or(c->programs.kernel, args->kernel), "default");
}

const char *cell_vmm_program(const struct cell *c)
{
	return vmm_program(c->vmm, cell_vmm_given(c));
}

int cell_pin(const struct cell *c, const struct run_args *args, struct pin *pin)
{
	unsigned vcpus = 1;

	if (c->vmm)
		vcpus = cell_cpus(c);
	return pin_make(pin, args->pin, vcpus);
}

static int unknown_vmm(const char *name)
{
	const char *names[16];
	size_t n = 0;

	for (; n < ARRAY_SIZE(names) - 1 && vmm_adapters[n]; n++)
		names[n] = vmm_adapters[n]->name;
	names[n] = NULL;
	return unknown("VMM", "vmms", name, names);
}

static int check_guest(const struct workload *wl, const char *guest)
{
	static const struct {
		const char *name, *where;
		unsigned bit;
	} guests[] = {{"linux", "in the linux guest", GUEST_LINUX},
		      {"micro", "in the micro guest", GUEST_MICRO},
		      {"none", "without a guest", GUEST_NONE}};

	for (size_t i = 0; i < ARRAY_SIZE(guests); i++) {
		if (strcmp(guest, guests[i].name))
			continue;
		if (wl->guests & guests[i].bit)
			return 0;
		log_error("%s does not run %s; see bench list workloads", wl->name, guests[i].where);
		return -ENOTSUP;
	}
	log_error("no guest %s; it is linux or micro", guest);
	return -EINVAL;
}

static int check_sealed(const struct run_args *args, const struct cell *c)
{
	if (!args->deterministic || !c->vmm || !c->vmm->unsealed)
		return 0;
	if (strcmp(c->variant, c->vmm->unsealed) != 0)
		return 0;
	log_error("--vmm=%s:%s: not supported yet with --deterministic", c->vmm->name, c->variant);
	return -ENOTSUP;
}

static int check_vms(const struct run_args *args, const struct cell *c)
{
	unsigned n = cell_vms(c);

	if (n == 1)
		return 0;
	if (args->deterministic) {
		log_error("--set vms=%u: not supported yet with --deterministic, whose lab has one CPU", n);
		return -ENOTSUP;
	}
	if (c->vmm && agent_is_on_console(c->vmm->channel)) {
		log_error("--set vms=%u: not supported yet with %s, whose guest has one port", n, c->vmm->name);
		return -ENOTSUP;
	}
	if (strcmp(c->guest, "linux") || args->peer || args->vf) {
		log_error("--set vms=%u: several VMs are Linux guests with one peer here; not supported yet with the micro guest, "
			  "mode host, --peer or --vf", n);
		return -ENOTSUP;
	}
	return 0;
}

/* What every boot would refuse is refused once, here. */
static int check_micro(const struct run_args *args, const struct cell *c, const struct workload_job *job)
{
	if (!strcmp(c->guest, "micro") && cell_has_disk(c) && job->tool != JOB_ENGINE) {
		log_error("--tool: the micro guest has no programs; use --guest=linux");
		return -ENOTSUP;
	}
	if (strcmp(c->guest, "micro") || !(c->workload->flags & WORKLOAD_NET) ||
	    !(args->ipv6 || job->work || job->tool != JOB_ENGINE || job->direction == JOB_BOTH))
		return 0;
	log_error("the micro guest sends or receives by IPv4 for a duration; --ipv6, --work, --tool and direction=both are not "
		  "supported yet, use --guest=linux");
	return -ENOTSUP;
}

/* A function of a device has no other medium than the device's. */
static bool has_own_medium(const struct mode *m)
{
	return m->kind == MODE_BLOCK && m->front == FRONT_VFIO;
}

const char *args_medium(const struct run_args *args)
{
	const char *modes = text_or(args->modes, "");

	for (const struct mode *const *m = mode_table; *m && !args->medium; m++)
		if (has_own_medium(*m) && knob_word_in(modes, ',', (*m)->name))
			return MEDIUM_OF_DEVICE;
	return text_or(args->medium, MEDIUM_DEFAULT);
}

static int check_own_medium(const struct cell *c, const char *medium)
{
	if (!has_own_medium(c->mode) || !strcmp(medium, MEDIUM_OF_DEVICE))
		return 0;
	log_error("--medium=%s: mode %s lies on its device's own; leave --medium out, or say " MEDIUM_OF_DEVICE, medium,
		  c->mode->name);
	return -EINVAL;
}

static int check_medium_time(const struct cell *c, const char *medium)
{
	const char *us = knobs_get(&c->knobs, "medium_us", NULL);

	if (!us || medium_timed(medium))
		return 0;
	log_error("--set medium_us=%s: --medium=%s takes the time that it takes; only null can be told", us, medium);
	return -EINVAL;
}

/* The medium is one, and can be read again when it is to be compared. */
static int check_disk(const struct run_args *args, const struct cell *c)
{
	const char *medium = args_medium(args), *verify;
	int err = args->medium ? medium_check(args->medium) : 0;

	if (err)
		return err;
	if (!cell_has_disk(c)) {
		if (!args->medium)
			return 0;
		log_error("--medium=%s: %s uses no disk", args->medium, c->workload->name);
		return -EINVAL;
	}
	err = check_own_medium(c, medium);
	if (!err)
		err = check_medium_time(c, medium);
	if (err)
		return err;
	verify = knobs_get(&c->knobs, "verify", "off");
	if (medium_keeps(medium) || !strcmp(verify, "off"))
		return 0;
	log_error("--set verify=%s: --medium=%s keeps nothing that could be compared; use --medium=ram or file", verify,
		  medium);
	return -EINVAL;
}

static const char *workload_guest(const struct workload *wl)
{
	return wl->guests & GUEST_LINUX ? "linux" : "micro";
}

/* What is measured where: mode, VMM and guest of a cell. */
static int choose_path(struct cell *c, const char *mode, const char *vmm)
{
	unsigned kinds = workload_kinds(c->workload);
	size_t name_len = strcspn(vmm, ":");
	int err;

	if (!strcmp(vmm, "none"))
		c->mode = mode_without_vm(kinds);
	else
		c->mode = mode_find(mode, kinds);
	if (c->mode && !mode_has_vm(c->mode)) {
		c->guest = "none";
	} else {
		c->vmm = vmm_adapter_find(vmm, name_len);
		c->variant = vmm + name_len;
		if (*c->variant) /* skip the colon */
			c->variant++;
		if (!c->vmm)
			return unknown_vmm(vmm);
	}
	err = check_guest(c->workload, c->guest);
	if (!err && c->vmm && c->vmm->guests && !strcmp(c->guest, "micro")) {
		log_error("--guest=micro: %s does not boot it; use builtin, qemu or microvm", c->vmm->name);
		err = -ENOTSUP;
	}
	if (err)
		return err;
	if (!c->mode)
		return unknown_mode(c->workload, mode);
	return check_mode(c->workload, c->mode, c->guest);
}

/*
 * A card that throttles its interrupts has every second packet wait: of a life with two kinds of trips the
 * median is neither.
 */
static void throttle_by_observer(struct cell *c)
{
	bool card = c->mode->front == FRONT_VFIO && c->mode->kind == MODE_NET;

	if (card && !strcmp(knobs_get(&c->knobs, "observer", ""), OBSERVER_LIFE) &&
	    !knobs_get(&c->knobs, "throttle", NULL))
		knobs_set(&c->knobs, "throttle", "off");
}

static int add_cell(struct plan *p, const struct workload *wl, const char *mode, const char *vmm,
		    size_t combo)
{
	struct workload_job job;
	struct cell c = {
		.workload = wl,
		.variant = "",
		.guest = text_or(p->args->guest, workload_guest(wl)),
	};
	int err = choose_path(&c, mode, vmm);

	if (err)
		return err;
	err = combine_knobs(p->args, combo, c.mode, &c.knobs);
	if (err)
		return err;
	if (p->args->tool)
		knobs_set(&c.knobs, "tool", p->args->tool);
	throttle_by_observer(&c);
	err = check_vms(p->args, &c);
	if (!err)
		err = check_disk(p->args, &c);
	if (!err && c.vmm)
		err = vmm_check(c.vmm, c.variant, c.mode, &c.knobs);
	if (!err)
		err = check_sealed(p->args, &c);
	if (err)
		return err;
	err = cell_job(&c, p->args, &job); /* refused now, not after a boot */
	if (!err)
		err = check_micro(p->args, &c, &job);
	if (err)
		return err;
	c.label = cell_label(&c);
	for (size_t i = 0; i < p->n_cells; i++) {
		if (!strcmp(p->cell[i].label, c.label)) { /* mode host does not vary with the VMM */
			free(c.label);
			return 0;
		}
	}
	p->cell = xgrow(p->cell, p->n_cells, sizeof(*p->cell));
	p->cell[p->n_cells++] = c;
	return 0;
}

static void add_step(struct plan *p, size_t cell, unsigned rep, bool warmup)
{
	p->step[p->n_steps++] = (struct plan_step){cell, rep, warmup};
}

/* Pairs have an order of their own in each round: that it is drawn is what their test counts on. */
static bool draws_round(const struct plan *p, unsigned round)
{
	return p->pairs || round % 2 == 0;
}

/*
 * ABBA: every round boots each cell once, in an order drawn anew, and the next round runs it backwards, so
 * that a drift of the machine falls on all cells alike.
 */
void plan_order(struct plan *p, unsigned reps)
{
	size_t *round = xcalloc(p->n_cells, sizeof(*round));
	unsigned warmup = (unsigned)p->args->warmup;
	struct rng rng;

	p->reps = reps;
	rng_seed(&rng, p->seed);
	p->step = xcalloc(p->n_cells * (p->reps + warmup), sizeof(*p->step));
	for (size_t i = 0; i < p->n_cells; i++)
		round[i] = i;
	for (unsigned w = 0; w < warmup; w++)
		for (size_t i = 0; i < p->n_cells; i++)
			add_step(p, i, w, true);
	for (unsigned r = 0; r < p->reps; r++) {
		for (size_t i = p->n_cells; draws_round(p, r) && i > 1; i--) {
			size_t j = rng_below(&rng, i), t = round[i - 1];

			round[i - 1] = round[j];
			round[j] = t;
		}
		for (size_t i = 0; i < p->n_cells; i++)
			add_step(p, round[draws_round(p, r) ? i : p->n_cells - 1 - i], r, false);
	}
	free(round);
}

static const char all_vmms[] = "all";

/* Those whose program is here, for --vmm=all. */
static size_t vmms_here(char ***vmms)
{
	char **w = NULL;
	size_t n = 0;

	for (size_t i = 0; vmm_adapters[i]; i++) {
		if (!vmm_is_here(vmm_adapters[i]))
			continue;
		w = xgrow(w, n, sizeof(*w));
		w[n++] = xstrdup(vmm_adapters[i]->name);
	}
	*vmms = w;
	return n;
}

/* What one of all cannot do is left out; of one that was named it is refused. */
static bool left_out(const struct run_args *args, const struct workload *wl, const char *mode,
		     const char *vmm)
{
	const struct mode *m = mode_find(mode, workload_kinds(wl));
	const struct vmm_adapter *a = vmm_adapter_find(vmm, strlen(vmm));

	if (!m || !mode_has_vm(m) || !args->vmms || strcmp(args->vmms, all_vmms))
		return false;
	if (a->guests && args->guest && !strcmp(args->guest, "micro"))
		return true;
	return !vmm_can(a, m);
}

/* The mode of a workload with a device path, unless one is named. */
static const char *workload_mode(const struct workload *wl)
{
	if (wl->flags & WORKLOAD_NET)
		return "virtio";
	return wl->flags & WORKLOAD_BLOCK ? "virtio-blk" : "";
}

#define BOOTS_MAX 10000

int plan_make(struct plan *p, const char *name, const struct run_args *args)
{
	const struct workload *wl = workload_find(name);
	char **modes, **vmms;
	size_t n_modes, n_vmms, n_sets = combinations(args);
	int err = 0;

	*p = (struct plan){.args = args};
	p->seed = or_usual(args->seed, clock_ns());
	if (!wl)
		return unknown_workload(name);
	if (MAX(args->reps, args->warmup) > BOOTS_MAX) {
		log_error("--reps and --warmup: at most %d boots of a cell", BOOTS_MAX);
		return -EINVAL;
	}
	n_modes = list_split(args->modes ? args->modes : workload_mode(wl), &modes);
	if (!n_modes) {
		modes = xcalloc(1, sizeof(*modes));
		modes[n_modes++] = xstrdup("");
	}
	if (args->vmms && !strcmp(args->vmms, all_vmms))
		n_vmms = vmms_here(&vmms);
	else
		n_vmms = list_split(text_or(args->vmms, "builtin"), &vmms);
	for (size_t m = 0; m < n_modes && !err; m++)
		for (size_t v = 0; v < n_vmms && !err; v++)
			for (size_t s = 0; s < n_sets && !err && !left_out(args, wl, modes[m], vmms[v]); s++)
				err = add_cell(p, wl, modes[m], vmms[v], s);
	if (!err && (args->nic || args->vf) && !plan_real_wire(p)) {
		log_error("--nic, --vf: nothing here goes over a card; add --topology=wire or mode sriov");
		return -EINVAL;
	}
	return err;
}

void plan_free(struct plan *p)
{
	for (size_t i = 0; i < p->n_cells; i++) {
		free(p->cell[i].label);
		free(p->cell[i].knobs.k);
	}
	free(p->cell);
	free(p->step);
}

bool cell_uses_kvm(const struct cell *c)
{
	return c->vmm && (!c->vmm->uses_kvm || c->vmm->uses_kvm(vmm_variant(c->variant)));
}

unsigned plan_needs(const struct plan *p)
{
	unsigned needs = 0;

	for (size_t i = 0; i < p->n_cells; i++) {
		const struct cell *c = &p->cell[i];

		needs |= c->workload->needs | c->mode->needs;
		if (c->vmm)
			needs |= c->vmm->needs;
		if (cell_has_disk(c))
			needs |= medium_needs(args_medium(p->args));
		if (cell_uses_kvm(c) && !strcmp(c->guest, "linux"))
			needs |= NEED_KVM_LINUX;
		else if (cell_uses_kvm(c))
			needs |= NEED_KVM;
		for (size_t k = 0; k < c->knobs.n; k++)
			if (kvm_param_find(c->knobs.k[k].name) && !cell_own_hypervisor(c))
				needs |= NEED_LAB;
	}
	/* The lab has cards on a wire; another machine has them for sure only if one was named. */
	if (plan_real_wire(p) && !p->args->nic && !p->args->peer)
		needs |= NEED_VFIO;
	return needs;
}

/* Debian's usual kernel is built without CONFIG_KVM_XEN and CONFIG_VDPA_USER. */
const char *plan_lab_kernel(const struct plan *p)
{
	return plan_needs(p) & (NEED_KVM_XEN | NEED_VDPA) ? "newer" : NULL;
}

bool plan_real_wire(const struct plan *p)
{
	if (p->args->topology)
		return !strcmp(p->args->topology, "wire");
	if (p->args->peer)
		return true;
	for (size_t i = 0; i < p->n_cells; i++)
		if (cell_has_net(&p->cell[i]) && p->cell[i].mode->front == FRONT_VFIO)
			return true;
	return false;
}

void plan_print(const struct plan *p, FILE *out)
{
	struct table *t = table_new(4, ":step", "cell:", ":boot", "kind:");

	for (size_t i = 0; i < p->n_steps; i++) {
		table_cell(t, "%zu", i + 1);
		table_cell(t, "%s", p->cell[p->step[i].cell].label);
		table_cell(t, "%u", p->step[i].rep + 1);
		table_cell(t, "%s", p->step[i].warmup ? "warm-up" : "sample");
	}
	table_print(t, out);
	fprintf(out, "%zu cell%s, ", p->n_cells, text_if(p->n_cells != 1, "s"));
	fprintf(out, "%zu boot%s, ", p->n_steps, text_if(p->n_steps != 1, "s"));
	fprintf(out, "seed %llu\n", (unsigned long long)p->seed);
}
