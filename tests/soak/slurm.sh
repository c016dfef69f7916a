#!/bin/bash
# SPDX-License-Identifier: MIT
# bench sweep --executor=slurm on a cluster of this machine alone: munged, one slurmctld, two slurmd. 40 plans on two nodes, one of which is
# killed in the middle, are 40 records, each there once; they equal those of one node in everything but measured values and place; two
# nodes take at most 0.6 of one node's time; Ctrl-C cancels; --resume goes on after kill -9. Needs /dev/kvm and Debian's slurmctld, slurmd,
# slurm-client and munge; about four minutes.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${O:=build}"
for tool in slurmctld slurmd sbatch munged; do
	PATH=$PATH:/usr/sbin command -v $tool >/dev/null || { echo "slurm: skipped, no $tool"; exit 0; }
done
[ -c /dev/kvm ] || { echo "slurm: skipped, no /dev/kvm"; exit 0; }
PATH=$PATH:/usr/sbin
bench=$PWD/$O/bench
dir=$(mktemp -d /tmp/exitlab-slurm.XXXXXX)
export SLURM_CONF=$dir/slurm.conf
status=0
trap 'end_cluster' EXIT

failed() {
	echo "FAILED: $*"
	status=1
}

# await SECONDS COMMAND: until it succeeds.
await() {
	local until=$((SECONDS + $1))
	shift
	until eval "$*" 2>/dev/null; do
		[ $SECONDS -lt $until ] || { failed "never came: $*"; return 1; }
		sleep 0.1
	done
}

# daemon NAME CMD...: in the foreground, as a child of ours, whose number is in $dir/NAME.pid.
daemon() {
	local name=$1
	shift
	"$@" >"$dir/$name.out" 2>&1 &
	echo $! >"$dir/$name.pid"
}

start_cluster() {
	local host n
	host=$(hostname -s)
	chmod 755 "$dir"
	mkdir -m 755 "$dir/state" "$dir/n1" "$dir/n2" "$dir/run"
	{
		printf '%s\n' ClusterName=exitlab "SlurmctldHost=$host(127.0.0.1)" SlurmctldPort=26817 AuthType=auth/munge \
			"AuthInfo=socket=$dir/run/munge" SlurmUser=root SlurmdUser=root "StateSaveLocation=$dir/state" \
			"SlurmdSpoolDir=$dir/%n" "SlurmctldPidFile=$dir/run/ctld" "SlurmdPidFile=$dir/run/%n" ProctrackType=proctrack/pgid \
			TaskPlugin=task/none SlurmdTimeout=10 SelectType=select/cons_tres JobAcctGatherType=jobacct_gather/none \
			AccountingStorageType=accounting_storage/none SchedulerParameters=sched_interval=1,bf_interval=1
		for n in 1 2; do
			echo "NodeName=n$n NodeAddr=127.0.0.1 NodeHostname=$host Port=$((26817 + n)) CPUs=1 Features=kvm"
		done
		echo "PartitionName=one Nodes=n1"
		echo "PartitionName=two Nodes=n1,n2 Default=YES"
	} >"$dir/slurm.conf"
	(umask 077 && head -c 128 /dev/urandom >"$dir/key")
	daemon munged munged -F --force --key-file="$dir/key" --socket="$dir/run/munge" --pid-file="$dir/run/munged" \
		--log-file="$dir/munged.log" --seed-file="$dir/run/seed"
	await 20 '[ -S "$dir/run/munge" ]' 
	daemon ctld slurmctld -D -f "$dir/slurm.conf"
	daemon n1 slurmd -D -f "$dir/slurm.conf" -N n1
	daemon n2 slurmd -D -f "$dir/slurm.conf" -N n2
	await 60 '[ "$(sinfo -h -N -p two -t idle -o %N | wc -l)" -eq 2 ]' || { tail -n 5 "$dir"/*.out; exit 1; }
}

end_cluster() {
	local p
	scancel --me 2>/dev/null
	for p in "$dir"/*.pid; do
		kill -9 "$(cat "$p")" 2>/dev/null
	done
	wait
	rm -rf "$dir"
}

# plans N LINE...: a job file of so many plans that say this.
plans() {
	local i n=$1
	shift
	printf '%s\n' '[global]' on=host reps=1 warmup=0 probes=off
	for ((i = 1; i <= n; i++)); do
		printf '%s\n' "[p$i]" "$@"
	done
}

# sweep NAME OPTION...: in a campaign and a store of that name.
sweep() {
	local name=$1
	shift
	"$bench" sweep "$dir/plans.ini" --executor=slurm"${partition:-}" --campaign="$dir/$name" --store="$dir/$name.store" "$@" \
		>"$dir/$name.txt" 2>&1
}

# records NAME WANT: so many, none twice, each of another attempt's store than the others'.
records() {
	local n
	n=$(find "$dir/$1.store/runs" -name record.json | wc -l)
	[ "$n" -eq "$2" ] || failed "$1: $n records, not $2"
	n=$("$bench" import "$dir/$1"/*/store-* --store="$dir/$1.store" 2>&1 | tail -1)
	[[ "$n" == "0 imported, "* ]] || [ -n "${lost:-}" ] || failed "$1: not idempotent: $n"
}

# same NAME NAME: the kinds of records of two sweeps, without what was measured, when and where.
same() {
	python3 - "$dir/$1.store/runs" "$dir/$2.store/runs" <<-'X'
		import glob, json, sys
		def shape(r):
		    keep = ("workload", "mode", "vmm", "guest", "substrate", "time_base", "knobs", "params", "ok")
		    options = {k: v for k, v in r["options"].items() if k != "store"}
		    return json.dumps([{k: r.get(k) for k in keep}, options, sorted(i["sha256"] for i in r["inputs"])])
		a, b = ({shape(json.load(open(f))) for f in glob.glob(d + "/*/record.json")} for d in sys.argv[1:])
		print("\n".join(a ^ b), end="")
		sys.exit(a != b or not a)
	X
}

# hold_job: a job of node n2 stands still in the middle of its plan: $job, its processes in $held. One that has just ended is not held.
hold_job() {
	local p step script plan
	job=$(squeue -h --me -w n2 -t R -o %i | head -1)
	[ -n "$job" ] || return 1
	step=$(pgrep -f "slurmstepd: \\[$job\\.")
	held="$step $(for p in $step; do pgrep -P "$p"; done)"
	kill -STOP $held || return 1
	script=${held#* }
	plan=$(pgrep -P "${script%% *}")
	kill -STOP $plan && held="$held $plan" && return 0
	kill -CONT $held
	return 1
}

start_cluster

# ---- one node against two: plans that take their time and no processor, which the nodes share here ----
plans 12 workload=idle mode=host duration=3s >"$dir/plans.ini"
began=$(date +%s%N)
partition=:one sweep one || failed "one node: $(tail -3 "$dir/one.txt")"
one=$(($(date +%s%N) - began))
began=$(date +%s%N)
partition=:two sweep two || failed "two nodes: $(tail -3 "$dir/two.txt")"
two=$(($(date +%s%N) - began))
records one 12
records two 12
same one two || failed "records of two nodes are not those of one"
echo "makespan of 12 plans: one node $((one / 1000000)) ms, two $((two / 1000000)) ms, ratio $((100 * two / one)) %"
[ $((100 * two)) -le $((60 * one)) ] || failed "two nodes take more than 0.6 of one's time"

# ---- Ctrl-C, kill -9, --resume ----
sweep stopped &
bench_pid=$!
await 120 grep -q "'\[2/12\]'" "$dir/stopped.txt"
pkill -INT -P $bench_pid
wait $bench_pid
[ $? -eq 130 ] || failed "Ctrl-C: status"
await 30 '[ -z "$(squeue -h --me)" ]'
fails=$(sweep stopped; echo $?)
[ "$fails" -eq 2 ] || failed "a campaign that has begun is begun anew without --resume"
sweep stopped --resume &
bench_pid=$!
await 120 grep -q "'\[5/12\]'" "$dir/stopped.txt"
pkill -KILL -P $bench_pid
wait $bench_pid
sweep stopped --resume || failed "--resume: $(tail -3 "$dir/stopped.txt")"
lost=yes records stopped 12

# ---- a node is killed in the middle ----
plans 40 workload=exit-cost guest=micro duration=1s >"$dir/plans.ini"
sweep forty &
bench_pid=$!
await 200 grep -q "'\[1[0-9]/40\]'" "$dir/forty.txt"
await 60 hold_job
kill -9 "$(cat "$dir/n2.pid")" $held
wait $bench_pid || failed "forty: $(tail -3 "$dir/forty.txt")"
lost=yes records forty 40
"$bench" sweep "$dir/plans.ini" --only=p1 --store="$dir/here.store" >"$dir/here.txt" 2>&1
same forty here || failed "forty: records are not those of this machine without a cluster"
grep -q "job $job was lost" "$dir/forty.txt" || failed "the lost job is not said"
grep -h 'was lost' "$dir/forty.txt"
[ "$(awk '$2 > 1' "$dir/forty.txt" | grep -c '^p')" -ge 1 ] || failed "no plan had a second attempt"
exit $status
