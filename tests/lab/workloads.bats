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

@test "kernel-ops: a port write and CPUID exit each time, a system call and a pipe do not" {
	once kernel-ops
	# The timer's exits come on top, more of them on a busy machine.
	jq -e '.samples[0].metrics | .["exits_per_op.port_write"] >= 1 and .["exits_per_op.cpuid"] >= 1 and
		.["exits_per_op.syscall"] < 0.5 and .["exits_per_op.pipe"] < 0.5 and .["op_ns.fork"] < .["op_ns.exec"]' \
		"$BATS_TEST_TMPDIR"/store/runs/*/record.json ||
		{ jq '.samples[0].metrics' "$BATS_TEST_TMPDIR"/store/runs/*/record.json; false; }
}

@test "net-throughput: every payload byte verified, both directions, IPv6, two streams" {
	once net-throughput --mode=virtio --duration=500ms --set verify=full --set direction=both
	once net-throughput --mode=virtio --duration=500ms --set verify=full --set streams=2 --ipv6
	[[ "$output" == *latency_ns* ]] # of the same boot, beside the rate
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

# metric NAME FILE: its median in the record that bench printed.
metric() {
	python3 -c 'import json, sys; print(json.load(open(sys.argv[2]))["summary"][sys.argv[1]]["median"])' "$1" "$2"
}

@test "the textbook: e1000 with a doorbell and an interrupt per packet, virtio with a tenth of its exits" {
	local out=$BATS_TEST_TMPDIR/record
	flood() {
		"$bench" run net-pps --set flood=on --on=host --reps=1 --warmup=0 --duration=500ms --json \
			--store="$BATS_TEST_TMPDIR/store" "$@" >"$out.$1"
	}
	flood --mode=e1000 --set coalesce=off --set io=vcpu --set offload=off
	flood --mode=virtio
	run python3 -c 'import sys
k, e, v = map(float, sys.argv[1:])
print(k, e, v)
sys.exit(not (0.95 <= k <= 1.05 and e >= 2 and v <= e / 10))' "$(metric kicks_per_packet "$out.--mode=e1000")" \
		"$(metric exits_per_packet "$out.--mode=e1000")" "$(metric exits_per_packet "$out.--mode=virtio")"
	[ "$status" -eq 0 ] || { echo "kicks, exits per packet; virtio exits per packet: $output"; false; }
}

@test "tso=off: the device gets frames, not segments" {
	local out=$BATS_TEST_TMPDIR/record
	"$bench" run net-throughput --mode=virtio --set tso=off --on=host --reps=1 --warmup=0 --duration=500ms --json \
		--store="$BATS_TEST_TMPDIR/store" >"$out"
	run python3 -c 'import sys; p, w = map(float, sys.argv[1:]); print(p, w); sys.exit(not 0.9 <= p / w <= 1.1)' \
		"$(metric packets "$out")" "$(metric wire_packets "$out")"
	[ "$status" -eq 0 ] || { echo "packets of the device, of the wire: $output"; false; }
}

@test "net-selftest: registers, EEPROM, interrupt, loopback and link of our e1000 under Linux's driver" {
	once net-selftest --mode=e1000
	[[ "$output" == *"selftests 5"* ]] || { echo "$output"; false; }
}

@test "net-rebind: the driver leaves and returns under traffic" {
	once net-rebind --mode=virtio --set rounds=3 --set direction=both
}

@test "iperf3 in the same places" {
	once net-throughput --mode=virtio --tool=iperf3 --duration=1s
	[[ "$output" == *latency_ns* ]]
}

@test "two VMs at once: let go together, rates are summed" {
	once net-throughput --mode=virtio --set vms=2 --duration=500ms
	# Within the digits that a record keeps.
	jq -e '.samples[0] | (.metrics.throughput_bps / ([.vms[].metrics.throughput_bps] | add) - 1 | fabs) < 1e-9 and (.vms | length) == 2' \
		"$BATS_TEST_TMPDIR"/store/runs/*/record.json
	tests/schema "$BATS_TEST_TMPDIR"/store/runs/*/record.json
}

@test "shadow paging: the micro guest runs; Linux is refused where the emulator would lose it, and KVM is put back" {
	local npt=/sys/module/kvm_amd/parameters/npt
	once memory --guest=micro --set paging=shadow
	[ "$(cat $npt)" = Y ]
	run "$bench" run boot --set paging=shadow --on=host --vmm=builtin --reps=1 --store="$BATS_TEST_TMPDIR/store"
	[ "$status" -eq 0 ] || [[ "$output" == *"reads CR3 is shown KVM's page table"* ]] || { echo "$output"; false; }
	[ "$(cat $npt)" = Y ]
}
