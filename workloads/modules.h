/* SPDX-License-Identifier: MIT */
/*
 * Kernel modules by name or alias, with what they need, in the order in which finit_module must see
 * them. Reads the text files of one modules directory (".../lib/modules/VERSION": modules.dep,
 * modules.alias, modules.builtin, modules.softdep); nothing is loaded and no tool is run.
 */
#ifndef WORKLOADS_MODULES_H
#define WORKLOADS_MODULES_H

#include "base/strlist.h"

/*
 * Append to out the file (path below moddir, "kernel/drivers/net/tun.ko") of every module in names
 * (NULL-terminated; '-' and '_' are the same) and of all it depends on, soft "pre" dependencies
 * included, in load order and each once. Built-in ones are left out. -ENOENT is logged with the
 * module's name and the directory.
 */
int modules_resolve(const char *moddir, const char *const *names, struct strlist *out);

/*
 * Append the names of the modules whose alias matches: "pci:v00008086d0000100Esv...",
 * "virtio:d00000001v00001AF4", "crypto-crc32c". 0 when there is none too: look at out->n.
 */
int modules_for_alias(const char *moddir, const char *alias, struct strlist *out);

/* The same for a PCI function on this machine: "0000:01:10.0". */
int modules_for_pci(const char *moddir, const char *bdf, struct strlist *out);

/* Name without directory and ".ko*", '-' turned into '_'. Caller frees. */
char *module_name(const char *path);

/* Content of a module file below moddir, unpacked when it ends in .xz or .zst, without its signature.
 * Caller frees. 0 or -errno (logged). */
int module_read(const char *moddir, const char *path, void **data, size_t *len);

#endif
