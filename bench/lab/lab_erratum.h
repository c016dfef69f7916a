/* SPDX-License-Identifier: MIT */
/*
 * Defects of the lab's emulator, mended in the memory of the QEMU that we start; its file is left alone. See
 * docs/lab.md for what that changed.
 *
 * ERRATUM_DELIVERY: VMRUN with an injected interrupt: QEMU (10.0 and before) delivers it, but also leaves its
 * vector in the CPU's exception_index, where it stays until the next exit or exception. A kick from another
 * thread in that time has it delivered once more, in whatever state the CPU is then. The store is not needed,
 * since the delivery takes the vector as an argument, so it becomes a no-op.
 *
 * ERRATUM_CR_READ: the decoder (9.1 to 10.0) adds a control register's number to the exit code of `mov` only
 * where the code is not 0, and that of reads begins with CR0's, which is 0: every read counted as one of CR0.
 * The jump over the addition becomes a no-op.
 */
#ifndef BENCH_LAB_LAB_ERRATUM_H
#define BENCH_LAB_LAB_ERRATUM_H

#include <sys/types.h>
#include "base/util.h"

enum lab_erratum { ERRATUM_DELIVERY, ERRATUM_CR_READ, ERRATA };

/* Where in code the instruction of six bytes is; SIZE_MAX when it is not there exactly once. */
size_t lab_erratum_find(enum lab_erratum which, const unsigned char *code, size_t size);
/* Mend these (1 << enum lab_erratum each) in a QEMU that has just been started, if we know its code. */
void lab_erratum_mend(pid_t qemu, unsigned which);
/* Whether all of them were in the QEMU that was started last; for the record. */
bool lab_erratum_mended(void);

#endif
