# SPDX-License-Identifier: MIT
# The micro guest under our VMM on this machine's KVM, whatever its back end.
load ../helper
load micro

setup() {
	need_kvm
}

@test "micro guest: boots and powers off with status 0; a failed job is status 3" {
	run micro_vmm "workload=null"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "exitlab done" ]
	run micro_vmm "workload=nothing"
	[ "$status" -eq 3 ]
}

@test "micro guest: 50 boots in a row" {
	for _ in $(seq 50); do
		micro_vmm "workload=null" >/dev/null
	done
}

@test "exit-cost: each kind has a number or a reason" {
	run micro_vmm "workload=exit-cost" --cpus 2 --device exitlab-testdev
	[ "$status" -eq 0 ]
	for k in cpuid pio_kernel pio_user mmio_user mmio_write_user ioeventfd msi_self hypercall hlt_wake ipi; do
		v=$(metric "exit_cost_ns.$k")
		if [ -n "$v" ]; then
			awk -v v="$v" 'BEGIN { exit !(v > 0) }' || { echo "$k: $v"; false; }
			grep -q "^exitlab hist exit_cost_ns.$k [0-9]" <<<"$output"
		else
			grep -q "^exitlab note $k skipped: ." <<<"$output" || { echo "$k: nothing said"; false; }
		fi
	done
	# These two need nothing special of any back end.
	[ -n "$(metric exit_cost_ns.pio_user)" ] && [ -n "$(metric exit_cost_ns.mmio_user)" ]
}

@test "exit-cost: with what comes after it, a walk through what was warm, an exit costs its own time and more" {
	run micro_vmm "workload=exit-cost op=cpuid,pio_kernel,indirect" --device exitlab-testdev
	[ "$status" -eq 0 ]
	for k in cpuid pio_kernel pio_user mmio_user; do
		awk -v v="$(metric "exit_cost_full_ns.$k")" 'BEGIN { exit !(v > 0) }' || { echo "$k: $output"; false; }
	done
	# Whatever the machine does meanwhile, both are of one size.
	awk -v full="$(metric exit_cost_full_ns.pio_kernel)" -v own="$(metric exit_cost_ns.pio_kernel)" \
		'BEGIN { exit !(own == "" || full > 0.3 * own && full < 30 * own) }' || { echo "$output"; false; }
}

@test "exit-cost: a doorbell stays in the kernel and costs less than a register of the VMM" {
	run micro_vmm "workload=exit-cost op=mmio_write_user,ioeventfd" --device exitlab-testdev
	[ "$status" -eq 0 ]
	awk -v a="$(metric exit_cost_ns.ioeventfd)" -v b="$(metric exit_cost_ns.mmio_write_user)" \
		'BEGIN { exit !(a > 0 && a < b) }'
}

@test "exit-cost: without a device, a second CPU: skipped and said, never 0" {
	run micro_vmm "workload=exit-cost op=ioeventfd,msi_self,ipi"
	[ "$status" -eq 0 ]
	[ "$(grep -c '^exitlab note .* skipped: there is no ' <<<"$output")" -eq 3 ]
	! grep -q '^exitlab metric exit_cost_ns' <<<"$output"
}

@test "exit-cost: an unknown operation fails the sample" {
	run micro_vmm "workload=exit-cost op=nothing"
	[ "$status" -eq 3 ]
}

@test "timer, ipi, memory, compute: headline figures above 0" {
	run micro_vmm "workload=timer duration_ns=100000000"
	[ "$status" -eq 0 ] && [ "$(metric timer_late_ns)" -gt 0 ]
	run micro_vmm "workload=ipi work=50" --cpus 2
	[ "$status" -eq 0 ] && [ "$(metric ipi_ns)" -gt 0 ] && [ "$(metric ipi_wake_ns)" -gt 0 ]
	run micro_vmm "workload=ipi work=50"
	[ "$status" -eq 3 ] && grep -q "two vCPUs" <<<"$output"
	run micro_vmm "workload=memory mem_bytes=1048576"
	[ "$status" -eq 0 ] && [ "$(metric first_touch_ns)" != 0 ]
	# The checksum that the Linux agent's job gives.
	run micro_vmm "workload=compute work=100"
	[ "$status" -eq 0 ] && grep -q "100 rounds gave " <<<"$output"
}
