/* SPDX-License-Identifier: MIT */
/* The source tree that a program was built in, known by one file that every version of it has. */
#ifndef BASE_CHECKOUT_H
#define BASE_CHECKOUT_H

#include "base/util.h"

bool checkout_is(const char *dir);
/* Of this program: its directory's parent or grandparent (build/bench, build/asan/bench). NULL when it is
 * installed. Caller frees. */
char *checkout_of_program(void);

#endif
