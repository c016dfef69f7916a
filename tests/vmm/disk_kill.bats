# SPDX-License-Identifier: MIT
# kill -9 amid writes and flushes while the disk's power fails; the campaign with 200 kills a device is tests/soak/disk_kill.sh.
load ../helper
load micro

@test "killed amid writes: what was flushed is there, each device; a VMM that flushes nothing and a disk that tears are found" {
	need_kvm
	run env O="$O" KILLS=5 SEED=1 tests/soak/disk_kill.sh 1:ide 1:nvme 8:virtio-blk
	echo "$output"
	[ "$status" -eq 0 ]
	grep -q 'skipped' <<<"$output" && skip "$output"
	[ "$(grep -c ' 0 acknowledged sectors missing, 0 torn, 0 ragged requests, 0 runs failed' <<<"$output")" -eq 3 ]
	[ "$(grep -c 'with fault' <<<"$output")" -eq 6 ]
}
