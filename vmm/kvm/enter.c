// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "vmm/kvm/enter.h"

enum { CS = 0x10, DS = 0x18, TR = 0x20 };

#define CR0_PE   1ull
#define CR0_ET   (1ull << 4)
#define CR0_PG   (1ull << 31)
#define CR4_PAE  (1ull << 5)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)

/* Selectors as Linux's 64-bit boot protocol wants them: 0x10 code, 0x18 data. */
static void put_gdt(struct gmem *gm, bool long_mode)
{
	const uint64_t gdt[] = {
		0,
		0,
		long_mode ? 0x00af9b000000ffff : 0x00cf9b000000ffff,
		0x00cf93000000ffff,
		0x00008b0000000067,
		0,
	};

	gmem_write(gm, BOOT_GDT, gdt, sizeof(gdt));
}

static void set_segments(struct kvm_sregs *s, bool long_mode)
{
	struct kvm_segment code = {.limit = 0xffffffff,
				   .selector = CS,
				   .type = 0xb,
				   .present = 1,
				   .s = 1,
				   .g = 1,
				   .db = !long_mode,
				   .l = long_mode};
	struct kvm_segment data = {.limit = 0xffffffff,
				   .selector = DS,
				   .type = 3,
				   .present = 1,
				   .s = 1,
				   .g = 1,
				   .db = 1};
	struct kvm_segment task = {.limit = 0x67, .selector = TR, .type = 0xb, .present = 1};

	s->cs = code;
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->tr = task;
	s->gdt.base = BOOT_GDT;
	s->gdt.limit = 6 * 8 - 1;
	s->idt.base = s->idt.limit = 0;
}

int boot_enter(struct vm *vm, const struct boot_entry *entry)
{
	struct vcpu *v = &kvm_of(vm)->vcpu[0];
	struct kvm_regs regs = {
		.rip = entry->rip,
		.rax = entry->rax,
		.rbx = entry->rbx,
		.rsi = entry->rsi,
		.rflags = 2,
	};
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
		goto fail;
	put_gdt(vm->gm, entry->long_mode);
	set_segments(&s, entry->long_mode);
	s.cr0 = CR0_PE | CR0_ET;
	s.cr4 = 0;
	if (entry->long_mode) {
		s.cr3 = BOOT_PAGE_TABLES;
		s.cr4 = CR4_PAE;
		s.cr0 |= CR0_PG;
		s.efer |= EFER_LME | EFER_LMA;
	}
	if (ioctl(v->fd, KVM_SET_SREGS, &s) == 0 && ioctl(v->fd, KVM_SET_REGS, &regs) == 0)
		return 0;
fail:
	log_error("vCPU 0: setting its first state: %s", strerror(errno));
	return -ENODEV;
}
