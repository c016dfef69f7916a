# SPDX-License-Identifier: MIT
# The shortest way through the Xen lab: one boot of it, one of a domain, each operation of a kernel counted twice. make check TIER=xen
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
