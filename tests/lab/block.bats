# SPDX-License-Identifier: MIT
# Linux guests on disks: Debian's drivers against our devices, on null_blk and on files.
load ../helper
load linux
guest_dir=/tmp/exitlab-guest-block
guest_modules+=(virtio_blk crct10dif_common crc64 crct10dif_generic crc-t10dif crc64-rocksoft t10-pi nvme-core nvme
	scsi_common scsi_mod sd_mod libata ata_piix)

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

@test "Debian's drivers on virtio-blk, nvme and IDE: geometry, queues, read, write, flush, discard; sectors that fail" {
	truncate -s 64M "$file" "$file".{2,3,4}
	bad_disk
	guest_run --cpus 2 --disk "$file,direct=off" --disk /dev/dm-0 --disk "$file.2,direct=off,mode=nvme,queues=2,shadow=on" \
		--disk "$file.3,direct=off,mode=nvme,queues=2,shadow=off" --disk "$file.4,direct=off,mode=ide" <<-'EOF'
		for i in 1 2 3 4 5 6 7 8 9; do [ -b /dev/nvme1n1 ] && [ -b /dev/sda ] && break; sleep 0.2; done
		grep nvme /proc/interrupts
		dd if=/dev/urandom of=/tmp/data bs=1M count=4
		for d in vda nvme0n1 nvme1n1 sda; do
			cd /sys/block/$d/queue
			echo $d: $(cat ../size ../ro logical_block_size write_cache) $([ $(cat discard_max_bytes) = 0 ] || echo discard)
			dd if=/tmp/data of=/dev/$d bs=1M seek=3 conv=fsync
			echo 3 >/proc/sys/vm/drop_caches
			dd if=/dev/$d of=/tmp/back bs=64K skip=48 count=64
			cmp /tmp/data /tmp/back && echo same $d
			[ $d = sda ] || { blkdiscard -o 3145728 -l 1048576 /dev/$d && echo $d $(dd if=/dev/$d bs=1M skip=3 count=1 iflag=direct | tr -d '\0' | wc -c) left; }
		done
		for at in 0 2040 2048 4088; do
			for way in "if=/dev/vdb iflag=direct skip=$at of=/tmp/sectors" "of=/dev/vdb oflag=direct seek=$at if=/tmp/data"; do
				dd $way bs=512 count=8 2>/dev/null && echo "$at good" || echo "$at bad"
			done
		done
	EOF
	dmsetup --noudevsync remove bad
	for d in vda nvme0n1 nvme1n1 sda; do
		grep -q "^same $d" <<<"$output"
		grep -q "^$d: 131072 0 512 write back" <<<"$output"
	done
	[ "$(grep -c '^[vn].* write back discard' <<<"$output")" -eq 3 ]
	grep -q '^nvme0n1 0 left' <<<"$output"
	grep -q 'nvme0q2' <<<"$output"
	grep -q 'nvme1q2' <<<"$output"
	for f in "$file" "$file".{2,3,4}; do
		[ "$(stat -c %b "$f")" -gt 0 ]
	done
	grep '^[0-9]* [gb][oa]*d' <<<"$output" | uniq -c | tr -s ' \r\n' ' ' | grep -q '^ 2 0 good 2 2040 good 2 2048 bad 2 4088 bad'
}

# Loaded for each sample and taken away; no other module of the kind is left.
no_medium_left() {
	[ ! -d /sys/module/brd ] && [ ! -d /sys/module/null_blk ]
}

# blk WORKLOAD ARGS...: one short sample of each cell, its records in $run.
blk() {
	run=$BATS_TEST_TMPDIR/run.json
	"$bench" run "$@" --duration=200ms --on=host --reps=1 --store="$BATS_TEST_TMPDIR/store" --json >"$run"
	jq -c '(.records // [.])[] | [.mode, .vmm, .knobs, .ok, .summary.iops.median, .summary.exits_per_io.median, .summary.kicks_per_io.median]' "$run"
}

# The micro guest boots in no time; Linux in the same places: block_long.bats.
@test "bench run: virtio-blk, nvme and IDE, both VMMs and the machine itself on one medium, each block compared" {
	blk blk-iops --guest=micro --mode=virtio-blk,nvme,ide --vmm=builtin,qemu --medium=ram --set area=1M --set write_pct=30
	jq -e '[.records[] | .ok] == [true, true, true, true, true, true]' "$run"
	# QEMU has ended when its doorbells get their names; they are kicks.
	jq -e '.records[] | select(.mode == "nvme" and .vmm == "qemu") | .summary.kicks_per_io.median > 0 and any(.exits[]; .device == "nvme SQ1 tail")' "$run"
	# Counted by the guest and by our queues.
	jq -e '[.records[] | select(.vmm == "builtin") | .checks[] | select(.name == "disk_requests") | .ok] == [true, true, true]' "$run"
	blk blk-iops --mode=host --medium=ram --set area=1M --set write_pct=30
	jq -e .ok "$run"
	blk blk-latency --mode=host --set medium_us=3000
	jq -e '.ok and .summary.latency_ns.median >= 3000000' "$run"
	no_medium_left
}

# The front-end is ours; ours and QEMU's back-end. QEMU's front-end before ours: block_long.bats.
@test "bench run: vhost-user-blk, both back-ends behind our front-end, each block compared" {
	blk blk-iops --guest=micro --mode=vhost-user-blk --set backend=builtin,qemu --medium=ram --set area=1M --set write_pct=30
	jq -e '[.records[] | .ok] == [true, true]' "$run"
	# Our back-end counts in our VMM's page what the guest counts; its threads have their part of the CPU time.
	jq -e '[.records[].checks[] | select(.name == "disk_requests") | .ok] == [true]' "$run"
	jq -e '[.records[] | .samples[0].threads | map(select(.role == "backend" and .cpu_ns > 0)) | length > 0] == [true, true]' "$run"
	no_medium_left
}

no_target_left() {
	[ -z "$(ls -d /sys/kernel/config/target/vhost/naa.* /sys/kernel/config/target/core/iblock_* 2>/dev/null)" ]
}

# QEMU beside ours: block_long.bats.
@test "bench run: the kernel's SCSI target, and an NVMe function, each block compared; a killed run's target is undone" {
	local bench_pid
	blk blk-iops --mode=vhost-scsi --medium=ram --set area=1M --set write_pct=30
	# Doorbells end in the kernel, whose target counts what the guest's kernel counts.
	jq -e '.ok and .summary.userspace_exits_per_io.median < 0.1 and ([.checks[] | select(.name == "disk_requests") | .ok] == [true])' "$run"
	no_target_left && no_medium_left
	blk blk-iops --mode=nvme-vf --set area=1M --set write_pct=30
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
