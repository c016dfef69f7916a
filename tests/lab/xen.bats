# SPDX-License-Identifier: MIT
# The shortest way through the Xen lab: one boot of it, one of a domain, each operation of a kernel counted twice; dom0 itself, watched. make check TIER=xen
#
# lab: --lab=xen
# long
load ../helper
load xen

@test "a PV domain: each operation enters Xen as often as the ABI says, and as the guest counts" {
	once kernel-ops --vmm=xen:pv --set observer=probes
	json "j['ok'] and all(c['ok'] for c in j['samples'][0]['checks'])"
	json "{'guest_ops', 'lost_events'} <= {c['name'] for c in j['samples'][0]['checks']}"
	twice 9
	json "j['summary']['exits_per_op.cpuid']['median'] < 0.1"
	nothing_left
}

@test "profile --xen: dom0, a PV domain too, has an iret for each system call; top shows it by name" {
	"$bench" profile --xen=Domain-0 --interval=200ms --json >"$BATS_TEST_TMPDIR/lines" &
	timeout 60 sh -c "until [ -s '$BATS_TEST_TMPDIR/lines' ]; do sleep 0.1; done"
	dd if=/dev/zero of=/dev/null bs=1 count=5000 status=none
	kill -INT $!
	wait $!
	tail -n 1 "$BATS_TEST_TMPDIR/lines" >"$BATS_TEST_TMPDIR/json"
	json "j['name'] == 'Domain-0' and j['domain'] == 0 and j['backend'] == 'xen-pv' and j['lost'] == 0"
	json "10000 < [r['count'] for r in j['exits'] if r['key'] == 'iret'][0] < 40000"
	TERM=xterm script -qc "'$bench' top --duration=2s --interval=500ms" /dev/null | grep -q Domain-0
}
