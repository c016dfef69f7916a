#!/bin/bash
# SPDX-License-Identifier: MIT
# What the store costs at 1k and 10k records (or the sizes given): list, show, rebuilding the index, import.
# Limits at 10k: list 0.3 s, show 0.1 s, import 60 s.
set -eu
cd "$(dirname "$0")/../.."
: "${O:=build}"
bench=$PWD/$O/bench
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# One record of ten boots with twelve metrics, six exit reasons and a histogram each; ID and ORDER are put in below.
jq -cn '
	[range(10) as $b | {index: $b, boot: $b, ok: true, metrics: ([range(12) | {key: "m\(.)", value: (1e6 + $b * 7919 + .)}] |
	 from_entries), exits: [range(6) | {reason: "r\(.)", key: "", count: 1000, total_ns: 5e6, p50_ns: 1000, p99_ns: 9000}],
	 hists: {latency: {count: 200, sum: 180000, min: 1, max: 9999, p50: 1, p90: 1, p99: 1, p999: 1,
	 slots: [range(200) | [., 1]]}}}] as $samples |
	{schema: 1, id: "ID", order: 0, started: "2026-03-14T09:26:53Z", workload: "net-throughput", mode: "virtio",
	 vmm: "builtin", guest: "linux", substrate: "host", time_base: "real", ok: true, samples: $samples,
	 summary: ([range(12) | {key: "m\(.)", value: {median: 1e6, ci_low: 1e6, ci_high: 1e6, n: 10}}] | from_entries)}' |
	sed 's/"order":0/"order":ORDER/' > "$dir/record"

make_store() {
	mkdir -p "$dir/$1/runs"
	(cd "$dir/$1/runs" && seq -f 'run-%06.0f' "$1" | xargs mkdir &&
		awk -v n="$1" '{ split($0, part, /ID|ORDER/); for (i = 1; i <= n; i++) { id = sprintf("run-%06d", i);
			f = id "/record.json"; printf "%s%s%s%d%s\n", part[1], id, part[2], i, part[3] > f; close(f) } }' "$dir/record")
}

seconds() {
	local start end
	start=$(date +%s.%N)
	"$@" > /dev/null
	end=$(date +%s.%N)
	awk -v a="$start" -v b="$end" 'BEGIN { printf "%.3f", b - a }'
}

printf '%8s %9s %9s %9s %9s   seconds\n' records rebuild list show import
for n in "${@:-1000 10000}"; do
	for size in $n; do
		make_store "$size"
		rebuild=$(seconds "$bench" import --all --store "$dir/$size")
		list=$(seconds "$bench" list runs --store "$dir/$size")
		show=$(seconds "$bench" show last --store "$dir/$size")
		import=$(seconds "$bench" import "$dir/$size" --store "$dir/into")
		printf '%8d %9s %9s %9s %9s\n' "$size" "$rebuild" "$list" "$show" "$import"
		rm -rf "${dir:?}/$size" "$dir/into"
		[ "$size" -ne 10000 ] || awk -v l="$list" -v s="$show" -v i="$import" 'BEGIN { exit !(l < 0.3 && s < 0.1 && i < 60) }'
	done
done
