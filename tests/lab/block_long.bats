# SPDX-License-Identifier: MIT
# long
# Disks on null_blk, and fio in the guest, whose libraries make its image large.
load ../helper

no_medium_left() {
	[ ! -d /sys/module/brd ] && [ ! -d /sys/module/null_blk ]
}

@test "bench run: a flush for each write on the path alone; fio in the guest" {
	"$bench" run blk-sync --mode=nvme --work=50 --on=host --reps=1 --store="$BATS_TEST_TMPDIR/store" --json |
		jq -e '.ok and .params.medium == "null" and .summary.flushes.median == 50 and .summary.ios.median == 100'
	"$bench" run blk-latency --mode=virtio-blk --tool=fio --duration=200ms --on=host --reps=1 --store="$BATS_TEST_TMPDIR/store" --json |
		jq -e '.ok and .summary.iops.median > 0 and .summary.exits_per_io.median > 0'
	no_medium_left
}

@test "Linux on virtio-blk, nvme and IDE, both VMMs on one medium, each block compared" {
	local run=$BATS_TEST_TMPDIR/run.json
	"$bench" run blk-iops --mode=host,virtio-blk,nvme --vmm=builtin,qemu --medium=ram --set area=1M --set write_pct=30 --duration=200ms --on=host \
		--reps=1 --store="$BATS_TEST_TMPDIR/store" --json >"$run"
	jq -e '[.records[] | .ok] == [true, true, true, true, true]' "$run"
	# Counted by the guest's kernel and by our queues; QEMU's doorbells are known by name.
	jq -e '[.records[] | select(.vmm == "builtin") | .checks[] | select(.name == "disk_requests") | .ok] == [true, true]' "$run"
	jq -e '.records[] | select(.vmm == "qemu" and .mode == "nvme") | .summary.kicks_per_io.median > 0' "$run"
	# IDE by DMA: a command a request, and the check that our channel got exactly those.
	"$bench" run blk-sync --mode=ide --medium=ram --set area=64K --work=10 --on=host --reps=1 --store="$BATS_TEST_TMPDIR/store" --json |
		jq -e '.ok and .summary.flushes.median == 10 and .summary.kicks_per_io.median == 1'
	"$bench" run blk-iops --mode=vhost-user-blk --set backend=builtin,qemu --medium=ram --set area=1M --set write_pct=30 --duration=200ms \
		--on=host --reps=1 --store="$BATS_TEST_TMPDIR/store" --json | jq -e '[.records[] | .ok] == [true, true]'
	no_medium_left
}

@test "vhost-user-blk: QEMU's front-end before our back-end, each block compared" {
	"$bench" run blk-iops --mode=vhost-user-blk --vmm=qemu --set backend=builtin --medium=ram --set area=1M --set write_pct=30 --duration=200ms \
		--on=host --reps=1 --store="$BATS_TEST_TMPDIR/store" --json |
		jq -e '.ok and (.samples[0].threads | map(select(.role == "backend" and .cpu_ns > 0)) | length > 0)'
}

@test "QEMU's vhost-scsi and an NVMe function through its VFIO, each block compared" {
	"$bench" run blk-iops --mode=vhost-scsi --vmm=qemu --medium=ram --set area=1M --set write_pct=30 --duration=200ms \
		--on=host --reps=1 --store="$BATS_TEST_TMPDIR/store" --json | jq -e '.ok'
	"$bench" run blk-iops --mode=nvme-vf --vmm=qemu --set area=1M --set write_pct=30 --duration=200ms \
		--on=host --reps=1 --store="$BATS_TEST_TMPDIR/store" --json | jq -e '.ok'
}

@test "blk-rebind: the driver leaves with requests under way, and finds on its return what was acknowledged" {
	"$bench" run blk-rebind --mode=virtio-blk,vhost-user-blk,vhost-scsi,nvme,ide --medium=ram --set area=1M --set rounds=3 --on=host --reps=1 \
		--store="$BATS_TEST_TMPDIR/store" --json >"$BATS_TEST_TMPDIR/run.json"
	jq -c '.records[] | [.mode, .ok, .summary.checked_blocks.median, .summary.failed_requests.median]' "$BATS_TEST_TMPDIR/run.json"
	jq -e '[.records[] | .ok and .summary.checked_blocks.median > 600] == [true, true, true, true, true]' "$BATS_TEST_TMPDIR/run.json"
}
