# SPDX-License-Identifier: MIT
# The long version is `make soak`.
load ../helper

@test "SR-IOV: one cycle, and one kill -9 of the VMM, leave the host's state as it was" {
	CYCLES=1 KILLS=1 tests/soak/sriov.sh
}

@test "kill -9 of bench amid traffic: the peer's card is back within 5 s, and bench recover undoes the rest" {
	local i pid
	"$bench" run net-latency --mode=sriov --duration=20s --reps=1 --on=host --store="$BATS_TEST_TMPDIR/s" \
		>/dev/null 2>&1 3>&- &
	pid=$!
	until pidof vmm >/dev/null; do sleep 0.1; done
	sleep 8
	kill -9 $pid
	for ((i = 0; i < 50; i++)); do [ -e /sys/class/net/eth1 ] && break; sleep 0.1; done
	[ -e /sys/class/net/eth1 ]
	"$bench" recover
	[ "$(cat /sys/class/net/eth0/device/sriov_numvfs)" = 0 ]
}

@test "two VMs on one wire, each with a function or a TAP of its own; afterwards the card has no functions" {
	local mode
	for mode in sriov virtio; do
		"$bench" run net-throughput --mode=$mode --topology=wire --set vms=2 --reps=1 --duration=500ms --on=host --json \
			--store="$BATS_TEST_TMPDIR/s" >"$BATS_TEST_TMPDIR/$mode"
		jq -e '.ok and ([.samples[0].vms[].metrics.throughput_bps] | length == 2 and min > 0)' "$BATS_TEST_TMPDIR/$mode"
	done
	jq -e '[.samples[0].checks[] | select(.name == "iommu_faults").ok] == [true, true]' "$BATS_TEST_TMPDIR/sriov"
	[ "$(cat /sys/class/net/eth0/device/sriov_numvfs)" = 0 ]
}

@test "SR-IOV: in the window no exit of a packet; what is left is interrupts, by reason" {
	local out=$BATS_TEST_TMPDIR/record.json
	"$bench" run net-throughput --mode=sriov --reps=1 --duration=1s --on=host --json --store="$BATS_TEST_TMPDIR/s" >"$out"
	jq -c '.samples[0].metrics, (.exits[] | [.reason, .key, .count])' "$out"
	jq -e '.samples[0].metrics | .packets > 500 and .interrupts_per_packet > 0' "$out"
	# Userspace sees the marker that closes the window. No doorbell: neither an eventfd nor an access to memory that is
	# the device's, and hardly a page that the guest touches for the first time.
	jq -e '.samples[0].metrics | .userspace_exits <= 1 and .kicks == 0' "$out"
	jq -e '([.exits[] | select(.reason == "npf" and .key != "").count] | add // 0) == 0' "$out"
	jq -e '.samples[0].metrics.packets as $n | ([.exits[] | select(.reason == "npf").count] | add // 0) <= $n / 100' "$out"
	# Interrupts taken (interrupt), given to the guest (vintr), ended and timed (msr), waited for (hlt, pause).
	jq -e '([.exits[] | select(.reason | IN("interrupt", "vintr", "msr", "hlt", "pause") | not).count] | add // 0) <= 20' "$out"
	jq -e '[.exits[] | select(.reason == "interrupt").count] | add > 0' "$out"
}
