// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "bench/host/cr3_probe.h"

#define MEMORY_BYTES 0x10000
#define CODE_GPA     0x1000
#define TABLE_GPA    0x2000
/* PE, WP and PG: what KVM runs every guest with, so that it need not intercept CR0. */
#define GUEST_CR0 0x80010011
#define CR4_PSE	  0x10
#define PDE_4M	  0x83 /* present, writable, 4 MiB */

static const uint8_t code[] = {
	0x0f, 0x20, 0xd8, /* mov eax, cr3 */
	0xe7, 0x80,	  /* out 0x80, eax */
	0xf4,		  /* hlt */
};

struct guest {
	int kvm, vm, vcpu;
	uint8_t *memory;
	struct kvm_run *run;
	size_t run_len;
};

static int make_vm(struct guest *g)
{
	struct kvm_userspace_memory_region slot = {.memory_size = MEMORY_BYTES};
	uint32_t pde = PDE_4M;
	int len;

	g->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (g->kvm < 0)
		return -errno;
	g->vm = ioctl(g->kvm, KVM_CREATE_VM, 0);
	if (g->vm < 0)
		return -errno;
	g->vcpu = ioctl(g->vm, KVM_CREATE_VCPU, 0);
	len = ioctl(g->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (g->vcpu < 0 || len < 0)
		return -errno;
	g->run_len = (size_t)len;
	g->run = mmap(NULL, g->run_len, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu, 0);
	g->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->run == MAP_FAILED || g->memory == MAP_FAILED)
		return -errno;
	memcpy(g->memory + CODE_GPA, code, sizeof(code));
	memcpy(g->memory + TABLE_GPA, &pde, sizeof(pde));
	slot.userspace_addr = (uintptr_t)g->memory;
	return errno_if(ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &slot));
}

static int set_registers(int vcpu)
{
	struct kvm_segment data = {
		.limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
	struct kvm_regs regs = {.rip = CODE_GPA, .rflags = 2};
	struct kvm_sregs s;

	if (ioctl(vcpu, KVM_GET_SREGS, &s))
		return -errno;
	s.ds = s.es = s.fs = s.gs = s.ss = s.cs = data;
	s.cs.selector = 8;
	s.cs.type = 11;
	s.cr0 = GUEST_CR0;
	s.cr3 = TABLE_GPA;
	s.cr4 = CR4_PSE;
	return errno_if(ioctl(vcpu, KVM_SET_SREGS, &s) || ioctl(vcpu, KVM_SET_REGS, &regs));
}

static int read_cr3(const struct guest *g, uint32_t *cr3)
{
	int err;

	do
		err = errno_if(ioctl(g->vcpu, KVM_RUN, 0));
	while (err == -EINTR);
	if (err)
		return err;
	if (g->run->exit_reason != KVM_EXIT_IO)
		return -EIO;
	memcpy(cr3, (uint8_t *)g->run + g->run->io.data_offset, sizeof(*cr3));
	return 0;
}

int cr3_probe(bool *ours)
{
	struct guest g = {.kvm = -1, .vm = -1, .vcpu = -1, .memory = MAP_FAILED, .run = MAP_FAILED};
	uint32_t cr3 = 0;
	int err = make_vm(&g);

	if (!err)
		err = set_registers(g.vcpu);
	if (!err)
		err = read_cr3(&g, &cr3);
	*ours = !err && cr3 == TABLE_GPA;
	if (g.run != MAP_FAILED)
		munmap(g.run, g.run_len);
	if (g.memory != MAP_FAILED)
		munmap(g.memory, MEMORY_BYTES);
	close_fd(&g.vcpu);
	close_fd(&g.vm);
	close_fd(&g.kvm);
	return err;
}
