#!/bin/bash
# SPDX-License-Identifier: MIT
# Assignment through iommufd and VFIO's character devices, on a real kernel: the tests of tests/lab/vfio*.bats.
# Debian's kernels are built without (CONFIG_IOMMUFD), so those modules of the newer kernel are built
# here from Debian's own source package, and become the kernel "iommufd" in the cache, for
# bench lab exec --kernel=iommufd.
#
#   ./setup.sh --newer && tests/soak/iommufd.sh     as root: installs that kernel's headers (about 3 minutes)
set -eu
cd "$(dirname "$0")/../.."
: "${O:=build}"
kernels=${EXITLAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/exitlab}/kernels
release=$(readlink "$kernels/newer") ||
	{ echo "iommufd: the newer kernel is missing; run ./setup.sh --newer" >&2; exit 3; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# fetch_source: drivers/vfio, drivers/iommu and lib/interval_tree.c of exactly this kernel into $tmp/linux.
fetch_source() {
	local version series=${release%%.*}
	series+=.$(cut -d. -f2 <<<"$release")
	version=$(apt-cache policy "linux-headers-$release" | sed -n 's/^ *Candidate: //p')
	(cd "$tmp" && apt-get -qq download "linux-source-$series=$version")
	dpkg -x "$tmp"/linux-source-*.deb "$tmp/deb"
	mkdir "$tmp/linux"
	tar xJf "$tmp"/deb/usr/src/linux-source-*.tar.xz -C "$tmp/linux" --strip-components=1 \
		--wildcards '*/drivers/vfio/*' '*/drivers/iommu/*.h' '*/drivers/iommu/iommufd/*' '*/lib/interval_tree.c'
}

# The walk over spans is left out of Debian's vmlinux with the rest: it becomes part of iommufd.ko.
build_modules() {
	local d=$tmp/linux/drivers
	{
		printf '#include <linux/%s>\n' interval_tree.h interval_tree_generic.h module.h
		sed -n '/^#ifdef CONFIG_INTERVAL_TREE_SPAN_ITER/,/^#endif/{//!p}' "$tmp/linux/lib/interval_tree.c"
	} >"$d/iommu/iommufd/span.c"
	echo 'iommufd-y += span.o' >>"$d/iommu/iommufd/Makefile"
	echo 'obj-m += iommu/iommufd/ vfio/' >"$d/Kbuild"
	make -s -C "/usr/src/linux-headers-$release" M="$d" CONFIG_IOMMUFD=m CONFIG_VFIO_DEVICE_CDEV=y \
		KCFLAGS="-DCONFIG_IOMMUFD_MODULE=1 -DCONFIG_VFIO_DEVICE_CDEV=1 -DCONFIG_INTERVAL_TREE_SPAN_ITER=1" modules
}

# The newer kernel with these modules in place of its own; what is the same is a hard link.
make_kernel() {
	local modules=$kernels/iommufd.tmp/root/lib/modules/$release/kernel
	rm -rf "$kernels/iommufd.tmp" "$kernels/iommufd"
	cp -al "$kernels/$release" "$kernels/iommufd.tmp"
	rm -rf "$modules/drivers/vfio"
	mkdir -p "$modules/drivers/vfio"
	find "$tmp/linux/drivers" -name '*.ko' -exec cp {} "$modules/drivers/vfio" \;
	rm -f "${modules%/kernel}"/modules.{dep,alias,symbols,devname,softdep}*
	/sbin/depmod -b "$kernels/iommufd.tmp/root" "$release"
	mv "$kernels/iommufd.tmp" "$kernels/iommufd"
}

lab() { timeout 400 "$O/bench" lab exec --kernel=iommufd --timeout=380s "$@"; }

if [ ! -s "$kernels/iommufd/vmlinux" ]; then
	apt-get -qq install -y --no-install-recommends "linux-headers-$release" >/dev/null
	fetch_source
	build_modules
	make_kernel
fi
lab -- sh -c 'modprobe vfio-pci && grep -q " vfio-dev$" /proc/devices' ||
	{ echo "iommufd: not in this kernel" >&2; exit 1; }
lab -- bats --tap tests/lab/vfio.bats tests/lab/vfio_long.bats tests/lab/sriov.bats
lab --append=intremap=off -- bats --tap tests/lab/no_remapping.bats
echo "iommufd: passed"
