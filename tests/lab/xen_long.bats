# SPDX-License-Identifier: MIT
# Domains of Xen's, in its dom0: what they are counted, how they end, and that none is left.
#
# lab: --lab=xen
# long
load ../helper

setup() {
	store=$BATS_TEST_TMPDIR/store
}

once() {
	"$bench" -q run "$@" --on=host --reps=1 --warmup=0 --store="$store" --json >"$BATS_TEST_TMPDIR/json"
}

# Only dom0 is left, and no process of ours.
nothing_left() {
	timeout 120 sh -c 'while [ "$(xl list | wc -l)" -gt 2 ] || pgrep xentrace; do sleep 0.5; done'
}

# per REASON KEY: of one operation, in the window.
per() {
	echo "sum(e['count'] for e in j['exits'] if e['reason'] == '$1' and e['key'] == '$2') / j['summary']['ops.$op']['median']"
}

@test "a PV domain: a system call is one iret; a page fault the fault, a page-table write, an update and an iret" {
	op=syscall
	once kernel-ops --vmm=xen:pv --set observer=probes --set op=$op
	json "j['ok'] and all(c['ok'] for c in j['checks'])"
	json "abs($(per hypercall iret) - 1) < 0.01"
	op=page_fault
	once kernel-ops --vmm=xen:pv --set observer=probes --set op=$op
	json "abs($(per 'page fault' '') - 1) < 0.02 and abs($(per hypercall iret) - 1) < 0.02"
	nothing_left
}

@test "a PVH domain: CPUID is one exit; no trace without probes; its console and its end" {
	op=cpuid
	once kernel-ops --vmm=xen:pvh --set observer=probes --set op=$op
	json "abs($(per cpuid '') - 1) < 0.01"
	once kernel-ops --vmm=xen:pvh --set op=syscall
	json "j['ok'] and not j['exits'] and j['summary']['op_ns.syscall']['median'] > 0"
	[ -z "$(find "$store" -name 'xen.trace*')" ]
	nothing_left
}

@test "a bench that is killed leaves no domain; nor do dom0 without memory and a store that is gone" {
	local pid
	"$bench" -q run idle --duration=100s --vmm=xen:pv --on=host --reps=1 --warmup=0 --store="$store" 3>&- &
	pid=$!
	timeout 120 sh -c 'until [ "$(xl list | wc -l)" -gt 2 ]; do sleep 0.5; done'
	kill -9 $pid
	nothing_left
	run "$bench" run idle --vmm=xen:pv --set mem=8G --on=host --reps=1 --warmup=0 --store="$store"
	[ "$status" -eq 1 ]
	[[ "$output" == *"vmm.log"* ]] || { echo "$output"; false; }
	nothing_left
	run "$bench" run idle --vmm=xen:hvm --on=host --store="$store"
	[ "$status" -eq 3 ]
	[[ "$output" == *"xen:hvm: not supported yet"* ]] || { echo "$output"; false; }
	kill "$(cat /run/xenstored.pid)"
	run timeout 200 "$bench" run idle --vmm=xen:pv --on=host --reps=1 --warmup=0 --store="$store"
	[ "$status" -eq 1 ]
	[[ "$output" == *"vmm.log"* ]] || { echo "$output"; false; }
}
