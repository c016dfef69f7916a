# SPDX-License-Identifier: MIT
# The Xen lab where it cannot be, and what it cannot do. What it can is in tests/lab/xen_long.bats.
load ../helper
load lab

@test "the Xen lab says what it lacks, and which lab has it" {
	local kernel="$BATS_TEST_TMPDIR/kernels/default"
	mkdir -p "$kernel"
	touch "$kernel/vmlinux"
	fails 3 "no Xen in $BATS_TEST_TMPDIR; run ./setup.sh --xen" env EXITLAB_CACHE="$BATS_TEST_TMPDIR" "$bench" lab exec --lab=xen -- true
	fails 3 'lab xen has no KVM; use --lab=amd' "$bench" run boot --lab=xen --store="$BATS_TEST_TMPDIR/store"
	fails 3 'lab intel has no IOMMU and no SR-IOV card; use --lab=amd' \
		"$bench" run net-latency --mode=sriov --lab=intel --store="$BATS_TEST_TMPDIR/store"
}
