#!/bin/bash
# SPDX-License-Identifier: MIT
# Our cards beside QEMU's through 10,000 traces each (tests/differential).
cd "$(dirname "$0")/../.." || exit 2
for card in e1000 virtio-net; do
	"${O:-build}"/tests/differential $card 1 "${TRACES:-10000}" || exit 1
done
