// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/profile/vm_name.h"

#define POD_UID      36
#define CONTAINER_ID 64
#define SHORT_ID     12

static void name_set(char name[VM_NAME], const char *text, size_t len)
{
	snprintf(name, VM_NAME, "%.*s", (int)MIN(len, VM_NAME), text);
	str_one_line(name);
}

static void name_also(struct vm_name *n, const char *text)
{
	if (*text && strcmp(text, n->text) != 0 && n->n_also < VM_ALSO)
		name_set(n->also[n->n_also++], text, strlen(text));
}

/* What stands behind the prefix, or NULL. */
static const char *after(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(text, prefix, len) != 0)
		return NULL;
	return text + len;
}

/* ---- what the VMM was told ---- */

#define QEMU_ITEM (VM_NAME + sizeof("guest="))

/* One "key=value" of QEMU's list, where two commas are one of the value's. Returns what is behind it. */
static const char *qemu_item(const char *list, char item[QEMU_ITEM])
{
	size_t n = 0;

	for (; *list && (*list != ',' || list[1] == ','); list++) {
		list += *list == ',';
		if (n < QEMU_ITEM - 1)
			item[n++] = *list;
	}
	item[n] = '\0';
	return list + (*list == ',');
}

/* "guest=web,debug-threads=on" or "web". */
static void qemu_name(struct vm_name *n, const char *list)
{
	char item[QEMU_ITEM];
	const char *value;

	for (bool first = true; *list; first = false) {
		list = qemu_item(list, item);
		value = after(item, "guest=");
		if (!value && first && !strchr(item, '='))
			value = item;
		if (value)
			name_set(n->text, value, strlen(value));
	}
}

static void plain_name(struct vm_name *n, const char *value)
{
	name_set(n->text, value, strlen(value));
}

static void firecracker_id(struct vm_name *n, const char *value)
{
	plain_name(n, value);
	n->manager = "firecracker";
}

static const struct {
	const char *program; /* what its name begins with */
	const char *option;
	void (*take)(struct vm_name *n, const char *value);
} options[] = {
	{"", "-name", qemu_name}, /* QEMU has many names */
	{"firecracker", "--id", firecracker_id},
	{"lkvm", "--name", plain_name},
	{"crosvm", "--name", plain_name},
};

/* The value of "--id web" or "--id=web" at an argument; NULL: it is another one. */
static const char *option_value(const char *arg, const char *end, const char *option)
{
	const char *value = after(arg, option);

	if (value && *value == '=')
		return value + 1;
	if (value && !*value && value + 1 < end)
		return value + 1;
	return NULL;
}

static void read_args(struct vm_name *n, const char *program, const char *args, size_t len)
{
	const char *end = args + len, *value;

	for (const char *a = args; a < end && !*n->text; a += strlen(a) + 1)
		for (size_t i = 0; i < ARRAY_SIZE(options) && !*n->text; i++) {
			if (!after(program, options[i].program))
				continue;
			value = option_value(a, end, options[i].option);
			if (value)
				options[i].take(n, value);
		}
}

/* ---- where it was put ---- */

struct placed {
	char machine[VM_NAME], domain[VM_NAME], id[VM_NAME]; /* of systemd, of libvirt, of the jailer */
};

/* "\x2d", as systemd writes what a unit's name cannot hold. False when there is none. */
static bool escaped_char(const char *text, size_t len, char *c)
{
	char hex[3] = "";

	if (len < 4 || text[0] != '\\' || text[1] != 'x')
		return false;
	memcpy(hex, text + 2, 2);
	*c = (char)strtoul(hex, NULL, 16);
	return isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]);
}

static void unescape_unit(char name[VM_NAME], const char *text, size_t len)
{
	char plain[VM_NAME];
	size_t n = 0;

	for (size_t i = 0; i < len && n < sizeof(plain) - 1; i++) {
		if (escaped_char(text + i, len - i, &plain[n]))
			i += 3;
		else
			plain[n] = text[i];
		n++;
	}
	name_set(name, plain, n);
}

/* libvirt's machines are called "qemu-3-web", the number being that of the domain. */
static void machine_found(struct placed *p, const char *unit, size_t len)
{
	const char *rest;

	unescape_unit(p->machine, unit, len);
	rest = after(p->machine, "qemu-");
	if (!rest || !isdigit((unsigned char)*rest))
		return;
	rest += strspn(rest, "0123456789");
	if (*rest == '-' && rest[1])
		name_set(p->domain, rest + 1, strlen(rest + 1));
}

static bool ends_in(const char *part, const char *end, size_t *len)
{
	size_t end_len = strlen(end), part_len = strlen(part);

	if (part_len <= end_len || strcmp(part + part_len - end_len, end) != 0)
		return false;
	*len = part_len - end_len;
	return true;
}

static void look_for_machine(struct placed *p, const char *part)
{
	static const struct {
		const char *begin, *end;
	} units[] = {
		{"machine-", ".scope"},
		{"systemd-vmspawn@", ".service"},
		{"systemd-nspawn@", ".service"},
		{"", ".libvirt-qemu"}, /* without systemd */
	};
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(units) && !*p->machine; i++) {
		const char *unit = after(part, units[i].begin);

		if (unit && ends_in(unit, units[i].end, &len))
			machine_found(p, unit, len);
	}
}

/* "pod<UID>" or "kubepods-burstable-pod<UID>.slice", there with "_" for "-". */
static void look_for_pod(struct vm_name *n, const char *part)
{
	const char *uid = after(part, "pod");

	if (!uid && after(part, "kubepods")) {
		uid = strstr(part, "-pod");
		if (uid)
			uid += strlen("-pod");
	}
	if (!uid || strspn(uid, "0123456789abcdef-_") != POD_UID)
		return;
	snprintf(n->pod, sizeof(n->pod), "%.*s", POD_UID, uid);
	for (char *c = strchr(n->pod, '_'); c; c = strchr(c, '_'))
		*c = '-';
}

/* 64 hexadecimal digits, alone or as in "cri-containerd-<ID>.scope". */
static void look_for_container(struct vm_name *n, const char *part)
{
	const char *id = part, *dash = strrchr(part, '-');

	if (dash)
		id = dash + 1;
	if (strspn(id, "0123456789abcdef") == CONTAINER_ID &&
	    (!id[CONTAINER_ID] || !strcmp(id + CONTAINER_ID, ".scope")))
		snprintf(n->container, sizeof(n->container), "%.*s", SHORT_ID, id);
}

/* Of "12:cpu,cpuacct:/machine.slice/..." the parts of the path. */
static void read_cgroup(struct vm_name *n, struct placed *p, char *line)
{
	char *path = strchr(line, '/'), *save = NULL;
	const char *before = "";

	if (!path)
		return;
	for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		look_for_machine(p, part);
		look_for_pod(n, part);
		look_for_container(n, part);
		if (!strcmp(before, "firecracker"))
			name_set(p->id, part, strlen(part));
		before = part;
	}
}

static void read_cgroups(struct vm_name *n, struct placed *p, const char *cgroups)
{
	char *text = xstrdup(cgroups), *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		read_cgroup(n, p, line);
	free(text);
}

/* ---- both together ---- */

static void placed_by(struct vm_name *n, const struct placed *p)
{
	const char *name = text_or(p->domain, text_or(p->machine, p->id));

	if (*p->domain)
		n->manager = "libvirt";
	else if (*p->machine)
		n->manager = "machined";
	else if (*p->id)
		n->manager = "firecracker";
	if (!*n->text)
		name_set(n->text, name, strlen(name));
	name_also(n, p->machine);
	name_also(n, p->domain);
	name_also(n, p->id);
}

/* "lima-NAME", and colima's, which are lima's: "lima-colima", "lima-colima-NAME". */
static void look_for_lima(struct vm_name *n)
{
	const char *instance = after(n->text, "lima-"), *profile;

	if (!instance || *n->manager)
		return;
	n->manager = "lima";
	name_also(n, instance);
	profile = after(instance, "colima");
	if (!profile || (*profile && *profile != '-'))
		return;
	n->manager = "colima";
	name_also(n, profile + (*profile == '-'));
}

/* The domain of a pod is called "NAMESPACE_NAME"; a namespace has no "_". */
static void look_for_kubevirt(struct vm_name *n)
{
	const char *vm = strchr(n->text, '_');
	char *both;

	if (!*n->pod || !vm)
		return;
	n->manager = "kubevirt";
	both = xasprintf("%.*s/%s", (int)(vm - n->text), n->text, vm + 1);
	name_also(n, both);
	name_also(n, vm + 1);
	free(both);
}

void vm_name_find(struct vm_name *n, const char *program, const char *args, size_t len, const char *cgroups)
{
	struct placed p = {.machine = ""};

	*n = (struct vm_name){.manager = ""};
	read_args(n, program, args, len);
	read_cgroups(n, &p, cgroups);
	placed_by(n, &p);
	if (!*n->text)
		name_set(n->text, program, strlen(program));
	look_for_lima(n);
	look_for_kubevirt(n);
	name_also(n, program);
}

/* What is wanted is cut and cleaned as names are. */
bool vm_name_is(const struct vm_name *n, const char *wanted)
{
	char clean[VM_NAME];

	name_set(clean, wanted, strlen(wanted));
	if (!*clean)
		return false;
	if (!strcmp(clean, n->text) || !strcmp(clean, n->pod) || !strcmp(clean, n->container))
		return true;
	for (size_t i = 0; i < n->n_also; i++)
		if (!strcmp(clean, n->also[i]))
			return true;
	return false;
}
