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

# twice N: the sample's check guest_ops has N pairs, what Xen recorded and what the guest's operations come to, within 1 %.
twice() {
	python3 - "$BATS_TEST_TMPDIR/json" "$1" <<-'end'
		import json, re, sys
		checks = json.load(open(sys.argv[1]))['samples'][0]['checks']
		text = next(c['detail'] for c in checks if c['name'] == 'guest_ops')
		pairs = [(int(a), int(b)) for a, b in re.findall(r' (\d+), the guest (\d+)', text)]
		assert len(pairs) == int(sys.argv[2]) and all(abs(a - b) <= max(b / 100, 1) for a, b in pairs), text
	end
}

@test "a PV domain: each operation enters Xen as often as the ABI says, and as the guest counts" {
	once kernel-ops --vmm=xen:pv --set observer=probes
	json "j['ok'] and all(c['ok'] for c in j['samples'][0]['checks'])"
	json "{'guest_ops', 'lost_events'} <= {c['name'] for c in j['samples'][0]['checks']}"
	twice 9
	json "j['summary']['exits_per_op.cpuid']['median'] < 0.1"
	nothing_left
}

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

@test "a PV domain's network: one event channel and one block for each request, its packets are copied by grant" {
	once net-latency --mode=netback --vmm=xen:pv --set observer=probes --work=200
	json "j['ok'] and 1.9 < j['summary']['grant_copies_per_packet']['median'] < 2.2"
	json "1 <= sum(e['count'] for e in j['exits'] if e['key'].startswith('event_channel_op')) / 200 < 1.5"
	json "sum(e['count'] for e in j['exits'] if (e['reason'], e['key']) == ('granted page', 'copy')) == j['summary']['grant_copies']['median']"
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
