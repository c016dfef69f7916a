// SPDX-License-Identifier: MIT
/* The state that all probes share, and the gate that the guest's marker writes open and close. */
#include "probes/common.bpf.h"
#include "workloads/protocol.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile __u32 cfg_tgid = 0;
const volatile __s32 cfg_vcpu = -1;

struct window_state window;
struct hot_state hot SEC(".data.hot") = {};
static __always_inline void window_open(struct vcpu_state *s, __u64 now)
{
	if (hot.gate)
		return;
	/* The marker's own exit began before the window, its end is inside: it does not count. */
	s->where = AT_UNKNOWN;
	s->take_user = 2;
	if (!window.opened)
		window.open_ns = now;
	window.last_open_ns = now;
	window.opened++;
	hot.gate = 1;
}

static __always_inline void window_close(struct vcpu_state *s, __u64 now)
{
	if (!hot.gate)
		return;
	hot.gate = 0;
	window.close_ns = now;
	window.total_ns += now - window.last_open_ns;
	window.closed++;
	/* The closing exit began inside and counts, its way to userspace too. */
	s->take_user = 1;
}

static __always_inline void window_lap(const struct vcpu_state *s)
{
	__u32 n = window.laps;

	if (!hot.gate)
		return;
	if (n < WINDOW_LAPS)
		window.lap[n & (WINDOW_LAPS - 1)] = s->exits + s->untraced;
	window.laps = n + 1;
}

int window_marker(__u32 value, __u32 slot, __u64 now)
{
	struct vcpu_state *s = &hot.vcpu[slot & (PROBE_VCPUS - 1)];

	if (hot.flags & HOT_BOOT) {
		if (value == MARKER_VALUE(MARKER_BOOTED))
			window_close(s, now);
		return 0;
	}
	if (value == MARKER_VALUE(MARKER_OPEN))
		window_open(s, now);
	else if (value == MARKER_VALUE(MARKER_CLOSE))
		window_close(s, now);
	else if (value == MARKER_VALUE(MARKER_LAP))
		window_lap(s);
	return 0;
}

/*
 * Back ends whose kvm_exit does not tell the port and the value (SVM's does: exit.bpf.c, one program less
 * per port access). kvm_pio(rw, port, size, count, data); rw 1 is a write. A raw tracepoint: kernels before
 * 6.2 let no BTF-typed program touch a `const void *` argument.
 */
SEC("raw_tp/kvm_pio")
int on_marker(struct bpf_raw_tracepoint_args *ctx)
{
	struct vcpu_state *s;
	__u8 value = 0;

	if ((__u32)ctx->args[1] != MARKER_PORT || (__u32)ctx->args[0] != 1 || !tgid_watched())
		return 0;
	bpf_probe_read_kernel(&value, sizeof(value), (void *)ctx->args[4]);
	/* The thread need not be a vCPU known to us: slot 0 belongs to nobody. */
	s = vcpu_current();
	window_marker(value, s ? s->slot : 0, bpf_ktime_get_ns());
	return 0;
}
