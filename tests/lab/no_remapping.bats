# SPDX-License-Identifier: MIT
# lab: --append=intremap=off
# A machine without interrupt remapping: a device could forge interrupts, so assignment is refused unless told otherwise.
load ../helper
load vfio

modules=/sys/module parameter=parameters/allow_unsafe_interrupts
if grep -q ' vfio-dev$' /proc/devices; then parameter=$modules/iommufd/$parameter; else parameter=$modules/vfio_iommu_type1/$parameter; fi

setup() {
	make_vf
}

teardown() {
	undo_vf
	echo N >$parameter
}

latency() {
	"$bench" run net-latency --mode=sriov --on=host --reps=1 --work=20 --vmm=builtin --json \
		--store="$BATS_TEST_TMPDIR/s" "$@"
}

@test "refused by the VMM, also when the module would allow it" {
	fails 3 'interrupts are not remapped.*--allow-unsafe-interrupts' timeout 20 "$vmm" --kernel "$O/micro.elf" --vfio $vf
	fails 3 "the kernel does not allow that; write Y to $parameter" \
		timeout 20 "$vmm" --kernel "$O/micro.elf" --vfio $vf --allow-unsafe-interrupts
	echo Y >$parameter
	fails 3 'interrupts are not remapped.*--allow-unsafe-interrupts' timeout 20 "$vmm" --kernel "$O/micro.elf" --vfio $vf
}

@test "bench run --allow-unsafe-interrupts runs, and the module's parameter is as it was" {
	local status=0 err
	undo_vf
	err=$(latency 2>&1 >/dev/null) || status=$?
	[ $status -eq 1 ] && grep -q 'interrupts are not remapped.*--allow-unsafe-interrupts' <<<"$err"
	[ "$(cat $parameter)" = N ]
	latency --allow-unsafe-interrupts >"$BATS_TEST_TMPDIR/out"
	jq -e '.ok and ([.samples[].checks[] | select(.name == "iommu_faults").ok] == [true])' "$BATS_TEST_TMPDIR/out"
	[ "$(cat $parameter)" = N ]
	[ "$(cat /sys/class/net/eth0/device/sriov_numvfs)" = 0 ]
	make_vf
}
