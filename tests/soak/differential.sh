#!/bin/bash
# SPDX-License-Identifier: MIT
# Our e1000 beside QEMU's through 10,000 traces (tests/differential/e1000.c).
cd "$(dirname "$0")/../.." || exit 2
"${O:-build}"/tests/differential 1 "${TRACES:-10000}"
