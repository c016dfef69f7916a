# SPDX-License-Identifier: MIT
# The VMM by itself: its command line, how runs end, what guests of a few bytes can do to it.
load ../helper

setup_file() {
	local g
	export GUESTS=$BATS_FILE_TMPDIR
	for g in EXIT POWEROFF RESET_CF9 RESET_8042 PANIC TRIPLE_FAULT REBOOTS=200 WAIT FLOOD POKE; do
		gcc -m32 -c -DGUEST_"$g" "$BATS_TEST_DIRNAME/guest.S" -o "$GUESTS/o" &&
			objcopy -O binary -j .text "$GUESTS/o" "$GUESTS/${g%%=*}"
	done
}

setup() {
	[ "$BATS_TEST_NUMBER" -le 5 ] || [ -w /dev/kvm ] || skip "no /dev/kvm here"
}

# guest NAME [OPTION...]
guest() {
	local name=$1
	shift
	timeout 30 "$vmm" --kernel "$GUESTS/$name" --format flat --mem 16M --console none "$@" </dev/null
}

@test "bad command lines: status 2, one line that names it" {
	fails 2 'no kernel' "$vmm"
	fails 2 'unknown option --krnel; did you mean --kernel' "$vmm" --krnel=x
	fails 2 '/no/such: No such file' "$vmm" --kernel /no/such
	fails 2 'kernel /: ' "$vmm" --kernel /
	fails 2 'empty' "$vmm" --kernel /dev/null --kernel "$(: >"$BATS_TEST_TMPDIR/e"; echo "$BATS_TEST_TMPDIR/e")"
	for n in 0 9 1000 -1 x 18446744073709551616; do
		fails 2 'cpus=' "$vmm" --kernel "$GUESTS/EXIT" --cpus="$n"
	done
	for m in 0 1 4097 -1 x 1000000T; do
		fails 2 "mem|memory" "$vmm" --kernel "$GUESTS/EXIT" --mem="$m"
	done
	fails 2 'irqchip=both' "$vmm" --kernel "$GUESTS/EXIT" --irqchip=both
	fails 2 'format=elf' "$vmm" --kernel "$GUESTS/EXIT" --format=elf
	fails 2 'no medium; want file=PATH' "$vmm" --kernel "$GUESTS/EXIT" --disk path=x
	fails 2 'no device floppy; there are e1000, ide, nvme, virtio-blk, virtio-net' "$vmm" --kernel "$GUESTS/EXIT" --device floppy
	fails 2 'stats=' "$vmm" --kernel "$GUESTS/EXIT" --stats 5
	fails 2 'not an option' "$vmm" --kernel "$GUESTS/EXIT" extra
}

@test "bad kernels and initrds: status 2 or 3, one line that names it" {
	fails 2 'not a kernel' "$vmm" --kernel LICENSE
	fails 2 'not a kernel' "$vmm" --kernel "$GUESTS/EXIT"
	fails 2 'no-initrd' "$vmm" --kernel "$GUESTS/EXIT" --initrd /no-initrd
	truncate -s 64M "$BATS_TEST_TMPDIR/initrd"
	fails 3 'initrd of 64 MiB' guest EXIT --initrd "$BATS_TEST_TMPDIR/initrd"
	printf '\x7fELF\x02\x01' >"$BATS_TEST_TMPDIR/cut"
	fails 2 'cut: ' "$vmm" --kernel "$BATS_TEST_TMPDIR/cut" --format pvh
	printf '\x7fELF\x02\x01\x01%0100d' 0 >"$BATS_TEST_TMPDIR/cut"
	fails 2 'cut: an ELF file with neither.*truncated' "$vmm" --kernel "$BATS_TEST_TMPDIR/cut"
	chmod 0 "$BATS_TEST_TMPDIR/cut"
	# Root reads everything, unless it has given that up.
	[ "$(id -u)" -ne 0 ] || no_override="setpriv --bounding-set=-dac_override,-dac_read_search"
	fails 2 'cut: Permission denied' $no_override "$vmm" --kernel "$BATS_TEST_TMPDIR/cut"
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	fails 2 'fifo: not a regular file' timeout 10 "$vmm" --kernel "$BATS_TEST_TMPDIR/fifo"
	fails 2 'initrd /: Is a directory' "$vmm" --kernel "$GUESTS/EXIT" --initrd /
	fails 2 'command line of 7[0-9]* bytes: at most' guest EXIT --cmdline "$(head -c 70000 /dev/zero | tr '\0' a)"
}

@test "a real kernel, cut short: one line that says so" {
	local kernels=${EXITLAB_CACHE:-$HOME/.cache/exitlab}/kernels/default
	[ -e "$kernels/vmlinuz" ] || skip "no unpacked kernel"
	for f in vmlinux vmlinuz; do
		head -c 3000000 "$kernels/$f" >"$BATS_TEST_TMPDIR/$f"
		fails 2 "$f: .*truncated" "$vmm" --kernel "$BATS_TEST_TMPDIR/$f"
	done
	fails 3 'wants .* more with --mem' "$vmm" --kernel "$kernels/vmlinux" --mem 16M --console none
}

@test "no room in memory, no file left to open: status 3, one line, whichever of them fails" {
	fails 3 'guest memory of 1024 MiB: Cannot allocate' \
		bash -c "ulimit -v 300000; exec '$vmm' --kernel '$GUESTS/EXIT' --format flat --mem 1G --console none"
	for n in 4 5 6 7 8 9 10 11 12 13 14; do
		fails 3 'Too many open files' timeout 10 bash -c \
			"exec 3>&- 4>&- 5>&- 6>&- 7>&-; ulimit -n $n; exec '$vmm' --kernel '$GUESTS/WAIT' --format flat --mem 16M --cpus 2 --console none --no-reboot"
	done
}

@test "more memory than the machine has: status 3" {
	fails 3 'MiB available' "$vmm" --kernel "$GUESTS/EXIT" --format flat --mem=127G
}

@test "no /dev/kvm: status 3 and what to do" {
	unshare -m true 2>/dev/null || skip "needs root"
	fails 3 '/dev/kvm: No such.*load kvm_' unshare -m sh -c \
		"mount -t tmpfs none /dev && exec '$vmm' --kernel '$GUESTS/EXIT' --format flat --console none"
}

@test "bad devices: status 2, one line that names it" {
	fails 2 'device nonsense' guest EXIT --device nonsense
	fails 2 'key=value' guest EXIT --net virtio
	fails 2 'agent channel' guest EXIT --agent fd=99
	fails 2 'console' guest EXIT --console /no/such/dir/log
	fails 2 'statistics page' guest EXIT --stats fd=99
}

@test "debug-exit gives (v << 1) | 1" {
	run guest EXIT
	[ "$status" -eq 67 ]
	run guest EXIT --irqchip split --cpus 2
	[ "$status" -eq 67 ]
	run guest EXIT --share-memory
	[ "$status" -eq 67 ]
}

@test "memory above the hole below 4 GiB" {
	[ "$(awk '/MemAvailable/ {print $2}' /proc/meminfo)" -gt 6000000 ] || skip "this machine has too little memory"
	run guest EXIT --mem=5G
	[ "$status" -eq 67 ]
	run guest EXIT --mem=5G --share-memory
	[ "$status" -eq 67 ]
}

@test "the statistics page holds magic, names, and KVM's own counters at the end" {
	local page=$BATS_TEST_TMPDIR/page
	guest POWEROFF --stats fd=7 7<>"$page"
	[ "$(head -c 8 "$page")" = SPGEEXTL ]
	grep -qa 'COM1' "$page"
	grep -qa 'debug-exit' "$page"
	grep -qaE '^vcpu0/exits [0-9]+$' "$page"
}

@test "power-off is status 0; so is a reset with --no-reboot" {
	guest POWEROFF
	guest RESET_CF9 --no-reboot
	guest RESET_8042 --no-reboot
}

@test "a triple fault and a panic are status 1 and say so" {
	run guest TRIPLE_FAULT --no-reboot
	[ "$status" -eq 1 ]
	[[ "$output" == *"triple fault"* ]] || [[ "$output" == *"KVM cannot emulate"* ]]
	run guest PANIC
	[ "$status" -eq 1 ]
	[[ "$output" == *panicked* ]]
}

# Of the processors' time, which other work on the machine leaves nearly as it is.
@test "a micro guest boots, runs and ends within 100 ms, best of 10" {
	local best=1000000 t TIMEFORMAT='%3U %3S'
	for _ in $(seq 10); do
		t=$({ time guest POWEROFF >/dev/null 2>&1; } 2>&1 | awk '{ printf "%d", 1000 * ($1 + $2) }')
		[ "$t" -ge "$best" ] || best=$t
	done
	echo "best: $best ms"
	[ "$best" -lt 100 ]
}

# state PID: open files; resident memory beyond the guest's in KiB: all of it, and what is the VMM's own (anonymous)
state() {
	echo "$(ls "/proc/$1/fd" | wc -l) $(awk '/^Size:/ {guest = $2 == 16384} /^Rss:/ && !guest {all += $2}
		/^Anonymous:/ && !guest {own += $2} END {print all, own}' "/proc/$1/smaps")"
}

# Start a guest and wait until it has said that it is ready.
start() {
	"$vmm" --kernel "$GUESTS/$1" --format flat --mem 16M --console "$BATS_TEST_TMPDIR/log" </dev/null 3>&- &
	pid=$!
	for _ in $(seq 300); do
		grep -q R "$BATS_TEST_TMPDIR/log" 2>/dev/null && return
		sleep 0.1
	done
	return 1
}

@test "200 resets leak neither files nor memory; resident memory beyond the guest's is at most 5 MiB" {
	local fds0 own0 fds1 own1 all
	start WAIT
	read -r fds0 all own0 < <(state $pid)
	kill $pid; wait $pid || true
	rm "$BATS_TEST_TMPDIR/log"
	start REBOOTS
	read -r fds1 all own1 < <(state $pid)
	kill $pid; wait $pid || true
	echo "files $fds0 -> $fds1, own memory $own0 -> $own1 KiB, resident $all KiB"
	[ "$fds0" -eq "$fds1" ]
	[ "$own1" -le $((own0 + 100)) ]
	[ "$all" -le 5120 ]
}

@test "200 boots in a row" {
	for _ in $(seq 200); do
		guest POWEROFF
	done
}

@test "SIGTERM ends it at once, 128 + signal" {
	start WAIT
	kill -TERM $pid
	local status=0
	wait $pid || status=$?
	[ "$status" -eq 143 ]
}

@test "a console that nobody reads stops neither the guest nor the end" {
	local status=0
	"$vmm" --kernel "$GUESTS/FLOOD" --format flat --mem 16M </dev/null 3>&- > >(sleep 20) &
	pid=$!
	sleep 1
	[ "$(awk '/VmRSS/ {print $2}' /proc/$pid/status)" -lt 8000 ]
	kill $pid
	wait $pid || status=$?
	[ "$status" -eq 143 ]
}

@test "a terminal is put back, whatever ends the VMM" {
	command -v script >/dev/null || skip "no script(1)"
	for how in TERM KILL SEGV; do
		script -qec "stty sane; stty -a >$BATS_TEST_TMPDIR/before; \
			'$vmm' --kernel '$GUESTS/WAIT' --format flat --mem 16M </dev/tty & p=\$!; sleep 0.5; stty -a >$BATS_TEST_TMPDIR/raw; \
			kill -$how \$p; wait \$p; sleep 0.2; stty -a >$BATS_TEST_TMPDIR/after" /dev/null </dev/null >/dev/null 2>&1
		grep -q -- '-icanon' "$BATS_TEST_TMPDIR/raw"
		diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	done
}

@test "every port at every width, odd ends included" {
	run guest POKE
	[ "$status" -eq 1 ] # debug-exit 0
}

@test "a multiboot kernel below 1 MiB, as for QEMU: its name before its command line, fw_cfg by port and by DMA" {
	gcc -m32 -c "$BATS_TEST_DIRNAME/multiboot_low.S" -o "$BATS_TEST_TMPDIR/o"
	objcopy -O binary -j .text "$BATS_TEST_TMPDIR/o" "$BATS_TEST_TMPDIR/low"
	for n in 1 3; do
		run timeout 30 "$vmm" --kernel "$BATS_TEST_TMPDIR/low" --mem 16M --cpus $n --cmdline "one two" --console stdio </dev/null
		[ "$status" -eq 67 ]
		[ "$output" = "QEMU$n$n $BATS_TEST_TMPDIR/low one two" ] || { echo "$output"; false; }
	done
}
