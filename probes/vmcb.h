/* SPDX-License-Identifier: MIT */
#ifndef PROBES_VMCB_H
#define PROBES_VMCB_H

#include "probes/probes.h"

/*
 * Between open and load: the programs that read an SVM exit do so through the kernel's own pointer to its
 * VMCB, where this kernel tells its type (svm_typed() in exit_key.bpf.h), and those that ask for
 * the context load preempt_count (context.bpf.h).
 */
void vmcb_choose(struct probes *p);
/* After the load, which needs it no more. */
void vmcb_chosen(struct probes *p);

#endif
