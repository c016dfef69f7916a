#!/bin/bash
# SPDX-License-Identifier: MIT
# kill -9 of bench at random moments of a run of the micro guest on this host. After each kill: the store opens, every
# record in it is whole and in the index, the next start has nothing left to undo, and no VMM lives on. LAB_KILLS more are
# of runs in the lab. (Kills with a virtual function to be given back: sriov.sh.)
#
#   KILLS=200 LAB_KILLS=5 SEED=N tests/soak/kill.sh
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${O:=build}" "${KILLS:=200}" "${LAB_KILLS:=0}" "${SEED:=$RANDOM}"
bench=$PWD/$O/bench
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
RANDOM=$SEED
failed=0

[ -c /dev/kvm ] || { echo "kill: skipped, no /dev/kvm"; exit 0; }

run_micro() {
	exec "$bench" run boot --guest=micro --on=host --vmm=builtin --reps=3 --no-probes --store="$dir/store" >"$dir/log" 2>&1
}

complain() {
	failed=$((failed + 1))
	echo "$what: $*"
}

# A run has a process group of its own: nobody else's processes are looked at.
vmms_gone() { # PGID
	local i
	for ((i = 0; i < 50; i++)); do
		pgrep -g "$1" >/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# Two gigabytes take a moment to be given back.
gone() { # PID
	local i
	for ((i = 0; i < 50; i++)); do
		[ -n "$1" ] && kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

check_store() {
	local listed record dirs=0
	listed=$("$bench" list runs --store "$dir/store" --json 2>"$dir/err") || { complain "the store does not open: $(cat "$dir/err")"; return; }
	for record in "$dir"/store/runs/*/; do
		[ -e "$record" ] || continue
		dirs=$((dirs + 1))
		jq -e '.schema and .id and (.samples | length) > 0' "$record/record.json" >/dev/null 2>&1 ||
			complain "$record is there and not whole"
	done
	[ "$(jq length <<<"$listed")" -eq $dirs ] || complain "$dirs records, but the index says $listed"
}

start=$(date +%s%N)
(run_micro) || { echo "kill: a run that nobody kills fails:"; cat "$dir/log"; exit 1; }
run_ms=$((($(date +%s%N) - start) / 1000000))
for ((i = 1; i <= KILLS; i++)); do
	ms=$((RANDOM % (run_ms + 20)))
	what="kill $i, after $ms ms"
	set -m
	run_micro &
	pid=$!
	set +m
	sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	vmms_gone $pid || complain "processes live on: $(pgrep -ag $pid)"
	check_store
done 2>/dev/null
# A run in the lab: QEMU goes with bench, and what was on its way into the store is removed by the next run.
run_lab() {
	exec "$bench" run null --on=lab --reps=2 --store="$dir/store" >"$dir/log" 2>&1
}
for ((i = 1; i <= LAB_KILLS; i++)); do
	ms=$((RANDOM % 8000))
	what="kill $i of a run in the lab, after $ms ms"
	set -m
	run_lab &
	pid=$!
	set +m
	sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
	qemu=$(pgrep -P $pid) # in a process group of its own
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	gone "$qemu" || complain "QEMU lives on: $(ps -o pid=,stat=,args= -p "$qemu" | cut -c1-100)"
	check_store
done 2>/dev/null
what="after all kills"
"$bench" recover >"$dir/log" 2>&1 || complain "bench recover: $(cat "$dir/log")"
echo "kill: $KILLS kills and $LAB_KILLS in the lab, in runs of $run_ms ms, $(find "$dir/store/runs" -name record.json | wc -l) records, $failed failed (seed $SEED)"
[ $failed -eq 0 ]
