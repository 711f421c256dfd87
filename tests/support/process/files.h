/* SPDX-License-Identifier: PostgreSQL */
/* Files and folders for tests. Every failure fails the running test; returned texts are the caller's (free). */
#ifndef CHIME_TESTS_SUPPORT_FILES_H
#define CHIME_TESTS_SUPPORT_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* A new folder of mode 0700 below ${TMPDIR:-/tmp}, with a path short enough for a socket in it; removed when the test
 * process ends, however it ends. */
char *files_make_directory(void);
/* A path or any other text, as printf. */
char *files_path(const char *format, ...) __attribute__((format(printf, 1, 2)));
void files_make_folder(const char *path);
/* Makes the file anew with mode 0600. */
void files_write(const char *path, const char *text);
void files_append(const char *path, const char *text);
/* Bytes after a NUL are lost; "" when there is no such file. */
char *files_read(const char *path);
bool files_exist(const char *path);
/* Keeps the permissions; what was at `to` is replaced. */
void files_copy(const char *from, const char *to);
/* Folders and files below included; nothing there is no fault. */
void files_remove_tree(const char *path);

#endif
