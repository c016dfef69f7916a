# SPDX-License-Identifier: MIT
# The micro guest's disk drivers: every sector that is read is the one that was written there.
load ../helper
load micro

setup() {
	need_kvm
	disk=$BATS_TEST_TMPDIR/disk
	truncate -s 16M "$disk"
}

# blk WORKLOAD DISK [JOB KEYS]: one short sample must succeed; mixed reads and writes on 1 MiB.
blk() {
	run micro_vmm "workload=$1 duration_ns=50000000 warmup_ns=1000000 area=1048576 write_pct=50 $3" --disk "file=$disk,$2"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(metric ios)" -gt 0 ]
}

@test "virtio-blk: every load, with each engine" {
	for engine in io_uring sync; do
		blk blk-latency direct=off,engine=$engine
		blk blk-iops direct=off,engine=$engine
		blk blk-throughput direct=off,engine=$engine msg_size=65536
		blk blk-sync direct=off,engine=$engine
		[ "$(metric flushes)" -gt 0 ]
		blk blk-discard direct=off,engine=$engine
	done
}

@test "virtio-blk: split and packed rings, in order or not, with and without event_idx" {
	for ring in split packed; do
		for order in on off; do
			for idx in on off; do
				blk blk-iops direct=off,ring=$ring,in_order=$order,event_idx=$idx
			done
		done
	done
}

@test "virtio-blk: past the host's page cache" {
	blk blk-iops direct=on
	blk blk-sync direct=on,cache=writeback
	cmp -n 4 <(printf 'ZEXI') "$disk"
}

@test "virtio-blk: an open loop counts latency from when a request was due" {
	blk blk-latency direct=off "rate=2000 work=20"
	[ "$(metric ios)" -eq 20 ]
	awk -v ns="$(metric window_ns)" 'BEGIN { exit !(ns >= 9000000) }'
}

@test "nvme: every load, with each engine, with shadow doorbells and without" {
	for shadow in on off; do
		for engine in io_uring sync; do
			blk blk-latency mode=nvme,direct=off,engine=$engine,shadow=$shadow
			blk blk-iops mode=nvme,direct=off,engine=$engine,shadow=$shadow
			blk blk-throughput mode=nvme,direct=off,engine=$engine,shadow=$shadow msg_size=65536
			blk blk-sync mode=nvme,direct=off,engine=$engine,shadow=$shadow
			[ "$(metric flushes)" -gt 0 ]
			blk blk-discard mode=nvme,direct=off,engine=$engine,shadow=$shadow
		done
	done
}

@test "ide: every load by DMA with each engine and on the vCPU; by PIO, word by word" {
	for how in engine=io_uring engine=sync io=vcpu; do
		blk blk-latency mode=ide,direct=off,$how
		blk blk-throughput mode=ide,direct=off,$how msg_size=65536
		blk blk-sync mode=ide,direct=off,$how
		[ "$(metric flushes)" -gt 0 ]
	done
	# Each double word that is written is an exit: two sectors are enough.
	blk blk-latency mode=ide,direct=off,dma=off "area=2048 msg_size=1024 work=2"
	blk blk-sync mode=ide,direct=off,dma=off "area=1024 msg_size=512 work=1"
}

# port_exits WRITE_PCT WORK KNOB...: blocks of 4 KiB; the exits of one, a register each, the polls of the alternate status left out. Where
# KVM is PVM, what never leaves the kernel is not among them.
port_exits() {
	local pct=$1 work=$2 knob args=()
	shift 2
	for knob in "$@"; do args+=(--set "$knob"); done
	"$bench" run blk-latency --guest=micro --mode=ide "${args[@]}" --medium=file --set area=64K --set verify=off --set write_pct="$pct" \
		--work="$work" --on=host --reps=1 --warmup=0 --store="$BATS_TEST_TMPDIR/store" --json >"$BATS_TEST_TMPDIR/run"
	jq -c --argjson n "$work" '[.exits[] | select(.key | test("x1f|DMA")) | {(.key | sub("ide0 "; "")): (.count / $n)}] | add' "$BATS_TEST_TMPDIR/run"
}

# exits_are WANTED ARGS...: as jq writes them.
exits_are() {
	local want=$1
	shift
	run port_exits "$@"
	echo "$* $output"
	[ "$status" -eq 0 ]
	jq -e ". == $want" <<<"${lines[-1]}"
}

@test "ide: the exits of 4 KiB are those of ATA's handshake, register by register; what is posted does not reach the VMM" {
	[ "$(id -u)" -eq 0 ] || skip "not root"
	[ -r /sys/kernel/btf/vmlinux ] || skip "the kernel has no BTF"
	dd if=/dev/zero of="$disk" oflag=direct bs=4096 count=1 conv=notrunc status=none || skip "no I/O past the page cache here"
	# docs/block.md derives them: the address, the command, the status; KVM fetches 1,024 bytes of a string input at a time.
	local address='"out 0x1f2": 2, "out 0x1f3": 2, "out 0x1f4": 2, "out 0x1f5": 2, "out 0x1f6": 1' command='"out 0x1f7": 1, "in 0x1f7": 1'
	exits_are "{$address, $command, \"in 0x1f0\": 4}" 0 20 dma=off posted=off
	exits_are "{$command, \"in 0x1f0\": 4}" 0 20 dma=off
	exits_are "{$command, \"out 0x1f0\": 1024}" 100 2 dma=off
}

@test "a sector that was damaged on its way fails the sample" {
	run micro_vmm "workload=blk-iops duration_ns=100000000 area=262144 write_pct=50 corrupt=on" --disk "$disk,direct=off"
	[ "$status" -eq 3 ]
	grep -q '^exitlab fail disk: sector [0-9]*: torn or damaged' <<<"$output"
}

@test "a disk that reports errors fails the sample" {
	run micro_vmm "workload=blk-iops duration_ns=20000000 write_pct=100 verify=off" --disk "$disk,direct=off,readonly=on"
	[ "$status" -eq 3 ]
	grep -q '^exitlab fail disk: sector [0-9]*: the device reports an error' <<<"$output"
}

@test "what a disk cannot be is said in one line" {
	fails 2 "no medium" "$vmm" --kernel "$O/micro.elf" --disk mode=virtio-blk
	fails 2 "No such file" "$vmm" --kernel "$O/micro.elf" --disk /nonexistent
	fails 2 "want virtio-blk" "$vmm" --kernel "$O/micro.elf" --disk "$disk,mode=floppy"
	fails 2 "did you mean queues" "$vmm" --kernel "$O/micro.elf" --disk "$disk,direct=off,queue=2"
}

@test "a disk in use is refused" {
	coproc holder { python3 -c '
import fcntl, sys
fcntl.lockf(f := open(sys.argv[1], "r+b"), fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()' "$disk" 3>&-; }
	read -r held <&"${holder[0]}"
	[ "$held" = held ]
	fails 3 "in use by another" "$vmm" --kernel "$O/micro.elf" --disk "$disk,direct=off"
	exec {holder[1]}>&-
	wait "$holder_PID"
}

# Mounts of a test's own go with it.
need_mounts() {
	unshare -m true 2>/dev/null || skip "no right to mount"
}

@test "a disk that is mounted is refused, and the mount is named" {
	need_mounts
	local dir=$BATS_TEST_TMPDIR/mount
	mkdir "$dir"
	PATH=$PATH:/sbin mkfs.ext4 -q "$disk"
	cat >"$BATS_TEST_TMPDIR/try" <<-'EOF'
		mount -o loop "$1" "$2" || exit 77
		dev=$(findmnt -n -o SOURCE "$2")
		"$3" --kernel "$4" --disk "$dev"
		echo "vmm $?"
		"$5" run blk-iops --mode=host --medium="$dev" --on=host --reps=1 --no-probes --store="$2/../store"
		echo "bench $?"
	EOF
	run unshare -m sh "$BATS_TEST_TMPDIR/try" "$disk" "$dir" "$vmm" "$O/micro.elf" "$bench"
	[ "$status" -ne 77 ] || skip "no loop device"
	grep -q "^vmm: error: .*is mounted on $dir; unmount it" <<<"$output"
	grep -q '^vmm 3' <<<"$output"
	grep -q "^bench: error: .*: mounted on $dir; unmount it" <<<"$output"
	grep -q '^bench 1' <<<"$output"
}

@test "a full file system: each device gives the guest an error, and the VMM lives" {
	need_mounts
	mkdir "$BATS_TEST_TMPDIR/full"
	for mode in virtio-blk nvme ide; do
		for engine in io_uring sync; do
			run timeout 60 unshare -m sh -c 'mount -t tmpfs -o size=64k none "$1" && truncate -s 16M "$1/disk" && cd "$1" && shift && exec "$@"' - \
				"$BATS_TEST_TMPDIR/full" "$vmm" --kernel "$PWD/$O/micro.elf" --mem 64M --console none --agent stdio \
				--cmdline "workload=blk-sync duration_ns=20000000000 verify=off area=1048576" --disk "disk,direct=off,mode=$mode,engine=$engine"
			echo "$output"
			[ "$status" -eq 3 ]
			grep -q '^exitlab fail disk: sector [0-9]*: the device reports an error' <<<"$output"
			grep -q '^exitlab done' <<<"$output"
		done
	done
}

@test "a file that is cut while in use: the guest gets an error, the VMM lives" {
	for knobs in mode=virtio-blk,engine=io_uring mode=virtio-blk,engine=sync mode=nvme mode=ide; do
		truncate -s 16M "$disk"
		(
			for _ in $(seq 500); do # until the guest has written something
				[ "$(stat -c %b "$disk")" -eq 0 ] || break
				sleep 0.01
			done
			truncate -s 4096 "$disk"
		) 3>&- &
		run micro_vmm "workload=blk-sync duration_ns=20000000000 verify=off area=65536" --disk "$disk,direct=off,$knobs"
		wait
		[ "$status" -eq 3 ]
		grep -q 'shorter than it was; all further I/O fails' <<<"$output"
		grep -q '^exitlab fail disk: sector [0-9]*: the device reports an error' <<<"$output"
		rm "$disk"
	done
}

# until_true CMD...: ten seconds at most.
until_true() {
	for _ in $(seq 200); do
		"$@" && return
		sleep 0.05
	done
	return 1
}

# back_start [K=V,...]: our back-end at $sock on the disk; a second one takes over from the first.
back_start() {
	"$O/vhost-user-blk" --socket "$sock" --disk "$disk,direct=off${1:+,$1}" 2>>"$BATS_TEST_TMPDIR/back.log" 3>&- &
	back=$!
	until_true test -S "$sock"
}

back_stop() {
	kill "$1" "$back"
	wait "$back" || true
	until_true test ! -e "$sock"
}

# user_blk WORKLOAD KNOBS [JOB KEYS]: as blk, over vhost-user.
user_blk() {
	run micro_vmm "workload=$1 duration_ns=50000000 warmup_ns=1000000 area=1048576 write_pct=50 $3" --disk "mode=vhost-user-blk,path=$sock,$2"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(metric ios)" -gt 0 ]
}

@test "vhost-user-blk: every load with each engine, each kind of ring, and without a vector" {
	sock=$BATS_TEST_TMPDIR/blk.sock
	for engine in io_uring sync; do
		back_start engine=$engine,queues=2
		for load in blk-latency blk-iops blk-throughput blk-sync blk-discard; do
			user_blk $load ring=split msg_size=32768
		done
		user_blk blk-iops ring=packed
		user_blk blk-iops ring=packed,in_order=on,event_idx=off
		user_blk blk-iops irq=intx,size=64,queues=2
		back_stop -TERM
	done
}

# back_again N: the VMM has joined a back-end again so many times.
back_again() {
	[ "$(grep -c 'is back' "$BATS_TEST_TMPDIR/err")" -ge "$1" ]
}

@test "vhost-user-blk: the back-end killed under verified requests; they go on with the next" {
	sock=$BATS_TEST_TMPDIR/blk.sock
	for ring in split packed; do
		back_start
		micro_vmm "workload=blk-iops work=60000 area=1048576 write_pct=50" --disk "mode=vhost-user-blk,path=$sock,ring=$ring" \
			>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
		guest=$!
		until_true grep -q 'exitlab ready' "$BATS_TEST_TMPDIR/out"
		for n in 1 2 3; do
			back_stop -KILL
			back_start
			until_true back_again $n
		done
		wait "$guest"
		output=$(cat "$BATS_TEST_TMPDIR/out")
		[ "$(metric ios)" -eq 60000 ]
		back_stop -TERM
	done
}
