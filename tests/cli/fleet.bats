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

@test "nightly --executor=slurm: what runs twice does so in one job, on one machine; nothing is made by --dry-run" {
	run "$bench" nightly jobs.ini --executor=slurm:metal --aa=1 --store="$PWD/store" --dry-run
	[ "$status" -eq 0 ]
	[ "$(grep -c '^#!/bin/bash' <<<"$output")" -eq 3 ]
	[ "$(grep -c '^#SBATCH --partition=metal$' <<<"$output")" -eq 3 ]
	[ "$(grep -c "'run' " <<<"$output")" -eq 4 ]
	[ "$(grep "'run' " <<<"$output" | sort | uniq -d | wc -l)" -eq 1 ]
	grep -q "/nightly-20..-..-../003/store-1'" <<<"$output"
	[ -z "$(find . -name 'nightly-*' -o -name dashboard -o -name store)" ]
	fails 2 "executor=cloud: it is slurm" "$bench" nightly jobs.ini --executor=cloud
	fails 2 "are for --executor=slurm" "$bench" nightly jobs.ini --campaign=x
}

# tests/soak/slurm.sh has a cluster; here a stand-in that runs each job at once.
@test "nightly --executor=slurm: records come into the store under the node's name, the dashboard has its page" {
	mkdir bin
	printf '#!/bin/bash\necho 7\nSLURMD_NODENAME=n7 bash "$2" >/dev/null 2>&1 &\n' >bin/sbatch
	printf '#!/bin/bash\necho "7|RUNNING|n7 |None"\n' >bin/squeue
	chmod +x bin/*
	printf '[global]\non=host\nreps=1\nwarmup=0\nduration=100ms\nprobes=off\n' >two.ini
	printf '[%s]\nworkload=idle\nmode=host\n' a b >>two.ini
	PATH=$PWD/bin:$PATH timeout 120 "$bench" nightly two.ini --executor=slurm --store="$PWD/store" --out="$PWD/site" --campaign="$PWD/c"
	[ "$(ls store/runs | wc -l)" -eq 3 ]
	[ "$(cat store/runs/*/record.json | jq -r .environment.machine | sort -u)" = n7 ]
	grep -q '>governor<' site/m/n7-*.html
	grep -q 'href="m/n7-' site/index.html
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
