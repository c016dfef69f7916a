#!/bin/sh
# SPDX-License-Identifier: MIT
# For lab_intel.bats, inside the lab: what the kernel's own tracepoint, KVM's statistics and our probes count of the same guests.
# usage: lab_intel_exits.sh BUILD OUT
build=$1 out=$2
hist=/sys/kernel/tracing/events/kvm/kvm_exit
module=$(find / -xdev -name 'kvm-intel.ko*' | head -n 1)

# kvm EPT APICV: kvm_intel, loaded anew; both are said, because enable_apicv lives in kvm.ko and outlasts kvm_intel
kvm() {
	rmmod kvm_intel
	insmod "$module" "ept=$1" "enable_apicv=$2" || exit 1
	set -- "$1$2" "$(cat /sys/module/kvm_intel/parameters/ept /sys/module/kvm_intel/parameters/enable_apicv | tr -d '\n' | tr YN 10)"
	[ "$1" = "$2" ] || { echo "kvm_intel has ept and enable_apicv $2 instead of $1" >&2; exit 1; }
}

# count NAME JOB [VMM OPTIONS]: one guest, as the probes and the tracepoint count it; fd 7 is $out/page
count() {
	echo 'hist:keys=exit_reason' >$hist/trigger
	"$build/bench" profile --json -- sh -c 'page=$1; shift; exec "$@" 7<>"$page"' sh "$out/page" "$build/vmm" --kernel "$build/micro.elf" \
		--mem 64M --console none --agent "$out/$1.agent" --no-reboot --device exitlab-testdev --cmdline "duration_ns=20000000 $2" ${3:+"$3"} \
		>"$out/$1.json" 2>"$out/$1.err"
	cat $hist/hist >"$out/$1.hist"
	echo '!hist:keys=exit_reason' >$hist/trigger
}

# count_thrice NAME JOB: KVM counts, too; the VMM writes its words down at three moments, the last of which is the end
count_thrice() {
	count "$1" "$2" --stats=fd=7
	strings "$out/page" | grep '^vcpu0/exits ' | tail -n 1 >"$out/$1.kvm"
	rm "$out/page"
}

mkdir -p "$out"
count named "workload=exit-cost op=mmio_user"
count_thrice cost workload=exit-cost
count_thrice every workload=every-exit
count triple "workload=every-exit op=triple-fault"
count task "workload=every-exit op=task-switch"
kvm 1 0
count_thrice cost_no_apicv workload=exit-cost
count every_no_apicv workload=every-exit
kvm 0 1
count_thrice cost_shadow workload=exit-cost
count every_shadow workload=every-exit
kvm 0 0
count_thrice cost_neither workload=exit-cost
count every_neither workload=every-exit
