#!/bin/bash
# SPDX-License-Identifier: MIT
# What a dashboard costs by its number of points: five years of nights, 72,000 points, in under 10 s, and twice the points
# in about twice the time.
#
#   tests/soak/dashboard_scale.sh [PNG]      draw it too; STORE=DIR keeps the made-up store there, or takes it from there
#
# CPU time, so that a busy machine does not count.
set -eu
cd "$(dirname "$0")/../.."
: "${O:=build}"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
make -s O="$O" "$O/tests/golden/gen" "$O/bench"
store=${STORE:-$dir/store}
# The first night is 2023-11-14; 36 points each.
[ -d "$store" ] || "$O/tests/golden/gen" store "$store" 2000

# build SINCE: "POINTS SECONDS", the fastest of five.
TIMEFORMAT='%3U %3S'
build() {
	for _ in 1 2 3 4 5; do
		{ time "$O/bench" dashboard --store="$store" --out="$dir/site" --since="$1" 2>"$dir/said"; } 2>"$dir/time"
		echo "$(sed -n 's/.* \([0-9]*\) points.*/\1/p' "$dir/said") $(awk '{ print $1 + $2 }' "$dir/time")"
	done | sort -k2n | head -1
}

for since in 2028-10-01 2028-02-01 2027-06-01 2026-10-01 2026-02-01 2025-06-01 2024-10-01 2023-01-01; do
	build $since
done | tee "$dir/cost.dat"

if [ $# -gt 0 ]; then
	gnuplot <<-GP
		set terminal pngcairo noenhanced size 990,620 font "Liberation Sans,7" fontscale 3.125 linewidth 4.167 pointscale 4.167
		set output "$1"
		set border 3; set tics nomirror out; set grid ytics lc rgb "#D8D8D8"
		set xlabel "Points (thousands)"; set ylabel "CPU time of building the site (s)"
		set xrange [0:*]; set yrange [0:*]
		set fit quiet
		f(x) = a + b * x; fit f(x) "$dir/cost.dat" using (\$1/1e3):2 via a, b
		plot f(x) lc rgb "#808080" lw 0.7 dt (4,2) notitle, \
		     "$dir/cost.dat" using (\$1/1e3):2 with points pt 7 ps 0.6 lc rgb "#0072B2" notitle
	GP
	rm -f fit.log
fi
awk '{ n[NR] = $1; t[NR] = $2 } END {
	half = int(NR / 2); grew = (t[NR] / t[half]) / (n[NR] / n[half])
	printf "%d points in %.2f s; from %d on the time grew %.2f times as fast as the points\n", n[NR], t[NR], n[half], grew
	exit !(t[NR] < 10 && grew < 1.5) }' "$dir/cost.dat"
