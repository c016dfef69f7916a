/* SPDX-License-Identifier: MIT */
/* Whole files, sysfs values, directories. All return 0 or -errno and log nothing. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdio.h>
#include <sys/types.h>
#include "base/strbuf.h"

int file_read(const char *path, struct strbuf *out);
/* Read a short file and strip the trailing newline; "" when it cannot be read. Caller frees. */
char *file_read_line(const char *path);
/* Last part of what a symbolic link points to ("igbvf" of .../driver), or NULL. Caller frees. */
char *file_link_name(const char *path);
int file_read_u64(const char *path, uint64_t *out);
/* Write in place (sysfs, procfs). */
int file_write(const char *path, const char *text);
/* Temporary file, fsync, rename, fsync of the directory: whole or absent. */
int file_write_atomic(const char *path, const void *data, size_t len);
/*
 * What is printed into the stream becomes a file by file_write_atomic: fprintf(file_stream(&s), ...),
 * then save, which frees it in any case. The stream is NULL without memory.
 */
struct file_stream {
	FILE *f;
	char *text;
	size_t size;
};
FILE *file_stream(struct file_stream *s);
int file_stream_save(struct file_stream *s, const char *path);
/* write(2) until all is out. */
int fd_write_all(int fd, const void *data, size_t len);
/* read(2) until len or end of file; bytes read or -errno. */
ssize_t fd_read_full(int fd, void *buf, size_t len);
int file_sync_dir(const char *dir);
/* Name of an entry of a directory that has one at the most, or NULL. Caller frees. */
char *dir_entry(const char *path);
int dir_make_all(const char *path);
/* rm -r; does not follow links, stays on the file system it started on. */
int dir_remove_all(const char *path);
/* fsync of every regular file and directory below and of path itself. */
int dir_sync_all(const char *path);
/* cp -r of regular files and directories into an existing directory; links and devices are passed over. */
int dir_copy_all(const char *from, const char *to);
bool file_exists(const char *path);
/* Hex SHA-256 of a file into hex[65]. */
int file_sha256(const char *path, char hex[65]);

#endif
