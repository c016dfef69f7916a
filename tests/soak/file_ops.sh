#!/bin/bash
# SPDX-License-Identifier: MIT
# Linux's ext4 on our virtio-blk, nvme and IDE at once: a file on each is written, read back from the disk, mapped, cut, given holes, as a
# seed chooses, and compared with what it must hold (file_ops.c); at the end e2fsck finds nothing.
#
#   TIME=3600 SEED=N tests/soak/file_ops.sh      seconds; starts a lab, for the guest is Linux
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${O:=build}" "${TIME:=3600}" "${SEED:=$RANDOM}"
[ -n "${EXITLAB_LAB:-}" ] || exec timeout -k 20 $((2 * TIME + 400)) "$O/bench" lab exec --timeout=$((2 * TIME + 300))s -- \
	env O="$O" TIME="$TIME" SEED="$SEED" PATH="$PATH:/sbin:/usr/sbin" "$0"

vmm=$O/vmm
. tests/lab/linux.bash
guest_dir=/tmp/exitlab-guest-file-ops
guest_modules+=(virtio_blk crc16 mbcache jbd2 crc32c_generic libcrc32c ext4 crct10dif_common crc64 crct10dif_generic crc-t10dif crc64-rocksoft
	t10-pi nvme-core nvme scsi_common scsi_mod sd_mod libata ata_piix)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Two thousand operations on each disk, with other seeds until the time is over.
guest_script() {
	cat <<-EOF
		for d in vda nvme0n1 sda; do
			for i in 1 2 3 4 5 6 7 8 9 10; do [ -b /dev/\$d ] && break; sleep 0.2; done
			mkdir -p /\$d
			mount -t ext4 /dev/\$d /\$d || poweroff -f
		done
		seed=$SEED end=\$((\$(date +%s) + $TIME)) ok=yes
		while [ \$ok = yes ]; do
			for d in vda nvme0n1 sda; do
				echo "\$d: \$(/bin/file_ops /\$d/file \$seed 2000)" | tee /tmp/said
				grep -q 'no difference' /tmp/said || ok=no
			done
			[ \$(date +%s) -lt \$end ] || break
			seed=\$((seed + 1))
		done
		umount /vda /nvme0n1 /sda
		echo "file_ops ended: \$ok"
	EOF
}

mkdir -p "$guest_dir/root/bin"
cp "$O/tests/file_ops" "$guest_dir/root/bin/"
guest_build
mkdir -p "$guest_dir/extra"
guest_script >"$guest_dir/extra/script"
# shellcheck disable=SC2154 # guest_kernels is linux.bash's
(cd "$guest_dir/extra" && echo script | cpio -o -H newc --quiet | gzip -1) | cat "$guest_dir/base.gz" - >"$guest_dir/initrd"
for d in vda nvme sda; do
	truncate -s 32M "$work/$d"
	mkfs.ext4 -q -F "$work/$d"
done
"$vmm" --kernel "$guest_kernels/vmlinux" --initrd "$guest_dir/initrd" --cmdline "console=ttyS0 quiet mitigations=off panic=-1" --mem 256M \
	--disk "$work/vda,direct=off" --disk "$work/nvme,direct=off,mode=nvme" --disk "$work/sda,direct=off,mode=ide" >"$work/log" 2>&1 </dev/null
status=$?
tail -40 "$work/log"
[ $status -eq 0 ] && grep -q 'file_ops ended: yes' "$work/log" || exit 1
for d in vda nvme sda; do
	e2fsck -fn "$work/$d" || exit 1
done
echo "file_ops: $(grep -c 'no difference' "$work/log") times 2,000 operations, no difference (seed $SEED)"
