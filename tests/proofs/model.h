/* SPDX-License-Identifier: MIT */
/* What every proof has: any value, what is assumed, what is proven, and a bug of ours as what must not be. */
#ifndef TESTS_PROOFS_MODEL_H
#define TESTS_PROOFS_MODEL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Any value that the type has: CBMC knows functions of these names. */
bool nondet_bool(void);
uint8_t nondet_u8(void);
uint16_t nondet_u16(void);
uint32_t nondet_u32(void);
uint64_t nondet_u64(void);

/* The memory of the object at p holds anything at all. */
#define any_memory(p) __CPROVER_havoc_object(p)

#define assume(cond) __CPROVER_assume(cond)
#define prove(cond)  __CPROVER_assert(cond, #cond)

/* An object of exactly so many bytes, with anything in it: one byte beyond is an error. */
static inline void *object(uint64_t size)
{
	void *p = malloc(size);

	assume(p != NULL);
	return p;
}

_Noreturn void bug(const char *file, int line, const char *what)
{
	(void)file;
	(void)line;
	(void)what;
	__CPROVER_assert(false, "BUG_ON");
	assume(false);
	for (;;)
		;
}

#endif
