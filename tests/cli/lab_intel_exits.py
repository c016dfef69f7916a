#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What lab_intel_exits.sh brought: our counts against the kernel's own, and which exits of VT-x were seen under their names."""
import json
import os
import re
import sys

# SDM 3D, appendix C, as <asm/vmx.h> names them: what this machine can be brought to do under KVM.
SEEN = {
    0: "exception_nmi", 1: "external_interrupt", 2: "triple_fault", 7: "interrupt_window", 8: "nmi_window",
    9: "task_switch", 10: "cpuid", 12: "hlt", 13: "invd", 14: "invlpg", 15: "rdpmc", 18: "vmcall", 19: "vmclear",
    20: "vmlaunch", 21: "vmptrld", 22: "vmptrst", 23: "vmread", 24: "vmresume", 25: "vmwrite", 26: "vmoff",
    27: "vmon", 28: "cr_access", 29: "dr_access", 30: "io_instruction", 31: "msr_read", 32: "msr_write",
    36: "mwait_instruction", 39: "monitor_instruction", 40: "pause_instruction", 43: "tpr_below_threshold",
    44: "apic_access", 45: "eoi_induced", 46: "gdtr_idtr", 47: "ldtr_tr", 48: "ept_violation", 49: "ept_misconfig",
    50: "invept", 52: "preemption_timer", 53: "invvpid", 54: "wbinvd", 55: "xsetbv", 56: "apic_write",
    58: "invpcid", 59: "vmfunc",
}
# Of these the hardware tells more than the reason. (An EPT violation on RAM has no device.)
KEYED = {0, 18, 28, 29, 30, 31, 32, 44, 45, 49, 56}
GUESTS = ("named", "cost", "every", "triple", "task", "cost_no_apicv", "every_no_apicv",
          "cost_shadow", "every_shadow", "cost_neither", "every_neither")
ENDED = ("triple", "task")  # they do not say goodbye
NUMBER = {name: n for n, name in SEEN.items()}


def tracepoint(path):
    found = re.findall(r"exit_reason:\s*(\d+)\s*\}\s*hitcount:\s*(\d+)", open(path).read())
    return {int(reason): int(count) for reason, count in found}


def ours(profile):
    counts = {}
    for row in profile["exits"]:
        reason = NUMBER.get(row["reason"], row["reason"])
        counts[reason] = counts.get(reason, 0) + row["count"] + row.get("untraced", 0)
    return counts


def totals_differ(totals, path):
    """Where the VMM wrote KVM's own down. Some kernels leave out what their fast path handled."""
    if not os.path.exists(path):
        return []
    kvm = int(open(path).read().split()[1])
    if kvm in (totals["exits"], totals["exits"] - totals["fast"]):
        return []
    return [f"totals: ours {totals['exits']}, by the fast path {totals['fast']}, KVM's {kvm}"]


def failed(path):
    """What the guest itself has to say."""
    said = open(path).read().splitlines()
    bad = [line for line in said if line.startswith("exitlab fail")]
    return bad if said[-1:] == ["exitlab done"] else bad + ["did not end"]


def check(directory, guest, seen):
    profile = json.load(open(f"{directory}/{guest}.json"))
    theirs, own = tracepoint(f"{directory}/{guest}.hist"), ours(profile)
    bad = [f"{SEEN.get(r, r)}: ours {own.get(r, 0)}, the tracepoint's {theirs.get(r, 0)}"
           for r in sorted(set(own) | set(theirs), key=str) if own.get(r) != theirs.get(r)]
    bad += totals_differ(profile["totals"], f"{directory}/{guest}.kvm")
    if guest not in ENDED:
        bad += failed(f"{directory}/{guest}.agent")
    if profile["lost"]:
        bad.append(f"lost {profile['lost']}")
    bad += [f"no key: {row['reason']} {row['count']}" for row in profile["exits"]
            if NUMBER.get(row["reason"]) in KEYED and not row["key"]]
    print(f"{guest}: {sum(own.values())} exits, {len(own)} reasons; the tracepoint's {sum(theirs.values())}")
    seen |= set(theirs) & set(own)
    return [f"{guest}: {what}" for what in bad]


def main():
    seen, bad = set(), []
    for guest in GUESTS:
        bad += check(sys.argv[1], guest, seen)
    bad += [f"not seen: {SEEN[r]}" for r in sorted(set(SEEN) - seen)]
    bad += [f"seen, and not in the list: {r}" for r in sorted(seen - set(SEEN), key=str)]
    print(f"{len(seen)} of {len(SEEN)} reasons")
    print("\n".join(bad))
    sys.exit(bool(bad))


main()
