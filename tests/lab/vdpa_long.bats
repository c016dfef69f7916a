# SPDX-License-Identifier: MIT
# long
# lab: --kernel=newer
# A disk by vDPA: Debian's kernels have VDUSE and vhost_vdpa from 6.12 on (./setup.sh --newer).
load ../helper

@test "vdpa: both VMMs before one device of qemu-storage-daemon, each block compared; nothing is left of it" {
	local run=$BATS_TEST_TMPDIR/run.json
	"$bench" run blk-iops --mode=vdpa --vmm=builtin,qemu --medium=ram --set area=1M --set write_pct=30 --work=200 --on=host --reps=1 \
		--store="$BATS_TEST_TMPDIR/store" --json >"$run"
	jq -c '.records[] | [.vmm, .ok, .summary.iops.median, .summary.exits_per_io.median, .summary.kicks_per_io.median]' "$run"
	# A doorbell is an eventfd of the kernel's: what goes to the VMM is the marker that ends the window.
	jq -e '[.records[] | .ok and .summary.userspace_exits_per_io.median < 0.05] == [true, true]' "$run"
	[ -z "$(ls /sys/bus/vdpa/devices)" ] && [ ! -d /sys/module/brd ]
}
