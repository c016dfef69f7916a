/* SPDX-License-Identifier: MIT */
/*
 * Eventfds that another process holds too: kicks, calls and errors of vhost-user, and what may be one of
 * them. O_NONBLOCK belongs to the open file, so the other side can clear it, fill the counter or drain it,
 * and a plain read or write of ours would sleep for good. Neither of these does.
 */
#ifndef VMM_CORE_EVENTFD_H
#define VMM_CORE_EVENTFD_H

#include <stdint.h>

/*
 * Add 1. A full counter is left as it is: whoever reads it is told already. The kernel knows no write to an
 * eventfd that never waits, so this asks first; who fills the counter just then holds the calling thread,
 * which serves nobody but him, and end_within ends the process nevertheless.
 */
void eventfd_signal(int fd);
/*
 * The same for an eventfd that no other process holds and that was made with EFD_NONBLOCK: one system call
 * instead of two.
 */
void eventfd_signal_own(int fd);
/* Take all of it; 0: nothing was there, or fd is none. */
uint64_t eventfd_drain(int fd);

#endif
