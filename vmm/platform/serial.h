/* SPDX-License-Identifier: MIT */
/* A 16550A serial port. */
#ifndef VMM_PLATFORM_SERIAL_H
#define VMM_PLATFORM_SERIAL_H

#include "vmm/core/vm.h"

struct serial;
struct channel;

/* ch is where its bytes go and come from, may be NULL. */
int serial_create(struct serial **out, struct vm *vm, const char *name, uint16_t port, unsigned gsi,
		  struct channel *ch);
void serial_destroy(struct serial *s);
void serial_reset(struct serial *s);

#endif
