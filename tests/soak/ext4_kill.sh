#!/bin/bash
# SPDX-License-Identifier: MIT
# Linux's ext4 on our virtio-blk, KILLS times: kill -9 of the VMM after a random number of writes, and the power of its
# disk fails with it (lossy.h). Each time the journal is replayed, and then e2fsck finds nothing to mend.
#
#   KILLS=50 SEED=N tests/soak/ext4_kill.sh      starts a lab, for the guest is Linux
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${O:=build}" "${KILLS:=50}" "${SEED:=$RANDOM}"
limit=$((KILLS * 60 + 120))
[ -n "${EXITLAB_LAB:-}" ] || exec timeout -k 20 $((limit + 60)) "$O/bench" lab exec --timeout=${limit}s -- \
	env O="$O" KILLS="$KILLS" SEED="$SEED" PATH="$PATH:/sbin:/usr/sbin" "$0"

vmm=$O/vmm
. tests/lab/linux.bash
guest_dir=/tmp/exitlab-guest-ext4
guest_modules+=(virtio_blk crc16 mbcache jbd2 crc32c_generic libcrc32c ext4)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
RANDOM=$SEED
failed=0

# Files that grow, move, are synced and vanish, until the end comes.
guest_script() {
	cat <<-'EOF'
		mkdir -p /mnt
		mount -t ext4 /dev/vda /mnt || poweroff -f
		mkdir -p /mnt/a /mnt/b
		i=0
		while :; do
			i=$((i + 1))
			dd if=/dev/urandom of=/mnt/a/$((i % 20)) bs=4k count=$((i % 15 + 1)) 2>/dev/null
			[ $((i % 3)) -ne 0 ] || fsync /mnt/a/$((i % 20))
			mv /mnt/a/$((i % 20)) /mnt/b/$((i % 7))
			[ $((i % 5)) -ne 0 ] || rm /mnt/b/$((i % 7))
			[ $((i % 8)) -ne 0 ] || sync
		done
	EOF
}

modprobe fuse
guest_build
mkdir -p "$guest_dir/extra"
guest_script >"$guest_dir/extra/script"
(cd "$guest_dir/extra" && echo script | cpio -o -H newc --quiet | gzip -1) | cat "$guest_dir/base.gz" - >"$guest_dir/initrd"
truncate -s 32M "$work/disk"
mkfs.ext4 -q -F "$work/disk"
# shellcheck disable=SC2154 # guest_kernels is linux.bash's
for ((i = 1; i <= KILLS; i++)); do
	"$O/tests/power_cut" $((RANDOM % 300 + 20)) $RANDOM "$work/disk" "$vmm" --kernel "$guest_kernels/vmlinux" --initrd "$guest_dir/initrd" \
		--cmdline "console=ttyS0 quiet mitigations=off panic=-1" --mem 256M --disk "@" >"$work/log" 2>&1 </dev/null
	status=$?
	[ $status -ne 77 ] || { cat "$work/log"; exit 0; }
	e2fsck -E journal_only -fy "$work/disk" >"$work/replay" 2>&1
	if [ $status -ne 0 ] || ! e2fsck -fn "$work/disk" >"$work/check" 2>&1; then
		failed=$((failed + 1))
		echo "kill $i:"
		tail -5 "$work/log" "$work/replay" "$work/check"
	fi
	echo "kill $i: $(grep power_cut: "$work/log"); $(grep -c 'recovering journal' "$work/replay") journals replayed"
done
echo "ext4_kill: $KILLS kills, $failed failed (seed $SEED)"
[ $failed -eq 0 ]
