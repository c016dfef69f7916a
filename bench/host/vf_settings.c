// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/proc.h"
#include "base/strbuf.h"
#include "bench/host/vf_settings.h"

static int tristate(const json_t *v)
{
	return v ? json_is_true(v) : -1;
}

static void from_json(const json_t *vf, struct vf_settings *out)
{
	const json_t *vlan = json_array_get(json_object_get(vf, "vlan_list"), 0);
	const char *mac = json_string_value(json_object_get(vf, "address"));

	*out = (struct vf_settings)VF_SETTINGS_NONE;
	snprintf(out->mac, sizeof(out->mac), "%s", text_if(mac, mac));
	/* iproute2 leaves out a VLAN of 0. */
	out->vlan = (int)json_integer_value(json_object_get(vlan, "vlan"));
	out->spoofchk = tristate(json_object_get(vf, "spoofchk"));
	out->trust = tristate(json_object_get(vf, "trust"));
}

int vf_settings_parse(const char *json, unsigned index, struct vf_settings *out)
{
	json_t *links = json_loads(json, 0, NULL), *vf;
	int err = -ENOENT;
	size_t i;

	json_array_foreach(json_object_get(json_array_get(links, 0), "vfinfo_list"), i, vf) {
		if (json_integer_value(json_object_get(vf, "vf")) != (json_int_t)index)
			continue;
		from_json(vf, out);
		err = 0;
	}
	json_decref(links);
	return err;
}

int vf_settings_read(const char *pf, unsigned index, struct vf_settings *out)
{
	char *argv[] = {"ip", "-j", "link", "show", "dev", (char *)pf, NULL};
	struct strbuf sb = STRBUF_INIT;
	int status = proc_run(argv, &sb, 10 * NSEC_PER_SEC);
	int err = -EIO;

	if (!status)
		err = vf_settings_parse(strbuf_str(&sb), index, out);
	strbuf_free(&sb);
	return err;
}

static void add_switch(struct strbuf *sb, const char *name, int value)
{
	if (value >= 0)
		strbuf_addf(sb, " %s %s", name, on_off(value));
}

char *vf_settings_command(const char *pf, unsigned index, const struct vf_settings *s)
{
	struct strbuf sb = STRBUF_INIT;

	if (!*s->mac && s->vlan < 0 && s->spoofchk < 0 && s->trust < 0)
		return NULL;
	strbuf_addf(&sb, "ip link set dev %s vf %u", pf, index);
	if (*s->mac)
		strbuf_addf(&sb, " mac %s", s->mac);
	if (s->vlan >= 0)
		strbuf_addf(&sb, " vlan %d", s->vlan);
	add_switch(&sb, "spoofchk", s->spoofchk);
	add_switch(&sb, "trust", s->trust);
	return strbuf_take(&sb);
}

struct vf_settings vf_settings_undo(const struct vf_settings *old, const struct vf_settings *new)
{
	struct vf_settings u = VF_SETTINGS_NONE;

	if (*new->mac)
		snprintf(u.mac, sizeof(u.mac), "%s", old->mac);
	if (new->vlan >= 0)
		u.vlan = old->vlan;
	if (new->spoofchk >= 0)
		u.spoofchk = old->spoofchk;
	if (new->trust >= 0)
		u.trust = old->trust;
	return u;
}
