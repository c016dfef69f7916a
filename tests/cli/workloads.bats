# SPDX-License-Identifier: MIT
# Mode host runs the guest's agent outside a VM, so the traffic engine is tested without KVM. Namespaces want root.
load ../helper

setup() {
	[ "$(id -u)" -eq 0 ] || skip "network namespaces need root"
	store=$BATS_TEST_TMPDIR/store
}

host() {
	run "$bench" run "$@" --mode=host --on=host --reps=1 --warmup=0 --no-probes --store="$store"
}

@test "mode host: throughput, latency, pps, iperf3" {
	for w in "net-throughput --set direction=both" "net-throughput --ipv6 --set verify=full" \
		 "net-latency --set rate=1000" "net-pps --set rate=1000" "net-throughput --tool=iperf3"; do
		host $w --duration=300ms
		[ "$status" -eq 0 ] || { echo "$w: $output"; false; }
	done
}

@test "iperf3's CPU time is iperf3's, not that of the agent that waits for it" {
	"$bench" run net-throughput --tool=iperf3 --mode=host --on=host --reps=1 --no-probes --duration=1s --json \
		--store="$store" >"$store.json"
	run python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["summary"]["cpu_pct"]["median"])' "$store.json"
	awk -v pct="$output" 'BEGIN { exit !(pct > 2) }' || { echo "cpu_pct $output"; false; }
}

# Bytes per packet, headers left out: what one of this MTU carries, less the acknowledgements.
@test "iperf3's packets are counted in the engine's unit, both ways" {
	local d
	for d in tx rx; do
		"$bench" run net-throughput --set tool=engine,iperf3 --set direction=$d --mode=host --on=host --reps=1 --no-probes \
			--duration=1s --json --store="$store" >"$store.json"
		jq -e '[.records[].samples[].metrics | .throughput_bps / 8 * .window_ns / 1e9 / .wire_packets] |
			length == 2 and min > 700 and max < 1600' "$store.json"
	done
}

# stall BENCH WHO SECONDS: this agent of that run, peer or run, stands still for so long, in mid-traffic.
stall() {
	local pid= runner=$1 switched=0
	until [ "$switched" -gt 300 ]; do
		kill -0 "$runner" || return 1
		pid=$(pgrep -P "$runner" -f "agent $2 " || true)
		[ -z "$pid" ] || switched=$(sed -n 's/^voluntary_ctxt_switches:\t//p' "/proc/$pid/status")
	done
	kill -STOP "$pid"
	sleep "$3"
	kill -CONT "$pid"
}

# 200 transactions a second for 3 s: a stall of 600 ms holds up 120, of which 108, every sixth of all, wait for 60 ms and longer.
@test "latency counts from when a transaction was due: all that a stall holds up are late, not the first alone" {
	for who in peer run; do
		"$bench" run net-latency --set rate=200 --duration=3s --mode=host --on=host --reps=1 --warmup=0 --no-probes \
			--store="$store" --json >"$BATS_TEST_TMPDIR/json" &
		stall $! $who 0.6
		wait $!
		json 'j["summary"]["latency_max_ns"]["median"] > 560e6 and j["summary"]["latency_p90_ns"]["median"] > 60e6'
		json 'j["summary"]["transactions_per_s"]["median"] > 190'
	done
}

@test "damaged payload: status 1, no number" {
	host net-throughput --work=2000000 --set corrupt=on
	[ "$status" -eq 1 ]
	[[ "$output" == *"integrity: 1 damaged block"* ]]
	[[ "$output" != *"throughput_bps "[0-9]* ]]
}

@test "senseless jobs are refused before anything starts, in one line" {
	fails 2 "streams must be 1 to 64" "$bench" run net-throughput --mode=host --set streams=65 --store="$store"
	fails 2 "msg_size is 18 to 1472" "$bench" run net-pps --mode=host --set msg_size=9 --store="$store"
	fails 2 "iperf3 and fio measure no latency" "$bench" run net-latency --mode=host --tool=iperf3 --store="$store"
}
