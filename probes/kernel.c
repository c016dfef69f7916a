// SPDX-License-Identifier: MIT
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "probes/kernel.h"
#include "probes/type_names.h"

struct kernel {
	struct btf *vmlinux, *kvm; /* kvm: of the module, on top of vmlinux; NULL when it is built in */
	struct type_names *names;  /* of both */
	int kvm_fd;		   /* the module's types as the kernel holds them; -1: it has none */
};

/* The module's types go on where the kernel's end, so what it does not have is found in the kernel's. */
static const struct btf *all_types(const struct kernel *k)
{
	return k->kvm ? k->kvm : k->vmlinux;
}

/* A module's types as the kernel holds them, to name one of them to it; -1: not to be had. */
static int module_types_fd(const char *module)
{
	char name[32];
	__u32 id = 0;

	while (!bpf_btf_get_next_id(id, &id)) {
		struct bpf_btf_info info = {.name = (uintptr_t)name, .name_len = sizeof(name)};
		__u32 len = sizeof(info);
		int fd = bpf_btf_get_fd_by_id(id);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(name, module))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

struct kernel *kernel_open(void)
{
	struct kernel *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->kvm_fd = -1;
	k->vmlinux = btf__load_vmlinux_btf();
	if (k->vmlinux) {
		k->kvm = btf__load_module_btf("kvm", k->vmlinux);
		k->names = type_names_of(all_types(k));
	}
	if (k->kvm)
		k->kvm_fd = module_types_fd("kvm");
	if (!k->names) {
		kernel_close(k);
		return NULL;
	}
	return k;
}

void kernel_close(struct kernel *k)
{
	if (!k)
		return;
	close_fd(&k->kvm_fd);
	type_names_free(k->names);
	btf__free(k->kvm);
	btf__free(k->vmlinux);
	free(k);
}

bool kernel_hook(const struct kernel *k, const char *name, bool tracepoint, struct kernel_hook *hook)
{
	char type[128];

	snprintf(type, sizeof(type), "%s%s", tracepoint ? "btf_trace_" : "", name);
	hook->type = type_names_find(k->names, type, tracepoint ? BTF_KIND_TYPEDEF : BTF_KIND_FUNC);
	hook->types_fd = 0;
	if (!hook->type)
		return false;
	if (hook->type < btf__type_cnt(k->vmlinux))
		return true;
	hook->types_fd = (uint32_t)MAX(k->kvm_fd, 0);
	return k->kvm_fd >= 0;
}

bool kernel_can_hook(const struct kernel *k, const char *name)
{
	static const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	struct kernel_hook hook;
	int fd;

	if (!kernel_hook(k, name, false, &hook))
		return false;
	opts.attach_btf_id = hook.type;
	opts.attach_btf_obj_fd = hook.types_fd;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "hook", "Dual MIT/GPL", nothing, ARRAY_SIZE(nothing),
			   &opts);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Its prototype, whose first argument is the tracepoint's own; NULL: there is none. */
static const struct btf_type *prototype(const struct kernel *k, const char *tracepoint)
{
	const struct btf *types = all_types(k);
	struct kernel_hook hook;

	if (!kernel_hook(k, tracepoint, true, &hook))
		return NULL;
	/* A typedef of a pointer to the function. */
	return btf__type_by_id(types, btf__type_by_id(types, btf__type_by_id(types, hook.type)->type)->type);
}

bool kernel_has_tracepoint(const struct kernel *k, const char *name)
{
	return prototype(k, name);
}

static bool points_to(const struct btf *types, __u32 id, const char *name)
{
	const struct btf_type *t = btf__type_by_id(types, id);

	if (!btf_is_ptr(t))
		return false;
	t = btf__type_by_id(types, t->type);
	while (btf_is_mod(t))
		t = btf__type_by_id(types, t->type);
	return btf_is_struct(t) && !strcmp(btf__name_by_offset(types, t->name_off), name);
}

int kernel_tracepoint_arg(const struct kernel *k, const char *tracepoint, const char *name)
{
	const struct btf_type *proto = prototype(k, tracepoint);
	const struct btf_param *arg;

	if (!proto || !btf_is_func_proto(proto))
		return -1;
	arg = btf_params(proto);
	for (int i = 1; i < btf_vlen(proto); i++)
		if (points_to(all_types(k), arg[i].type, name))
			return i - 1;
	return -1;
}

/* Those of each CPU; NULL: the kernel does not tell. A name is looked for among all types, so once. */
static const struct btf_type *percpu_section(const struct btf *types)
{
	int id = btf__find_by_name_kind(types, ".data..percpu", BTF_KIND_DATASEC);

	return id < 0 ? NULL : btf__type_by_id(types, (__u32)id);
}

/* The offset of a variable in its section; -1: there is none of this name. */
static long var_offset(const struct btf *types, const struct btf_type *section, const char *name)
{
	const struct btf_var_secinfo *var = btf_var_secinfos(section);

	for (int i = 0; i < btf_vlen(section); i++)
		if (!strcmp(btf__name_by_offset(types, btf__type_by_id(types, var[i].type)->name_off), name))
			return var[i].offset;
	return -1;
}

/* In bytes; -1: the struct or its member is not there. What has no name and stands first is a part of it. */
static long member_offset(const struct btf *types, const char *name, const char *member)
{
	int id = btf__find_by_name_kind(types, name, BTF_KIND_STRUCT);
	const struct btf_type *t;

	if (id < 0)
		return -1;
	t = btf__type_by_id(types, (__u32)id);
	while (btf_vlen(t) && !btf_members(t)[0].name_off)
		t = btf__type_by_id(types, btf_members(t)[0].type);
	for (int i = 0; i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(types, btf_members(t)[i].name_off), member))
			return btf_member_bit_offset(t, (__u32)i) / 8;
	return -1;
}

/* It is a variable of its own, or a member of one. */
static long preempt_count_offset(const struct btf *types, const struct btf_type *section)
{
	long at = var_offset(types, section, "__preempt_count"), hot, member;

	if (at >= 0)
		return at;
	hot = var_offset(types, section, "pcpu_hot");
	member = member_offset(types, "pcpu_hot", "preempt_count");
	if (hot < 0 || member < 0)
		return -1;
	return hot + member;
}

bool kernel_preempt_count(const struct kernel *k, long *from)
{
	const struct btf_type *section = percpu_section(k->vmlinux);
	long known, at;

	if (!section)
		return false;
	known = var_offset(k->vmlinux, section, "this_cpu_off");
	at = preempt_count_offset(k->vmlinux, section);
	*from = at - known;
	return known >= 0 && at >= 0;
}

static bool has_member(const struct btf *types, __u32 id, const char *member)
{
	const struct btf_type *t = btf__type_by_id(types, id);

	if (!member)
		return !btf_is_composite(t);
	for (int i = 0; btf_is_struct(t) && i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(types, btf_members(t)[i].name_off), member))
			return true;
	return false;
}

/* Among the types from `first` on; 0: none. */
static int find_var(const struct btf *types, __u32 first, const char *name, const char *member)
{
	for (__u32 id = first; id < btf__type_cnt(types); id++) {
		const struct btf_type *t = btf__type_by_id(types, id);

		if (btf_is_var(t) && !strcmp(btf__name_by_offset(types, t->name_off), name) &&
		    has_member(types, t->type, member))
			return (int)id;
	}
	return 0;
}

bool kernel_percpu_var(const struct kernel *k, const char *module, const char *name, const char *member,
		       struct kernel_var *var)
{
	struct btf *types = btf__load_module_btf(module, k->vmlinux);
	__u32 own = btf__type_cnt(k->vmlinux);

	*var = (struct kernel_var){0, 0};
	if (types) {
		var->id = find_var(types, own, name, member);
		var->types_fd = module_types_fd(module);
		btf__free(types);
		if (var->id && var->types_fd >= 0)
			return true;
		if (var->types_fd > 0)
			close(var->types_fd);
		return false;
	}
	var->id = find_var(k->vmlinux, 1, name, member);
	return var->id;
}
