#!/bin/bash
# SPDX-License-Identifier: MIT
# SR-IOV cycles: a virtual function enabled, bound to vfio-pci, a guest that has it, and everything back as it was. The
# guest is the micro guest; every LINUX-th time it is two with Linux and traffic through a function each. Then the same
# with kill -9 of bench, of the VMM or of both at random moments, put right by `bench recover` or by the next run.
#
#   CYCLES=100 KILLS=50 LINUX=10 SEED=N tests/soak/sriov.sh       boots the lab for it
#
# Drivers, overrides, numbers of VFs, links, MAC addresses and processes before and after must not differ.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${O:=build}" "${CYCLES:=100}" "${KILLS:=50}" "${LINUX:=10}" "${SEED:=$RANDOM}"
bench=$PWD/$O/bench
limit=$((120 + CYCLES * 15 + KILLS * 30 + (CYCLES + KILLS) * 60 / LINUX))

# Only the lab is sure to have the cards.
[ -n "${EXITLAB_LAB:-}" ] || exec timeout -k 20 $((limit + 60)) "$bench" lab exec --timeout=${limit}s -- \
	env O="$O" CYCLES="$CYCLES" KILLS="$KILLS" LINUX="$LINUX" SEED="$SEED" "$0"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
RANDOM=$SEED
failed=0 missed=0

host_state() {
	# Few processes: each costs tens of milliseconds in the lab.
	(cd /sys/bus/pci/devices && grep -s . ./*/driver_override ./*/sriov_numvfs ./*/sriov_drivers_autoprobe
		find . ./*/ -maxdepth 1 -name driver -printf '%p %l\n' | sort)
	# Whether a link has carrier yet is not ours to compare; whether it is up is.
	ip -o link | sed -E 's/^[0-9]+: //; s/,LOWER_UP|NO-CARRIER,//; s/state [A-Z]+|qdisc [a-z_]+|mode [A-Z]+//g' | sort
	ip -o addr show scope global | sed 's/^[0-9]*: //'
	find /var/run/netns /run/exitlab -type f 2>/dev/null
	pidof vmm bench agent | sed 's/^/processes: /'
}

# What the kernel and the supervisor do after a kill takes a moment; 10 s is more than VFIO's release needs.
state_is_back() { # WHAT
	local i
	for ((i = 0; i < 50; i++)); do
		host_state >"$dir/after"
		cmp -s "$dir/before" "$dir/after" && return
		sleep 0.2
	done
	failed=$((failed + 1))
	echo "$1: the host's state differs:"
	diff "$dir/before" "$dir/after" | sed 's/^/    /'
}

# guest NUMBER: what the run of this number is to do.
guest() {
	if [ $(($1 % LINUX)) -eq 0 ]; then
		words=(net-latency --work=20 --set vms=2)
	else
		words=(boot --guest=micro --set mem=64M --no-probes)
	fi
	words=("$bench" run "${words[@]}" --mode=sriov --reps=1 --on=host --vmm=builtin --store="$dir/store")
}

one_run() { # NUMBER
	local words
	guest "$1"
	timeout 60 "${words[@]}" >"$dir/log" 2>&1
}

# True when there was something to kill; else the run ends by itself.
kill_at() { # NUMBER MILLISECONDS WHOM
	local number=$1 pid vmm hit=1 words
	shift
	guest "$number"
	"${words[@]}" >"$dir/log" 2>&1 &
	pid=$!
	if [ "$2" = bench ]; then
		pause "$1"
	else
		# The VMM lives for a small part of a run: the moment is one of its life.
		until pidof -s vmm >/dev/null || ! kill -0 $pid; do sleep 0.05; done
		pause $(($1 % 400))
	fi
	vmm=$(pidof -s vmm)
	kill -0 $pid || hit=0
	[ "$2" = bench ] || [ -n "$vmm" ] || hit=0
	if [ $hit -eq 1 ]; then
		[ "$2" = vmm ] || kill -9 $pid
		[ "$2" = bench ] || kill -9 "$vmm"
	fi
	timeout 60 tail -s 0.05 --pid=$pid -f /dev/null || { failed=$((failed + 1)); echo "bench lives on after the kill of $2"; kill -9 $pid; }
	wait $pid
	[ $hit -eq 1 ]
}

pause() { # MS
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
}

# A kill at a moment when there is nothing to kill is counted and tried again at another moment.
kill_one() { # NUMBER WHOM; $ms is when it was
	for ((try = 0; try < 20; try++)); do
		ms=$((RANDOM % (run_ms[$1 % LINUX == 0] + 1)))
		kill_at "$1" $ms "$2" && return
		missed=$((missed + 1))
	done
	failed=$((failed + 1))
	echo "20 tries to kill $2 hit nothing"
}

# How long a run takes: of the micro guest, of Linux.
run_ms=(3000 15000)
host_state >"$dir/before"
for ((i = 1; i <= CYCLES; i++)); do
	start=$(date +%s%N)
	one_run $i || { failed=$((failed + 1)); echo "cycle $i: bench ended with status $?:"; tail -5 "$dir/log" | sed 's/^/    /'; }
	run_ms[i % LINUX == 0]=$((($(date +%s%N) - start) / 1000000))
	state_is_back "cycle $i"
	echo "cycle $i: $failed failed so far" >&2
done

# Every other kill is followed by the next run instead of bench recover.
whom=(bench vmm both)
for ((i = 1; i <= KILLS; i++)); do
	kill_one $i "${whom[i % 3]}" 2>/dev/null
	what="kill $i (${whom[i % 3]}, after $ms ms)"
	if [ $((i % 2)) -eq 1 ]; then
		"$bench" recover >"$dir/log" 2>&1 || { failed=$((failed + 1)); echo "$what: bench recover failed: $(cat "$dir/log")"; }
	else
		one_run 1 || { failed=$((failed + 1)); echo "$what: the next run failed:"; tail -5 "$dir/log" | sed 's/^/    /'; }
	fi
	state_is_back "$what"
	echo "$what: $failed failed so far" >&2
done
echo "sriov: $CYCLES cycles, $KILLS kills ($missed more hit nothing and were repeated), $failed failed (seed $SEED, ${run_ms[0]} ms a run)"
[ $failed -eq 0 ]
