# SPDX-License-Identifier: MIT
# What a VMM holds while its guest runs: counted from outside, by the kernel's own words and by strace.
load ../helper
load micro

# status_of PID KEY: every value of it over the threads of the process.
status_of() {
	sed -n "s/^$2:[[:space:]]*//p" /proc/"$1"/task/*/status | sort -u
}

# A guest that goes on until it is ended, in a network of its own, prepared by $network; its pid in $vm.
network=true
start_vm() {
	unshare -n sh -c "$network"' && readlink /proc/self/ns/net >"$0" && exec "$@"' "$BATS_TEST_TMPDIR/began" "$vmm" --kernel "$O/micro.elf" --cmdline "workload=timer duration_ns=60000000000" --mem 64M --console none "$@" \
		3>&- >"$BATS_TEST_TMPDIR/log" 2>&1 &
	vm=$!
	for _ in $(seq 500); do
		[ "$(cat /proc/$vm/task/*/comm 2>/dev/null | grep -c vcpu)" -gt 0 ] &&
			[ "$(status_of $vm Seccomp)" = 2 ] && return
		sleep 0.02
	done
	cat "$BATS_TEST_TMPDIR/log"
	return 1
}

@test "a running VMM has no user, no capability, no new privileges, no path and no network" {
	need_kvm
	[ "$(id -u)" -eq 0 ] || skip "needs root to give something up"
	start_vm
	[ "$(status_of $vm Uid)" = $'65534\t65534\t65534\t65534' ]
	[ "$(status_of $vm Gid)" = $'65534\t65534\t65534\t65534' ]
	[ "$(status_of $vm Groups)" = "" ]
	for set in CapInh CapPrm CapEff CapAmb; do
		[ "$(status_of $vm $set)" = 0000000000000000 ]
	done
	[ "$(status_of $vm NoNewPrivs)" = 1 ]
	[ -z "$(ls -A /proc/$vm/root/)" ]
	[ "$(wc -l </proc/$vm/mountinfo)" -eq 1 ]
	[ "$(readlink /proc/$vm/ns/net)" = "$(cat "$BATS_TEST_TMPDIR/began")" ]
	[ "$(awk 'NR > 2' /proc/$vm/net/dev | grep -vc ' lo:')" -eq 0 ]
	awk '/Max file size/ { size = $5 } /Max core/ { core = $6 } /Max open files/ { files = $5 }
	     END { exit !(size != "unlimited" && core == 0 && files < 1024) }' /proc/$vm/limits
	kill $vm
	! wait $vm
}

@test "a network with a loopback that is up, or with another interface, is left for an empty one" {
	need_kvm
	[ "$(id -u)" -eq 0 ] || skip "needs root to make namespaces"
	for network in "ip link set lo up" "ip link add e0 type veth peer name e1"; do
		start_vm
		[ "$(readlink /proc/$vm/ns/net)" != "$(cat "$BATS_TEST_TMPDIR/began")" ]
		[ "$(awk 'NR > 2' /proc/$vm/net/dev | grep -vc ' lo:')" -eq 0 ]
		kill $vm
		! wait $vm
	done
}

@test "without the sandbox it keeps what it was started with, and says nothing" {
	need_kvm
	"$vmm" --kernel "$O/micro.elf" --cmdline "workload=null" --mem 64M --console none --sandbox=off
	run "$vmm" --kernel "$O/micro.elf" --sandbox=maybe
	[ "$status" -eq 2 ]
	[[ "$output" == *"expected on|off"* ]]
}

# calls DIR NAME: the system calls that threads of that name made once their filter was there.
calls() {
	local f
	for f in "$1"/t.*; do
		grep -q "PR_SET_NAME, \"$2" "$f" || continue
		sed '1,/SECCOMP_SET_MODE_FILTER/d' "$f" | sed -n 's/^\([a-z_0-9]*\)(.*/\1/p'
	done | sort -u
}

ioctls() {
	local f
	for f in "$1"/t.*; do
		grep -q "PR_SET_NAME, \"$2" "$f" || continue
		sed '1,/SECCOMP_SET_MODE_FILTER/d' "$f" | sed -n 's/^ioctl([0-9]*, \([A-Z0-9_]*\).*/\1/p'
	done | sort -u
}

# at_most N WORDS...
at_most() {
	local n=$1
	shift
	echo "$# of at most $n: $*"
	[ $# -le "$n" ] && [ $# -gt 0 ]
}

@test "system calls of each kind of thread: at most 12 on a vCPU and 8 ioctls, 12 on an I/O thread, 14 on main" {
	need_kvm
	command -v strace >/dev/null || skip "no strace"
	[ -w /dev/net/tun ] || skip "no /dev/net/tun"
	for mode in e1000 virtio; do
		dir=$BATS_TEST_TMPDIR/$mode
		mkdir "$dir"
		timeout 100 unshare -rn sh -c '
			ip tuntap add t0 mode tap && ip addr add 10.77.0.1/24 dev t0 && ip link set t0 up || exit 77
			exec strace -ff -o "$3/t" "$0" --kernel "$1/micro.elf" --mem 64M --cpus 2 --console none \
				--net "mode=$2,tap=t0" --cmdline "workload=hostile op=rings-elsewhere addr=10.77.0.2/24 peer=10.77.0.1"' \
			"$vmm" "$O" $mode "$dir" >/dev/null 2>&1
		at_most 12 $(calls "$dir" vcpu)
		at_most 8 $(ioctls "$dir" vcpu)
		for thread in serial control "$mode"; do
			echo "$thread"
			[ -z "$(calls "$dir" "$thread")" ] || at_most 12 $(calls "$dir" "$thread")
		done
		main=$(ls -tr "$dir"/t.* | while read -r f; do grep -q '^execve' "$f" && echo "$f" && break; done)
		at_most 14 $(sed '1,/SECCOMP_SET_MODE_FILTER/d' "$main" | sed -n 's/^\([a-z_0-9]*\)(.*/\1/p' | sort -u)
	done
}
