# SPDX-License-Identifier: MIT
# Linux on our VMM: boots, has nothing to complain about, ends as it should.
load ../helper

setup_file() {
	export KERNELS=${EXITLAB_CACHE:-$HOME/.cache/exitlab}/kernels/default ROOT=$BATS_FILE_TMPDIR/root
	mkdir "$ROOT"
	gcc -static -Os -o "$ROOT/init" "$BATS_TEST_DIRNAME/init.c"
	(cd "$ROOT" && echo init | cpio -o -H newc 2>/dev/null) >"$BATS_FILE_TMPDIR/initrd"
}

# linux WORDS [OPTION...]: boot it; the console is in $BATS_TEST_TMPDIR/log
linux() {
	local words=$1
	shift
	timeout 60 "$vmm" --kernel "$KERNELS/vmlinux" --initrd "$BATS_FILE_TMPDIR/initrd" --mem 256M \
		--cmdline "console=ttyS0 quiet $words" --console "$BATS_TEST_TMPDIR/log" "$@" </dev/null
}

# What the kernel itself warns of, without what the emulated processor and its unsteady clock make it say.
complaints() {
	grep -aE '^<[0-4]>' "$BATS_TEST_TMPDIR/log" |
		grep -avE 'Speculative Return Stack|trace_clock|Unstable clock|kernel command line|MDS CPU|TAA CPU|MMIO Stale'
}

# boots CPUS [OPTION...]
boots() {
	local cpus=$1
	shift
	linux t.show --cpus "$cpus" "$@"
	grep -a "init: $cpus cpus" "$BATS_TEST_TMPDIR/log"
	grep -a '^kvm-clock' "$BATS_TEST_TMPDIR/log"
	grep -aE 'IO-APIC +4-edge +ttyS0' "$BATS_TEST_TMPDIR/log"
	none complaints
	none grep -aiE 'acpi.*(error|warning|fail)|firmware bug|irq.*(nobody|spurious)|timer.*(fail|broken)' "$BATS_TEST_TMPDIR/log"
}

@test "1 vCPU: boots through PVH, no complaint, powers off with status 0" {
	boots 1
}

@test "2 vCPUs" {
	boots 2
}

@test "4 vCPUs" {
	boots 4
}

@test "2 vCPUs with the split irqchip" {
	boots 2 --irqchip split
}

@test "a bzImage boots the same" {
	boots 1 --kernel "$KERNELS/vmlinuz"
}

@test "reset: ends with --no-reboot, status 0; really boots again without" {
	linux t.reboot --no-reboot
	[ "$(grep -ac 'init: 1 cpus' "$BATS_TEST_TMPDIR/log")" -eq 1 ]
	rm "$BATS_TEST_TMPDIR/log"
	linux t.reboot --cpus 2 &
	pid=$!
	for _ in $(seq 300); do
		[ "$(grep -ac 'init: 2 cpus' "$BATS_TEST_TMPDIR/log" 2>/dev/null || true)" -ge 3 ] && break
		sleep 0.1
	done
	pkill -P $pid
	wait $pid || true
	[ "$(grep -ac 'init: 2 cpus' "$BATS_TEST_TMPDIR/log")" -ge 3 ]
}

@test "a kernel panic is status 1, whether it then resets or halts" {
	for panic in -1 0; do
		status=0
		linux "t.panic panic=$panic" --no-reboot || status=$?
		[ "$status" -eq 1 ]
		grep -a 'Attempted to kill init' "$BATS_TEST_TMPDIR/log"
	done
}

@test "less than half of QEMU's exits during boot" {
	local hist=/sys/kernel/tracing/events/kvm/kvm_exit ours theirs
	count() { awk '/Hits:/ {print $2}' "$hist/hist"; }
	echo 'hist:keys=exit_reason' >"$hist/trigger"
	linux ""
	ours=$(count)
	timeout 90 qemu-system-x86_64 -machine q35 -accel kvm -cpu host -m 256M -nodefaults -nographic -no-reboot \
		-serial stdio -kernel "$KERNELS/vmlinuz" -initrd "$BATS_FILE_TMPDIR/initrd" \
		-append "console=ttyS0 quiet" </dev/null >/dev/null
	theirs=$(($(count) - ours))
	echo '!hist:keys=exit_reason' >"$hist/trigger"
	echo "exits: ours $ours, QEMU $theirs"
	[ "$ours" -gt 100 ]
	[ "$ours" -lt $((theirs / 2)) ]
}
