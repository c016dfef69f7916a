/* SPDX-License-Identifier: MIT */
#ifndef VMM_KVM_ENTER_H
#define VMM_KVM_ENTER_H

#include "vmm/boot/boot.h"
#include "vmm/kvm/kvm.h"

/* Put the first vCPU at the entry point: flat segments, GDT, 32-bit or 64-bit mode. 0 or -ENODEV
 * (logged). */
int boot_enter(struct vm *vm, const struct boot_entry *entry);

#endif
