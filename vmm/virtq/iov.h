/* SPDX-License-Identifier: MIT */
/* Copy between a flat buffer and a vector, from byte off of the vector on; bytes copied. */
#ifndef VMM_VIRTQ_IOV_H
#define VMM_VIRTQ_IOV_H

#include <sys/uio.h>

size_t iov_gather(const struct iovec *iov, unsigned n, size_t off, void *buf, size_t len);
size_t iov_scatter(const struct iovec *iov, unsigned n, size_t off, const void *buf, size_t len);

#endif
