# SPDX-License-Identifier: MIT
# What is asked wrongly of a network card, or is not there: one line, and 2 or 3.
load ../helper

setup() {
	[ -w /dev/kvm ] || skip "no /dev/kvm"
}

net() { # STATUS PATTERN OPTIONS
	fails "$1" "$2" timeout 20 "$vmm" --kernel /bin/true --net "$3"
}

@test "a TAP that is not there, is not a TAP, is not open" {
	net 3 'TAP nosuchtap does not exist; make it with' mode=virtio,tap=nosuchtap
	net 3 'TAP nosuchtap does not exist.*multi_queue' mode=vhost,tap=nosuchtap,queues=2
	net 2 'fd=77 is not open' mode=virtio,fd=77
	net 2 'fd=0 is not a TAP' mode=vhost,fd=0
	net 2 'either as tap=NAME or as fd=N' mode=vhost
	net 2 'either as tap=NAME or as fd=N' mode=vhost,tap=a,fd=1
}

@test "a TAP in use" {
	ip tuntap add exl-busy mode tap 2>/dev/null || skip "may not make TAPs"
	ip link set exl-busy up
	exec 9<>/dev/net/tun
	python3 -c 'import fcntl,struct; fcntl.ioctl(9, 0x400454ca, struct.pack("16sH", b"exl-busy", 0x5002))'
	net 3 'TAP exl-busy is in use by another process' mode=virtio,tap=exl-busy || status=1
	exec 9>&-
	ip tuntap del exl-busy mode tap
	[ -z "$status" ]
}

@test "no permission on /dev/net/tun, or no such device" {
	unshare -m true 2>/dev/null || skip "may not make name spaces"
	ip tuntap add exl-perm mode tap 2>/dev/null || skip "may not make TAPs"
	cp "$vmm" "$BATS_TEST_TMPDIR/vmm" && chmod 711 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	fails 3 '/dev/net/tun: Permission denied; run as root, or be given the TAP as fd=N' \
		unshare -m sh -c 'mount -t tmpfs none /dev/net && mknod /dev/net/tun c 10 200 && chmod 600 /dev/net/tun &&
			mknod /dev/net/kvm c 10 232 && chmod 666 /dev/net/kvm && mount --bind /dev/net/kvm /dev/kvm &&
			exec setpriv --reuid 65534 --regid 65534 --clear-groups \
			timeout 20 "$0" --kernel /bin/true --net mode=virtio,tap=exl-perm' "$BATS_TEST_TMPDIR/vmm" || status=1
	fails 3 '/dev/net/tun: No such file or directory; load the module: modprobe tun' \
		unshare -m sh -c 'mount -t tmpfs none /dev/net && exec timeout 20 "$0" --kernel /bin/true --net mode=e1000,tap=exl-perm' \
		"$vmm" || status=1
	ip tuntap del exl-perm mode tap
	[ -z "$status" ]
}

@test "two cards with one MAC address, of one kind and of two; one TAP for two cards" {
	ip tuntap add exl-mac mode tap 2>/dev/null || skip "may not make TAPs"
	ip link set exl-mac up
	for modes in "virtio virtio" "virtio e1000" "e1000 virtio" "e1000 e1000"; do
		fails 2 'its MAC address is .* too; give each its own with mac=' timeout 20 "$vmm" --kernel /bin/true \
			--net "mode=${modes% *},tap=exl-mac,mac=52:54:00:00:00:01" \
			--device "$([ "${modes#* }" = e1000 ] && echo e1000 || echo virtio-net),mac=52:54:00:00:00:01" || status=1
	done
	fails 3 'TAP exl-mac is in use' timeout 20 "$vmm" --kernel /bin/true --net mode=virtio,tap=exl-mac \
		--net mode=e1000,tap=exl-mac || status=1
	ip tuntap del exl-mac mode tap
	[ -z "$status" ]
}

@test "no vhost-net" {
	[ ! -e /dev/vhost-net ] || skip "there is one"
	ip tuntap add exl-vh mode tap 2>/dev/null || skip "may not make TAPs"
	ip link set exl-vh up
	net 3 '/dev/vhost-net.*modprobe vhost_net' mode=vhost,tap=exl-vh || status=1
	ip tuntap del exl-vh mode tap
	[ -z "$status" ]
}

@test "a vhost-user back-end that is not there" {
	net 3 'vhost-user: /nonexistent/sock: .*start the back-end first' mode=vhost-user,path=/nonexistent/sock
	net 2 'needs path=SOCKET' mode=vhost-user
}

@test "17 queues" {
	net 2 'queues=17: want a number from 1 to 8' mode=vhost,tap=t0,queues=17
	fails 2 'queues=17: expected 1..8' "$bench" run net-throughput --mode=virtio --guest=micro --on=host --set queues=17
}

@test "numbers of queues that are none" {
	for n in 0 -1 two 1.5 '' 99999999999999999999; do
		net 2 "queues=$n: want a number from 1 to 8" "mode=virtio,tap=t0,queues=$n"
		fails 2 "queues=$n: expected (1..8|knob)" "$bench" run net-throughput --mode=virtio --guest=micro --on=host --set "queues=$n"
	done
	net 2 'queues: this device does not have it' mode=e1000,queues=2
}

@test "vhost-user-net: its own command line" {
	vu=$PWD/$O/vhost-user-net
	fails 2 'both needed' "$vu"
	fails 2 'did you mean --socket' "$vu" --sockt=x
	fails 2 '1 to 8' "$vu" --socket=/tmp/x --tap=t0 --queues=9
	fails 3 'TAP nosuchtap does not exist' "$vu" --socket=/tmp/x --tap=nosuchtap
	fails 2 'is not a TAP' "$vu" --socket=/tmp/x --tap=fd=0
}
