/* SPDX-License-Identifier: MIT */
/*
 * A defect of the lab's emulator, mended in the memory of the QEMU that we start; its file is left alone.
 *
 * VMRUN with an injected interrupt: QEMU (10.0 and before) delivers it, but also leaves its vector in the
 * CPU's exception_index, where it stays until the next exit or exception. A kick from another thread in that
 * time has it delivered once more, in whatever state the CPU is then. The store is not needed, since the
 * delivery takes the vector as an argument, so it becomes a no-op. See docs/lab.md for what that changed.
 */
#ifndef BENCH_LAB_LAB_ERRATUM_H
#define BENCH_LAB_LAB_ERRATUM_H

#include <sys/types.h>
#include "base/util.h"

/* Where in code the store is (six bytes); SIZE_MAX when it is not there exactly once. */
size_t lab_erratum_find(const unsigned char *code, size_t size);
/* Mend a QEMU that has just been started, if it is one whose code we know. */
void lab_erratum_mend(pid_t qemu);
/* Whether the QEMU that was started last has been mended; for the record. */
bool lab_erratum_mended(void);

#endif
