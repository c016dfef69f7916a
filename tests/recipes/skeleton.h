/* SPDX-License-Identifier: MIT */
/* Exits to userspace: skeleton.bpf.c */
#ifndef PROBES_SKELETON_H
#define PROBES_SKELETON_H

#include "probes/probes.h"

json_t *skeleton_to_json(struct probes *p);

#endif
