# SPDX-License-Identifier: MIT
load ../helper

@test "doctor: the table and the JSON have the same rows; what is not well says what to do" {
	"$bench" doctor --json >"$BATS_TEST_TMPDIR/json"
	"$bench" doctor >"$BATS_TEST_TMPDIR/table"
	for row in kvm micro_guest linux_guests nested_paging avic tap vhost_net iommu interrupt_remapping sriov btf process_numbers \
		tracepoints kvm_exit pmu governor smt huge_pages steal noise lab; do
		jq -e ".$row.verdict and .$row.found" "$BATS_TEST_TMPDIR/json" >/dev/null || { echo "no row $row"; false; }
	done
	[ "$(jq length "$BATS_TEST_TMPDIR/json")" -eq "$(sed '1d; /^$/,$d' "$BATS_TEST_TMPDIR/table" | wc -l)" ]
	run jq -r 'to_entries[] | select(.value.verdict == "warning" or .value.verdict == "missing")
		| select(.value.todo == null) | .key' "$BATS_TEST_TMPDIR/json"
	[ -z "$output" ] || { echo "no advice: $output"; false; }
	run awk 'length($0) > 130' "$BATS_TEST_TMPDIR/table"
	[ -z "$output" ] || { echo "$output"; false; }
}

@test "doctor: what it says of KVM was tried" {
	[ -w /dev/kvm ] || skip "no /dev/kvm"
	"$bench" doctor --json >"$BATS_TEST_TMPDIR/json"
	jq -e '.micro_guest.verdict == "ok" and (.micro_guest.found | test("booted"))' "$BATS_TEST_TMPDIR/json"
	unshare -m true 2>/dev/null || return 0
	# The same machine without it.
	unshare -m sh -c "mount -t tmpfs none /dev && exec '$bench' doctor --json" >"$BATS_TEST_TMPDIR/json"
	jq -e '.kvm.verdict == "missing" and (.kvm.todo | test("modprobe")) and .micro_guest.found == "no KVM"
		and .linux_guests.verdict == "warning" and .tap.verdict == "missing"' "$BATS_TEST_TMPDIR/json"
}

@test "doctor: a lab that cannot be names what lacks and the script that brings it" {
	EXITLAB_QEMU=/nonexistent "$bench" doctor --json >"$BATS_TEST_TMPDIR/json"
	jq -e '.lab.verdict == "missing" and (.lab.found | test("not installed")) and (.lab.todo | test("setup.sh"))' \
		"$BATS_TEST_TMPDIR/json"
}
