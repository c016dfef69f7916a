#!/bin/bash
# SPDX-License-Identifier: MIT
# Every card survives its driver's leaving and coming back under verified traffic both ways, ROUNDS times.
#
#   tests/soak/rebind.sh [MODE...]     default: e1000 virtio vhost vhost-user
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${O:=build}" "${ROUNDS:=50}"
modes=${*:-e1000 virtio vhost vhost-user}
# A round takes as long as TCP has backed off by then: up to some seconds each.
exec "$O/bench" run net-rebind --mode="${modes// /,}" --set rounds="$ROUNDS" --set direction=both --reps=1 \
	--timeout=1200s
