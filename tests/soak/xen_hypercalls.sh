#!/bin/sh
# SPDX-License-Identifier: MIT
# In the lab, with a KVM that takes Xen's hypercalls: the probes' count of them against the kernel's tracepoint, over the
# whole life of a QEMU whose guest finds no root and gives up. Rows of a vCPU that had ended before they were read have no
# names any more (probes/recycle.c): they are "other", and count.
#
#   xen_hypercalls.sh BENCH
set -eu
dir=$(mktemp -d)
kernel=${XDG_CACHE_HOME:-$HOME/.cache}/exitlab/kernels/default/vmlinuz
[ -w /dev/kvm ] || modprobe kvm_amd
perf stat -a -x, -o "$dir/perf" -e kvm:kvm_xen_hypercall "$1" profile --json -- qemu-system-x86_64 -nodefaults -no-user-config \
	-display none -no-reboot -accel kvm,xen-version=0x40011,kernel-irqchip=split -machine q35 -cpu host -m 256 \
	-kernel "$kernel" -append "panic=-1 quiet mitigations=off" >"$dir/out" 2>"$dir/err" || { cat "$dir/err"; exit 1; }
sed -n '/^{/,/^}/p' "$dir/out" >"$dir/json"
theirs=$(awk -F, '/kvm_xen_hypercall/ { print $1 }' "$dir/perf")
jq -r --argjson theirs "$theirs" '([.exits[] | select(.reason == "vmmcall") | .count] | add) as $rows |
	"probes \(.totals.hypercalls), their rows \($rows), the tracepoint \($theirs)",
	(.exits[] | select(.reason == "vmmcall") | "  \(.count) \(.key)"),
	if .totals.hypercalls == $theirs and $rows == $theirs and $theirs > 50 then empty else error("they differ") end' "$dir/json"
