# SPDX-License-Identifier: MIT
# bench top in a real terminal (tmux), over guests of this machine's KVM: the picture at several sizes, keys, the end.
load ../helper
load micro

setup() {
	need_kvm
	[ "$(id -u)" -eq 0 ] || skip "not root"
	[ -r /sys/kernel/btf/vmlinux ] || skip "the kernel has no BTF"
	command -v tmux >/dev/null || skip "no tmux"
	session=top-$$
	while timeout 20 "$vmm" --kernel "$O/micro.elf" --cmdline workload=exit-cost --mem 64M --console none \
		--agent none; do :; done >/dev/null 2>&1 &
	guests=$!
}

teardown() {
	[ -z "${session:-}" ] || tmux kill-session -t "$session" 2>/dev/null || true
	[ -z "${guests:-}" ] || kill "$guests" 2>/dev/null || true
}

screen() { tmux capture-pane -p -t "$session"; }

# shows PATTERN: the screen does within 8 s
shows() {
	for _ in $(seq 40); do
		! screen | grep -qE "$1" || return 0
		sleep 0.2
	done
	echo "no /$1/ on:"
	screen
	return 1
}

@test "top: rows, sizes, keys, and a terminal as it was" {
	tmux new -d -s "$session" -x 110 -y 20 \
		"LC_ALL=C.UTF-8 $bench top --interval=300ms; echo ended with \$?; stty -a | grep -ow -e '-*echo'; sleep 60"
	shows '^all virtual machines +back end [a-z]+ +[0-9]'
	shows '^REASON +KEY +DEVICE +PER S +TIME % +P50 +P99 +MEAN +RATE'
	shows '^io +(in|out) 0x.* [0-9.]+ (ns|us|ms) .*[▁▂▃▄▅▆▇█]'
	shows '^q quit  s sort: time  k key: all'
	tmux send-keys -t "$session" s
	shows '^q quit  s sort: count'
	tmux send-keys -t "$session" k
	shows '^q quit  s sort: count  k key: reason'
	shows '^io +[0-9]'
	tmux send-keys -t "$session" Space
	shows '^all virtual machines .*PAUSED'
	tmux send-keys -t "$session" Space
	# Narrow and low: columns go, the least telling first; no line runs into the next.
	tmux resize-window -t "$session" -x 50 -y 6
	shows '^REASON +KEY +PER S +TIME %$'
	[ "$(screen | tail -1)" = "q quit  s sort: count  k key: reason  space pause" ]
	tmux resize-window -t "$session" -x 140 -y 30
	shows '^REASON .* MEAN +KVM +USER +WAITING +ASLEEP RATE'
	tmux send-keys -t "$session" q
	shows '^ended with 0'
	shows '^echo'
}
