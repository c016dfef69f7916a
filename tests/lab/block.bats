# SPDX-License-Identifier: MIT
# Linux guests on disks: Debian's drivers against our devices, on null_blk and on files.
load ../helper
load linux
guest_dir=/tmp/exitlab-guest-block
guest_modules+=(virtio_blk crct10dif_common crc64 crct10dif_generic crc-t10dif crc64-rocksoft t10-pi nvme-core nvme)

setup_file() {
	guest_build
}

setup() {
	file=$BATS_TEST_TMPDIR/disk
}

# A device of which the second half cannot be read or written: 1 MiB each.
bad_disk() {
	modprobe dm-zero
	printf '0 2048 zero\n2048 2048 error\n' | dmsetup --noudevsync create bad
}

@test "virtio-blk: a disk, its geometry, read, write, discard; disks with sectors that fail" {
	truncate -s 64M "$file"
	bad_disk
	guest_run --disk "$file,direct=off" --disk /dev/dm-0 <<-'EOF'
		cd /sys/block/vda
		grep . size ro queue/{logical_block_size,physical_block_size,max_segments,write_cache,discard_max_bytes} serial
		dd if=/dev/urandom of=/tmp/data bs=1M count=8
		dd if=/tmp/data of=/dev/vda bs=1M seek=3 conv=fsync
		echo 3 >/proc/sys/vm/drop_caches
		dd if=/dev/vda of=/tmp/back bs=1M skip=3 count=8
		cmp /tmp/data /tmp/back && echo same
		for at in 0 2040 2048 4088; do
			for way in "if=/dev/vdb iflag=direct skip=$at of=/tmp/sectors" "of=/dev/vdb oflag=direct seek=$at if=/tmp/data"; do
				dd $way bs=512 count=8 2>/dev/null && echo "$at good" || echo "$at bad"
			done
		done
	EOF
	dmsetup --noudevsync remove bad
	grep -q '^same' <<<"$output"
	grep '^[0-9]* [gb][oa]*d' <<<"$output" | uniq -c | tr -s ' \r\n' ' ' | grep -q '^ 2 0 good 2 2040 good 2 2048 bad 2 4088 bad'
}

@test "nvme: Debian's driver, its queues, read, write, flush, discard; shadow doorbells and none" {
	truncate -s 64M "$file" "$file.2"
	guest_run --cpus 2 --disk "$file,direct=off,mode=nvme,queues=2,shadow=on" \
		--disk "$file.2,direct=off,mode=nvme,queues=2,shadow=off" <<-'EOF'
		for i in 1 2 3 4 5; do [ -b /dev/nvme1n1 ] && break; sleep 0.2; done
		grep nvme /proc/interrupts
		dd if=/dev/urandom of=/tmp/data bs=1M count=8
		for d in nvme0n1 nvme1n1; do
			grep . /sys/block/$d/size /sys/block/$d/queue/write_cache
			dd if=/tmp/data of=/dev/$d bs=1M seek=3 conv=fsync
			echo 3 >/proc/sys/vm/drop_caches
			dd if=/dev/$d of=/tmp/back bs=64K skip=48 count=128
			cmp /tmp/data /tmp/back && echo same $d
			blkdiscard -o 3145728 -l 1048576 /dev/$d && dd if=/dev/$d bs=1M skip=3 count=1 iflag=direct | tr -d '\0' | wc -c
		done
	EOF
	grep -q '^same nvme0n1' <<<"$output"
	grep -q '^same nvme1n1' <<<"$output"
	grep -q 'nvme0q2' <<<"$output"
	grep -q 'nvme1q2' <<<"$output"
	[ "$(stat -c %b "$file")" -gt 0 ] && [ "$(stat -c %b "$file.2")" -gt 0 ]
}

# Loaded for each sample and taken away; no other module of the kind is left.
no_medium_left() {
	[ ! -d /sys/module/brd ] && [ ! -d /sys/module/null_blk ]
}

@test "bench run: virtio-blk and nvme, both VMMs and the machine itself on one medium, each block compared" {
	"$bench" run blk-iops --mode=host,virtio-blk,nvme --vmm=builtin,qemu --medium=ram --set area=1M --set write_pct=30 --duration=200ms --on=host --reps=1 \
		--store="$BATS_TEST_TMPDIR/store" --json >"$BATS_TEST_TMPDIR/run.json"
	jq -c '.records[] | [.mode, .vmm, .ok, .summary.iops.median, .summary.exits_per_io.median, .summary.kicks_per_io.median]' "$BATS_TEST_TMPDIR/run.json"
	jq -e '[.records[] | .ok] == [true, true, true, true, true]' "$BATS_TEST_TMPDIR/run.json"
	# Counted by the guest's kernel and by our queues; QEMU's doorbells are known by name.
	jq -e '[.records[] | select(.vmm == "builtin") | .checks[] | select(.name == "disk_requests") | .ok] == [true, true]' "$BATS_TEST_TMPDIR/run.json"
	jq -e '.records[] | select(.vmm == "qemu" and .mode == "nvme") | .summary.kicks_per_io.median > 0' "$BATS_TEST_TMPDIR/run.json"
	# IDE by DMA: a command a request, and the check that our channel got exactly those.
	"$bench" run blk-sync --mode=ide --medium=ram --set area=64K --work=10 --on=host --reps=1 --store="$BATS_TEST_TMPDIR/store" --json |
		jq -e '.ok and .summary.flushes.median == 10 and .summary.kicks_per_io.median == 1'
	no_medium_left
}

# The front-end is ours; ours and QEMU's back-end. QEMU's front-end before ours: block_long.bats.
@test "bench run: vhost-user-blk, both back-ends behind our front-end, each block compared" {
	local run=$BATS_TEST_TMPDIR/run.json
	"$bench" run blk-iops --mode=vhost-user-blk --set backend=builtin,qemu --medium=ram --set area=1M --set write_pct=30 --duration=200ms \
		--on=host --reps=1 --store="$BATS_TEST_TMPDIR/store" --json >"$run"
	jq -c '.records[] | [.vmm, .knobs, .ok, .summary.iops.median, .summary.exits_per_io.median, .summary.kicks_per_io.median]' "$run"
	jq -e '[.records[] | .ok] == [true, true]' "$run"
	# Our back-end counts in our VMM's page what the guest's kernel counts; its threads have their part of the CPU time.
	jq -e '[.records[].checks[] | select(.name == "disk_requests") | .ok] == [true]' "$run"
	jq -e '[.records[] | .samples[0].threads | map(select(.role == "backend" and .cpu_ns > 0)) | length > 0] == [true, true]' "$run"
	no_medium_left
}

no_target_left() {
	[ -z "$(ls -d /sys/kernel/config/target/vhost/naa.* /sys/kernel/config/target/core/iblock_* 2>/dev/null)" ]
}

# QEMU beside ours: block_long.bats.
@test "bench run: the kernel's SCSI target, and an NVMe function, each block compared; a killed run's target is undone" {
	local run=$BATS_TEST_TMPDIR/run.json bench_pid
	"$bench" run blk-iops --mode=vhost-scsi --medium=ram --set area=1M --set write_pct=30 --duration=200ms --on=host --reps=1 \
		--store="$BATS_TEST_TMPDIR/store" --json >"$run"
	jq -c '[.mode, .ok, .summary.iops.median, .summary.exits_per_io.median, .summary.userspace_exits_per_io.median]' "$run"
	# Doorbells end in the kernel, whose target counts what the guest's kernel counts.
	jq -e '.ok and .summary.userspace_exits_per_io.median < 0.1 and ([.checks[] | select(.name == "disk_requests") | .ok] == [true])' "$run"
	no_target_left && no_medium_left
	"$bench" run blk-iops --mode=nvme-vf --set area=1M --set write_pct=30 --duration=200ms --on=host --reps=1 \
		--store="$BATS_TEST_TMPDIR/store" --json >"$run"
	jq -c '[.mode, .ok, .params.medium, .summary.iops.median, .summary.exits_per_io.median, .exits]' "$run"
	# No access to the function leaves the guest; hardly a page is touched for the first time.
	jq -e '.ok and .params.medium == "disk" and ([.exits[] | select(.reason == "npf") | .count] | add // 0) < 10' "$run"
	[ "$(cat /sys/class/nvme/nvme0/device/sriov_numvfs)" = 0 ]

	"$bench" run blk-iops --mode=vhost-scsi --duration=1h --on=host --reps=1 --store="$BATS_TEST_TMPDIR/store" >/dev/null 2>&1 3>&- &
	bench_pid=$!
	until [ -e /sys/kernel/config/target/vhost/naa.*/tpgt_1/lun/lun_0/exitlab ]; do kill -0 $bench_pid; sleep 0.1; done
	kill -KILL $bench_pid
	wait $bench_pid || true
	"$bench" recover
	no_target_left
	rmmod null_blk
}
