# SPDX-License-Identifier: MIT
# long
# lab: --append=iomem=relaxed
# DMA outside the guest's memory, in a record. The lab's kernel lets a process reach the registers of an assigned card.
load ../helper
load vfio

setup() {
	make_vf
}

teardown() {
	undo_vf
}

latency() {
	"$bench" run net-latency --mode=sriov --on=host --reps=1 --work=20 --vmm=builtin --json \
		--store="$BATS_TEST_TMPDIR/s" "$@"
}

# The ring of the guest's card is moved away under it, as its driver could do.
@test "DMA outside the guest's memory: counted in the record, and the sample is void" {
	local status=0 i
	mkdir -p $guest_dir
	gcc -static -O1 -pthread -o $guest_dir/poke "$BATS_TEST_DIRNAME/poke.c"
	(
		# Until its driver has the ring that is moved away.
		for ((i = 0; i < 200; i++)); do
			sleep 0.5
			dmesg | grep -q 'Request device .01:10.0. fault addr 0x300000' && break
			[ -z "$(pidof vmm)" ] || $guest_dir/poke dma $vf 0x300000000
		done
	) 3>&- &
	latency --vf=$vf --work=20000 >"$BATS_TEST_TMPDIR/out" || status=$?
	[ $status -eq 1 ]
	jq -e '.samples[0].checks[] | select(.name == "iommu_faults") |
		(.ok | not) and (.detail | test("stopped DMA of 0000:01:10.0 outside the guest.s memory, at least [1-9][0-9]* times"))' \
		"$BATS_TEST_TMPDIR/out"
	jq -e '.ok == false and (.samples[0].error | test("the IOMMU stopped DMA"))' "$BATS_TEST_TMPDIR/out"
	grep -h 'stopped by the IOMMU' "$BATS_TEST_TMPDIR"/s/runs/*/sample-0/vmm.log
}
