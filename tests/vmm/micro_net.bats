# SPDX-License-Identifier: MIT
# The micro guest's network drivers, against the peer over a TAP.
load ../helper
load micro

setup() {
	need_kvm
	[ "$(id -u)" -eq 0 ] && [ -w /dev/net/tun ] || skip "needs root and /dev/net/tun"
}

# throughput MODE DIRECTION [OPTIONS]: one short sample must succeed and have moved something.
throughput() {
	local mode=$1 direction=$2
	shift 2
	run "$bench" run net-throughput --mode="$mode" --guest=micro --on=host --reps=1 --no-probes --duration=300ms \
		--set direction="$direction" --set verify=full --store="$BATS_TEST_TMPDIR/store" --json "$@"
	echo "$output"
	[ "$status" -eq 0 ]
	grep -qE '"throughput_bps": [0-9.]*[1-9]' <<<"$output"
}

@test "micro virtio-net: to the peer, every byte compared" {
	throughput virtio tx
}

@test "micro virtio-net: from the peer, every byte compared" {
	throughput virtio rx
}

@test "micro virtio-net: small datagrams" {
	throughput virtio tx --set msg_size=24
}

@test "micro virtio-net: without event_idx" {
	throughput virtio tx --set event_idx=off
}

@test "micro virtio-net: packed rings, both ways, with and without event_idx" {
	for direction in tx rx; do
		throughput virtio $direction --set ring=packed
		grep -rqs 'card virtio-net, packed rings' "$BATS_TEST_TMPDIR/store"
		throughput virtio $direction --set ring=packed --set event_idx=off
	done
}

@test "micro virtio-net: packed rings of small datagrams, hundreds of laps" {
	throughput virtio tx --set ring=packed --set msg_size=24
	throughput virtio rx --set ring=packed --set msg_size=24
}

@test "micro e1000: the textbook card, every packet an exit" {
	throughput e1000 tx --set coalesce=off --set io=vcpu
	throughput e1000 rx --set coalesce=off --set io=vcpu
}

@test "micro e1000: both ways, every byte compared" {
	throughput e1000 tx
	throughput e1000 rx
}

@test "the window's counters: the VMM sees the guest's markers and its kicks" {
	# A virtio card that never catches up is rightly not kicked at all in a window.
	throughput e1000 tx --set coalesce=off --set io=vcpu
	kicks=$(sed -n 's/.*"vmm_kicks": \([0-9.]*\).*/\1/p' <<<"$output" | head -1)
	awk -v k="$kicks" 'BEGIN { exit !(k > 0) }'
}

@test "micro virtio-net: the card's thread gets no CPU for a second at the window's end; the result comes all the same" {
	python3 tests/vmm/stall_thread.py virtio-net0-q0 2 3>&- &
	throughput virtio tx --set event_idx=off --duration=2s
	wait $!
}

@test "every value of every knob of a card boots, as does a guest of another size" {
	local name values of n=0 workload=()
	while read -r name values of; do
		case ${of%% *} in
		e1000 | virtio) workload=(net-throughput) ;;
		*) workload=(blk-iops --medium=file) ;;
		esac
		"$bench" -q run "${workload[@]}" --mode="${of%% *}" --guest=micro --on=host --reps=1 --no-probes --duration=30ms \
			--store="$BATS_TEST_TMPDIR/store" --set "$name=${values//|/,}" </dev/null
		n=$((n + 1))
	done < <("$bench" list knobs --json |
		jq -r '.[] | select((.values | contains("|")) and (.of | test("^(e1000|virtio|virtio-blk|nvme)( |$)"))) | "\(.name) \(.values) \(.of)"')
	[ "$n" -ge 10 ]
	"$bench" -q run null --guest=micro --on=host --reps=1 --no-probes --store="$BATS_TEST_TMPDIR/store" --set mem=64M
}
