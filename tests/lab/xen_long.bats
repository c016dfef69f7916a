# SPDX-License-Identifier: MIT
# Domains of Xen's, in its dom0: what they are counted, how they end, and that none is left.
#
# lab: --lab=xen
# long
load ../helper
load xen

@test "a PVH domain: CPUID is one exit, memory none; no trace without probes" {
	once kernel-ops --vmm=xen:pvh --set observer=probes
	json "j['ok'] and all(c['ok'] for c in j['samples'][0]['checks'])"
	twice 1
	json "j['summary']['exits_per_op.page_fault']['median'] < 0.1"
	once kernel-ops --vmm=xen:pvh --set op=syscall
	json "j['ok'] and not j['exits'] and j['summary']['op_ns.syscall']['median'] > 0"
	[ -z "$(find "$store" -name 'xen.trace*')" ]
	nothing_left
}

@test "an HVM domain: its PC boots the kernel that QEMU has put into memory; CPUID is one exit, memory none" {
	once kernel-ops --vmm=xen:hvm --set observer=probes
	json "j['ok'] and all(c['ok'] for c in j['samples'][0]['checks'])"
	twice 1
	json "j['summary']['exits_per_op.page_fault']['median'] < 0.1"
	nothing_left
}

@test "a PV domain's network: one event channel and one block for each request, its packets are copied by grant" {
	once net-latency --mode=netback --vmm=xen:pv --set observer=probes --work=200
	json "j['ok'] and 1 <= j['summary']['grant_copies_per_packet']['median'] < 2.2"
	json "1 <= sum(e['count'] for e in j['exits'] if e['key'].startswith('event_channel_op')) / 200 < 1.5"
	json "sum(e['count'] for e in j['exits'] if (e['reason'], e['key']) == ('granted page', 'copy')) == j['summary']['grant_copies']['median']"
	nothing_left
}

# Where dom0 runs beside the domain, it may look at the ring again before the domain has to tell it.
@test "a PV domain's disk: dom0's kernel serves each request, most of them for a call of its event channels" {
	once blk-iops --mode=blkback --vmm=xen:pv --set observer=probes --set depth=1 --work=100
	json "j['ok'] and j['mode'] == 'blkback' and j['summary']['ops']['median'] == 100"
	json "sum(e['count'] for e in j['exits'] if e['key'].startswith('event_channel_op')) > 50"
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
	run "$bench" run idle --vmm=xen:pvm --on=host --store="$store"
	[ "$status" -eq 3 ]
	[[ "$output" == *"xen:pvm: it is xen:pv, xen:pvh or xen:hvm"* ]] || { echo "$output"; false; }
	kill "$(cat /run/xenstored.pid)"
	run timeout 200 "$bench" run idle --vmm=xen:pv --on=host --reps=1 --warmup=0 --store="$store"
	[ "$status" -eq 1 ]
	[[ "$output" == *"vmm.log"* ]] || { echo "$output"; false; }
}
