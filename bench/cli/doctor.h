/* SPDX-License-Identifier: MIT */
/* What one row of bench doctor found. */
#ifndef BENCH_CLI_DOCTOR_H
#define BENCH_CLI_DOCTOR_H

#include <stddef.h>

enum verdict { GOOD, WARN, BAD, INFO };

struct finding {
	enum verdict verdict;
	char *what; /* what was found */
	char *todo; /* what to do about it, or NULL */
};

/* Takes what, copies todo (NULL: nothing to do). */
struct finding found(enum verdict v, char *what, const char *todo);

/* Entries of a directory; 0 when it is not there. */
size_t count_entries(const char *dir);

/* ---- doctor_kvm.c: what this host's KVM is and does ---- */
struct finding find_kvm(void);
struct finding find_micro(void);
struct finding find_linux(void);
struct finding find_nested_paging(void);
struct finding find_avic(void);
struct finding find_tracepoints(void);
struct finding find_kvm_exit(void);

/* ---- doctor_host.c: how steady and how deep this host's numbers are ---- */
struct finding find_btf(void);
struct finding find_numbers(void);
struct finding find_pmu(void);
struct finding find_governor(void);
struct finding find_smt(void);
struct finding find_huge_pages(void);
struct finding find_steal(void);
struct finding find_jitter(void);

/* ---- doctor_assign.c: what the assignment of a device needs ---- */
struct finding find_iommu(void);
struct finding find_groups(void);
struct finding find_acs(void);
struct finding find_remapping(void);
struct finding find_sriov(void);
struct finding find_reset(void);
struct finding find_assignment(void);

#endif
