#!/bin/bash
# SPDX-License-Identifier: MIT
# kill -9 of the VMM amid blk-sync, KILLS times for each device, on a disk whose power fails with it; then the same with a
# VMM that does not pass flushes on, and on a disk that tears sectors: both must be found. tests/soak/disk_kill.c says how.
#
#   KILLS=200 SEED=N tests/soak/disk_kill.sh [DEPTH:MODE[,KNOB=VALUE...]...]      DEPTH writes are in flight, each with its flush
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${O:=build}" "${KILLS:=200}" "${SEED:=$RANDOM}"
export O
failed=0
[ $# -gt 0 ] || set -- 1:ide 1:nvme 1:virtio-blk 8:nvme 8:virtio-blk 8:virtio-blk,ring=packed,in_order=on

for what in "$@"; do
	disk=${what#*:} depth=${what%%:*}
	"$O/tests/disk_kill" --kills="$KILLS" --depth="$depth" --seed="$SEED" "$disk"
	status=$?
	[ $status -ne 77 ] || exit 0
	[ $status -eq 0 ] || failed=1
	for fault in flush tear; do
		out=$("$O/tests/disk_kill" --kills=5 --depth="$depth" --seed="$SEED" --fault=$fault "$disk")
		status=$?
		case $fault in
		flush) found=$(sed -n 's/.*: \([0-9]*\) acknowledged sectors missing.*/\1/p' <<<"$out") ;;
		tear) found=$(sed -n 's/.* \([0-9]*\) torn, .*/\1/p' <<<"$out") ;;
		esac
		echo "$disk: with fault $fault: ${found:-no} sectors found"
		[ $status -eq 1 ] && [ "${found:-0}" -gt 0 ] || { echo "$out"; failed=1; }
	done
done
exit $failed
