/* SPDX-License-Identifier: MIT */
/*
 * The modes, in the order of bench list: X(SYMBOL, NAME, LINETYPE, TEXT). Included with X defined.
 * SYMBOL is that of bench/modes/SYMBOL.c, which says how the path is made; LINETYPE is the mode's own in
 * figures (analysis/style.gp).
 */
X(host, "host", 8, "no VM: the agent on this machine itself, the bare-metal baseline")
X(container, "container", 6, "no VM: the agent in namespaces and a cgroup of its own, over veth and a bridge")
X(e1000, "e1000", 5, "Intel 82540EM emulated in the VMM")
X(virtio, "virtio", 1, "virtio-net served by the VMM")
X(vhost, "vhost", 3, "virtio-net served by the kernel's vhost-net")
X(vhost_user, "vhost-user", 7, "virtio-net served by another process")
X(sriov, "sriov", 2, "a virtual function of a real card, through VFIO")
X(xen, "xen", 4, "Xen's netfront and its back end in the VMM, on a KVM that plays Xen")
X(netback, "netback", 4, "Xen's netfront in a domain and its back end in dom0's kernel")
X(virtio_blk, "virtio-blk", 1, "virtio-blk served by the VMM")
X(nvme, "nvme", 3, "NVMe controller emulated in the VMM")
X(vhost_scsi, "vhost-scsi", 4, "virtio-scsi served by the kernel's vhost_scsi over its SCSI target")
X(nvme_vf, "nvme-vf", 2, "a virtual function of a real NVMe controller, through VFIO")
X(vhost_user_blk, "vhost-user-blk", 7, "virtio-blk served by another process")
X(vdpa, "vdpa", 6, "virtio-blk served by a vDPA device: VDUSE, with qemu-storage-daemon behind it")
X(xen_blk, "xen-blk", 4, "Xen's blkfront and its back end in the VMM, on a KVM that plays Xen")
X(blkback, "blkback", 4, "Xen's blkfront in a domain and its back end in dom0's kernel")
X(ide, "ide", 5, "PIIX3 IDE disk emulated in the VMM, by DMA or PIO")
