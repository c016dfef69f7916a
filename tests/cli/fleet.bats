# SPDX-License-Identifier: MIT
# A sweep over a cluster's machines, as far as it goes without one: the scripts, and what is refused. tests/soak/slurm.sh has a cluster.
load ../helper

setup() {
	cd "$BATS_TEST_TMPDIR"
	cat >jobs.ini <<-'X'
		[global]
		on=host
		reps=3
		[micro]
		workload=exit-cost
		guest=micro
		[nets]
		workload=net-throughput
		mode=vhost
		[virtual]
		workload=boot
		on=lab
	X
}

@test "sweep --executor=slurm --dry-run: a script for each plan, with what it needs of a node; nothing is made" {
	run "$bench" sweep jobs.ini --executor=slurm:metal --reps=7 --dry-run
	[ "$status" -eq 0 ]
	[ "$(grep -c '^#!/bin/bash' <<<"$output")" -eq 3 ]
	[ "$(grep -c '^#SBATCH --partition=metal$' <<<"$output")" -eq 3 ]
	[ "$(grep '^#SBATCH --constraint=' <<<"$output")" = $'#SBATCH --constraint=kvm\n#SBATCH --constraint=kvm&vhost' ]
	grep -q "'run' 'net-throughput' .*'--reps=7' '--store=$PWD/sweep-jobs/002/store-1'" <<<"$output"
	[ ! -e sweep-jobs ]
	run "$bench" sweep jobs.ini --executor=slurm --only=micro --dry-run
	[ "$(grep -c '^#!/bin/bash' <<<"$output")" -eq 1 ]
	none grep -q partition <<<"$output"
}

@test "sweep --executor=slurm: what cannot be is said before anything is out" {
	fails 2 "executor=cloud: it is slurm" "$bench" sweep jobs.ini --executor=cloud
	fails 2 "are for --executor=slurm" "$bench" sweep jobs.ini --resume
	fails 2 "letters, digits" "$bench" sweep jobs.ini --executor=slurm --campaign="a b" --dry-run
	printf '[x]\nworkload=boot\nreps=many\n' >wrong.ini
	run "$bench" sweep wrong.ini --executor=slurm
	[ "$status" -eq 2 ]
	[[ "$output" == *"[x] is not a plan"* ]]
	[ ! -e sweep-wrong ]
}
