/* SPDX-License-Identifier: MIT */
/* The I/O APIC (Intel 82093AA) in userspace, for --irqchip=split: each pin is an MSI route of KVM.
 */
#ifndef VMM_PLATFORM_IOAPIC_H
#define VMM_PLATFORM_IOAPIC_H

#include "vmm/core/vm.h"

#define IOAPIC_BASE 0xfec00000ull

struct ioapic;

int ioapic_create(struct ioapic **out, struct vm *vm);
void ioapic_destroy(struct ioapic *ioapic);
void ioapic_reset(struct ioapic *ioapic);
void ioapic_set_line(struct ioapic *ioapic, unsigned pin, bool level);
/* A local APIC acknowledged this vector: level-triggered pins with it may fire again. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);

#endif
