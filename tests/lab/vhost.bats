# SPDX-License-Identifier: MIT
# long
# vhost and vhost-user with a Linux guest, payload verified.
load ../helper
load guest

sock=/tmp/vhost-user.sock

setup_file() {
	guest_build
	wire_make
}

teardown_file() {
	ip netns del far
}

backend_start() {
	far "$PWD/$O/vhost-user-net" --socket=$sock --tap=wire0 "$@" 2>>$guest_dir/backend.log 3>&- &
	backend=$!
	for _ in $(seq 50); do [ -S $sock ] && break; sleep 0.1; done
}

teardown() {
	[ -z "${backend:-}" ] || kill "$backend" 2>/dev/null || true
	rm -f $sock
}

@test "vhost: payload verified, both rings used, the worker bears the VMM's name" {
	expect_data 7001 &
	(wire_carried 5000000; cat /proc/*/comm 2>/dev/null | grep -c '^vhost-' >$guest_dir/workers) 3>&- &
	run guest "send 20 7001" mode=vhost,tap=wire0
	[[ "$output" == *guest-done* ]] || { echo "$output"; false; }
	data_is 20 7001
	[ "$(cat $guest_dir/workers)" -ge 1 ]
}

@test "vhost: two queue pairs" {
	expect_data 7001 &
	expect_data 7002 &
	run guest "send 10 7001 & send 10 7002; wait; cat /proc/interrupts" mode=vhost,tap=wire0,queues=2 --cpus 2
	[[ "$output" == *guest-done* ]] || { echo "$output"; false; }
	[[ "$output" == *virtio0-output.1* ]]
	data_is 10 7001
	data_is 10 7002
}

# Twice killed in the middle of the stream, which is long enough to be going on when the second one is back; with packed rings what the dead one had not published is taken back.
killed_under_traffic() { # PORT RING
	local before
	backend_start
	before=$(far awk '/wire0:/ { print $2 }' /proc/net/dev)
	expect_data "$1" &
	(
		for mib in 8 24; do
			wire_carried $((before + mib * 1048576))
			kill -9 "$(pgrep -ox vhost-user-net)" # the oldest: the child that removes its socket came after it
			sleep 0.5
			far "$PWD/$O/vhost-user-net" --socket=$sock --tap=wire0 2>>$guest_dir/backend.log &
		done
	) 3>&- &
	run guest "send 60 $1" "mode=vhost-user,path=$sock,ring=$2"
	kill "$(pgrep -ox vhost-user-net)" || true
	[[ "$output" == *guest-done* ]] || { echo "$output"; false; }
	[ "$(grep -c 'is gone' <<<"$output")" -eq 2 ] || { echo "$output"; false; }
	[ "$(grep -c 'sock is back' <<<"$output")" -eq 2 ] || { echo "$output"; false; }
	data_is 60 "$1"
}

@test "vhost-user: the back-end killed twice under traffic; VMM and guest live, no byte is lost" {
	killed_under_traffic 7003 split
}

@test "vhost-user: the same with packed rings" {
	killed_under_traffic 7006 packed
}

@test "vhost-user: packed rings and two queue pairs" {
	backend_start --queues=2
	expect_data 7004 &
	run guest "send 10 7004" mode=vhost-user,path=$sock,queues=2,ring=packed --cpus 2
	[[ "$output" == *guest-done* ]] || { echo "$output"; false; }
	data_is 10 7004
}

@test "vhost-user-net serves QEMU" {
	backend_start
	expect_data 7005 &
	run far timeout 150 qemu-system-x86_64 -machine q35,accel=kvm,memory-backend=m -cpu host -m 256 \
		-object memory-backend-memfd,id=m,size=256M,share=on -nodefaults -nographic -serial stdio -no-reboot \
		-kernel "$kernel_dir/vmlinuz" -initrd $guest_dir/guest.cpio -chardev socket,id=c,path=$sock \
		-netdev vhost-user,id=n,chardev=c -device virtio-net-pci,netdev=n,romfile= \
		-append "console=ttyS0 panic=-1 quiet run=send+10+7005"
	[[ "$output" == *guest-done* ]] || { echo "$output"; false; }
	data_is 10 7005
}
