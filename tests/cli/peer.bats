# SPDX-License-Identifier: MIT
# bench peer: two network namespaces are the two machines, one veth pair their management network, another the wire.
load ../helper

setup() {
	ip netns add exl-a 2>/dev/null || skip "may not make network namespaces"
	ip netns add exl-b
	ip -n exl-a link add name ca type veth peer name cb netns exl-b
	ip -n exl-a link add name wa type veth peer name wb netns exl-b
	in_a ip addr add 192.0.2.1/24 dev ca
	in_a ip link set ca up
	in_b ip addr add 192.0.2.2/24 dev cb
	in_b ip link set cb up
	token=$BATS_TEST_TMPDIR/token
	(umask 077; echo 0123456789abcdef0123456789abcdef >"$token"; echo another-token-of-someone >"$token.other")
}

teardown() {
	[ -z "${peer_pid:-}" ] || kill "$peer_pid" || true
	ip netns del exl-a || true
	ip netns del exl-b || true
}

in_a() { nsenter --net=/run/netns/exl-a "$@"; }
in_b() { nsenter --net=/run/netns/exl-b "$@"; }

peer_start() {
	nsenter --net=/run/netns/exl-b "$bench" peer --nic=wb --token="$token" >"$BATS_TEST_TMPDIR/peer.log" 2>&1 3>&- &
	peer_pid=$!
	for _ in $(seq 50); do grep -q ready "$BATS_TEST_TMPDIR/peer.log" && return; sleep 0.1; done
	cat "$BATS_TEST_TMPDIR/peer.log"
	false
}

run_at() { # ADDRESS OPTIONS...
	local address=$1
	shift
	in_a timeout 60 "$bench" run net-throughput --mode=host --nic=wa --peer="$address" --token="$token" --on=host --reps=1 \
		--duration=300ms --no-probes --store="$BATS_TEST_TMPDIR/store" "$@"
}

@test "a run over the wire to bench peer, which then is free for the next" {
	peer_start
	run_at 192.0.2.2 --json >"$BATS_TEST_TMPDIR/out"
	jq -e '.ok and .summary.throughput_bps.median > 1e6' "$BATS_TEST_TMPDIR/out"
	for _ in $(seq 50); do grep -q 'session over' "$BATS_TEST_TMPDIR/peer.log" && break; sleep 0.1; done
	[ "$(grep -c 'session' "$BATS_TEST_TMPDIR/peer.log")" -eq 2 ]
	kill -0 $peer_pid
	! pgrep -P $peer_pid
}

# One line of ours, and one of the sample's in the record.
refused() { # PATTERN ADDRESS OPTIONS...
	local pattern=$1 status=0
	shift
	# A veth pair ends with the namespace that one end was in; a card would be back.
	in_a ip -o link show wa >/dev/null 2>&1 || ip -n exl-a link add name wa type veth peer name wx
	run_at "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
	[ $status -eq 1 ] && grep -q "$pattern" "$BATS_TEST_TMPDIR/err" || { cat "$BATS_TEST_TMPDIR/err"; false; }
}

@test "refused: another token, a token that others can read, nobody there, no token, an interface in use" {
	peer_start
	refused 'the tokens differ' 192.0.2.2 --token="$token.other"
	grep -q 'does not know the token' "$BATS_TEST_TMPDIR/peer.log"
	chmod 644 "$token.other"
	refused 'others can read it; chmod 600' 192.0.2.2 --token="$token.other"
	refused 'is `bench peer` running there' 192.0.2.2:9
	fails 2 'peer wants --token, --nic' "$bench" run net-throughput --mode=host --peer=192.0.2.2
	fails 3 'this host uses it .it has an address.' in_b timeout 10 "$bench" peer --nic=cb --token="$token" --port=7799
	fails 3 'the lab reaches no other machine' "$bench" run net-throughput --mode=host --nic=x --peer=h --token="$token" --on=lab
}

@test "whoever is silent, talks too much or something else is hung up on; bench peer lives and serves" {
	peer_start
	say() { in_a timeout 10 python3 -c "
import socket, sys
s = socket.create_connection(('192.0.2.2', 7788))
s.settimeout(9)
s.recv(100)
$1
while s.recv(100):
    sys.exit('it answered')
" || [ "${2:-}" = reset ]; }
	say 's.sendall(b"hello\n")'
	say 's.sendall(b"x" * 10000)' reset
	say 's.sendall(b"hello " + b"0" * 64 + b" 5201 " + b"0" * 64 + b"\n")'
	say 'pass'
	kill -0 $peer_pid
	[ "$(grep -c 'was sent away' "$BATS_TEST_TMPDIR/peer.log")" -eq 4 ]
	# Three that are silent for 5 s each, and one that waits for 5 s: it is served beside them.
	in_a python3 -c "
import socket, time
all = [socket.create_connection(('192.0.2.2', 7788)) for _ in range(3)]
print('silent', flush=True)
time.sleep(30)" >"$BATS_TEST_TMPDIR/silent" 3>&- &
	until grep -q silent "$BATS_TEST_TMPDIR/silent"; do sleep 0.1; done
	run_at 192.0.2.2 >/dev/null
	kill $!
}

@test "one run at a time; killed in its middle, its session ends" {
	peer_start
	run_at 192.0.2.2 --duration=20s >/dev/null 2>&1 3>&- &
	for _ in $(seq 100); do grep -q 'session on port' "$BATS_TEST_TMPDIR/peer.log" && break; sleep 0.1; done
	ip -n exl-a link add name wa2 type veth peer name wa3
	refused 'it serves somebody else' 192.0.2.2 --nic=wa2
	kill -9 $(pgrep -f "store=$BATS_TEST_TMPDIR/store --duration=20s")
	for _ in $(seq 50); do grep -q 'session over' "$BATS_TEST_TMPDIR/peer.log" && break; sleep 0.1; done
	grep -q 'session over' "$BATS_TEST_TMPDIR/peer.log"
}
