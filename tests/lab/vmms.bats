# SPDX-License-Identifier: MIT
# VMMs that are not ours: QEMU's microvm for real, and those that Debian has not by a program that stands in for them.
load ../helper

setup() {
	store=$BATS_TEST_TMPDIR/store
}

once() {
	"$bench" -q run "$@" --on=host --reps=1 --warmup=0 --store="$store" --json >"$BATS_TEST_TMPDIR/json"
}

@test "microvm: boot, idle and vhost over virtio-mmio, every check ok; one table of them" {
	once boot --vmm=microvm
	json 'j["ok"] and j["summary"]["boot_exits"]["median"] > 1000'
	once idle --vmm=microvm --duration=300ms
	json 'j["ok"] and j["summary"]["exits"]["median"] > 0'
	once net-throughput --vmm=microvm --mode=vhost --duration=300ms --set verify=full
	json 'j["ok"] and all(c["ok"] for c in j["checks"]) and j["summary"]["kicks"]["median"] > 0'
	json 'any(i["name"] == "microvm" and i["version"][0].isdigit() for i in j["inputs"])'
	run "$bench" sweep vmms --judge --store="$store"
	[[ "$output" == *"vhost/microvm "*" s "* ]] || { echo "$output"; false; }
}

# A domain of libvirt's driver within virsh.
@test "libvirt: boot, idle and virtio, every check ok; no domain is left by a bench that was killed" {
	local pid
	once boot --vmm=libvirt --guest=micro
	json 'j["ok"] and j["summary"]["boot_exits"]["median"] > 500'
	json 'any(i["name"] == "libvirt" and i["version"][0].isdigit() for i in j["inputs"])'
	once idle --vmm=libvirt --duration=300ms
	json 'j["ok"]'
	once net-throughput --vmm=libvirt --mode=virtio --duration=300ms --set verify=full
	json 'j["ok"] and all(c["ok"] for c in j["checks"]) and j["summary"]["kicks"]["median"] > 0'
	json 'any("virtio-net" in e.get("device", "") for e in j["exits"])' # QEMU's own names, by its monitor
	grep -q "<target dev=" "$store"/runs/*/sample-0/domain.xml
	[ -z "$(find "$store" -type s)" ]
	"$bench" -q run timer --guest=micro --duration=60s --vmm=libvirt --on=host --reps=1 --warmup=0 --store="$store" 3>&- &
	pid=$!
	timeout 60 sh -c 'until pgrep -f [g]uest=exitlab; do sleep 0.2; done'
	kill -9 $pid
	timeout 20 sh -c 'while pgrep -f [g]uest=exitlab || pgrep virsh; do sleep 0.2; done'
}

# The stand-in ends with status 1 when the TAP is not there as its VMM takes it.
@test "one port, the console's: agent told apart, TAP by name or by number, the end by reset, a terminal" {
	local v
	for v in firecracker cloud-hypervisor openvmm; do # each of the ways; the command lines of all are unit tests
		once net-throughput --mode=virtio --vmm="$v:tests/lab/stand_in_vmm" --no-probes
		json 'j["ok"] and j["vmm"] == "'$v':tests/lab/stand_in_vmm" and j["summary"]["throughput_bps"]["median"] == 1e9'
		json 'any(i["version"] == "1.2.3" for i in j["inputs"])'
		grep -q 'half a line of the kernel' "$store"/runs/*/sample-0/agent.log
	done
	run "$bench" run boot --vmm=kvmtool:/nonexistent/lkvm --on=host --reps=1 --store="$store"
	[ "$status" -eq 1 ]
	[[ "$output" == *"/nonexistent/lkvm is not there; build it, and say where it is"* ]] || { echo "$output"; false; }
}
