# SPDX-License-Identifier: MIT
# Helpers of the tests that run the micro guest; after ../helper.

# micro_vmm JOB [VMM OPTIONS]: the micro guest under our VMM; its lines on stdout, its status is ours.
micro_vmm() {
	local job=$1
	shift
	timeout 60 "$vmm" --kernel "$O/micro.elf" --cmdline "$job" --mem 64M --console none --agent stdio "$@"
}

# micro_tcg JOB [QEMU OPTIONS]: the same under QEMU without KVM.
micro_tcg() {
	local job=$1
	shift
	timeout 60 qemu-system-x86_64 -machine q35 -accel tcg -cpu max -m 64 -smp 2 -nodefaults -nographic \
		-no-reboot -serial null -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 \
		-kernel "$O/micro.elf" -append "$job" "$@" 2>&1
}

need_kvm() {
	[ -w /dev/kvm ] || skip "no /dev/kvm here"
}

need_qemu() {
	command -v qemu-system-x86_64 >/dev/null || skip "no QEMU here"
}

# metric NAME: its value in $output.
metric() {
	sed -n "s/^exitlab metric $1 \([0-9.]*\)$/\1/p" <<<"$output"
}
