/* SPDX-License-Identifier: PostgreSQL */
/* The files of the configuration as bytes.
 *
 * Does: list a folder's *.conf, open a regular file without ever blocking on it, and refuse what cannot be text. Needs
 *   /proc.
 * Does not: look at the meaning.
 * Findings go to the report; NULL or false when there was one. Results belong to the caller. */
#ifndef CHIME_CONFIG_SOURCE_H
#define CHIME_CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct source_text {
    char *text; /* NUL-terminated UTF-8 without other NULs; caller frees */
    size_t length;
};

/* `missing_hint` is what to do when there is no such file. */
bool source_read(const char *file, const char *missing_hint, struct source_text *text, struct report *report);
/* The same in two steps, for who must look at the very file that is read: a descriptor (O_PATH: it opens nothing, since
 * opening alone does something to many a device), the caller's to close; -1 with a finding. Only a regular file is
 * opened then, to be read. */
int source_open(const char *file, const char *missing_hint, struct report *report);
bool source_read_open(int descriptor, const char *file, struct source_text *text, struct report *report);

/* A finding where others than root and whoever runs this could have written it. */
void source_judge(const char *file, struct report *report);
void source_judge_folder(const char *folder, struct report *report);

struct source_list {
    char **files; /* folder/name, sorted by name */
    size_t count;
};

/* False with errno set when the folder cannot be read. Names with control characters are refused into the report. */
bool source_list_read(const char *folder, struct source_list *list, struct report *report);
void source_list_finish(struct source_list *list);

#endif
