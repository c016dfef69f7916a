/* SPDX-License-Identifier: MIT */
#ifndef BASE_END_H
#define BASE_END_H

/*
 * Who was told to end (SIGTERM) does so in order, but within so many seconds whatever its threads wait
 * for: then a line says so and the process ends with the status of SIGTERM, 143.
 */
void end_within(unsigned seconds);
/* Once before it, while handlers may still be set. */
void end_prepare(void);

#endif
