// SPDX-License-Identifier: MIT
#include "bench/modes/net.h"

const char *const virtio_net_modules[] = {"virtio_pci", "virtio_net", NULL};
