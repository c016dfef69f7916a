#!/bin/bash
# SPDX-License-Identifier: MIT
# Measure and draw the figures of docs/figures.md.
#
#   experiments/gallery.sh DIR      runs are kept in DIR/store and listed in DIR/NAME.runs; what is there is not measured again
#
# REPS=6 boots each. Takes half an hour on 2 cores; a plan that fails is left out and said. (The figure of throughput is the
# README's own.)
set -u
cd "$(dirname "$0")/.." || exit 1
: "${O:=build}" "${REPS:=6}"
[ $# -eq 1 ] || { echo "usage: experiments/gallery.sh DIR" >&2; exit 2; }
dir=$1
mkdir -p "$dir" docs/img

# plan NAME FIGURES ARGS...: measure once, draw each time.
plan() {
	local name=$1 figures=$2 out=$dir/$1
	shift 2
	if [ ! -s "$dir/$name.runs" ]; then
		"$O/bench" run "$@" --reps="$REPS" --store="$dir/store" --json >"$dir/$name.json" ||
			echo "gallery: $name: a boot or a check failed" >&2
		jq -r '(.records // [.])[].id' "$dir/$name.json" >"$dir/$name.runs"
	fi
	# One figure is a file, several are a folder.
	[[ $figures == *,* ]] || out=$out/$figures.png
	# shellcheck disable=SC2046 # run ids
	"$O/bench" -q plot $(cat "$dir/$name.runs") --store="$dir/store" --figure="$figures" --format=png --out="$out" ||
		echo "gallery: $name is not drawn" >&2
	for png in "$dir/$name"/*.png; do
		[ -e "$png" ] && cp "$png" docs/img/
	done
}

plan paths exits,packet-events,batch,cpu,timeline net-throughput --mode=e1000,virtio,vhost --duration=2s
plan one exit-cost,exit-breakdown net-throughput --mode=virtio --duration=2s
plan latency latency-cdf,latency-percentiles net-latency --mode=e1000,virtio,vhost --duration=2s
plan load load net-latency --mode=virtio,vhost --set rate=200,400,800,1600 --duration=2s
plan size message-size net-throughput --mode=virtio,vhost --set msg_size=64,512,4096,16384,65536 --duration=1s
plan queues scaling-queues net-throughput --mode=virtio,vhost --set queues=1,2 --set cpus=2 --duration=1s
plan vms scaling-vms net-throughput --mode=virtio,vhost --set vms=1,2,3 --duration=1s
plan disks io-exits blk-iops --mode=virtio-blk,nvme --vmm=builtin,qemu --duration=1s
plan depths depth blk-iops --mode=host,virtio-blk,nvme --set depth=1,4,16,64 --duration=500ms
plan kinds exit-kinds exit-cost
