/* SPDX-License-Identifier: MIT */
/*
 * The journal of what we change on this host. Every change is first written down with the value to go back
 * to, in an fsynced file named after our pid; undone in reverse at the end, and by the next start when we
 * could not (kill -9, power loss: /run is gone then and so are the changes, which all live in sysfs).
 *
 *   /run/exitlab/journal.PID-STARTTIME      one line a change: PATH <tab> OLD VALUE, run <tab> COMMAND,
 *                                           rmdir <tab> DIRECTORY or unlink <tab> LINK
 */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H

#include "base/util.h"

struct journal;

/* Where it lives, and whatever else must not be found under a name that somebody may take first. */
const char *journal_dir(void);
/* 0 or -errno (logged). */
int journal_open(struct journal **out);
/*
 * Note PATH's old value (or undo, when given), then write value. 0 or -errno (logged; then nothing was
 * changed).
 */
int journal_write(struct journal *j, const char *path, const char *value, const char *undo);
/* Note only: value is to be written to path at the end. What is done about it is the caller's. */
int journal_note(struct journal *j, const char *path, const char *undo);
/* Note a command that undoes (NULL: nothing to undo), then run the one that does; words are split at blanks.
 * 0 or -errno (logged). */
int journal_run(struct journal *j, const char *command, const char *undo);
/* Note a directory, then make it; one that is empty at the end goes. 0 or -errno (logged). */
int journal_mkdir(struct journal *j, const char *path);
/* The same of a symbolic link. */
int journal_symlink(struct journal *j, const char *target, const char *path);
/* Undo everything in reverse, and close. Paths that are gone are fine. 0, or the first -errno (logged). */
int journal_close(struct journal *j);
/* Undo what dead processes left, the newest first: how many changes, or -errno. Each is logged. */
int journal_recover(void);

#endif
