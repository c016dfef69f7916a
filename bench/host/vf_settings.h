/* SPDX-License-Identifier: MIT */
/* What the PF's driver holds for one of its virtual functions: MAC, VLAN, spoof check, trust (ip link set PF
 * vf N ...). */
#ifndef BENCH_HOST_VF_SETTINGS_H
#define BENCH_HOST_VF_SETTINGS_H

#include "base/util.h"

struct vf_settings {
	char mac[18];       /* "": leave it as it is */
	int vlan;           /* 0: none; -1: leave it as it is */
	int spoofchk, trust; /* 0 off, 1 on, -1: leave it as it is */
};

#define VF_SETTINGS_NONE {"", -1, -1, -1}

/* From the JSON of `ip -j link show dev PF`. 0 or -ENOENT: the card says nothing of function index. */
int vf_settings_parse(const char *json, unsigned index, struct vf_settings *out);
int vf_settings_read(const char *pf, unsigned index, struct vf_settings *out);
/* The command that makes them so, or NULL when they leave all as it is. Caller frees. */
char *vf_settings_command(const char *pf, unsigned index, const struct vf_settings *s);
/* Of old, what new changes: the undo. */
struct vf_settings vf_settings_undo(const struct vf_settings *old, const struct vf_settings *new);

#endif
