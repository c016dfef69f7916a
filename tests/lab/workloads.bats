# SPDX-License-Identifier: MIT
# Every Linux workload once, in a nested guest under our VMM. A sample whose payload was damaged or whose agent said
# fail ends bench with status 1, so the status is the test.
load ../helper

once() {
	run "$bench" run "$@" --on=host --vmm=builtin --reps=1 --warmup=0 --store="$BATS_TEST_TMPDIR/store"
	[ "$status" -eq 0 ] || { echo "$output"; false; }
}

@test "workloads without a device: null, idle, timer, compute, memory, ipi" {
	once null
	once idle --duration=500ms
	once timer --duration=300ms
	once compute --work=200
	once memory --set mem_bytes=8M
	once ipi --set cpus=2 --work=300
}

@test "net-throughput: every payload byte verified, both directions, IPv6, two streams" {
	once net-throughput --mode=virtio --duration=500ms --set verify=full --set direction=both
	once net-throughput --mode=virtio --duration=500ms --set verify=full --set streams=2 --ipv6
}

@test "net-throughput: fixed work, and a flipped byte fails the sample" {
	once net-throughput --mode=virtio --work=2000000
	run "$bench" run net-throughput --mode=virtio --work=2000000 --set corrupt=on --on=host --vmm=builtin \
		--reps=1 --warmup=0 --store="$BATS_TEST_TMPDIR/store"
	[ "$status" -eq 1 ]
	[[ "$output" == *"integrity: 1 damaged block"* ]] || { echo "$output"; false; }
}

@test "net-latency and net-pps at a rate, closed loop and flood" {
	once net-latency --mode=virtio --work=100
	once net-latency --mode=virtio --duration=500ms --set rate=100
	once net-pps --mode=virtio --duration=500ms --set rate=500
	once net-pps --mode=virtio --duration=500ms --set flood=on
}

@test "net-rebind: the driver leaves and returns under traffic" {
	once net-rebind --mode=virtio --set rounds=3 --set direction=both
}

@test "iperf3 in the same places" {
	once net-throughput --mode=virtio --tool=iperf3 --duration=1s
}
