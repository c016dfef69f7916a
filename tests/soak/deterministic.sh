#!/bin/bash
# SPDX-License-Identifier: MIT
# --deterministic: five repetitions agree in every count and every virtual time, one of them while both cores are kept
# busy; and one port read added per transaction in the guest is found as exactly so many exits.
#
#   tests/soak/deterministic.sh [NAME...]               boot, paths, sriov, latency, disks, life, extra (default: all)
#   tests/soak/deterministic.sh --lab=intel [NAME...]   boot and memory under both kinds of paging, cost, paths, the same by
#                                                       micro guests: micro (default: all)
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${O:=build}" "${REPS:=5}"
where=--deterministic cases='boot paths sriov latency disks life extra' paging=
[ "${1:-}" != --lab=intel ] || { where=$1 cases='boot cost memory paths micro' paging='--set=paging=nested,shadow'; shift; }
dir=$(mktemp -d)
: "${STORE:=$dir/store}"
trap 'rm -rf "$dir"' EXIT
failed=0

complain() {
	failed=$((failed + 1))
	echo "deterministic: $*"
}

# Keep every core busy while repetition 3 runs.
disturb() { # LOG
	local pids='' i
	while ! grep -q '^bench: repetition 2 ' "$1"; do sleep 0.5; [ -e "$1.done" ] && return; done
	for ((i = 0; i < $(nproc); i++)); do timeout 300 sha256sum /dev/zero & pids+=" $!"; done
	while ! grep -q '^bench: repetition 3 ' "$1" && ! [ -e "$1.done" ]; do sleep 0.5; done
	# shellcheck disable=SC2086 # a list
	kill $pids
	wait 2>/dev/null
}

# same NAME ARGS...: bench says whether all repetitions agree.
same() {
	local name=$1 log=$dir/$1.log
	shift
	: >"$log"
	disturb "$log" 2>/dev/null &
	"$O"/bench run "$@" "$where" --reps="$REPS" --store="$STORE" --json >"$dir/$name.json" 2>"$log" ||
		complain "$name: $(grep -E 'error|FAILED' "$log" | head -3)"
	touch "$log.done"
	wait $! 2>/dev/null
	jq -r '(.records // [.])[] | .plan.cell as $c | .checks[] | select(.name == "deterministic") | "\($c): \(.detail)"' \
		"$dir/$name.json" || complain "$name: no record"
}

# exits REASON KEY of the agent's transactions, from its only sample.
port_reads() { # FILE
	jq '[.samples[0].exits[] | select(.key | test("0xe11")) | .count] | add // 0' "$1"
}

# The same bench and VMM, and an agent that reads a port once more per transaction.
extra() {
	local work=200 found
	make -s O="$O/extra" CFLAGS=-DEXTRA_PORT_READ all >"$dir/make.log" 2>&1 || { complain "extra: $(tail -3 "$dir/make.log")"; return; }
	for build in "$O" "$O/extra"; do
		"$build"/bench run net-latency --mode=virtio --work=$work --set warmup_ns=0 --deterministic --reps=1 --json \
			--store="$STORE" >"$dir/extra-${build##*/}.json" 2>"$dir/log"
	done
	found="$(port_reads "$dir/extra-${O##*/}.json") $(port_reads "$dir/extra-extra.json")"
	echo "extra: exits of the added port read, without and with it: $found"
	[ "$found" = "0 $work" ] || complain "extra: expected 0 and $work"
}

# The steps of a packet's life add up to what the guest measured, within 5 %, on each path and by both VMMs.
life() {
	"$O"/bench life e1000,virtio,vhost,vhost-user,sriov --store="$STORE" >"$dir/life.txt" 2>"$dir/life.log" || complain "life"
	"$O"/bench life virtio,vhost --vmm=qemu --store="$STORE" >>"$dir/life.txt" 2>>"$dir/life.log" || complain "life of QEMU's"
	grep -E '^(the life|sum)' "$dir/life.txt"
}

# shellcheck disable=SC2086 # lists
for w in ${*:-$cases}; do
	case $w in
	boot) same boot boot $paging ;;
	cost) same cost exit-cost $paging ;;
	memory) same memory memory $paging ;;
	paths) same paths net-throughput --mode=e1000,virtio,vhost --work=4M ;;
	micro)
		same micro-memory memory --guest=micro $paging
		same micro-boot boot --guest=micro $paging
		same micro-paths net-throughput --guest=micro --mode=e1000,virtio,vhost --duration=300ms
		;;
	sriov) same sriov net-throughput --mode=sriov --work=4M ;;
	latency) same latency net-latency --mode=virtio --work=200 ;;
	disks)
		same disk-latency blk-latency --mode=ide,nvme,virtio-blk,vhost-user-blk --work=100
		same disk-sync blk-sync --mode=ide,nvme,virtio-blk --work=50
		;;
	life) life ;;
	extra) extra ;;
	*) echo "deterministic: no case $w" >&2; exit 2 ;;
	esac
done
[ $failed -eq 0 ]
