/* SPDX-License-Identifier: MIT */
/* A gate's verdict for people, for pull requests and for CI. */
#ifndef ANALYSIS_GATE_REPORT_H
#define ANALYSIS_GATE_REPORT_H

#include "analysis/gate.h"

struct gate_names {
	const char *base, *screen, *confirm; /* IDs; confirm NULL when not taken */
	char *series;
};

void gate_write_text(const struct gate *g, const struct gate_names *names, FILE *out);
void gate_write_markdown(const struct gate *g, const struct gate_names *names, FILE *out);
/* The table of a gate in virtual time alone. */
void gate_write_exact(const struct gate *g, FILE *out);
/* One test case per metric; tripped ones failed, those that could not be judged in error. */
void gate_write_junit(const struct gate *g, const struct gate_names *names, FILE *out);

#endif
