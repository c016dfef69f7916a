# SPDX-License-Identifier: MIT
# lab: --append=intel_iommu=off
# A machine whose IOMMU is off: nothing is assigned, and everyone says what to do.
load ../helper

@test "no IOMMU: refused by the VMM and by bench, explained by doctor, and nothing is changed" {
	modprobe vfio-pci
	fails 3 'it is in no IOMMU group; switch the IOMMU on .firmware, intel_iommu=on' timeout 20 \
		"$vmm" --kernel "$O/micro.elf" --vfio 0000:01:00.0
	fails 3 'no IOMMU groups.*switch it on .firmware, intel_iommu=on' \
		"$bench" run net-latency --mode=sriov --on=host --reps=1 --work=20 --store="$BATS_TEST_TMPDIR/s"
	[ "$(cat /sys/class/net/eth0/device/sriov_numvfs)" = 0 ]
	run "$bench" doctor --json
	jq -e '.iommu.verdict == "missing" and (.iommu.todo | test("intel_iommu=on")) and .assignment.verdict == "missing"' <<<"$output"
}
