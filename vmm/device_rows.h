/* SPDX-License-Identifier: MIT */
/*
 * The PCI devices that --device, --net, --disk and --vfio can make: X(SYMBOL) for SYMBOL_ops of a file in
 * devices/. Included with X defined.
 */
X(e1000)
X(ide)
X(nvme)
X(virtio_blk)
X(virtio_net)
X(virtio_rng)
X(virtio_console)
X(vhost_user_blk)
X(vhost_scsi)
X(vdpa)
X(testdev)
X(vfio)
