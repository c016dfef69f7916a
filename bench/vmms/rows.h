/* SPDX-License-Identifier: MIT */
/* The VMMs, in the order of bench list: X(SYMBOL) for adapter_SYMBOL of SYMBOL.c. Included with X defined. */
X(builtin)
X(qemu)
X(microvm)
X(libvirt)
X(kvmtool)
X(firecracker)
X(cloud_hypervisor)
X(crosvm)
X(openvmm)
X(xen)
