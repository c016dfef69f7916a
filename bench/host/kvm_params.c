// SPDX-License-Identifier: MIT
#include "bench/host/kvm_params.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench/host/kmod.h"
#include "bench/host/outer.h"

const struct kvm_param kvm_param_table[] = {
	{"paging", "nested", "shadow", "ept", "npt"},
	{"apicv", "on", "off", "enable_apicv", NULL},
	{"avic", "on", "off", NULL, "avic"},
	{"vpid", "on", "off", "vpid", NULL},
	{"unrestricted", "on", "off", "unrestricted_guest", NULL},
	{"preemption_timer", "on", "off", "preemption_timer", NULL},
	{"pml", "on", "off", "pml", NULL},
	{"vgif", "on", "off", NULL, "vgif"},
	{"vls", "on", "off", NULL, "vls"},
	{NULL, NULL, NULL, NULL, NULL},
};

const struct kvm_param *kvm_param_find(const char *knob)
{
	for (const struct kvm_param *k = kvm_param_table; k->knob; k++)
		if (!strcmp(k->knob, knob))
			return k;
	return NULL;
}

void kvm_params_want(struct kvm_params *p, const struct kvm_param *param, const char *value)
{
	BUG_ON(p->n == KVM_PARAMS_MAX);
	p->want[p->n] = param;
	p->on[p->n++] = !strcmp(value, param->on);
}

static const char *find_module(void)
{
	if (file_exists("/sys/module/kvm_intel/parameters"))
		return "kvm_intel";
	if (file_exists("/sys/module/kvm_amd/parameters"))
		return "kvm_amd";
	return NULL;
}

const char *kvm_param_name(const struct kvm_param *k, const char *module)
{
	if (!strcmp(module, "kvm_intel"))
		return k->intel;
	return k->amd;
}

/* 1 on, 0 off, -ENOENT when this kernel's module has no such parameter. */
static int param_state(const char *module, const char *name)
{
	char *path = xasprintf("/sys/module/%s/parameters/%s", module, name), *text = file_read_line(path);
	int state = -ENOENT;

	if (*text)
		state = *text == 'Y' || *text == '1';
	free(path);
	free(text);
	return state;
}

/* The module's parameters as they are now: "ept=1 vpid=1 ...". */
static char *params_now(const char *module)
{
	struct strbuf sb = STRBUF_INIT;

	for (const struct kvm_param *k = kvm_param_table; k->knob; k++) {
		const char *name = kvm_param_name(k, module);
		int state = -ENOENT;

		if (name)
			state = param_state(module, name);
		if (state < 0)
			continue;
		strbuf_sep(&sb, " ");
		strbuf_addf(&sb, "%s=%d", name, state);
	}
	return strbuf_take(&sb);
}

/* The same, followed by what is wanted: of two values for a parameter the module takes the last. */
static char *params_wanted(const struct kvm_params *p)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, p->was);
	for (size_t i = 0; i < p->n; i++)
		strbuf_addf(&sb, " %s=%d", kvm_param_name(p->want[i], p->module), p->on[i]);
	return strbuf_take(&sb);
}

/* ---- in a lab ---- */

static int lab_reload(const char *module, const char *params)
{
	int err = kmod_lab_unload(module);

	if (!err)
		err = kmod_lab_load(module, params);
	return err;
}

/* ---- on a host ---- */

/* The journal undoes in reverse order: it unloads the module, then loads it as it was. */
static int host_reload(struct kvm_params *p, const char *params)
{
	char *unload = xasprintf("modprobe -r %s", p->module);
	char *load = xasprintf("modprobe %s %s", p->module, params);
	char *load_back = xasprintf("modprobe %s %s", p->module, p->was);
	int err = journal_open(&p->journal);

	if (!err)
		err = journal_run(p->journal, unload, load_back);
	if (!err)
		err = journal_run(p->journal, load, unload);
	free(load_back);
	free(load);
	free(unload);
	return err;
}

bool kvm_params_free_to_change(void)
{
	const char *module = find_module();
	char *path = xasprintf("/sys/module/%s/refcnt", text_or(module, "")), *users = file_read_line(path);
	bool unused = module && !strcmp(users, "0") && geteuid() == 0;

	free(users);
	free(path);
	return unused;
}

/* ---- either ---- */

static int check_names(const struct kvm_params *p, char **why)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct kvm_param *k = p->want[i];
		const char *name = kvm_param_name(k, p->module);

		if (name && param_state(p->module, name) >= 0)
			continue;
		if (name)
			*why = xasprintf("%s=: the %s of this kernel has no parameter %s", k->knob, p->module,
					 name);
		else
			*why = xasprintf("%s=: this KVM is %s, which has no such thing", k->knob, p->module);
		return -ENOTSUP;
	}
	return 0;
}

/* The first that is not as wanted, or n. */
static size_t first_other(const struct kvm_params *p)
{
	size_t i = 0;

	while (i < p->n && param_state(p->module, kvm_param_name(p->want[i], p->module)) == p->on[i])
		i++;
	return i;
}

static int load_anew(struct kvm_params *p, char **why)
{
	char *params;
	size_t i;
	int err;

	p->was = params_now(p->module);
	params = params_wanted(p);
	if (lab_inside())
		err = lab_reload(p->module, params);
	else
		err = host_reload(p, params);
	if (err)
		*why = xasprintf("%s cannot be loaded anew with %s: %s", p->module, params, strerror(-err));
	free(params);
	if (err)
		return err;
	i = first_other(p);
	if (i == p->n)
		return 0;
	*why = xasprintf("%s=%s: %s did not take it: the processor lacks it, or what it needs is off", p->want[i]->knob,
			 p->on[i] ? p->want[i]->on : p->want[i]->off, p->module);
	return -ENOTSUP;
}

int kvm_params_set(struct kvm_params *p, char **why)
{
	int err;

	if (!p->n)
		return 0;
	p->module = find_module();
	if (!p->module) {
		*why = xasprintf("%s=: this machine's KVM is neither kvm_intel nor kvm_amd", p->want[0]->knob);
		return -ENOTSUP;
	}
	err = check_names(p, why);
	if (err)
		return err;
	if (first_other(p) == p->n)
		return 0;
	return load_anew(p, why);
}

void kvm_params_undo(struct kvm_params *p)
{
	int err = 0;

	if (p->journal)
		journal_close(p->journal);
	else if (p->was)
		err = lab_reload(p->module, p->was);
	if (err)
		log_error("%s: cannot be loaded anew with %s: %s", p->module, p->was, strerror(-err));
	free(p->was);
	*p = (struct kvm_params){.n = 0};
}
