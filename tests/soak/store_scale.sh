#!/bin/bash
# SPDX-License-Identifier: MIT
# What the store costs by its number of records: building the index anew, list, show, import. Limits at 10k: list
# 0.3 s, show 0.1 s, import 60 s; and the cost of a record does not grow with their number.
#
#   SIZES='1000 10000 100000' tests/soak/store_scale.sh [PNG]      draw it too
#
# CPU time, so that a busy machine does not count; list and show the fastest of five.
set -eu
cd "$(dirname "$0")/../.."
: "${O:=build}" "${SIZES:=1000 10000}"
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

TIMEFORMAT='%3U %3S'
# seconds TIMES CMD...: CPU time of the fastest.
seconds() {
	local times=$1
	shift
	for ((i = 0; i < times; i++)); do
		{ time "$@" >"$dir/out" 2>&1; } 2>&1 | awk '{ printf "%.3f\n", $1 + $2 }'
	done | sort -n | head -1
}

row='%8s %9s %9s %9s %9s\n'
# shellcheck disable=SC2059 # the format is the row
{
	printf "# $row" records rebuild list show import
	for size in $SIZES; do
		make_store "$size"
		printf "  $row" "$size" "$(seconds 1 "$bench" import --all --store "$dir/$size")" \
			"$(seconds 5 "$bench" list runs --store "$dir/$size")" "$(seconds 5 "$bench" show last --store "$dir/$size")" \
			"$(seconds 1 "$bench" import "$dir/$size" --store "$dir/into")"
		rm -rf "${dir:?}/$size" "$dir/into"
	done
} | tee "$dir/cost.dat"

if [ $# -gt 0 ]; then
	gnuplot <<-GP
		set terminal pngcairo noenhanced size 990,620 font "Liberation Sans,7" fontscale 3.125 linewidth 4.167 pointscale 4.167
		set output "$1"
		set border 3; set tics nomirror out; set grid ytics lc rgb "#D8D8D8"
		set logscale xy; set xlabel "Records in the store"; set ylabel "CPU time (s)"
		set xrange [700:150000]; set yrange [0.005:500]; set key left top reverse Left samplen 2
		plot "$dir/cost.dat" using 1:5 with linespoints pt 7 ps 0.6 lc rgb "#0072B2" title "import", \
		     "" using 1:2 with linespoints pt 5 ps 0.6 dt (6,2) lc rgb "#D55E00" title "index anew", \
		     "" using 1:3 with linespoints pt 9 ps 0.7 dt (2,2) lc rgb "#009E73" title "list", \
		     "" using 1:4 with linespoints pt 11 ps 0.7 dt (1,2) lc rgb "#000000" title "show"
	GP
fi
awk '$1 == 10000 && !($3 < 0.3 && $4 < 0.1 && $5 < 60) { print "over the limit"; bad = 1 }
	$1 ~ /^[0-9]/ { if (!n) { n = $1; t = $5 } last = $5 / $1 }
	END { printf "a record costs %.2f times as much among the most as among the fewest\n", last / (t / n)
	      exit bad || last / (t / n) > 1.5 }' "$dir/cost.dat"
