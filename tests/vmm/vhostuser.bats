# SPDX-License-Identifier: MIT
# vhost-user between our two ends and between each of them and a foreign one, with the micro guest and its peer over a TAP.
load ../helper
load micro

setup() {
	[ "$(id -u)" -eq 0 ] && [ -w /dev/net/tun ] || skip "needs root and /dev/net/tun"
}

# throughput VMM DIRECTION: our back-end, with that VMM as its front-end; every byte compared.
throughput() {
	run "$bench" run net-throughput --mode=vhost-user --vmm="$1" --guest=micro --on=host --reps=1 --no-probes \
		--duration=300ms --set direction="$2" --set verify=full --store="$BATS_TEST_TMPDIR/store" --json
	[ "$status" -eq 0 ] && grep -qE '"throughput_bps": [0-9.]*[1-9]' <<<"$output" || { echo "$output"; false; }
}

@test "vhost-user: our front-end, our back-end, both ways" {
	need_kvm
	throughput builtin tx
	throughput builtin rx
}

@test "vhost-user: QEMU is the front-end of our back-end, both ways" {
	need_qemu
	throughput qemu:accel=tcg tx
	throughput qemu:accel=tcg rx
}

# wire_packets: frames that the guest has sent through wire0 so far.
wire_packets() {
	cat /sys/class/net/wire0/statistics/rx_packets
}

# In a network namespace with its own sysfs: the back-end dies in mid-traffic and comes back.
killed_session() {
	local back status=0 before
	mount -t sysfs none /sys
	ip link set lo up && ip tuntap add wire0 mode tap && ip addr add 10.77.0.1/24 dev wire0 && ip link set wire0 up
	"$agent" peer addr=10.77.0.1/24 >peer.log 2>&1 &
	"$back_end" --socket=sock --tap=wire0 2>>back.log &
	back=$!
	for _ in $(seq 50); do [ -S sock ] && break; sleep 0.1; done
	(
		for _ in $(seq 100); do [ "$(wire_packets)" -gt 1000 ] && break; sleep 0.05; done
		kill -9 $back
		sleep 0.3
		before=$(wire_packets)
		"$back_end" --socket=sock --tap=wire0 --once 2>>back.log &
		for _ in $(seq 100); do [ "$(wire_packets)" -gt $((before + 1000)) ] && echo resumed >resumed && break; sleep 0.05; done
		wait
	) &
	micro_vmm "workload=net-throughput addr=10.77.0.2/24 peer=10.77.0.1 duration_ns=6000000000" \
		--net "mode=vhost-user,path=$PWD/sock" 2>&1 || status=$?
	kill %1
	wait
	return $status
}

@test "vhost-user: the back-end killed under traffic; VMM and guest live, traffic resumes" {
	need_kvm
	export -f killed_session micro_vmm wire_packets
	export vmm agent=$PWD/$O/agent back_end=$PWD/$O/vhost-user-net
	export O=$PWD/$O
	cd "$BATS_TEST_TMPDIR"
	run unshare -nm bash -c killed_session 3>&-
	[ "$status" -eq 0 ] || { echo "$output"; cat back.log; false; }
	[[ "$output" == *"is gone"* && "$output" == *"is back"* ]] || { echo "$output"; false; }
	[ -e resumed ] || { echo "$output"; cat back.log; false; }
}

# In a network namespace of its own, which takes the TAP and whatever is left with it.
testpmd_session() {
	local pmds pmd status=0 job="workload=net-throughput addr=10.77.0.2/24 peer=10.77.0.1 duration_ns=300000000 verify=full"
	pmds=$(dirname "$(ls /usr/lib/*/dpdk/pmds-*/librte_net_vhost.so | head -1)")
	mkdir -p run
	XDG_RUNTIME_DIR=$PWD/run timeout 60 dpdk-testpmd --no-huge --no-pci -m 128 --lcores '0@0,1@0' --file-prefix=t \
		-d "$pmds/librte_net_vhost.so" -d "$pmds/librte_net_tap.so" -d "$pmds/librte_mempool_ring.so" \
		--vdev "net_vhost0,iface=$PWD/sock" --vdev net_tap0,iface=dtap0 -- \
		--forward-mode=io --auto-start --stats-period=60 --no-mlockall --total-num-mbufs=4096 >pmd.log 2>&1 </dev/null &
	pmd=$!
	for _ in $(seq 100); do [ -S sock ] && ip link show dtap0 >/dev/null 2>&1 && break; sleep 0.1; done
	ip link set lo up && ip addr add 10.77.0.1/24 dev dtap0 && ip link set dtap0 up
	timeout 60 "$agent" peer addr=10.77.0.1/24 >peer.log 2>&1 &
	sleep 0.5
	micro_vmm "$job" --net "mode=vhost-user,path=$PWD/sock" || status=$?
	kill $! $pmd
	wait
	return $status
}

@test "vhost-user: DPDK's testpmd is the back-end of our front-end" {
	need_kvm
	command -v dpdk-testpmd >/dev/null && ls /usr/lib/*/dpdk/pmds-*/librte_net_vhost.so >/dev/null 2>&1 ||
		skip "no testpmd here (apt-get install dpdk-dev librte-net-vhost23 librte-net-tap23 librte-mempool-ring23)"
	export -f testpmd_session micro_vmm
	export vmm agent=$PWD/$O/agent
	export O=$PWD/$O
	cd "$BATS_TEST_TMPDIR"
	run unshare -n bash -c testpmd_session 3>&-
	[ "$status" -eq 0 ] || { echo "$output"; tail -20 pmd.log; false; }
	[ "$(metric throughput_bps)" -gt 0 ]
}
