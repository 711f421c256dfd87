/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/config: one file, read entry by entry, by what its kind may have at its top. */
#ifndef CHIME_CONFIG_FILE_H
#define CHIME_CONFIG_FILE_H

#include "config/reader.h"
#include "config/settings.h"

typedef void read_function(struct reader *reader, const config_setting_t *setting);

/* Which entries it may have at its top, and who reads each (in the order of the keys). NULL for those of `section`,
 * whose members come as units of their own: they are jobs. */
struct file_kind {
    const char *owner;
    struct setting_table table;
    read_function *const *readers;
    const char *section; /* "": there is none */
};

void file_read(struct reader *reader, const struct file_kind *kind, const char *file, const char *missing_hint);
/* Absolute. */
const char *file_folder(struct arena *arena, const char *file);

#endif
