# SPDX-License-Identifier: MIT
# Block workloads on this machine: the agent on a file, and the micro guest on our devices where there is a KVM.
load ../helper

setup() {
	store=$BATS_TEST_TMPDIR/store media=${EXITLAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/exitlab}/media
	mkdir -p "$media"
	image=$media/test.$BATS_TEST_NUMBER.$$
	dd if=/dev/zero of="$image" oflag=direct bs=4096 count=1 status=none || skip "no I/O past the page cache below $media"
}

teardown() {
	rm -f "$image"
}

blk() {
	"$bench" run "$@" --on=host --reps=1 --warmup=0 --no-probes --store="$store" --json
}

need_kvm() {
	[ -w /dev/kvm ] || skip "no /dev/kvm here"
}

@test "mode host: reads, writes and flushes of a file, each block compared" {
	blk blk-latency --mode=host --medium=file --work=50 | jq -e '.ok and .mode == "host" and .params.medium == "file" and .summary.ios.median == 50'
	blk blk-iops --mode=host --medium=file --work=500 --set write_pct=50 --set verify=full | jq -e '.ok and .summary.iops.median > 0'
	blk blk-sync --mode=host --medium=file --work=20 | jq -e '.summary.flushes.median == 20 and .summary.ios.median == 40'
	blk blk-throughput --mode=host --medium=file --work=20 --set write_pct=100 | jq -e '.summary.throughput_bps.median > 0'
	run "$bench" sweep vmms --judge --store="$store" # one workload of a disk, so one table of one row
	[[ "$output" == *"I/Os per second"*"exits/I/O"* ]] && [ "$(grep -c '^host ' <<<"$output")" -eq 1 ] || { echo "$output"; false; }
	run blk blk-iops --mode=host --medium=file --work=500 --set write_pct=50 --set corrupt=on
	[ "$status" -eq 1 ]
	[[ "$output" == *"torn or damaged"* ]]
	# The medium has no name, and is gone.
	[ "$(ls -A "$media" | grep -v "^test")" = "" ]
}

@test "the micro guest on virtio-blk, nvme and vhost-user-blk: what the guest asks for is what the VMM's queues get" {
	need_kvm
	blk blk-iops --guest=micro --mode=virtio-blk,nvme,vhost-user-blk --medium=file --duration=20ms --set write_pct=30 |
		jq -e '[.records[] | .ok and .summary.ios.median > 0 and .summary.iops.median > 0 and .summary.queue_depth.median > 1
			and (.checks[] | select(.name == "disk_requests") | .ok)] == [true, true, true]'
	blk blk-sync --guest=micro --mode=nvme --medium=file --work=30 --set shadow=off |
		jq -e '.summary.ios.median == 60 and .summary.flushes.median == 30'
	blk blk-discard --guest=micro --mode=virtio-blk --medium=file --work=30 --set engine=sync | jq -e '.summary.ios.median == 30'
}

@test "fio in the same place" {
	command -v fio >/dev/null || skip "no fio here"
	blk blk-iops --mode=host --medium=file --tool=fio --duration=200ms --set write_pct=30 | jq -e '.ok and .summary.iops.median > 0 and .summary.latency_ns.median > 0'
	fails 3 "micro guest has no programs" "$bench" run blk-iops --guest=micro --tool=fio --dry-run
}

@test "a file of one's own is a medium; what lies on it is not lost by mistake" {
	truncate -s 16M "$image"
	blk blk-iops --mode=host --medium="$image" --work=20 | jq -e '.ok'
	mkswap -q "$image" 2>/dev/null || /sbin/mkswap -q "$image"
	run blk blk-iops --mode=host --medium="$image" --work=20
	[ "$status" -eq 1 ]
	[[ "$output" == *"there is swap on it; add --overwrite"* ]]
	blk blk-iops --mode=host --medium="$image" --overwrite --work=20 | jq -e '.ok'
}

@test "senseless disks are refused before anything starts, in one line" {
	fails 2 "is null, ram, file, disk, or the path" "$bench" run blk-iops --medium=floppy --dry-run
	fails 2 "uses no disk" "$bench" run net-pps --medium=file --dry-run
	fails 2 "keeps nothing that could be compared" "$bench" run blk-iops --set verify=full --dry-run
	fails 2 "takes the time that it takes; only null" "$bench" run blk-iops --medium=ram --set medium_us=100 --dry-run
	fails 2 "mode virtio has no such knob" "$bench" run net-pps --mode=virtio --set medium_us=100 --dry-run
	fails 2 "expected 0..1000000" "$bench" run blk-iops --set medium_us=2000000 --dry-run
	fails 2 "bear no stamps" "$bench" run blk-iops --medium=ram --tool=fio --set verify=full --dry-run
	fails 2 "in sectors of 512 bytes" "$bench" run blk-iops --set msg_size=1000 --dry-run
	fails 2 "write_pct belongs to" "$bench" run blk-sync --set write_pct=10 --dry-run
	fails 2 "lies on its device's own; leave --medium out" "$bench" run blk-iops --mode=nvme-vf --medium=null --dry-run
	fails 2 "uses no disk" "$bench" run net-pps --medium=disk --dry-run
	fails 2 "engine=sync: mode vhost-scsi has no such knob" "$bench" run blk-iops --mode=vhost-scsi --set engine=sync --dry-run
	fails 2 "wants the name of the kernel's target" "$PWD/$O/vmm" --kernel "$PWD/$O/micro.elf" --disk mode=vhost-scsi
	fails 2 "wants the device that serves it" "$PWD/$O/vmm" --kernel "$PWD/$O/micro.elf" --disk mode=vdpa
	fails 2 "no mode vhost" "$bench" run blk-iops --mode=vhost --dry-run
	fails 3 "a doorbell needs its value" "$bench" run blk-iops --mode=nvme --set ioeventfd=on --dry-run
}

@test "vhost-user-blk: its own command line" {
	vub=$PWD/$O/vhost-user-blk
	"$vub" --help | grep -q -- '--disk'
	fails 2 "both needed" "$vub" --socket "$BATS_TEST_TMPDIR/s"
	fails 2 "want fd=N" "$vub" --socket "$BATS_TEST_TMPDIR/s" --disk "$image" --stats=page
	fails 2 "colour: this device does not have it" "$vub" --socket "$BATS_TEST_TMPDIR/s" --disk "$image,colour=red"
	fails 3 "No such file" "$vub" --socket "$BATS_TEST_TMPDIR/s" --disk "$BATS_TEST_TMPDIR/none"
	touch "$BATS_TEST_TMPDIR/file"
	fails 2 "it is no socket" "$vub" --socket "$BATS_TEST_TMPDIR/file" --disk "$image"
}
