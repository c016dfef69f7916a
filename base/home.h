/* SPDX-License-Identifier: MIT */
/* Where a user's files are. Never a directory that others can write to: they would be there first. */
#ifndef BASE_HOME_H
#define BASE_HOME_H

#include "base/util.h"

/*
 * exitlab's directory: in what the variable xdg says (XDG_STATE_HOME, XDG_CACHE_HOME), else in below of the
 * home directory: HOME, else the password database's. A relative path is none. Caller frees; NULL: no home.
 */
char *home_path(const char *xdg, const char *below);

#endif
