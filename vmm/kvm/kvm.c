// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/kvm/kvm.h"
#include "vmm/platform/ioapic.h"

#define TSS_ADDR    0xfffbd000ull /* three pages that VMX wants for real mode; within the hole */
#define IDMAP_ADDR  0xfffbc000ull
#define IOAPIC_PINS 24
#define PIC_PINS    16
#define MAX_ROUTES  (IOAPIC_PINS + PIC_PINS + VM_GSI_ROUTES)

static int log_cannot(const char *what)
{
	int err = errno;

	log_error("KVM: %s: %s", what, strerror(err));
	return -ENODEV;
}

static const char *open_advice(int err)
{
	if (err == EACCES)
		return "; join the group that owns it";
	return err == ENOENT || err == ENODEV ? "; load kvm_intel or kvm_amd" : "";
}

static int open_kvm(struct kvm *kvm)
{
	int version;

	kvm->sys_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm->sys_fd < 0) {
		log_error("/dev/kvm: %s%s", strerror(errno), open_advice(errno));
		return -ENODEV;
	}
	version = ioctl(kvm->sys_fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		log_error("/dev/kvm: API version %d; want %d", version, KVM_API_VERSION);
		return -ENODEV;
	}
	kvm->vm_fd = ioctl(kvm->sys_fd, KVM_CREATE_VM, 0);
	if (kvm->vm_fd < 0)
		return log_cannot("creating a VM");
	return 0;
}

static int check_extensions(struct kvm *kvm, unsigned n_cpus)
{
	static const struct {
		int cap;
		const char *name;
	} need[] = {
		{KVM_CAP_IRQCHIP, "interrupt controllers in the kernel"},
		{KVM_CAP_IRQ_ROUTING, "interrupt routing"},
		{KVM_CAP_SIGNAL_MSI, "message-signalled interrupts"},
		{KVM_CAP_IOEVENTFD, "ioeventfd"},
		{KVM_CAP_IRQFD, "irqfd"},
		{KVM_CAP_IMMEDIATE_EXIT, "immediate_exit"},
	};
	int max;

	for (size_t i = 0; i < ARRAY_SIZE(need); i++) {
		if (ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, need[i].cap) > 0)
			continue;
		log_error("KVM: this host's lacks %s", need[i].name);
		return -ENODEV;
	}
	max = ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	if (max > 0 && (unsigned)max < n_cpus) {
		log_error("KVM: at most %d vCPUs on this host", max);
		return -ENODEV;
	}
	return 0;
}

static int create_irqchip(struct kvm *kvm)
{
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
	struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {IOAPIC_PINS}};
	uint64_t idmap = IDMAP_ADDR;

	if (ioctl(kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &idmap) < 0)
		return log_cannot("setting the identity map");
	if (ioctl(kvm->vm_fd, KVM_SET_TSS_ADDR, TSS_ADDR) < 0)
		return log_cannot("setting the TSS address");
	if (kvm->split && ioctl(kvm->vm_fd, KVM_ENABLE_CAP, &split) < 0)
		return log_cannot("split irqchip");
	if (kvm->split)
		return 0;
	if (ioctl(kvm->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return log_cannot("creating the interrupt controllers");
	if (ioctl(kvm->vm_fd, KVM_CREATE_PIT2, &pit) < 0)
		return log_cannot("creating the timer (PIT)");
	return 0;
}

/* ---- interrupt routing ---- */

static struct kvm_irq_routing_entry *route_find(struct kvm_irq_routing *r, uint32_t gsi)
{
	/* Legacy pins have two entries, PIC and IOAPIC, which are never replaced. */
	for (uint32_t i = 0; i < r->nr; i++)
		if (r->entries[i].gsi == gsi && r->entries[i].type == KVM_IRQ_ROUTING_MSI)
			return &r->entries[i];
	return NULL;
}

/* One entry of the routing table anew; type 0 removes it. */
static int route_set(struct vm *vm, const struct kvm_irq_routing_entry *entry)
{
	struct kvm *kvm = kvm_of(vm);
	struct kvm_irq_routing_entry *at;
	int err = 0;

	pthread_mutex_lock(&kvm->route_lock);
	at = route_find(kvm->routes, entry->gsi);
	if (!entry->type && at)
		*at = kvm->routes->entries[--kvm->routes->nr];
	else if (entry->type && at)
		*at = *entry;
	else if (entry->type && kvm->routes->nr < MAX_ROUTES)
		kvm->routes->entries[kvm->routes->nr++] = *entry;
	else if (entry->type)
		err = -ENOSPC;
	if (!err && ioctl(kvm->vm_fd, KVM_SET_GSI_ROUTING, kvm->routes) < 0)
		err = -errno;
	pthread_mutex_unlock(&kvm->route_lock);
	return err;
}

static void add_pin(struct kvm_irq_routing *r, unsigned gsi, unsigned chip, unsigned pin)
{
	r->entries[r->nr++] = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = {.irqchip = chip, .pin = pin},
	};
}

/* The same as KVM's own default: GSI n is pin n of the IOAPIC and, below 16, of the PICs. */
static int init_routes(struct kvm *kvm)
{
	kvm->routes =
		calloc(1, sizeof(*kvm->routes) + MAX_ROUTES * sizeof(kvm->routes->entries[0]));
	if (!kvm->routes)
		return -ENOMEM;
	if (kvm->split)
		return 0;
	for (unsigned i = 0; i < PIC_PINS; i++) /* chip 0 is the master, chip 1 the slave */
		add_pin(kvm->routes, i, KVM_IRQCHIP_PIC_MASTER + i / 8, i % 8);
	for (unsigned i = 0; i < IOAPIC_PINS; i++)
		add_pin(kvm->routes, i, KVM_IRQCHIP_IOAPIC, i);
	if (ioctl(kvm->vm_fd, KVM_SET_GSI_ROUTING, kvm->routes) < 0)
		return log_cannot("setting interrupt routes");
	return 0;
}

/* ---- struct vm_backend ---- */

static int kvm_vm_fd(struct vm *vm)
{
	return kvm_of(vm)->vm_fd;
}

static int vm_ioctl(struct vm *vm, unsigned long request, void *arg)
{
	return errno_if(ioctl(kvm_of(vm)->vm_fd, request, arg) < 0);
}

static int kvm_ioeventfd(struct vm *vm, const struct ioeventfd *io, bool add)
{
	struct kvm_ioeventfd arg = {
		.datamatch = io->value,
		.addr = io->addr,
		.len = io->len,
		.fd = io->fd,
		.flags = bits_if(io->match, KVM_IOEVENTFD_FLAG_DATAMATCH) |
			 bits_if(io->pio, KVM_IOEVENTFD_FLAG_PIO) |
			 bits_if(!add, KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	return vm_ioctl(vm, KVM_IOEVENTFD, &arg);
}

static int kvm_post_ports(struct vm *vm, uint64_t addr, uint64_t len, bool add)
{
	struct kvm_coalesced_mmio_zone arg = {.addr = addr, .size = (uint32_t)len, .pio = 1};

	if (add)
		return vm_ioctl(vm, KVM_REGISTER_COALESCED_MMIO, &arg);
	return vm_ioctl(vm, KVM_UNREGISTER_COALESCED_MMIO, &arg);
}

static int kvm_memslot(struct vm *vm, unsigned slot, gpa_t gpa, uint64_t size, void *hva)
{
	struct kvm_userspace_memory_region arg = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return vm_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &arg);
}

static void kvm_irq_line(struct vm *vm, unsigned gsi, bool level)
{
	struct kvm_irq_level arg = {.irq = gsi, .level = level};
	struct kvm *kvm = kvm_of(vm);

	if (kvm->split)
		ioapic_set_line(kvm->ioapic, gsi, level);
	else if (ioctl(kvm->vm_fd, KVM_IRQ_LINE, &arg) < 0)
		log_guest("interrupt line %u: %s", gsi, strerror(errno));
}

static int kvm_msi_send(struct vm *vm, uint64_t addr, uint32_t data)
{
	struct kvm_msi arg = {
		.address_lo = (uint32_t)addr,
		.address_hi = (uint32_t)(addr >> 32),
		.data = data,
	};

	return vm_ioctl(vm, KVM_SIGNAL_MSI, &arg);
}

static int kvm_msi_route(struct vm *vm, int gsi, uint64_t addr, uint32_t data)
{
	struct kvm_irq_routing_entry entry = {
		.gsi = (uint32_t)gsi,
		.type = bits_if(addr, KVM_IRQ_ROUTING_MSI),
		.u.msi = {.address_lo = (uint32_t)addr, .address_hi = (uint32_t)(addr >> 32), .data = data},
	};

	return route_set(vm, &entry);
}

static int kvm_irqfd(struct vm *vm, int fd, int gsi, int resample_fd, bool add)
{
	struct kvm_irqfd arg = {
		.fd = (uint32_t)fd,
		.gsi = (uint32_t)gsi,
		.resamplefd = (uint32_t)MAX(resample_fd, 0),
		.flags = bits_if(!add, KVM_IRQFD_FLAG_DEASSIGN) |
			 bits_if(resample_fd >= 0, KVM_IRQFD_FLAG_RESAMPLE),
	};

	return vm_ioctl(vm, KVM_IRQFD, &arg);
}

static int kvm_this_vcpu(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_cpus; i++)
		if (kvm_of(vm)->vcpu[i].has_thread &&
		    pthread_equal(kvm_of(vm)->vcpu[i].thread, pthread_self()))
			return (int)i;
	return -1;
}

const struct vm_backend kvm_backend = {
	.this_vcpu = kvm_this_vcpu,
	.vm_fd = kvm_vm_fd,
	.ioeventfd = kvm_ioeventfd,
	.post_ports = kvm_post_ports,
	.memslot = kvm_memslot,
	.irq_line = kvm_irq_line,
	.msi_send = kvm_msi_send,
	.msi_route = kvm_msi_route,
	.irqfd = kvm_irqfd,
	.stats_text = kvm_stats_text,
};

/* ---- set-up ---- */

static int add_ram(struct vm *vm)
{
	const struct gmem_region *r;
	size_t n;

	r = gmem_regions(vm->gm, &n);
	for (size_t i = 0; i < n; i++)
		if (vm_memslot_add(vm, r[i].gpa, r[i].size, r[i].hva) < 0)
			return log_cannot("giving the guest its memory");
	return 0;
}

static int add_vcpu(struct vm *vm, unsigned id)
{
	struct kvm *kvm = kvm_of(vm);
	struct vcpu *v = &kvm->vcpu[id];
	int err;

	v->vm = vm;
	v->id = id;
	v->stats = &vm->stats->now.vcpu[id];
	v->fd = ioctl(kvm->vm_fd, KVM_CREATE_VCPU, (unsigned long)id);
	if (v->fd < 0)
		return log_cannot("creating a vCPU");
	v->stats_fd = ioctl(v->fd, KVM_GET_STATS_FD, NULL);
	v->run = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED) {
		v->run = NULL;
		return log_cannot("mapping a vCPU");
	}
	err = cpuid_setup(kvm, v, vm->n_cpus);
	if (err)
		return err;
	return cpu_state_init(v);
}

/* A page behind the first vCPU's struct kvm_run. KVM before 4.20 posts no ports. */
static void find_posted_ring(struct vm *vm)
{
	struct kvm *kvm = kvm_of(vm);
	int page = ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);
	size_t size = (size_t)sysconf(_SC_PAGESIZE), at = (size_t)page * size;

	if (page > 0 && at + size <= kvm->run_size &&
	    ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_PIO) > 0)
		posted_set_ring(&vm->posted, (uint8_t *)kvm->vcpu[0].run + at, size);
}

static int setup_all(struct vm *vm)
{
	struct kvm *kvm = kvm_of(vm);
	int err = open_kvm(kvm), size;

	if (!err)
		err = check_extensions(kvm, vm->n_cpus);
	if (!err)
		err = create_irqchip(kvm);
	if (!err)
		err = init_routes(kvm);
	if (!err && kvm->split)
		err = ioapic_create(&kvm->ioapic, vm);
	if (!err)
		err = add_ram(vm);
	if (err)
		return err;
	kvm->stats_fd = ioctl(kvm->vm_fd, KVM_GET_STATS_FD, NULL);
	size = ioctl(kvm->sys_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run))
		return log_cannot("asking for the size of a vCPU");
	kvm->run_size = (size_t)size;
	for (unsigned i = 0; i < vm->n_cpus && !err; i++)
		err = add_vcpu(vm, i);
	if (!err)
		find_posted_ring(vm);
	if (!err && vm->may_reboot)
		err = chip_state_save(vm);
	return err;
}

int kvm_setup(struct vm *vm, bool split)
{
	struct kvm *kvm = calloc(1, sizeof(*kvm));

	if (!kvm)
		return -ENOMEM;
	kvm->sys_fd = kvm->vm_fd = kvm->stats_fd = -1;
	for (unsigned i = 0; i < STATS_VCPUS; i++)
		kvm->vcpu[i].fd = kvm->vcpu[i].stats_fd = -1;
	kvm->split = split;
	pthread_mutex_init(&kvm->route_lock, NULL);
	pthread_mutex_init(&kvm->run_lock, NULL);
	pthread_cond_init(&kvm->run_cond, NULL);
	vm->backend_data = kvm;
	return setup_all(vm);
}

int kvm_reset(struct vm *vm)
{
	struct kvm *kvm = kvm_of(vm);
	int err = 0;

	posted_drop(&vm->posted);
	for (unsigned i = 0; i < vm->n_cpus && !err; i++)
		err = cpu_state_restore(&kvm->vcpu[i]);
	if (err)
		return err;
	return chip_state_restore(vm);
}

void kvm_teardown(struct vm *vm)
{
	struct kvm *kvm = kvm_of(vm);

	if (!kvm)
		return;
	vcpus_destroy(vm);
	vm->posted.ring = NULL;
	for (unsigned i = 0; i < STATS_VCPUS; i++) {
		struct vcpu *v = &kvm->vcpu[i];

		if (v->run)
			munmap(v->run, kvm->run_size);
		close_fd(&v->stats_fd);
		close_fd(&v->fd);
		free(v->initial);
	}
	ioapic_destroy(kvm->ioapic);
	free(kvm->chips);
	close_fd(&kvm->stats_fd);
	close_fd(&kvm->vm_fd);
	close_fd(&kvm->sys_fd);
	free(kvm->routes);
	pthread_cond_destroy(&kvm->run_cond);
	pthread_mutex_destroy(&kvm->run_lock);
	pthread_mutex_destroy(&kvm->route_lock);
	free(kvm);
	vm->backend_data = NULL;
}
