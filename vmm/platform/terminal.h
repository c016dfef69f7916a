/* SPDX-License-Identifier: MIT */
#ifndef VMM_PLATFORM_TERMINAL_H
#define VMM_PLATFORM_TERMINAL_H

/* Raw mode for the terminal on fd, if it is one. A small process of ours outlives us and restores
 * it, however we end (kill -9 included). Call before threads start. */
void terminal_raw(int fd);
/* Put it back now. Fine to call without terminal_raw. */
void terminal_restore(void);
/* The mode alone, by one ioctl: the guard goes with us. */
void terminal_cooked(void);

#endif
