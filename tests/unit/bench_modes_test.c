// SPDX-License-Identifier: MIT
/* The tables of modes, of their texts and of their knobs agree; a VMM refuses a device it does not know. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bench/modes/knobs.h"
#include "bench/host/kvm_params.h"
#include "bench/modes/mode.h"
#include "bench/vmms/vmm.h"
#include "results/modes.h"

#define ALL_KINDS (MODE_NONE | MODE_NET | MODE_BLOCK)

/* The first modes have no row of text. */
static void every_row_has_its_text(void **state)
{
	const struct mode *const *m = mode_table;

	(void)state;
	while (*m && *m != &mode_host)
		m++;
	for (const struct mode_info *i = mode_info_table; i->name; i++, m++) {
		assert_string_equal((*m)->name, i->name);
		assert_ptr_equal(mode_info_find(i->name), i);
		assert_ptr_equal(mode_find(i->name, (*m)->kind), *m);
		assert_true(i->linetype >= 0 && i->linetype <= 8);
	}
	assert_null(*m);
	assert_null(mode_find("vhos", ALL_KINDS));
	assert_null(mode_info_find("vhos"));
}

static void rows_are_sound(void **state)
{
	(void)state;
	for (const struct mode *const *m = mode_table; *m; m++) {
		assert_non_null((*m)->modules);
		assert_non_null((*m)->knobs);
		assert_true((*m)->guests);
		/* Nobody serves a device that is not there. */
		assert_true((*m)->front != FRONT_NONE || (*m)->server == SERVER_VMM);
		/* One name is one path of a kind. */
		assert_ptr_equal(mode_find((*m)->name, (*m)->kind), *m);
		assert_int_equal((*m)->front == FRONT_VFIO, (*m)->server == SERVER_DEVICE);
	}
	assert_ptr_equal(mode_without_vm(MODE_NET), &mode_host);
	assert_ptr_equal(mode_without_vm(MODE_NONE), &mode_bare);
	assert_ptr_equal(mode_without_vm(MODE_BLOCK), &mode_host_block);
	assert_ptr_equal(mode_find("host", MODE_NONE | MODE_NET), &mode_bare);
}

/* A misspelt knob of a mode would be one that nobody can set. */
static void every_knob_of_a_mode_exists(void **state)
{
	(void)state;
	for (const struct mode *const *m = mode_table; *m; m++) {
		char *words = strdup((*m)->knobs), *save;

		for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
			assert_non_null(knob_find(w));
		free(words);
	}
	for (const struct knob_info *k = knob_table; k->name; k++) {
		char *modes = knob_modes(k);

		assert_int_equal(*modes != '\0',
				 k->home == KNOB_DEVICE || k->home == KNOB_CARD || k->home == KNOB_MEDIUM);
		free(modes);
	}
}

/* The table of KVM's parameters and that of the knobs say the same of each. */
static void every_parameter_of_kvm_is_a_knob(void **state)
{
	size_t n = 0;

	(void)state;
	for (const struct kvm_param *p = kvm_param_table; p->knob; p++, n++) {
		const struct knob_info *k = knob_find(p->knob);
		char *values = xasprintf("%s|%s", p->on, p->off);

		assert_non_null(k);
		assert_int_equal(k->home, KNOB_KVM);
		assert_string_equal(k->values, values);
		assert_true(p->intel || p->amd);
		free(values);
	}
	assert_true(n < KVM_PARAMS_MAX);
	for (const struct knob_info *k = knob_table; k->name; k++)
		n -= k->home == KNOB_KVM;
	assert_int_equal(n, 0);
}

/* A disk of another VMM's has no switch for DMA: the guest's driver is told. */
static void the_guest_is_told(void **state)
{
	struct knobs ks = {0};

	(void)state;
	assert_string_equal(mode_ide.cmdline(&ks), "");
	knobs_set(&ks, "dma", "on");
	assert_string_equal(mode_ide.cmdline(&ks), "");
	knobs_set(&ks, "dma", "off");
	assert_string_equal(mode_ide.cmdline(&ks), "libata.dma=0");
	free(ks.k);
}

static void knobs_belong_to_modes(void **state)
{
	static const struct {
		const char *name, *value;
		const struct mode *mode;
		int err;
	} cases[] = {
		{"ring", "packed", &mode_vhost, 0},
		{"ring", "packed", &mode_e1000, -EINVAL},
		{"in_order", "on", &mode_vhost, -EINVAL},
		{"in_order", "on", &mode_vhost_user, 0},
		{"offload", "off", &mode_e1000, 0},
		{"vlan", "7", &mode_sriov, 0},
		{"vlan", "7", &mode_virtio, -EINVAL},
		{"cpus", "2", &mode_none, 0},
		{"ring", "packed", &mode_virtio_blk, 0},
		{"ring", "packed", &mode_nvme, -EINVAL},
		{"shadow", "off", &mode_nvme, 0},
		{"backend", "qemu", &mode_vhost_user_blk, 0},
		{"backend", "qemu", &mode_virtio_blk, -EINVAL},
		{"queues", "2", &mode_vhost_scsi, 0},
		{"engine", "sync", &mode_vhost_scsi, -EINVAL},
		{"backend", "spdk", &mode_vhost_user_blk, -EINVAL},
		{"engine", "sync", &mode_virtio, -EINVAL},
		{"queues", "2", &mode_ide, -EINVAL},
		{"dma", "off", &mode_ide, 0},
		{"ring", "packed", &mode_host, -EINVAL},
		{"ring", "round", &mode_vhost, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(knob_check(cases[i].name, cases[i].value, cases[i].mode), cases[i].err);
}

/* What the command line of a VMM says, or "" when it refuses. */
static char *command_line(const struct vmm_adapter *vmm, const struct mode *mode)
{
	struct knobs none = {0};
	struct device_path path;
	struct vmm_want w = {
		.program = "vmm", .micro = true, .kernel = "micro.elf", .cmdline = "", .variant = "",
		.console_path = "console", .path = &path, .knobs = &none, .cpus = 1, .mem_bytes = 64 * MIB,
		.agent_fd = 5, .stats_fd = 6,
	};
	struct strlist a = STRLIST_INIT;
	char *all = strdup("");

	path_init(&path, mode);
	path.wire.tap_fd[0] = 9;
	strcpy(path.wire.tap, "tap0");
	strcpy(path.wire.mac, "52:54:00:00:00:01");
	path.sriov.vf_addr = (char *)"0000:01:10.0";
	path.medium.path = (char *)"/dev/d0";
	path.medium.is_device = true;
	path.socket = mode->server == SERVER_HELPER ? (char *)"sock" : NULL;
	path.target.wwpn = (char *)"naa.1";
	path.vdpa = (char *)"/dev/vhost-vdpa-0";
	if (!vmm->command(&w, &a)) {
		for (size_t i = 0; i < a.n; i++) {
			char *longer = xasprintf("%s %s", all, a.v[i]);

			free(all);
			all = longer;
		}
	}
	strlist_free(&a);
	return all;
}

static void each_vmm_has_each_device(void **state)
{
	static const struct {
		const char *vmm;
		const struct mode *mode;
		const char *says;
	} cases[] = {
		{"builtin", &mode_e1000, "--net mode=e1000,mac=52:54:00:00:00:01,fd=9"},
		{"builtin", &mode_virtio, "--net mode=virtio,mac=52:54:00:00:00:01,fd=9"},
		{"builtin", &mode_vhost, "--net mode=vhost,mac=52:54:00:00:00:01,fd=9"},
		{"builtin", &mode_vhost_user, "--net mode=vhost-user,mac=52:54:00:00:00:01,path=sock"},
		{"builtin", &mode_sriov, "--vfio=0000:01:10.0"},
		{"builtin", &mode_virtio_blk, "--disk file=/dev/d0,mode=virtio-blk"},
		{"builtin", &mode_nvme, "--disk file=/dev/d0,mode=nvme"},
		{"builtin", &mode_ide, "--disk file=/dev/d0,mode=ide"},
		{"builtin", &mode_vhost_user_blk, "--disk mode=vhost-user-blk,path=sock"},
		{"builtin", &mode_vhost_scsi, "--disk mode=vhost-scsi,wwpn=naa.1"},
		{"qemu", &mode_vhost_scsi, "-device vhost-scsi-pci,disable-legacy=on,wwpn=naa.1,num_queues=1"},
		{"microvm", &mode_vhost_scsi, "-device vhost-scsi,wwpn=naa.1,num_queues=1"},
		{"builtin", &mode_vdpa, "--disk mode=vdpa,path=/dev/vhost-vdpa-0"},
		{"qemu", &mode_vdpa, "-device vhost-vdpa-device-pci,disable-legacy=on,vhostdev=/dev/vhost-vdpa-0"},
		{"qemu", &mode_vdpa, "memory-backend-memfd,id=mem,share=on"},
		{"microvm", &mode_vdpa, "-device vhost-vdpa-device,vhostdev=/dev/vhost-vdpa-0"},
		{"qemu", &mode_vhost_user_blk,
		 "memory-backend=mem -cpu host -smp 1 -object memory-backend-memfd,id=mem,share=on,size=64M"},
		{"qemu", &mode_vhost_user_blk,
		 "-chardev socket,id=vu,path=sock -device vhost-user-blk-pci,chardev=vu,disable-legacy=on,num-queues=1"},
		{"microvm", &mode_vhost_user_blk, "-device vhost-user-blk,chardev=vu,num-queues=1"},
		{"qemu", &mode_e1000, "vhost=off,fd=9 -device e1000,"},
		{"qemu", &mode_virtio, "vhost=off,fd=9 -device virtio-net-pci,"},
		{"qemu", &mode_vhost, "vhost=on,fd=9 -device virtio-net-pci,"},
		{"qemu", &mode_vhost_user, "vhost-user,id=n0,chardev=vu -device virtio-net-pci,"},
		{"qemu", &mode_sriov, "vfio-pci,host=0000:01:10.0"},
		{"qemu", &mode_virtio_blk,
		 "-object iothread,id=io0 -blockdev driver=host_device,node-name=m0,filename=/dev/d0,cache.direct=on,"
		 "aio=io_uring -device virtio-blk-pci,iothread=io0,disable-legacy=on,drive=m0,num-queues=1,write-cache=on"},
		{"qemu", &mode_nvme, "-device nvme,serial=exitlab,drive=m0,max_ioqpairs=1,write-cache=on"},
		{"microvm", &mode_virtio_blk, "-device virtio-blk-device,iothread=io0,drive=m0,num-queues=1"},
		{"microvm", &mode_none, "-machine microvm,accel=kvm -cpu host"},
		{"microvm", &mode_none, "-device isa-serial,chardev=agent,iobase=0x2f8,irq=3"},
		{"microvm", &mode_virtio, "vhost=off,fd=9 -device virtio-net-device,netdev=n0"},
		{"microvm", &mode_vhost, "vhost=on,fd=9 -device virtio-net-device,netdev=n0"},
		{"microvm", &mode_vhost_user, "vhost-user,id=n0,chardev=vu -device virtio-net-device"},
		{"kvmtool", &mode_none,
		 " --console serial --cpus 1 --mem 64M --kernel micro.elf/vmlinuz --params  --virtio-transport pci "
		 "--network mode=none"},
		{"kvmtool", &mode_virtio,
		 "--network mode=tap,tapif=tap0,script=none,guest_mac=52:54:00:00:00:01"},
		{"kvmtool", &mode_vhost,
		 "--network mode=tap,tapif=tap0,script=none,guest_mac=52:54:00:00:00:01,vhost=1"},
		{"kvmtool", &mode_sriov, "--network mode=none --vfio-pci 0000:01:10.0"},
		{"kvmtool", &mode_virtio_blk, "--network mode=none --disk /dev/d0,direct"},
		{"firecracker", &mode_none, " vmm --no-api --level Error --config-file "},
		{"firecracker", &mode_virtio, "/firecracker.json"},
		{"cloud-hypervisor", &mode_none,
		 " vmm --kernel micro.elf/vmlinux --cmdline  --cpus boot=1 --memory size=64M --serial tty --console off"},
		{"cloud-hypervisor", &mode_virtio, "--net mac=52:54:00:00:00:01,num_queues=2,fd=[9]"},
		{"cloud-hypervisor", &mode_vhost_user,
		 "--memory size=64M,shared=on --serial tty --console off "
		 "--net mac=52:54:00:00:00:01,num_queues=2,vhost_user=true,socket=sock"},
		{"cloud-hypervisor", &mode_sriov, "--device path=/sys/bus/pci/devices/0000:01:10.0"},
		{"cloud-hypervisor", &mode_virtio_blk,
		 "--disk path=/dev/d0,direct=on,image_type=raw,num_queues=1"},
		{"cloud-hypervisor", &mode_vhost_user_blk,
		 "--memory size=64M,shared=on --serial tty --console off "
		 "--disk vhost_user=on,socket=sock,num_queues=1"},
		{"cloud-hypervisor", &mode_vdpa,
		 "size=64M,shared=on --serial tty --console off --vdpa path=/dev/vhost-vdpa-0,num_queues=1"},
		{"crosvm", &mode_vhost_user, "--vhost-user type=net,socket=sock,max-queue-size=256 micro.elf/vmlinux"},
		{"crosvm", &mode_vhost_user_blk, "--vhost-user type=block,socket=sock,max-queue-size=256 micro.elf/vmlinux"},
		{"crosvm", &mode_none,
		 " vmm run --disable-sandbox --cpus 1 --mem 64 --serial type=stdout,hardware=serial,num=1,console,stdin "
		 "--params  micro.elf/vmlinux"},
		{"crosvm", &mode_virtio, "--net tap-name=tap0,mac=52:54:00:00:00:01 micro.elf/vmlinux"},
		{"crosvm", &mode_vhost,
		 "--net tap-name=tap0,mac=52:54:00:00:00:01,vhost-net=[device=/dev/vhost-net] micro.elf/vmlinux"},
		{"crosvm", &mode_virtio_blk,
		 "--block path=/dev/d0,direct=true,sparse=false,lock=false,async-executor=uring micro.elf/vmlinux"},
		{"openvmm", &mode_none,
		 " vmm --hypervisor kvm --single-process --guest-shutdown-action exit --guest-reset-action exit "
		 "--processors 1 --memory 64MB --com1 console --kernel micro.elf/vmlinux --cmdline "},
		{"openvmm", &mode_virtio, " --virtio-net tap:tap0"},
		{"openvmm", &mode_virtio_blk, " --virtio-blk file:/dev/d0;direct"},
		{"xen", &mode_none, " vmm --type=pv --kernel=micro.elf/vmlinux --cmdline= --cpus=1 --mem=64M"},
		{"xen", &mode_netback, "--mem=64M --mac=52:54:00:00:00:01 --netns=/proc/"},
		{"xen", &mode_blkback, "--mem=64M --disk=/dev/d0"},
		{"qemu", &mode_xen, "-accel kvm,xen-version=0x40011,kernel-irqchip=split -machine q35 -cpu host"},
		{"qemu", &mode_xen, "-device xen-net-device,netdev=n0,mac=52:54:00:00:00:01"},
		{"qemu", &mode_xen_blk, "-accel kvm,xen-version=0x40011,kernel-irqchip=split -machine q35 -cpu host"},
		{"qemu", &mode_xen_blk, "-object iothread,id=io0 -blockdev driver=host_device,"},
		{"qemu", &mode_xen_blk, "-device xen-disk,vdev=xvda,iothread=io0,drive=m0,write-cache=on"},
		{"qemu", &mode_ide, "-device piix3-ide,id=piix -blockdev driver=host_device,"},
		{"qemu", &mode_ide, "-device ide-hd,bus=piix.0,drive=m0,write-cache=on"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct vmm_adapter *vmm = vmm_adapter_find(cases[i].vmm, strlen(cases[i].vmm));
		char *line = command_line(vmm, cases[i].mode);

		assert_non_null(strstr(line, cases[i].says));
		free(line);
	}
}

/* It would run with another device and be recorded under the mode's own name. */
static void unknown_devices_are_refused(void **state)
{
	static const struct mode cases[] = {
		{.name = "new", .front = 99, .server = SERVER_VMM},
		{.name = "new", .front = FRONT_VIRTIO_NET, .server = SERVER_DEVICE},
		{.name = "new", .front = FRONT_VIRTIO_NET, .server = 99},
		{.name = "new", .front = FRONT_VIRTIO_BLK, .server = SERVER_KERNEL},
		{.name = "new", .front = FRONT_VIRTIO_NET, .server = SERVER_VDPA},
		{.name = "new", .front = FRONT_NVME, .server = SERVER_HELPER},
		{.name = "new", .front = FRONT_VIRTIO_SCSI, .server = SERVER_VMM},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t v = 0; vmm_adapters[v]; v++) {
			char *line = command_line(vmm_adapters[v], &cases[i]);

			assert_string_equal(line, "");
			free(line);
		}
	}
}

/* Refused when the plan is made, not by every boot; without a path that is there already. */
static void what_a_vmm_lacks_is_refused(void **state)
{
	static const struct {
		const char *vmm, *variant, *knob, *value;
		const struct mode *mode;
		int err;
	} cases[] = {
		{"qemu", "", "in_order", "on", &mode_virtio, -ENOTSUP},
		{"builtin", "", "in_order", "on", &mode_virtio, 0},
		{"builtin", "", "sandbox", "off", &mode_none, 0},
		{"qemu", "", "sandbox", "off", &mode_none, -ENOTSUP},
		{"qemu", "", "ring", "packed", &mode_vhost, 0},
		{"qemu", "", "queues", "8", &mode_vhost_user, 0},
		{"qemu", "", "offload", "off", &mode_e1000, -ENOTSUP},
		{"qemu", "", "offload", "off", &mode_virtio, 0},
		{"qemu", "", "cpus", "2", &mode_sriov, 0},
		{"qemu", "", "engine", "sync", &mode_virtio_blk, 0},
		{"qemu", "", "cache", "writethrough", &mode_nvme, 0},
		{"qemu", "", "ioeventfd", "on", &mode_nvme, 0},
		{"qemu", "", "poll_us", "0", &mode_virtio_blk, -ENOTSUP},
		{"qemu", "", "poll_us", "0", &mode_vhost_user_blk, 0}, /* the helper's */
		{"qemu", "", "in_order", "on", &mode_vhost_user_blk, -ENOTSUP},
		{"qemu", "", "shadow", "off", &mode_nvme, -ENOTSUP},
		{"qemu", "", "dma", "off", &mode_ide, 0},
		{"qemu", "", "posted", "off", &mode_ide, -ENOTSUP},
		{"qemu", "", "event_idx", "off", &mode_vhost_scsi, 0},
		{"builtin", "", "dma", "off", &mode_ide, 0},
		{"builtin", "", "ioeventfd", "on", &mode_nvme, -ENOTSUP},
		{"builtin", "", "ioeventfd", "on", &mode_virtio_blk, 0},
		{"qemu", "accel=tcg", "cpus", "2", &mode_none, 0},
		{"qemu", "accel=hvf", "cpus", "2", &mode_none, -ENOTSUP},
		{"qemu", "accel=tcg", "cpus", "2", &mode_xen, -ENOTSUP},
		{"qemu", "", "cpus", "2", &mode_xen, 0},
		{"builtin", "", "cpus", "2", &mode_xen, -ENOTSUP},
		{"qemu", "accel=tcg", "cpus", "2", &mode_xen_blk, -ENOTSUP},
		{"qemu", "", "cache", "writethrough", &mode_xen_blk, 0},
		{"builtin", "", "cpus", "2", &mode_xen_blk, -ENOTSUP},
		{"libvirt", "", "cpus", "2", &mode_xen_blk, -ENOTSUP},
		{"microvm", "", "cpus", "2", &mode_xen, -ENOTSUP},
		{"builtin", "accel=tcg", "cpus", "2", &mode_none, -ENOTSUP},
		{"builtin", "/opt/vmm", "cpus", "2", &mode_none, 0},
		{"builtin", "", "transport", "mmio", &mode_virtio, -ENOTSUP},
		{"builtin", "", "transport", "pci", &mode_virtio, 0},
		{"qemu", "", "transport", "mmio", &mode_virtio, -ENOTSUP},
		{"microvm", "", "transport", "pci", &mode_virtio, 0},
		{"microvm", "", "irq", "intx", &mode_virtio, -ENOTSUP},
		{"microvm", "", "queues", "4", &mode_virtio, 0},
		{"microvm", "", "cpus", "2", &mode_e1000, -ENOTSUP},
		{"microvm", "", "cpus", "2", &mode_sriov, -ENOTSUP},
		{"microvm", "accel=tcg", "cpus", "2", &mode_none, -ENOTSUP},
		{"kvmtool", "", "transport", "mmio", &mode_virtio, -ENOTSUP},
		{"kvmtool", "", "transport", "pci-legacy", &mode_virtio, 0},
		{"kvmtool", "", "cpus", "2", &mode_vdpa, -ENOTSUP},
		{"kvmtool", "", "cpus", "2", &mode_vhost_scsi, -ENOTSUP},
		{"crosvm", "", "cpus", "2", &mode_sriov, -ENOTSUP},
		{"qemu", "", "transport", "pci-legacy", &mode_virtio, -ENOTSUP},
		{"kvmtool", "", "ring", "packed", &mode_virtio, -ENOTSUP},
		{"kvmtool", "", "cpus", "2", &mode_vhost_user, -ENOTSUP},
		{"kvmtool", "/opt/lkvm", "cpus", "2", &mode_virtio, 0},
		{"firecracker", "", "transport", "pci", &mode_virtio, 0},
		{"firecracker", "", "queues", "2", &mode_virtio, -ENOTSUP},
		{"firecracker", "", "cpus", "2", &mode_vhost, -ENOTSUP},
		{"firecracker", "", "cpus", "2", &mode_sriov, -ENOTSUP},
		{"cloud-hypervisor", "", "queues", "2", &mode_virtio, 0},
		{"cloud-hypervisor", "", "cpus", "2", &mode_vhost, -ENOTSUP},
		{"cloud-hypervisor", "", "cpus", "2", &mode_vhost_scsi, -ENOTSUP},
		{"crosvm", "", "cpus", "2", &mode_e1000, -ENOTSUP},
		{"crosvm", "", "ring", "packed", &mode_vhost_user_blk, -ENOTSUP},
		{"crosvm", "", "cpus", "2", &mode_vdpa, -ENOTSUP},
		{"crosvm", "vcpus", "cpus", "2", &mode_none, -ENOTSUP},
		{"xen", "pvh", "cpus", "2", &mode_none, 0},
		{"xen", "hvm", "cpus", "2", &mode_none, 0},
		{"xen", "hvm", "paging", "shadow", &mode_none, 0},
		{"xen", "pv", "paging", "shadow", &mode_none, -ENOTSUP},
		{"xen", "pvh", "paging", "shadow", &mode_none, 0},
		{"xen", "pv", "cpus", "2", &mode_virtio, -ENOTSUP},
		{"xen", "pv", "cpus", "2", &mode_netback, 0},
		{"qemu", "", "cpus", "2", &mode_netback, -ENOTSUP},
		{"qemu", "", "cpus", "2", &mode_blkback, -ENOTSUP},
		{"builtin", "", "cpus", "2", &mode_blkback, -ENOTSUP},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct vmm_adapter *vmm = vmm_adapter_find(cases[i].vmm, strlen(cases[i].vmm));
		struct knobs ks = {NULL, 0};

		knobs_set(&ks, cases[i].knob, cases[i].value);
		assert_int_equal(vmm_check(vmm, cases[i].variant, cases[i].mode, &ks), cases[i].err);
		free(ks.k);
	}
}

/* A guest without a bus looks for its devices in memory. */
static void the_transport_brings_its_driver(void **state)
{
	static const struct {
		const char *vmm, *transport, *module;
	} cases[] = {
		{"builtin", NULL, "virtio_pci"},   {"qemu", NULL, "virtio_pci"},
		{"microvm", NULL, "virtio_mmio"},  {"microvm", "pci", "virtio_pci"},
		{"kvmtool", NULL, "virtio_pci"},   {"kvmtool", "pci-legacy", "virtio_pci"},
		{"firecracker", NULL, "virtio_mmio"},
		{"microvm", "mmio", "virtio_mmio"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct vmm_adapter *vmm = vmm_adapter_find(cases[i].vmm, strlen(cases[i].vmm));
		struct knobs ks = {NULL, 0};

		if (cases[i].transport)
			knobs_set(&ks, "transport", cases[i].transport);
		assert_string_equal(vmm_guest_module(vmm, &ks, "virtio_pci"), cases[i].module);
		assert_string_equal(vmm_guest_module(vmm, &ks, "virtio_net"), "virtio_net");
		free(ks.k);
	}
}

/* The row of each VMM; a switch that it spells is one that there is. */
static void vmm_rows_are_sound(void **state)
{
	(void)state;
	for (size_t v = 0; vmm_adapters[v]; v++) {
		const struct vmm_adapter *vmm = vmm_adapters[v];

		assert_ptr_equal(vmm_adapter_find(vmm->name, strlen(vmm->name)), vmm);
		assert_non_null(vmm->program);
		assert_true(vmm->ours || (vmm->get && vmm->version_word));
		assert_true(*vmm->vcpu_thread);
		assert_true(vmm->lacks && *vmm->lacks); /* none has every path */
		for (const struct knob_spelling *s = vmm->spellings; s && s->knob; s++)
			assert_int_equal(knob_find(s->knob)->home, KNOB_DEVICE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_transport_brings_its_driver),
		cmocka_unit_test(every_row_has_its_text),	cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(every_knob_of_a_mode_exists),
		cmocka_unit_test(every_parameter_of_kvm_is_a_knob), cmocka_unit_test(knobs_belong_to_modes),
		cmocka_unit_test(the_guest_is_told),
		cmocka_unit_test(what_a_vmm_lacks_is_refused), cmocka_unit_test(vmm_rows_are_sound),
		cmocka_unit_test(each_vmm_has_each_device),	cmocka_unit_test(unknown_devices_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
