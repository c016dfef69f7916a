# SPDX-License-Identifier: MIT
# Linux guests on disks: Debian's drivers against our devices, on null_blk and on files.
load ../helper
load linux
guest_dir=/tmp/exitlab-guest-block
guest_modules+=(virtio_blk)

setup_file() {
	guest_build
}

setup() {
	file=$BATS_TEST_TMPDIR/disk
}

@test "virtio-blk: a disk, its geometry, read, write, discard" {
	truncate -s 64M "$file"
	guest_run --disk "$file,direct=off" <<-'EOF'
		cd /sys/block/vda
		grep . size ro queue/{logical_block_size,physical_block_size,max_segments,write_cache,discard_max_bytes} serial
		dd if=/dev/urandom of=/tmp/data bs=1M count=8
		dd if=/tmp/data of=/dev/vda bs=1M seek=3 conv=fsync
		echo 3 >/proc/sys/vm/drop_caches
		dd if=/dev/vda of=/tmp/back bs=1M skip=3 count=8
		cmp /tmp/data /tmp/back && echo same
		sha256sum /tmp/data
	EOF
	grep -q '^same' <<<"$output"
}
